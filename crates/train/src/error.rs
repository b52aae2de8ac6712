//! What can go wrong while training.

use std::io;

use pullback_exec::ExecError;
use pullback_graph::{GraphError, TensorError, TensorType};
use pullback_nn::NnError;

use crate::data::DataError;
use crate::weights::WeightsError;

/// Why a model cannot be trained, evaluated, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data do not make sense.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network, loss or optimizer cannot be built.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A graph cannot be built or written.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A run failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Weights cannot be read or written, or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor does not have the form asked for.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The data differ in type from those that the model was built for.
    #[error("the model was built for {what} of type {expected}, got {got}")]
    Type {
        /// "inputs" or "targets".
        what: &'static str,
        /// The type that the model takes; `batch` stands for any number of samples.
        expected: TensorType,
        /// The type of the data.
        got: TensorType,
    },
    /// The model has not seen any data yet, so its shapes are not known.
    #[error("the model has no parameters yet: call `fit` or `build` first")]
    NotBuilt,
    /// A setting has no meaning.
    #[error("{what} is {value}, and must be {expected}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The loss is no longer a finite number.
    #[error(
        "the loss is {loss} at batch {batch} of epoch {epoch}\
         \n  = help: lower the learning rate, clip gradients, or record a run to see which node came first"
    )]
    Diverged {
        /// The loss.
        loss: f64,
        /// The epoch in the life of the model, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}
