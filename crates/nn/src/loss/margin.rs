//! Losses with a margin: what is on the right side by enough costs nothing.
//!
//! At the kink, where the margin is just met, the derivative is 0.

use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept, within};
use crate::loss::reduction::Reduction;
use crate::loss::traits::{Loss, expect, expect_one_shape, expect_same_shape};

/// `max(0, 1 - t·x)` for targets -1 and 1.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hinge;

/// The square of [`Hinge`], which has no kink.
///
/// Prediction and target: one shape. Result of `elements`: that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquaredHinge;

impl Loss for Hinge {
    fn name(&self) -> &'static str {
        "hinge"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        (1.0 - target.cast(prediction.dtype()) * prediction).relu()
    }
}

impl Loss for SquaredHinge {
    fn name(&self) -> &'static str {
        "squared_hinge"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        Hinge.elements(prediction, target).square()
    }
}

/// `x` where the target is 1, `max(0, margin - x)` where it is -1: distances of pairs that belong together, or do not (Hadsell
/// et al., "Dimensionality reduction by learning an invariant mapping", 2006).
///
/// # Panics
/// When the shapes differ, `x` is not of floating point, or the margin is not finite.
#[must_use]
#[track_caller]
pub fn hinge_embedding<'g>(x: Expr<'g>, target: Expr<'g>, margin: f64, reduction: Reduction) -> Expr<'g> {
    const NAME: &str = "hinge_embedding";
    accept(expect_margin(NAME, margin));
    accept(expect_one_shape(NAME, &[x, target]));
    x.builder().derived(NAME, Location::caller(), || {
        reduction.apply(target.cast(x.dtype()).gt(0.0).select(x, (margin - x).relu()))
    })
}

/// `max(0, margin - target · (x - other))`: `x` should be the larger by `margin` where the target is 1, `other` where it is -1.
///
/// # Panics
/// When the shapes differ, `x` is not of floating point, or the margin is not finite.
#[must_use]
#[track_caller]
pub fn margin_ranking<'g>(
    x: Expr<'g>,
    other: Expr<'g>,
    target: Expr<'g>,
    margin: f64,
    reduction: Reduction,
) -> Expr<'g> {
    const NAME: &str = "margin_ranking";
    accept(expect_margin(NAME, margin));
    accept(expect_one_shape(NAME, &[x, other, target]));
    x.builder().derived(NAME, Location::caller(), || {
        reduction.apply((margin - target.cast(x.dtype()) * (x - other)).relu())
    })
}

/// `log(1 + e^(-target·x))` for targets -1 and 1: a hinge without kink, and without overflow.
///
/// # Panics
/// When the shapes differ or `x` is not of floating point.
#[must_use]
#[track_caller]
pub fn soft_margin<'g>(x: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    const NAME: &str = "soft_margin";
    accept(expect_one_shape(NAME, &[x, target]));
    x.builder()
        .derived(NAME, Location::caller(), || reduction.apply((-target.cast(x.dtype()) * x).softplus()))
}

/// A margin is any finite number.
pub(super) fn expect_margin(by: &str, margin: f64) -> Result<(), NnError> {
    within(by, "the margin", margin, f64::MIN, f64::MAX)
}
