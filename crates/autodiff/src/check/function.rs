//! The check of a closure.

use pullback_graph::{Builder, DType, Expr, Tensor};

use crate::check::draw;
use crate::check::gradient::check_gradient;
use crate::check::options::CheckOptions;
use crate::check::report::CheckReport;

/// An input of a closure that is checked: its element type, and its value or where that is drawn from.
#[derive(Clone, Debug)]
pub struct InputSpec {
    dtype: DType,
    sizes: Vec<usize>,
    low: f64,
    high: f64,
    value: Option<Tensor>,
}

/// An f64 input with elements between -2 and 2.
#[must_use]
pub fn f64_in<const N: usize>(sizes: [usize; N]) -> InputSpec {
    InputSpec { dtype: DType::F64, sizes: sizes.into(), low: -2.0, high: 2.0, value: None }
}

/// An f32 input with elements between -2 and 2. It is checked in f64.
#[must_use]
pub fn f32_in<const N: usize>(sizes: [usize; N]) -> InputSpec {
    InputSpec { dtype: DType::F32, ..f64_in(sizes) }
}

impl InputSpec {
    /// The same input with elements between these bounds: where the function is defined.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> InputSpec {
        InputSpec { low, high, ..self }
    }

    /// The same input with this value, whose type and sizes it takes.
    #[must_use]
    pub fn value(self, value: Tensor) -> InputSpec {
        InputSpec { dtype: value.dtype(), sizes: value.sizes().into(), value: Some(value), ..self }
    }

    fn drawn(&self, stream: u64) -> Tensor {
        if let Some(value) = &self.value {
            return value.clone();
        }
        let unit = draw::uniform(0, stream, &self.sizes);
        let unit = unit.values::<f64>();
        Tensor::from_fn(&self.sizes, |at| self.low + (self.high - self.low) * unit[at]).cast(self.dtype)
    }
}

/// Checks the gradient of a function of some inputs, in each of them that is a float.
///
/// The function may return a tensor of any shape. The values are the same in every run.
///
/// ```
/// use pullback_autodiff::check::{check_gradients, f64_in};
/// check_gradients(|[x, w]| x.dot(w).tanh().sum(), [f64_in([4, 3]), f64_in([3, 2])]).assert();
/// check_gradients(|[x]| x.log(), [f64_in([5]).between(0.1, 3.0)]).assert();
/// ```
///
/// # Panics
/// When there is nothing to compare: the function's result is no float, or an op has no derivative.
#[track_caller]
pub fn check_gradients<const N: usize>(
    function: impl for<'g> Fn([Expr<'g>; N]) -> Expr<'g>,
    inputs: [InputSpec; N],
) -> CheckReport {
    let builder = Builder::new();
    let names: Vec<String> = (0..N).map(|at| format!("x{at}")).collect();
    let values: Vec<Tensor> = inputs.iter().zip(0..).map(|(input, stream)| input.drawn(stream)).collect();
    let expressions =
        std::array::from_fn(|at| builder.input(&names[at], values[at].dtype(), values[at].shape()));
    let result = function(expressions);
    let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&values).collect();
    let wrt: Vec<&str> =
        feeds.iter().filter(|(_, value)| value.dtype().is_float()).map(|(name, _)| *name).collect();
    let checked = match builder.finish([("out", result)]) {
        Ok(graph) => check_gradient(&graph, "out", &wrt, &feeds, &CheckOptions::default()),
        Err(error) => Err(error.into()),
    };
    match checked {
        Ok(report) => report,
        Err(error) => panic!("{error}"),
    }
}
