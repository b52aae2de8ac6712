//! Running plans: memory, threads, and the session that holds both.
//!
//! [`schedule`] and [`crew`] know nothing of tensors; only [`mod@memory`], [`pages`] and [`slots`] are not safe Rust; an [`instance`]
//! is a plan with its memory, and a [`session`] what users see.

mod session;
mod options;
mod outputs;
mod report;
mod compile;
mod entry;
mod instance;
mod slots;
mod memory;
mod pages;
mod borrow;
mod queue;
mod schedule;
mod crew;
mod idle;
mod cancel;
mod trace;
mod profile;
mod calibrate;
mod stats;
#[cfg(test)]
mod tests;

pub use cancel::CancelToken;
pub use compile::compile;
pub use options::{Options, Record};
pub use outputs::Outputs;
pub use profile::Profile;
pub use report::RunReport;
pub use session::Session;
pub use trace::{Event, Trace};
