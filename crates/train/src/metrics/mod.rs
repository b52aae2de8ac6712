//! Metrics over what was predicted: counted over all batches, so that no batch size changes them.
//!
//! A [`ConfusionMatrix`] counts which class was taken for which. Accuracy, precision, recall and F1 follow from the
//! counts, for one class or averaged over all of them ([`Average`]).

mod confusion;
mod scores;

pub use confusion::ConfusionMatrix;
pub use scores::{Average, Scores};
