//! Training around pullback's step graphs: data in, progress and metrics out.
//!
//! Everything is seeded, so that the same program sees the same batches in the
//! same order on every machine; every file is replaced whole or not at all; every reader treats its file as untrusted
//! and says which row, line or byte is wrong.
//!
//! [`Compile`] makes a network into a [`Model`], which fits, evaluates, predicts, saves and lets itself be inspected.
//! Modules in reading order: [`data`] (data sets, batches, shuffling, CSV and IDX files, scaling), [`metrics`]
//! (confusion matrix and what follows from it), [`weights`] (named tensors in safetensors files), [`plot`] (loss
//! curves as SVG and in the terminal), and [`Progress`], the only part that writes to the terminal.

pub mod data;
pub mod metrics;
pub mod plot;
mod progress;
pub mod weights;
mod error;
mod history;
mod fit;
mod stopping;
mod pace;
mod means;
mod evaluation;
mod programs;
mod compile;
mod model_summary;
mod inspect;
mod model;

pub use compile::{Compile, IntoMetrics};
pub use error::TrainError;
pub use evaluation::Evaluation;
pub use fit::Fit;
pub use history::{Epoch, History, Stopped};
pub use inspect::Inspection;
pub use model::Model;
pub use model_summary::{BatchCost, ModelSummary};
pub use progress::{EpochProgress, Progress, ProgressMode};
