//! The choice of distributions for initial values.

use pullback_graph::{DType, Tensor, dispatch_float};

use super::draws::Draws;
use super::orthogonal::orthogonal;
use crate::error::{NnError, within};

/// How a parameter gets its first value.
///
/// Those of Glorot and He scale with the fan-in and fan-out of a kernel whose last two axes are `[in, out]`, as
/// [`Dense`](crate::Dense) has them; axes before these, of a convolution, multiply both. A vector counts as its length
/// in and out, a scalar as 1.
///
/// ```
/// use pullback_graph::DType::F32;
/// use pullback_nn::Initializer;
/// let kernel = Initializer::GlorotUniform.tensor(42, "dense/kernel", F32, &[3, 2])?;
/// assert_eq!(kernel, Initializer::GlorotUniform.tensor(42, "dense/kernel", F32, &[3, 2])?);
/// assert_ne!(kernel, Initializer::GlorotUniform.tensor(42, "dense_1/kernel", F32, &[3, 2])?);
/// # Ok::<(), pullback_nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// One number everywhere.
    Constant(f64),
    /// Evenly from `low..high`.
    Uniform {
        /// The lower end, included.
        low: f64,
        /// The upper end, not included.
        high: f64,
    },
    /// From the normal distribution.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        std: f64,
    },
    /// Evenly between `±√(6 / (in + out))`: variance `2 / (in + out)` (Glorot and Bengio, "Understanding the difficulty
    /// of training deep feedforward neural networks", 2010). For layers that are near linear around 0, such as tanh.
    GlorotUniform,
    /// From the normal distribution with variance `2 / (in + out)`, not truncated (the same paper).
    GlorotNormal,
    /// Evenly between `±√(6 / in)`: variance `2 / in` (He et al., "Delving deep into rectifiers", 2015). For relu.
    HeUniform,
    /// From the normal distribution with variance `2 / in`, not truncated (the same paper).
    HeNormal,
    /// A random matrix whose rows or columns, whichever are fewer, are orthonormal, times `gain` (Saxe et al., "Exact
    /// solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013). All axes but the last
    /// make the rows.
    Orthogonal {
        /// What the orthonormal matrix is multiplied with.
        gain: f64,
    },
}

/// The number of values that go into, and come out of, each unit of a kernel with these sizes.
fn fans(sizes: &[usize]) -> (f64, f64) {
    match *sizes {
        [] => (1.0, 1.0),
        [only] => (only as f64, only as f64),
        [ref field @ .., input, output] => {
            let field: usize = field.iter().product();
            ((field * input) as f64, (field * output) as f64)
        }
    }
}

impl Initializer {
    /// Checks the numbers, and that parameters of this shape can be made.
    ///
    /// # Errors
    /// [`NnError::Setting`] when a number is not finite, a range or deviation is negative, or
    /// [`Orthogonal`](Initializer::Orthogonal) is asked for fewer than two axes.
    pub fn check(&self, sizes: &[usize]) -> Result<(), NnError> {
        let by = "initializer";
        match *self {
            Initializer::Constant(value) => finite(by, "the constant", value),
            Initializer::Uniform { low, high } => {
                finite(by, "the lower end", low)?;
                finite(by, "the upper end", high)?;
                match low <= high {
                    true => Ok(()),
                    false => Err(NnError::setting(by, format!("the range {low}..{high} is empty"))),
                }
            }
            Initializer::Normal { mean, std } => {
                finite(by, "the mean", mean)?;
                within(by, "the standard deviation", std, 0.0, f64::INFINITY)
            }
            Initializer::Orthogonal { gain } => {
                finite(by, "the gain", gain)?;
                match sizes.len() {
                    0 | 1 => Err(NnError::setting(
                        by,
                        format!("orthogonal values take at least two axes, got the shape {sizes:?}"),
                    )),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The value of the parameter `path` of these sizes under `seed`; drawn in double precision, then rounded.
    ///
    /// # Errors
    /// As [`check`](Initializer::check), and [`NnError::Setting`] when `dtype` is not of floating point.
    pub fn tensor(&self, seed: u64, path: &str, dtype: DType, sizes: &[usize]) -> Result<Tensor, NnError> {
        self.check(sizes)?;
        let count: usize = sizes.iter().product();
        let mut draws = Draws::of(seed, path);
        let (fan_in, fan_out) = fans(sizes);
        let spread = |variance: f64| (3.0 * variance).sqrt();
        let values = match *self {
            Initializer::Zeros => vec![0.0; count],
            Initializer::Ones => vec![1.0; count],
            Initializer::Constant(value) => vec![value; count],
            Initializer::Uniform { low, high } => draws.uniform(count, low, high),
            Initializer::Normal { mean, std } => draws.normal(count, mean, std),
            Initializer::GlorotUniform => {
                let bound = spread(2.0 / (fan_in + fan_out));
                draws.uniform(count, -bound, bound)
            }
            Initializer::GlorotNormal => draws.normal(count, 0.0, (2.0 / (fan_in + fan_out)).sqrt()),
            Initializer::HeUniform => {
                let bound = spread(2.0 / fan_in);
                draws.uniform(count, -bound, bound)
            }
            Initializer::HeNormal => draws.normal(count, 0.0, (2.0 / fan_in).sqrt()),
            Initializer::Orthogonal { gain } => {
                let columns = sizes[sizes.len() - 1];
                let rows = sizes[..sizes.len() - 1].iter().product();
                let mut values = orthogonal(&mut draws, rows, columns);
                values.iter_mut().for_each(|value| *value *= gain);
                values
            }
        };
        dispatch_float!(dtype, T => {
            Ok(Tensor::from_fn(sizes, |i| <T as pullback_graph::Element>::from_f64(values[i])))
        }, else Err(NnError::setting("initializer", format!("parameters are of floating point, not {dtype}"))))
    }
}

fn finite(by: &str, what: &str, value: f64) -> Result<(), NnError> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(NnError::setting(by, format!("{what} is {value}, and must be finite"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(initializer: Initializer, sizes: &[usize]) -> Vec<f64> {
        initializer.tensor(1, "dense/kernel", DType::F64, sizes).unwrap().to_f64_vec()
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn scaled_initializers_have_the_variance_of_their_paper() {
        let sizes = [200, 100];
        for (initializer, expected) in [
            (Initializer::GlorotUniform, 2.0_f64 / 300.0),
            (Initializer::GlorotNormal, 2.0 / 300.0),
            (Initializer::HeUniform, 2.0 / 200.0),
            (Initializer::HeNormal, 2.0 / 200.0),
            (Initializer::Normal { mean: 0.0, std: 0.5 }, 0.25),
            (Initializer::Uniform { low: -1.0, high: 1.0 }, 1.0 / 3.0),
        ] {
            let (mean, variance) = moments(&drawn(initializer, &sizes));
            assert!(mean.abs() < 4.0 * (expected / 20_000.0).sqrt(), "{initializer:?}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{initializer:?}: {variance} for {expected}");
        }
        let bound = (6.0_f64 / 300.0).sqrt();
        assert!(drawn(Initializer::GlorotUniform, &sizes).iter().all(|value| value.abs() <= bound));
    }

    #[test]
    fn fans_follow_the_last_two_axes() {
        assert_eq!(fans(&[3, 3, 16, 32]), (144.0, 288.0));
        assert_eq!(fans(&[784, 64]), (784.0, 64.0));
        assert_eq!(fans(&[7]), (7.0, 7.0));
        assert_eq!(fans(&[]), (1.0, 1.0));
    }

    #[test]
    fn the_shorter_side_is_orthonormal_times_the_gain() {
        for (rows, columns) in [(5, 5), (7, 3), (3, 7), (1, 4)] {
            let values = drawn(Initializer::Orthogonal { gain: 2.0 }, &[rows, columns]);
            let at = |row: usize, column: usize| values[row * columns + column];
            let count = rows.min(columns);
            for i in 0..count {
                for j in 0..count {
                    let product: f64 = match rows <= columns {
                        true => (0..columns).map(|k| at(i, k) * at(j, k)).sum(),
                        false => (0..rows).map(|k| at(k, i) * at(k, j)).sum(),
                    };
                    let expected = if i == j { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{rows} × {columns}: {product} at {i}, {j}");
                }
            }
        }
    }

    /// The bits are a promise: a model is what its seed says.
    #[test]
    fn values_depend_on_seed_and_path_alone() {
        let kernel = |seed, path| Initializer::HeNormal.tensor(seed, path, DType::F32, &[4, 4]).unwrap();
        assert_eq!(kernel(7, "a/kernel"), kernel(7, "a/kernel"));
        assert_ne!(kernel(7, "a/kernel"), kernel(8, "a/kernel"));
        assert_ne!(kernel(7, "a/kernel"), kernel(7, "b/kernel"));
        let uniform = Initializer::Uniform { low: 0.0, high: 1.0 };
        let wide = uniform.tensor(7, "a", DType::F64, &[3]).unwrap();
        assert_eq!(wide.cast(DType::F32), uniform.tensor(7, "a", DType::F32, &[3]).unwrap());
        let pinned =
            |initializer: Initializer| initializer.tensor(42, "dense/kernel", DType::F64, &[1, 3]).unwrap();
        assert_eq!(
            pinned(uniform),
            Tensor::of([1, 3], [0.07557188727420838, 0.7956469737375085, 0.8348814535234613])
        );
        assert_eq!(
            pinned(Initializer::HeNormal),
            Tensor::of([1, 3], [0.15860150933636472, -0.5377411254155476, -1.4105276592190368])
        );
    }

    #[test]
    fn numbers_without_meaning_are_refused() {
        for initializer in [
            Initializer::Constant(f64::NAN),
            Initializer::Uniform { low: 1.0, high: 0.0 },
            Initializer::Normal { mean: 0.0, std: -1.0 },
            Initializer::Orthogonal { gain: f64::INFINITY },
        ] {
            assert!(matches!(initializer.check(&[2, 2]), Err(NnError::Setting { .. })), "{initializer:?}");
        }
        assert!(Initializer::Orthogonal { gain: 1.0 }.check(&[3]).is_err());
        assert!(Initializer::Zeros.tensor(0, "labels", DType::I64, &[3]).is_err());
    }
}
