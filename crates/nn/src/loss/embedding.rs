//! Losses over how near vectors are to each other.

use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept};
use crate::loss::margin::expect_margin;
use crate::loss::reduction::Reduction;
use crate::loss::traits::{Loss, expect, expect_float, expect_one_shape, expect_same_shape};

/// What is added to squared lengths, so that a vector of zeros has a direction, and a gradient.
const LEAST_SQUARE: f64 = 1e-12;

/// Minus the cosine of the angle between prediction and target: -1 where they point the same way.
///
/// Prediction and target: `[…, size]`, one shape. Result of `elements`: `[…]`. A vector of zeros has cosine 0 to all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CosineSimilarity;

impl Loss for CosineSimilarity {
    fn name(&self) -> &'static str {
        "cosine_similarity"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_vectors(self.name(), prediction)?;
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        -cosine(prediction, target.cast(prediction.dtype()))
    }
}

/// `1 - cos(a, b)` where the target is 1, `max(0, cos(a, b) - margin)` where it is -1, for vectors `[…, size]` and targets
/// `[…]`. The derivative at the kink is 0.
///
/// # Panics
/// When the shapes do not fit, `a` is not of floating point, or the margin is not finite.
#[must_use]
#[track_caller]
pub fn cosine_embedding<'g>(
    a: Expr<'g>,
    b: Expr<'g>,
    target: Expr<'g>,
    margin: f64,
    reduction: Reduction,
) -> Expr<'g> {
    const NAME: &str = "cosine_embedding";
    accept(expect_margin(NAME, margin));
    accept(expect_vectors(NAME, &a.ty()));
    accept(expect_one_shape(NAME, &[a, b]));
    let last = a.rank() - 1;
    if target.shape() != a.shape().without(|axis| axis == last) {
        let message = format!("one target per vector: got {} and {}", a.ty(), target.ty());
        accept(Err(NnError::input(NAME, message)))
    }
    a.builder().derived(NAME, Location::caller(), || {
        let cosine = cosine(a, b.cast(a.dtype()));
        let together = target.cast(a.dtype()).gt(0.0);
        reduction.apply(together.select(1.0 - cosine, (cosine - margin).relu()))
    })
}

/// How [`triplet_margin`] measures; made from a [`Reduction`] alone, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginOptions {
    margin: f64,
    swap: bool,
    reduction: Reduction,
}

impl Default for TripletMarginOptions {
    /// Margin 1, distances from the anchor only, the mean.
    fn default() -> Self {
        TripletMarginOptions { margin: 1.0, swap: false, reduction: Reduction::Mean }
    }
}

impl From<Reduction> for TripletMarginOptions {
    fn from(reduction: Reduction) -> Self {
        TripletMarginOptions::default().reduction(reduction)
    }
}

impl TripletMarginOptions {
    /// By how much the negative should be farther away than the positive.
    #[must_use]
    pub fn margin(self, margin: f64) -> Self {
        TripletMarginOptions { margin, ..self }
    }

    /// Takes the distance of the negative from the anchor or from the positive, whichever is less (Balntas et al., "Learning
    /// local feature descriptors with triplets and shallow convolutional neural networks", 2016).
    #[must_use]
    pub fn nearer_negative(self) -> Self {
        TripletMarginOptions { swap: true, ..self }
    }

    /// How the losses of the triplets are put together.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        TripletMarginOptions { reduction, ..self }
    }
}

/// `max(0, |anchor - positive| - |anchor - negative| + margin)` with Euclidean distances, for vectors `[…, size]` (Schroff et
/// al., "FaceNet", 2015). The derivative at the kink is 0.
///
/// 1e-6 is added to each difference, so that equal vectors have a distance with a derivative.
///
/// # Panics
/// When the shapes differ, the anchors are not of floating point, or the margin is not finite.
#[must_use]
#[track_caller]
pub fn triplet_margin<'g>(
    anchor: Expr<'g>,
    positive: Expr<'g>,
    negative: Expr<'g>,
    options: impl Into<TripletMarginOptions>,
) -> Expr<'g> {
    const NAME: &str = "triplet_margin";
    let TripletMarginOptions { margin, swap, reduction } = options.into();
    accept(expect_margin(NAME, margin));
    accept(expect_vectors(NAME, &anchor.ty()));
    accept(expect_one_shape(NAME, &[anchor, positive, negative]));
    anchor.builder().derived(NAME, Location::caller(), || {
        let distance = |a: Expr<'g>, b: Expr<'g>| (a - b + 1e-6).norm_over(-1);
        let mut far = distance(anchor, negative);
        if swap {
            far = far.minimum(distance(positive, negative));
        }
        reduction.apply((distance(anchor, positive) - far + margin).relu())
    })
}

/// The cosine of the angle between vectors on the last axis.
#[track_caller]
fn cosine<'g>(a: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    let length = |x: Expr<'g>| (x.square().sum_over(-1) + LEAST_SQUARE).sqrt();
    // Divided one after the other: the product of two lengths overflows earlier.
    (a * b).sum_over(-1) / length(a) / length(b)
}

/// Vectors on a last axis.
fn expect_vectors(by: &str, ty: &TensorType) -> Result<(), NnError> {
    expect_float(by, ty)?;
    match ty.rank() {
        0 => Err(NnError::input(by, format!("takes vectors […, size], got {ty}"))),
        _ => Ok(()),
    }
}
