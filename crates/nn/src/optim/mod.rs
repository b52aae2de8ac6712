//! Optimizers: pure functions from a parameter, its gradient and some state to the next of each, as nodes.
//!
//! [`TrainingStep`](crate::TrainingStep) makes the state inputs and joins the pieces. Hyper-parameters have the names and
//! the meaning that they have in PyTorch, and trajectories agree with it.

mod traits;
mod sgd;
mod rms_prop;
mod adagrad;
mod adam;
mod clip;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::{ClipNorm, ClipValue, clip_by_norm, clip_by_value, global_norm};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;
pub use traits::{Clock, Optimizer, Slot, Update, UpdateSite};
