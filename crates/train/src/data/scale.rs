//! Scaling features: fitted to training data, applied to any data, and undone.
//!
//! Both scalers are one affine map per feature, `(x - shift) / unit`, computed in double precision. A feature that is
//! constant in the training data has no spread to divide by: its unit is 1, so it becomes constant and never NaN.

use pullback_graph::{DType, Element, Tensor, dispatch_float};

use super::error::DataError;

/// What gets a scale of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Each feature, that is each position within a sample.
    Feature,
    /// The data as a whole, which keeps the proportions between features: right for pixels.
    Whole,
}

/// Brings features to zero mean and unit variance.
///
/// ```
/// use pullback_graph::Tensor;
/// use pullback_train::data::{Per, StandardScaler};
///
/// let train = Tensor::of([2, 2], vec![1.0_f32, 5.0, 3.0, 5.0]);
/// let scaler = StandardScaler::fit(&train, Per::Feature)?;
/// assert_eq!(scaler.transform(&train)?.to_string(), "f32[2, 2] [-1, 0, 1, 0]");
/// # Ok::<(), pullback_train::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StandardScaler {
    affine: Affine,
}

impl StandardScaler {
    /// Takes mean and standard deviation (of the population: divided by the number of values) from `[samples, ..]`.
    ///
    /// # Errors
    /// [`DataError::Type`] unless the data is f32 or f64 with a first axis that counts samples, [`DataError::Empty`]
    /// without values, [`DataError::NotFinite`] for the first infinite or NaN value.
    pub fn fit(data: &Tensor, per: Per) -> Result<StandardScaler, DataError> {
        let columns = Columns::of(data, per)?;
        let scales = columns.iter().map(|column| {
            let count = column.clone().count() as f64;
            let mean = column.clone().sum::<f64>() / count;
            // Equal values, not a variance of 0: rounding leaves a constant 0.1 a tiny variance.
            let mut rest = column.clone();
            let first = rest.next();
            if rest.all(|value| Some(value) == first) {
                return (first.unwrap_or(mean), 1.0);
            }
            let variance = column.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            // The squares of tiny differences can vanish.
            (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
        });
        Ok(StandardScaler { affine: Affine::from_scales(scales, per) })
    }

    /// The means that are subtracted: one per feature, or one.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.affine.shift
    }

    /// The standard deviations that are divided by, 1 for a constant feature: one per feature, or one.
    #[must_use]
    pub fn deviation(&self) -> &[f64] {
        &self.affine.unit
    }

    /// `(x - mean) / deviation`, of the type of `data`.
    ///
    /// # Errors
    /// [`DataError::Type`] unless the data is f32 or f64, [`DataError::Features`] when it has another number of
    /// features than the scaler was fitted to.
    pub fn transform(&self, data: &Tensor) -> Result<Tensor, DataError> {
        self.affine.map(data, |x, mean, deviation| (x - mean) / deviation)
    }

    /// The inverse of [`StandardScaler::transform`], but for rounding.
    ///
    /// # Errors
    /// As [`StandardScaler::transform`].
    pub fn inverse(&self, scaled: &Tensor) -> Result<Tensor, DataError> {
        self.affine.map(scaled, |y, mean, deviation| y * deviation + mean)
    }
}

/// Brings features to a range, 0 to 1 unless told otherwise.
///
/// Data that was not fitted to may fall outside the range; a constant feature becomes the range's lower end.
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxScaler {
    affine: Affine,
    low: f64,
    high: f64,
}

impl MinMaxScaler {
    /// Takes minimum and maximum from `[samples, ..]`; scales to 0 to 1.
    ///
    /// # Errors
    /// As [`StandardScaler::fit`].
    pub fn fit(data: &Tensor, per: Per) -> Result<MinMaxScaler, DataError> {
        let columns = Columns::of(data, per)?;
        let scales = columns.iter().map(|column| {
            let low = column.clone().fold(f64::INFINITY, f64::min);
            let high = column.fold(f64::NEG_INFINITY, f64::max);
            (low, if high > low { high - low } else { 1.0 })
        });
        Ok(MinMaxScaler { affine: Affine::from_scales(scales, per), low: 0.0, high: 1.0 })
    }

    /// Scales to another range.
    ///
    /// # Errors
    /// [`DataError::Range`] unless `low` is smaller than `high` and both are finite.
    pub fn to_range(self, low: f64, high: f64) -> Result<MinMaxScaler, DataError> {
        if !(low < high && (high - low).is_finite()) {
            return Err(DataError::Range { low, high });
        }
        Ok(MinMaxScaler { low, high, ..self })
    }

    /// The minima: one per feature, or one.
    #[must_use]
    pub fn min(&self) -> &[f64] {
        &self.affine.shift
    }

    /// The differences of maximum and minimum, 1 for a constant feature: one per feature, or one.
    #[must_use]
    pub fn range(&self) -> &[f64] {
        &self.affine.unit
    }

    /// `low + (x - min) / range * (high - low)`, of the type of `data`.
    ///
    /// # Errors
    /// As [`StandardScaler::transform`].
    pub fn transform(&self, data: &Tensor) -> Result<Tensor, DataError> {
        let span = self.high - self.low;
        self.affine.map(data, |x, min, range| self.low + (x - min) / range * span)
    }

    /// The inverse of [`MinMaxScaler::transform`], but for rounding.
    ///
    /// # Errors
    /// As [`StandardScaler::transform`].
    pub fn inverse(&self, scaled: &Tensor) -> Result<Tensor, DataError> {
        let span = self.high - self.low;
        self.affine.map(scaled, |y, min, range| (y - self.low) / span * range + min)
    }
}

/// A shift and a unit per feature, or one of both for all.
#[derive(Clone, Debug, PartialEq)]
struct Affine {
    per: Per,
    shift: Vec<f64>,
    unit: Vec<f64>,
}

impl Affine {
    fn from_scales(scales: impl Iterator<Item = (f64, f64)>, per: Per) -> Affine {
        let (shift, unit) = scales.unzip();
        Affine { per, shift, unit }
    }

    /// Each value with the shift and unit of its feature, through `apply`.
    fn map(&self, data: &Tensor, apply: impl Fn(f64, f64, f64) -> f64) -> Result<Tensor, DataError> {
        let features = features(data)?;
        if self.per == Per::Feature && features != self.shift.len() {
            return Err(DataError::Features { expected: self.shift.len(), got: features });
        }
        let columns = self.shift.len();
        Ok(dispatch_float!(data.dtype(), T => {
            let values = data.values::<T>();
            Tensor::from_fn(data.sizes(), |i| {
                let column = i % columns;
                <T as Element>::from_f64(apply(values[i].to_f64(), self.shift[column], self.unit[column]))
            })
        }, else unreachable!("`features` has checked for floats")))
    }
}

/// The number of features of `[samples, ..]` data.
fn features(data: &Tensor) -> Result<usize, DataError> {
    if !data.dtype().is_float() || data.sizes().is_empty() {
        return Err(DataError::ty(
            "data to scale",
            "f32 or f64 with a first axis that counts samples",
            data.ty(),
        ));
    }
    Ok(data.sizes()[1..].iter().product())
}

/// The values that share one scale, column by column.
struct Columns {
    values: Vec<f64>,
    columns: usize,
}

impl Columns {
    fn of(data: &Tensor, per: Per) -> Result<Columns, DataError> {
        let features = features(data)?;
        if data.is_empty() {
            return Err(DataError::Empty { what: "the data to fit a scaler to" });
        }
        let values = data.cast(DType::F64).values::<f64>().to_vec();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::NotFinite {
                row: at / features,
                feature: at % features,
                value: values[at],
            });
        }
        Ok(Columns { values, columns: if per == Per::Feature { features } else { 1 } })
    }

    fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = f64> + Clone + '_> + '_ {
        (0..self.columns).map(|column| self.values.iter().skip(column).step_by(self.columns).copied())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> Tensor {
        Tensor::of([4, 3], vec![1.0, 0.1, -2.0, 2.0, 0.1, 0.0, 3.0, 0.1, 2.0, 6.0, 0.1, 4.0])
    }

    #[test]
    fn features_get_zero_mean_and_unit_variance() {
        let scaler = StandardScaler::fit(&table(), Per::Feature).unwrap();
        // 1, 2, 3, 6 has mean 3 and variance (4 + 1 + 0 + 9) / 4; -2, 0, 2, 4 has mean 1 and variance 5.
        assert_eq!(scaler.mean(), [3.0, 0.1, 1.0]);
        assert_eq!(scaler.deviation(), [3.5_f64.sqrt(), 1.0, 5.0_f64.sqrt()]);
        let scaled = scaler.transform(&table()).unwrap();
        let column = |column: usize| scaled.values::<f64>().iter().skip(column).step_by(3);
        assert!((column(0).sum::<f64>()).abs() < 1e-12);
        assert!((column(2).map(|x| x * x).sum::<f64>() / 4.0 - 1.0).abs() < 1e-12);
        assert!(column(1).all(|value| *value == 0.0), "a constant feature becomes 0, not noise");
    }

    #[test]
    fn a_range_is_reached_and_a_constant_stays_at_its_lower_end() {
        let scaler = MinMaxScaler::fit(&table(), Per::Feature).unwrap();
        assert_eq!((scaler.min(), scaler.range()), (&[1.0, 0.1, -2.0][..], &[5.0, 1.0, 6.0][..]));
        let scaled = scaler.clone().to_range(-1.0, 1.0).unwrap().transform(&table()).unwrap();
        let rounded: Vec<f64> = scaled.values::<f64>().iter().map(|x| (x * 1e9).round() / 1e9).collect();
        assert_eq!(rounded[..6], [-1.0, -1.0, -1.0, -0.6, -1.0, -0.333333333]);
        assert_eq!(rounded[9..], [1.0, -1.0, 1.0]);
        let error = scaler.to_range(1.0, 1.0).unwrap_err().to_string();
        assert_eq!(
            error,
            "the range to scale to must go from a smaller to a larger finite number, got 1 to 1"
        );
    }

    #[test]
    fn whole_data_shares_one_scale() {
        let pixels = Tensor::of([2, 2], vec![0.0_f32, 4.0, 8.0, 16.0]);
        let scaler = MinMaxScaler::fit(&pixels, Per::Whole).unwrap();
        assert_eq!(scaler.transform(&pixels).unwrap().to_string(), "f32[2, 2] [0, 0.25, 0.5, 1]");
        let wider = Tensor::of([1, 3], vec![32.0_f32, 0.0, -16.0]);
        assert_eq!(scaler.transform(&wider).unwrap().to_string(), "f32[1, 3] [2, 0, -1]");
    }

    #[test]
    fn data_that_cannot_be_scaled_is_refused() {
        let message = |data: &Tensor| StandardScaler::fit(data, Per::Feature).unwrap_err().to_string();
        assert_eq!(
            message(&Tensor::vector(vec![1_i64])),
            "data to scale must be f32 or f64 with a first axis that counts samples, got i64[1]"
        );
        assert_eq!(message(&Tensor::zeros([0, 3])), "the data to fit a scaler to is empty");
        let holed = Tensor::of([2, 2], vec![0.0_f32, 1.0, 2.0, f32::NAN]);
        assert_eq!(message(&holed), "feature 1 in row 1 is NaN: not a finite number");
        let scaler = StandardScaler::fit(&table(), Per::Feature).unwrap();
        let error = scaler.transform(&Tensor::zeros([4, 2])).unwrap_err().to_string();
        assert_eq!(error, "the scaler was fitted to 3 features, got 2");
    }

    #[test]
    fn no_rows_transform_to_no_rows() {
        let scaler = StandardScaler::fit(&table(), Per::Feature).unwrap();
        assert_eq!(scaler.transform(&Tensor::zeros([0, 3])).unwrap().sizes(), [0, 3]);
    }

    fn data() -> impl Strategy<Value = Tensor> {
        (1_usize..6, 1_usize..4).prop_flat_map(|(rows, columns)| {
            proptest::collection::vec(prop_oneof![Just(0.1), -1e6..1e6_f64], rows * columns)
                .prop_map(move |values| Tensor::new(&[rows, columns], values).unwrap())
        })
    }

    proptest! {
        #[test]
        fn scaling_is_undone(data in data(), per in prop_oneof![Just(Per::Feature), Just(Per::Whole)]) {
            let standard = StandardScaler::fit(&data, per).unwrap();
            let scaled = standard.transform(&data).unwrap();
            prop_assert!(scaled.values::<f64>().iter().all(|value| value.is_finite()));
            prop_assert!(standard.inverse(&scaled).unwrap().max_abs_diff(&data) < 1e-8);

            let range = MinMaxScaler::fit(&data, per).unwrap().to_range(-2.0, 3.0).unwrap();
            let scaled = range.transform(&data).unwrap();
            prop_assert!(scaled.values::<f64>().iter().all(|value| (-2.0 - 1e-9..=3.0 + 1e-9).contains(value)));
            prop_assert!(range.inverse(&scaled).unwrap().max_abs_diff(&data) < 1e-8);
        }
    }
}
