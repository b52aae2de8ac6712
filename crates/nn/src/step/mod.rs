//! Steps: whole programs made of a network. A step of training, update included, is one graph; so are evaluation and
//! prediction.

mod names;
mod training;
mod update;
mod evaluation;

pub use evaluation::EvaluationGraph;
pub use names::{INPUT, LEARNING_RATE, LOSS, PREDICTION, STEP, TARGET};
pub use training::{Step, TrainingStep};
