//! Data sets: samples in memory, cut into batches in a seeded order.
//!
//! A [`Dataset`] is two tensors, inputs and targets, whose first axis counts samples; a batch and each part of a split
//! are data sets again. [`digits`] is built in, [`csv_file`] and [`idx`] read files, [`MinMaxScaler`] and
//! [`StandardScaler`] bring features to one scale.

mod batches;
pub(crate) mod rows;
mod dataset;
mod shuffle;

mod digits;

pub mod csv_file;
pub mod idx;

mod scale;

mod error;
mod open;

pub use batches::{Batches, Order};
pub use dataset::Dataset;
pub(crate) use dataset::check_classes;
pub use digits::digits;
pub use error::DataError;
pub use scale::{MinMaxScaler, Per, StandardScaler};
pub use shuffle::permutation;
