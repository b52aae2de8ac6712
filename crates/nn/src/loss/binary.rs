//! The cross-entropy of yes and no.

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, within};
use crate::loss::categorical::SMALLEST;
use crate::loss::traits::{Loss, expect, expect_same_shape};

/// `-t·log p - (1 - t)·log(1 - p)` for targets `t` from 0 to 1, of any element type.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
///
/// From logits `x` it is computed as `(1 - t)·softplus(x) + t·softplus(-x)`. Neither term cancels, so a loss of 1e-18 is
/// as exact as one of 500; and it is smooth, while the usual `max(x, 0) - x·t + log1p(e^-|x|)` has two kinks at 0 whose
/// conventional derivatives add up to `-t` instead of `½ - t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryCrossentropy {
    logits: bool,
    label_smoothing: f64,
}

impl BinaryCrossentropy {
    /// Over scores of which [sigmoid](Expr::sigmoid) would make probabilities.
    #[must_use]
    pub fn from_logits() -> Self {
        BinaryCrossentropy { logits: true, label_smoothing: 0.0 }
    }

    /// Over probabilities, which are cut off 1e-7 away from 0 and 1: beyond, the loss is flat. Prefer
    /// [`from_logits`](BinaryCrossentropy::from_logits).
    #[must_use]
    pub fn from_probabilities() -> Self {
        BinaryCrossentropy { logits: false, label_smoothing: 0.0 }
    }

    /// Moves targets towards ½ by this part, from 0 to 1: `t · (1 - s) + s / 2`.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        BinaryCrossentropy { label_smoothing, ..self }
    }
}

impl Loss for BinaryCrossentropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "the label smoothing", self.label_smoothing, 0.0, 1.0)?;
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let mut target = target.cast(prediction.dtype());
        if self.label_smoothing > 0.0 {
            target = target * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing;
        }
        let (no, yes) = match self.logits {
            true => (prediction.softplus(), (-prediction).softplus()),
            false => {
                let p = prediction.clamp(SMALLEST, 1.0 - SMALLEST);
                (-(-p).log1p(), -p.log())
            }
        };
        (1.0 - target) * no + target * yes
    }
}

/// The [cross-entropy](BinaryCrossentropy) of logits and targets from 0 to 1, averaged: a scalar.
///
/// # Panics
/// When the shapes differ or the logits are not of floating point.
#[must_use]
#[track_caller]
pub fn binary_cross_entropy<'g>(logits: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
    BinaryCrossentropy::from_logits().loss(logits, target)
}
