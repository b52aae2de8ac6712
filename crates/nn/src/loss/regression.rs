//! Losses over differences: squared, absolute, and Huber's between the two.

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, within};
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
        let difference = difference(prediction, target);
        // With c = clamp(d, ±delta) both pieces are c·(d - c/2), and the derivative c'·(d - c) + c is c on either side
        // of a kink, whatever c' is chosen to be there.
        let limited = difference.clamp(-self.delta, self.delta);
        limited * (difference - limited * 0.5)
    }
}

/// The [mean squared error](MeanSquaredError) of a batch, a scalar.
///
/// # Panics
/// When the shapes differ or the predictions are not of floating point.
#[must_use]
#[track_caller]
pub fn mse<'g>(prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
    MeanSquaredError.loss(prediction, target)
}

/// The [mean absolute error](MeanAbsoluteError) of a batch, a scalar.
///
/// # Panics
/// As [`mse`].
#[must_use]
#[track_caller]
pub fn mae<'g>(prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
    MeanAbsoluteError.loss(prediction, target)
}

/// [Huber's loss](Huber) of a batch, a scalar.
///
/// # Panics
/// As [`mse`], and when `delta` is negative or not finite.
#[must_use]
#[track_caller]
pub fn huber<'g>(prediction: Expr<'g>, target: Expr<'g>, delta: f64) -> Expr<'g> {
    Huber::new(delta).loss(prediction, target)
}
