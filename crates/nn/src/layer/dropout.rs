//! Dropout.

use std::panic::Location;

use pullback_graph::op::Distribution;
use pullback_graph::{Expr, TensorType};

use crate::context::Context;
use crate::error::{NnError, accept, within};
use crate::module::Module;

/// Sets each element to 0 with probability `rate` and divides the others by `1 - rate`, so that the expected value stays
/// (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, in its inverted form).
///
/// Only in training: in evaluation, and with rate 0, `x` passes untouched. With rate 1 everything is 0, gradient included.
/// The mask is a node, so forward and backward see the same one, however the graph is scheduled or recomputed; it
/// changes from step to step with the [random key](Context::random_key), and each dropout has a stream of its own.
#[derive(Clone, Debug)]
pub struct Dropout {
    rate: f64,
    at: &'static Location<'static>,
}

impl Dropout {
    /// Drops with probability `rate`, from 0 to 1.
    #[must_use]
    #[track_caller]
    pub fn new(rate: f64) -> Self {
        Dropout { rate, at: Location::caller() }
    }
}

impl Module for Dropout {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        accept(self.output_type(&x.ty()));
        cx.layer_at("dropout", self.at, || {
            if !cx.is_training() || self.rate == 0.0 {
                return x;
            }
            let kept = cx.random_like(Distribution::Uniform, x).ge(self.rate).named("kept");
            if self.rate == 1.0 {
                // A draw is below 1, so nothing is kept; and 1 / (1 - rate) is not asked for.
                return kept.select(x, 0.0);
            }
            kept.select(x * (1.0 / (1.0 - self.rate)), 0.0)
        })
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        let located = |error: NnError| error.at(Some(self.at.into()));
        within("dropout", "the rate", self.rate, 0.0, 1.0).map_err(located)?;
        match input.dtype.is_float() {
            true => Ok(input.clone()),
            false => {
                Err(located(NnError::input("dropout", format!("takes floating-point elements, got {input}"))))
            }
        }
    }
}
