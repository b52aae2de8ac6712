//! How much a predicted distribution differs from the right one.

use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept};
use crate::loss::categorical::SMALLEST;
use crate::loss::cross_entropy::expect_classes;
use crate::loss::reduction::{Reduction, weighted};
use crate::loss::traits::{Loss, expect, expect_one_shape, expect_same_shape};

/// `Σ t · log(t / p)` of predicted distributions `p` and right ones `t`, both cut off at 1e-7: below, the loss is flat.
///
/// Prediction and target: `[…, classes]`, one shape. Result of `elements`: `[…]`.
/// Over logarithms, which need no such cut, there is [`kl_div`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDivergence;

impl Loss for KlDivergence {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_classes(self.name(), prediction, -1)?;
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let target = target.cast(prediction.dtype()).clamp(SMALLEST, 1.0);
        (target * (target.log() - prediction.clamp(SMALLEST, 1.0).log())).sum_over(-1)
    }
}

/// The terms `p · (log p - log q)` of the Kullback–Leibler divergence of `q`, given by its logarithms, from the right
/// distribution `p`: [`BatchMean`](Reduction::BatchMean) makes the divergence of an average example of them.
///
/// A term whose `p` is 0 is 0, whatever `q` is; there the gradient in `p` is that of `-p · log q` alone, since the other part
/// has an infinite slope.
///
/// # Panics
/// When the shapes differ or the logarithms are not of floating point.
#[must_use]
#[track_caller]
pub fn kl_div<'g>(log_q: Expr<'g>, p: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    const NAME: &str = "kl_div";
    accept(expect_one_shape(NAME, &[log_q, p]));
    log_q.builder().derived(NAME, Location::caller(), || {
        let p = p.cast(log_q.dtype());
        reduction.apply(p.xlogy(p) - weighted(p, log_q))
    })
}

/// [`kl_div`] of a right distribution that is given by its logarithms, too: `e^log p · (log p - log q)`. A term whose `p` is 0
/// is 0, and so is its gradient.
///
/// # Panics
/// When the shapes differ or the logarithms are not of floating point.
#[must_use]
#[track_caller]
pub fn kl_div_of_logs<'g>(log_q: Expr<'g>, log_p: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    const NAME: &str = "kl_div_of_logs";
    accept(expect_one_shape(NAME, &[log_q, log_p]));
    log_q.builder().derived(NAME, Location::caller(), || {
        let log_p = log_p.cast(log_q.dtype());
        // Both are selected before the difference: ∞ - ∞ and 0 · ∞ would be NaN.
        let zero = log_p.eq(f64::NEG_INFINITY);
        let log_ratio = zero.select(log_p.zeros_like(), log_p) - zero.select(log_q.zeros_like(), log_q);
        reduction.apply(log_p.exp() * log_ratio)
    })
}
