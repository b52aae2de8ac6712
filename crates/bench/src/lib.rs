//! pullback on eleven workloads, W1 to W11, that other engines were measured on: the same inputs to the bit, the same
//! arithmetic, and so the same losses; and on models of other kinds, whose losses are known.
//!
//! - [`inputs`]: the recipe of the inputs, and [`workloads`]: the graphs.
//! - [`rivals`]: what other engines take, what they answer, and how much faster we mean to be.
//! - [`machine`]: the limits of this machine; [`Runner`], [`measure()`], [`check()`]: what one workload
//!   takes, whether its answers are right, and where its time goes.
//! - [`report`]: the table and the JSON of it all, and [`arguments`]: the command line.

pub mod inputs;
pub mod workloads;
pub mod rivals;
mod answers;
pub mod machine;
mod runner;
mod measure;
mod check;
pub mod report;
pub mod arguments;
mod error;
mod command;
mod memory;

pub use check::{Agreement, check};
pub use command::rivals as run_rivals;
pub use error::BenchError;
pub use measure::{Times, measure};
pub use memory::memory as run_memory;
pub use runner::Runner;
