//! Penalties on the size of parameters.

use std::fmt;

use pullback_graph::Expr;

use crate::error::{NnError, within};

/// A penalty that training adds to the loss, once per parameter however often the parameter is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Regularizer {
    /// `weight · Σ|w|`, which drives small values to 0. The derivative at 0 is 0.
    L1(f64),
    /// `weight · Σw²`. Note the missing ½: the gradient is `2 · weight · w`.
    L2(f64),
    /// `l1 · Σ|w| + l2 · Σw²`.
    L1L2 {
        /// The weight of the absolute values.
        l1: f64,
        /// The weight of the squares.
        l2: f64,
    },
}

impl Regularizer {
    /// The weights of absolute values and squares.
    fn weights(self) -> (f64, f64) {
        match self {
            Regularizer::L1(l1) => (l1, 0.0),
            Regularizer::L2(l2) => (0.0, l2),
            Regularizer::L1L2 { l1, l2 } => (l1, l2),
        }
    }

    /// Checks the weights.
    ///
    /// # Errors
    /// [`NnError::Setting`] when one is negative or not finite.
    pub fn check(self) -> Result<(), NnError> {
        let (l1, l2) = self.weights();
        within("regularizer", "the weight of absolute values", l1, 0.0, f64::INFINITY)?;
        within("regularizer", "the weight of squares", l2, 0.0, f64::INFINITY)
    }

    /// The penalty for `parameter`: a scalar of its element type.
    #[must_use]
    #[track_caller]
    pub fn penalty<'g>(self, parameter: Expr<'g>) -> Expr<'g> {
        match self {
            Regularizer::L1(l1) => parameter.abs().sum() * l1,
            Regularizer::L2(l2) => parameter.square().sum() * l2,
            Regularizer::L1L2 { l1, l2 } => parameter.abs().sum() * l1 + parameter.square().sum() * l2,
        }
    }
}

impl fmt::Display for Regularizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Regularizer::L1(l1) => write!(f, "l1({l1})"),
            Regularizer::L2(l2) => write!(f, "l2({l2})"),
            Regularizer::L1L2 { l1, l2 } => write!(f, "l1({l1}) + l2({l2})"),
        }
    }
}
