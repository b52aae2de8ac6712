//! Networks, losses and optimizers: code that builds graphs and runs nothing.
//!
//! - [`Module`] and its [`Context`]: how layers append nodes and make or find parameters by path. [`Dense`],
//!   [`Dropout`], [`Flatten`], [`Activation`] and [`Sequential`] are modules; so is whatever implements the trait.
//! - [`Initializer`]: first values, seeded by path; [`Regularizer`]: penalties; [`Summary`]: what a network is made of.
//! - [`Loss`] and [`Metric`]: numbers over predictions and targets; functions such as [`cross_entropy`] and [`ctc`], with a
//!   [`Reduction`], for graphs written by hand.
//! - [`Optimizer`]: parameters and state to their next values; [`Schedule`]: learning rates by step.
//! - [`TrainingStep`] and [`EvaluationGraph`]: all of it as one graph, with parameters and state as named inputs
//!   ([`INPUT`], [`LOSS`], [`LEARNING_RATE`] and so on are the other names).

mod error;
mod hash;
mod init;
mod regularizer;
mod spec;
mod names;
mod context;
mod module;
mod summary;
mod layer;
mod loss;
mod metric;
mod optim;
mod schedule;
mod step;

pub use context::{Context, Mode};
pub use error::NnError;
pub use init::Initializer;
pub use layer::Activation::{
    Elu, Gelu, LeakyRelu, Linear, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use layer::{Activation, Dense, Dropout, Flatten, Sequential};
pub use loss::{
    BinaryCrossEntropyOptions, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    CosineSimilarity, CrossEntropyOptions, CtcOptions, Hinge, Huber, KlDivergence, LogCosh, Loss,
    MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson,
    Reduction, SparseCategoricalCrossentropy, SquaredHinge, TripletMarginOptions, binary_cross_entropy,
    binary_cross_entropy_of_probabilities, cosine_embedding, cross_entropy, cross_entropy_soft, ctc,
    gaussian_nll, hinge_embedding, huber, kl_div, kl_div_of_logs, mae, margin_ranking, mse, nll, poisson_nll,
    smooth_l1, soft_margin, triplet_margin,
};
pub use metric::{Accuracy, BinaryAccuracy, Metric, accuracy, binary_accuracy};
pub use module::{Layer, Module};
pub use names::{INPUT, LEARNING_RATE, LOSS, PREDICTION, RANDOM_KEY, STEP, TARGET};
pub use optim::{
    Adagrad, Adam, AdamW, ClipNorm, ClipValue, Clock, Optimizer, RmsProp, Sgd, Slot, Update, UpdateSite,
    clip_by_norm, clip_by_value, global_norm,
};
pub use regularizer::Regularizer;
pub use schedule::Schedule;
pub use spec::{Initial, ParameterSpec, StateSpec};
pub use step::{EvaluationGraph, Step, TrainingStep};
pub use summary::{LayerRow, Summary};
