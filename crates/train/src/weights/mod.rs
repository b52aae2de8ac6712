//! Weights on disk: named tensors in a safetensors file, which other programs read too.
//!
//! [`save`] writes tensors in an order of yours, [`load`] gives them back in it, and [`Weights::fit`] checks them against
//! the parameters of a model: tensors that do not fit are refused by name, never reshaped, converted or left out.

mod named;

mod file;

mod error;

pub use error::WeightsError;
pub use file::{load, save};
pub use named::Weights;
