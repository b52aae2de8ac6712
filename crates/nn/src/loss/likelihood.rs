//! Losses that are negative log-likelihoods of distributions with a predicted mean.

use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept, within};
use crate::loss::reduction::{Reduction, weighted};
use crate::loss::traits::{Loss, expect, expect_one_shape, expect_same_shape};

/// What is added to a rate before its logarithm.
const LEAST_RATE: f64 = 1e-7;

/// Counts that are drawn from Poisson distributions of the predicted rates, but for terms without a gradient:
/// `rate - t·log(rate + 1e-7)`, or `e^x - t·x` from the rates' logarithms `x`.
///
/// Prediction and target: one shape. Result of `elements`: that shape. Targets are at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poisson {
    logarithms: bool,
}

impl Poisson {
    /// Over logarithms of rates, which may be any number.
    #[must_use]
    pub fn from_log_rates() -> Self {
        Poisson { logarithms: true }
    }

    /// Over rates, which must not be negative. Prefer [`from_log_rates`](Poisson::from_log_rates).
    #[must_use]
    pub fn from_rates() -> Self {
        Poisson { logarithms: false }
    }
}

impl Loss for Poisson {
    fn name(&self) -> &'static str {
        "poisson"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let target = target.cast(prediction.dtype());
        match self.logarithms {
            true => prediction.exp() - weighted(target, prediction),
            false => prediction - target.xlogy(prediction + LEAST_RATE),
        }
    }
}

/// `e^x - t·x` for logarithms `x` of rates and counts `t`: [`Poisson`]'s loss.
///
/// # Panics
/// When the shapes differ or the logarithms are not of floating point.
#[must_use]
#[track_caller]
pub fn poisson_nll<'g>(log_rate: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
    Poisson::from_log_rates().reduced(log_rate, target, reduction)
}

/// `½·(log v + (mean - target)²/v)` with `v = max(variance, least)`: targets that are drawn from normal distributions of
/// predicted mean and variance, but for the constant `½·log 2π` (Nix and Weigend, "Estimating the mean and variance of the
/// target probability distribution", 1994). A variance below `least`, usually 1e-6, has no gradient.
///
/// # Panics
/// When the shapes differ, the means are not of floating point, or `least` is negative or not finite.
#[must_use]
#[track_caller]
pub fn gaussian_nll<'g>(
    mean: Expr<'g>,
    target: Expr<'g>,
    variance: Expr<'g>,
    least: f64,
    reduction: Reduction,
) -> Expr<'g> {
    const NAME: &str = "gaussian_nll";
    accept(within(NAME, "the least variance", least, 0.0, f64::INFINITY));
    accept(expect_one_shape(NAME, &[mean, target, variance]));
    mean.builder().derived(NAME, Location::caller(), || {
        let variance = variance.cast(mean.dtype()).clamp_min(least);
        let difference = mean - target.cast(mean.dtype());
        reduction.apply((variance.log() + difference.square() / variance) * 0.5)
    })
}
