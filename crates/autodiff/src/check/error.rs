//! Why a gradient could not be checked at all.

use pullback_graph::{DType, GraphError};

use crate::error::GradError;

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The graph has no such input or output.
    #[error("there is no {kind} \"{name}\"; the {kind}s are {}", known.join(", "))]
    Unknown {
        /// "input" or "output".
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// Derivatives are asked of or by something that is not a floating-point tensor.
    #[error("{kind} \"{name}\" is of type {dtype}; only f32 and f64 have derivatives")]
    NotFloat {
        /// "input" or "output".
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its element type.
        dtype: DType,
    },
    /// The graph does not fit the feeds, or an op fails on them.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The graph cannot be differentiated.
    #[error(transparent)]
    Grad(#[from] GradError),
}
