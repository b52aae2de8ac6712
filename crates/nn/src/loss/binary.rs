//! The cross-entropy of yes and no.

use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept, within};
use crate::loss::categorical::SMALLEST;
use crate::loss::reduction::{Reduction, weighted};
use crate::loss::traits::{Loss, expect, expect_same_shape};

/// Where logarithms of probabilities are cut off by [`binary_cross_entropy_of_probabilities`].
const LOWEST_LOG: f64 = -100.0;

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
            true => costs_of_logits(prediction),
            false => {
                let p = prediction.clamp(SMALLEST, 1.0 - SMALLEST);
                (-(-p).log1p(), -p.log())
            }
        };
        mixed(target, no, yes)
    }
}

/// The cross-entropy of yes and no in which what is easily right counts less: `t · (1 - p)^γ · -log p` for yes, and the same
/// with `1 - t` and `1 - p` for no (Lin et al., "Focal loss for dense object detection", 2017).
///
/// Prediction: logits. Target: from 0 to 1, of any element type; one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryFocalCrossentropy {
    gamma: f64,
    alpha: Option<f64>,
}

impl BinaryFocalCrossentropy {
    /// Over scores of which [sigmoid](Expr::sigmoid) would make probabilities, with `gamma` 2.
    #[must_use]
    pub fn from_logits() -> Self {
        BinaryFocalCrossentropy { gamma: 2.0, alpha: None }
    }

    /// How much less counts what is easy: at least 0, which is the [cross-entropy](BinaryCrossentropy).
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Self {
        BinaryFocalCrossentropy { gamma, ..self }
    }

    /// Weighs yes with `alpha`, from 0 to 1, and no with `1 - alpha`.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        BinaryFocalCrossentropy { alpha: Some(alpha), ..self }
    }
}

impl Loss for BinaryFocalCrossentropy {
    fn name(&self) -> &'static str {
        "binary_focal_crossentropy"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "gamma", self.gamma, 0.0, f64::INFINITY)?;
        within(self.name(), "alpha", self.alpha.unwrap_or(0.5), 0.0, 1.0)?;
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        // The costs are -log(1 - p) and -log p, so each tells the power of the other: smooth for every gamma.
        let (no, yes) = costs_of_logits(prediction);
        let focused = |cost: Expr<'g>, other: Expr<'g>| weighted((other * -self.gamma).exp(), cost);
        let (mut no_focused, mut yes_focused) = (focused(no, yes), focused(yes, no));
        if let Some(alpha) = self.alpha {
            (no_focused, yes_focused) = (no_focused * (1.0 - alpha), yes_focused * alpha);
        }
        mixed(target.cast(prediction.dtype()), no_focused, yes_focused)
    }
}

/// How a binary cross-entropy is weighted and put together; made from a [`Reduction`] alone, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryCrossEntropyOptions<'g> {
    weights: Option<Expr<'g>>,
    positive_weights: Option<Expr<'g>>,
    reduction: Reduction,
}

impl<'g> BinaryCrossEntropyOptions<'g> {
    /// Factors of the losses; they broadcast against them. The mean is still over the number of elements.
    #[must_use]
    pub fn weights(self, weights: Expr<'g>) -> Self {
        BinaryCrossEntropyOptions { weights: Some(weights), ..self }
    }

    /// Factors of the part of the loss that is for yes, `t · log p`, against rare positives; they broadcast against the
    /// predictions: `[classes]` for one per class of `[batch, classes]`.
    #[must_use]
    pub fn positive_weights(self, weights: Expr<'g>) -> Self {
        BinaryCrossEntropyOptions { positive_weights: Some(weights), ..self }
    }

    /// How the losses of the elements are put together.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        BinaryCrossEntropyOptions { reduction, ..self }
    }

    /// The loss of targets with these costs of answering no and yes.
    #[track_caller]
    fn apply(self, target: Expr<'g>, (no, mut yes): (Expr<'g>, Expr<'g>)) -> Expr<'g> {
        if let Some(positive) = self.positive_weights {
            yes = weighted(positive.cast(yes.dtype()), yes);
        }
        let mut losses = mixed(target.cast(no.dtype()), no, yes);
        if let Some(weights) = self.weights {
            losses = weighted(weights.cast(losses.dtype()), losses);
        }
        self.reduction.apply(losses)
    }

    /// Checks the types of everything.
    fn check(self, by: &str, prediction: Expr<'g>, target: Expr<'g>) -> Result<(), NnError> {
        let prediction = prediction.ty();
        expect_same_shape(by, &prediction, &target.ty())?;
        for weights in [self.weights, self.positive_weights].into_iter().flatten() {
            if weights.shape().broadcast(&prediction.shape).is_none_or(|common| common != prediction.shape) {
                let message = format!("weights that broadcast to {prediction}, got {}", weights.ty());
                return Err(NnError::input(by, message));
            }
        }
        Ok(())
    }
}

impl From<Reduction> for BinaryCrossEntropyOptions<'_> {
    fn from(reduction: Reduction) -> Self {
        BinaryCrossEntropyOptions::default().reduction(reduction)
    }
}

/// The [cross-entropy](BinaryCrossentropy) of logits and targets from 0 to 1: `(1 - t)·softplus(x) + t·softplus(-x)`.
///
/// # Panics
/// When the shapes differ, weights do not broadcast to them, or the logits are not of floating point.
#[must_use]
#[track_caller]
pub fn binary_cross_entropy<'g>(
    logits: Expr<'g>,
    target: Expr<'g>,
    options: impl Into<BinaryCrossEntropyOptions<'g>>,
) -> Expr<'g> {
    const NAME: &str = "binary_cross_entropy";
    let options = options.into();
    accept(options.check(NAME, logits, target));
    logits.builder().derived(NAME, Location::caller(), || options.apply(target, costs_of_logits(logits)))
}

/// The cross-entropy of probabilities and targets from 0 to 1, `-t·log p - (1 - t)·log(1 - p)`, where no logarithm is less
/// than -100: beyond, it is flat. Prefer [`binary_cross_entropy`] over logits. NaN where `p` is no probability.
///
/// # Panics
/// As [`binary_cross_entropy`].
#[must_use]
#[track_caller]
pub fn binary_cross_entropy_of_probabilities<'g>(
    probabilities: Expr<'g>,
    target: Expr<'g>,
    options: impl Into<BinaryCrossEntropyOptions<'g>>,
) -> Expr<'g> {
    const NAME: &str = "binary_cross_entropy_of_probabilities";
    let options = options.into();
    accept(options.check(NAME, probabilities, target));
    probabilities.builder().derived(NAME, Location::caller(), || {
        let p = probabilities;
        // What is cut off is selected before the logarithm, or its slope would be 0 · ∞.
        let (never, always) = (p.abs().lt(LOWEST_LOG.exp()), p.eq(1.0));
        let yes = never.select(p.full_like(-LOWEST_LOG), -never.select(p.ones_like(), p).log());
        let no = always.select(p.full_like(-LOWEST_LOG), -(-always.select(p.zeros_like(), p)).log1p());
        options.apply(target, (no, yes))
    })
}

/// What answering with these scores costs if no is right, and if yes is.
#[track_caller]
fn costs_of_logits(logits: Expr<'_>) -> (Expr<'_>, Expr<'_>) {
    (logits.softplus(), (-logits).softplus())
}

/// The costs of no and yes, by how much of each is right.
#[track_caller]
fn mixed<'g>(target: Expr<'g>, no: Expr<'g>, yes: Expr<'g>) -> Expr<'g> {
    weighted(1.0 - target, no) + weighted(target, yes)
}
