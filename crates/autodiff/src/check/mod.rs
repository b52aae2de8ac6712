//! The gradient checker: what the rules say against what the values do.
//!
//! - [`check_gradient`]: a graph, its reverse and forward mode, orders 1 and 2; [`check_gradients`]: a closure.
//! - [`oracle`]: derivatives from values alone, each with an estimate of its error, which is all the tolerance there is.
//! - Kinks are told apart by the decisions that a graph takes: which side, which maximum, which whole number. Where they
//!   change within every step there is no derivative to compare with, and the comparison is [skipped](Skipped), by name.
//! - A failure names the first op whose rule is wrong on its own, and shrinks to a minimal graph with a test to paste.
//! - `strategies` (feature `proptest`): random ops and graphs to check.

mod options;
mod error;
mod place;
mod report;
mod transcribe;
mod widen;
mod case;
pub mod oracle;
mod rounding;
mod draw;
mod numbers;
mod subject;
mod gradient_graph;
mod trial;
mod branches;
mod verdict;
mod question;
mod compare;
mod orders;
mod localize;
mod shrink;
mod paste;
mod gradient;
mod function;
#[cfg(feature = "proptest")]
pub mod strategies;

pub use case::Case;
pub use error::CheckError;
pub use function::{InputSpec, check_gradients, f32_in, f64_in};
pub use gradient::check_gradient;
pub use options::CheckOptions;
pub use place::Place;
pub use report::{CheckReport, Claim, Culprit, Failure, Skipped, Why};
pub use shrink::Minimal;
