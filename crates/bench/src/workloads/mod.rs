//! The workloads, one file per kind: the graph of one step, what is fed to it, and the state it starts from.
//!
//! Weights are `[in, out]`; a dense layer is `x · w + b`. Every step sees the same batch.
//!
//! [`WORKLOADS`] are those that other engines were measured on, [`MODELS`] more of the kinds that people train.

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
mod dense;
mod penalty;
mod recurrent;
mod convolutions;
mod attention;
mod encoder;
mod list;

pub use attention::{causal, causal_inference, projected};
pub use chain::chain;
pub use cnn::cnn;
pub use convolutions::{batch_norm, pooled, separable};
pub use dense::{autoencoder, stack, stack_inference};
pub use encoder::{Encoder, encoder};
pub use formula::formula;
pub use gpt::{Gpt, gpt};
pub use list::{MODELS, Row, WORKLOADS, find};
pub use mlp::{hessian_vector, mlp};
pub use penalty::penalty;
pub use recurrent::{gru, lstm};
pub use row_norm::row_norm;
pub use scalars::scalars;
pub use towers::towers;
pub use workload::Workload;
pub use xor::xor;
