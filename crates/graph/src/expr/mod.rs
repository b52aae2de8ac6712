//! Expressions: `Copy` handles to nodes, with operators and methods that append more.
//!
//! Methods panic on misuse, as indexing does in std: the message names the operands and shows the caller's line.
//! [`Builder::push`] is the way in for those who want errors as values.

mod handle;
mod operators;
mod shapes;
mod parts;
mod reductions;
mod running;
mod contractions;
mod indexing;
mod windows;

pub(crate) use handle::fail;
pub use handle::{Expr, IntoOperand};
pub use reductions::Axes;
