//! Training around pullback's step graphs: data in, progress and metrics out.
//!
//! What stands here needs no running graph: data sets and their files, metrics over predictions, the progress of an
//! epoch, curves, and weights on disk. Everything is seeded, so that the same program sees the same batches in the
//! same order on every machine; every file is replaced whole or not at all; every reader treats its file as untrusted
//! and says which row, line or byte is wrong.
//!
//! Modules in reading order: [`data`] (data sets, batches, shuffling, CSV and IDX files, scaling), [`metrics`]
//! (confusion matrix and what follows from it), [`weights`] (named tensors in safetensors files), [`plot`] (loss
//! curves as SVG and in the terminal), and [`Progress`], the only part that writes to the terminal.

pub mod data;
pub mod metrics;
pub mod plot;
mod progress;
pub mod weights;

pub use progress::{EpochProgress, Progress, ProgressMode};
