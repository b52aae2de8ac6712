//! One error for programs that use several of the crates: what `main` returns.

use std::fmt;

use pullback_autodiff::GradError;
use pullback_exec::ExecError;
use pullback_graph::{EvalError, FeedError, FormatError, GraphError, TensorError, TypeError, VerifyError};
use pullback_nn::NnError;
use pullback_train::TrainError;
use pullback_train::data::DataError;
use pullback_train::weights::WeightsError;

/// Any error of pullback. `Debug` prints the message, so that `fn main() -> Result<(), pullback::Error>` reads well.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A graph cannot be built, read or interpreted.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// There is no such gradient.
    #[error(transparent)]
    Grad(#[from] GradError),
    /// A run failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A layer, loss or optimizer does not fit.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// Training, data or weights.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Errors that reach this one through that of their crate.
macro_rules! through {
    ($Variant:ident: $($inner:ty),*) => {
        $(impl From<$inner> for Error {
            fn from(error: $inner) -> Self {
                Error::$Variant(error.into())
            }
        })*
    };
}

through!(Graph: EvalError, FeedError, FormatError, TensorError, VerifyError, Box<TypeError>);
through!(Train: DataError, WeightsError);
