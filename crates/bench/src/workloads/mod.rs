//! The workloads, one file per kind: the graph of one step, what is fed to it, and the state it starts from.
//!
//! Weights are `[in, out]`; a dense layer is `x · w + b`. Every step sees the same batch.

mod workload;
mod mlp;
mod xor;
mod towers;
mod cnn;
mod gpt;
mod formula;
mod row_norm;
mod scalars;
mod chain;
mod list;

pub use chain::chain;
pub use cnn::cnn;
pub use formula::formula;
pub use gpt::{Gpt, gpt};
pub use list::{Row, WORKLOADS, find};
pub use mlp::{hessian_vector, mlp};
pub use row_norm::row_norm;
pub use scalars::scalars;
pub use towers::towers;
pub use workload::Workload;
pub use xor::xor;
