//! Losses over differences: squared, absolute, and those that lie between the two.

use std::f64::consts::LN_2;
use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept, within};
use crate::loss::reduction::Reduction;
use crate::loss::traits::{Loss, expect, expect_same_shape};

/// `(prediction - target)²`. Targets of any element type; they are converted to the predictions'.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquaredError;

/// `|prediction - target|`; the derivative at equality is 0.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanAbsoluteError;

/// `½d²` for differences up to `delta`, `delta · (|d| - ½delta)` beyond: quadratic near equality, linear far from it
/// (Huber, "Robust estimation of a location parameter", 1964). The derivative is `d` limited to `±delta`.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// Huber's loss that turns linear at `delta`, which is at least 0.
    #[must_use]
    pub fn new(delta: f64) -> Self {
        Huber { delta }
    }
}

impl Default for Huber {
    /// `delta` 1.
    fn default() -> Self {
        Huber::new(1.0)
    }
}

/// `log cosh(prediction - target)`: `½d²` near equality, `|d| - log 2` far from it, and smooth between.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCosh;

/// `(log(1 + prediction) - log(1 + target))²`: squared ratios rather than differences, for what grows in proportion. Both are
/// at least 0; below, they count as 0, where the derivative is 0.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquaredLogarithmicError;

/// `100 · |prediction - target| / |target|`, with sizes of targets below 1e-7 taken to be 1e-7; the derivative at equality is 0.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanAbsolutePercentageError;

#[track_caller]
fn difference<'g>(prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
    prediction - target.cast(prediction.dtype())
}

impl Loss for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean_squared_error"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        difference(prediction, target).square()
    }
}

impl Loss for MeanAbsoluteError {
    fn name(&self) -> &'static str {
        "mean_absolute_error"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        difference(prediction, target).abs()
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "delta", self.delta, 0.0, f64::INFINITY)?;
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let (limited, rest) = huber_factors(difference(prediction, target), self.delta);
        limited * rest
    }
}

impl Loss for LogCosh {
    fn name(&self) -> &'static str {
        "log_cosh"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let difference = difference(prediction, target);
        let size = difference.abs();
        // Far from 0 cosh would overflow, and near it log 2 would take the digits of what is left.
        let near = size.lt(1.0);
        let sinh = near.select(difference, 0.0).sinh();
        near.select((sinh * sinh).log1p() * 0.5, size + (size * -2.0).softplus() - LN_2)
    }
}

impl Loss for MeanSquaredLogarithmicError {
    fn name(&self) -> &'static str {
        "mean_squared_logarithmic_error"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let logarithm = |x: Expr<'g>| x.relu().log1p();
        (logarithm(prediction) - logarithm(target.cast(prediction.dtype()))).square()
    }
}

impl Loss for MeanAbsolutePercentageError {
    fn name(&self) -> &'static str {
        "mean_absolute_percentage_error"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let target = target.cast(prediction.dtype());
        (prediction - target).abs() / target.abs().maximum(1e-7) * 100.0
    }
}

/// Factors of Huber's loss: the difference `d` limited to `±delta`, `c`, and `d - c/2`.
///
/// With `c` both pieces are `c·(d - c/2)`, and the derivative `c'·(d - c) + c` is `c` on either side of a kink, whatever `c'`
/// is chosen to be there.
#[track_caller]
fn huber_factors(difference: Expr<'_>, delta: f64) -> (Expr<'_>, Expr<'_>) {
    let limited = difference.clamp(-delta, delta);
    (limited, difference - limited * 0.5)
}

/// The [squared error](MeanSquaredError) of a batch.
///
/// # Panics
/// When the shapes differ or the predictions are not of floating point.
#[must_use]
#[track_caller]
pub fn mse<'g>(prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    MeanSquaredError.reduced(prediction, target, reduction)
}

/// The [absolute error](MeanAbsoluteError) of a batch, also called L1.
///
/// # Panics
/// As [`mse`].
#[must_use]
#[track_caller]
pub fn mae<'g>(prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    MeanAbsoluteError.reduced(prediction, target, reduction)
}

/// [Huber's loss](Huber) of a batch.
///
/// # Panics
/// As [`mse`], and when `delta` is negative or not finite.
#[must_use]
#[track_caller]
pub fn huber<'g>(prediction: Expr<'g>, target: Expr<'g>, delta: f64, reduction: Reduction) -> Expr<'g> {
    Huber::new(delta).reduced(prediction, target, reduction)
}

/// [Huber's loss](Huber) divided by `beta`: `½d²/beta` for differences up to `beta`, `|d| - ½beta` beyond, so that the slope
/// far from equality is 1 (Girshick, "Fast R-CNN", 2015). For `beta` 0 it is the [absolute error](mae).
///
/// # Panics
/// As [`mse`], and when `beta` is negative or not finite.
#[must_use]
#[track_caller]
pub fn smooth_l1<'g>(prediction: Expr<'g>, target: Expr<'g>, beta: f64, reduction: Reduction) -> Expr<'g> {
    const NAME: &str = "smooth_l1";
    accept(within(NAME, "beta", beta, 0.0, f64::INFINITY));
    accept(expect_same_shape(NAME, &prediction.ty(), &target.ty()));
    prediction.builder().derived(NAME, Location::caller(), || {
        let difference = difference(prediction, target);
        if beta == 0.0 {
            return reduction.apply(difference.abs());
        }
        let (limited, rest) = huber_factors(difference, beta);
        reduction.apply(limited / beta * rest)
    })
}
