//! Limits on gradients.

use pullback_graph::{DType, Expr};

use crate::error::{NnError, within};
use crate::optim::traits::{Clock, Optimizer, Slot, Update, UpdateSite};

/// What is added to a norm before dividing by it, as PyTorch does.
const NORM_EPS: f64 = 1e-6;

/// The square root of the sum of all squares: a scalar of type f64. Each tensor is summed in its own type.
///
/// # Panics
/// When there is no tensor, or one is not of floating point.
#[must_use]
pub fn global_norm<'g>(tensors: &[Expr<'g>]) -> Expr<'g> {
    let squares = tensors.iter().map(|tensor| tensor.square().sum().cast(DType::F64));
    squares.reduce(|sum, square| sum + square).expect("a norm of at least one tensor").sqrt()
}

/// All tensors scaled by `min(1, max / (norm + 1e-6))` with their [`global_norm`]: their direction stays (Pascanu et al.,
/// "On the difficulty of training recurrent neural networks", 2013).
///
/// Zeros stay zeros. A NaN anywhere makes everything NaN, which shows instead of training on.
#[must_use]
pub fn clip_by_norm<'g>(tensors: &[Expr<'g>], max: f64) -> Vec<Expr<'g>> {
    let Some(first) = tensors.first() else { return Vec::new() };
    first.builder().scope("clip_by_norm", || {
        let norm = global_norm(tensors).named("global_norm");
        let factor = (norm.full_like(max) / (norm + NORM_EPS)).minimum(1.0);
        tensors.iter().map(|tensor| *tensor * factor.cast(tensor.dtype())).collect()
    })
}

/// All elements limited to `-max..=max`. NaN stays NaN.
#[must_use]
pub fn clip_by_value<'g>(tensors: &[Expr<'g>], max: f64) -> Vec<Expr<'g>> {
    let Some(first) = tensors.first() else { return Vec::new() };
    first.builder().scope("clip_by_value", || tensors.iter().map(|tensor| tensor.clamp(-max, max)).collect())
}

/// An optimizer on gradients of limited [norm](clip_by_norm). Made by [`Optimizer::clip_norm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm<O> {
    inner: O,
    max: f64,
}

/// An optimizer on gradients of limited [elements](clip_by_value). Made by [`Optimizer::clip_value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipValue<O> {
    inner: O,
    max: f64,
}

impl<O> ClipNorm<O> {
    pub(super) fn new(inner: O, max: f64) -> Self {
        ClipNorm { inner, max }
    }
}

impl<O> ClipValue<O> {
    pub(super) fn new(inner: O, max: f64) -> Self {
        ClipValue { inner, max }
    }
}

/// The optimizer inside, but for what happens to the gradients first.
macro_rules! clipped_optimizer {
    ($Clip:ident, $clip:ident) => {
        impl<O: Optimizer> Optimizer for $Clip<O> {
            fn name(&self) -> &'static str {
                self.inner.name()
            }

            fn learning_rate(&self) -> f64 {
                self.inner.learning_rate()
            }

            fn check(&self) -> Result<(), NnError> {
                within(self.name(), "the limit of gradients", self.max, 0.0, f64::INFINITY)?;
                self.inner.check()
            }

            fn slots(&self) -> Vec<Slot> {
                self.inner.slots()
            }

            fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
                self.inner.scalars(clock)
            }

            fn transform<'g>(&self, gradients: Vec<Expr<'g>>) -> Vec<Expr<'g>> {
                $clip(&self.inner.transform(gradients), self.max)
            }

            fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
                self.inner.update(at)
            }
        }
    };
}

clipped_optimizer!(ClipNorm, clip_by_norm);
clipped_optimizer!(ClipValue, clip_by_value);
