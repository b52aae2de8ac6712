//! Losses: how far predictions are from targets, as one number.
//!
//! Cross-entropies take logits (scores before softmax or sigmoid), which is the form that neither overflows nor loses
//! digits; the forms over probabilities are for networks that end in one.

mod traits;
mod regression;
mod categorical;
mod binary;

pub use binary::{BinaryCrossentropy, binary_cross_entropy};
pub(crate) use categorical::expect_labels;
pub use categorical::{CategoricalCrossentropy, SparseCategoricalCrossentropy, cross_entropy};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError, huber, mae, mse};
pub use traits::Loss;
pub(crate) use traits::expect_same_shape;
