//! Steps: whole programs made of a network. A step of training, update included, is one graph; so are evaluation and
//! prediction.

mod judge;
mod training;
mod update;
mod evaluation;

pub use evaluation::EvaluationGraph;
pub use training::{Step, TrainingStep};
