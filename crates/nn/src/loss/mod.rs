//! Losses: how far predictions are from targets, as one number.
//!
//! A [`Loss`] is what a model is compiled with. A function such as [`cross_entropy`] is for graphs written by hand: its last
//! argument is a [`Reduction`], or options that are made from one. Both share their formulas, and all derivatives follow from
//! these: nothing here has a rule of its own.
//!
//! Cross-entropies take logits (scores before softmax or sigmoid), which is the form that neither overflows nor loses
//! digits; the forms over probabilities are for networks that end in one.

mod reduction;
mod traits;
mod regression;
mod likelihood;
mod margin;
mod embedding;
mod cross_entropy;
mod categorical;
mod binary;
mod divergence;
mod ctc;

pub use binary::{
    BinaryCrossEntropyOptions, BinaryCrossentropy, BinaryFocalCrossentropy, binary_cross_entropy,
    binary_cross_entropy_of_probabilities,
};
pub use categorical::{CategoricalCrossentropy, SparseCategoricalCrossentropy};
pub(crate) use cross_entropy::expect_labels;
pub use cross_entropy::{CrossEntropyOptions, cross_entropy, cross_entropy_soft, nll};
pub use ctc::{CtcOptions, ctc};
pub use divergence::{KlDivergence, kl_div, kl_div_of_logs};
pub use embedding::{CosineSimilarity, TripletMarginOptions, cosine_embedding, triplet_margin};
pub use likelihood::{Poisson, gaussian_nll, poisson_nll};
pub use margin::{Hinge, SquaredHinge, hinge_embedding, margin_ranking, soft_margin};
pub use reduction::Reduction;
pub use regression::{
    Huber, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, huber, mae, mse, smooth_l1,
};
pub use traits::Loss;
pub(crate) use traits::expect_same_shape;
