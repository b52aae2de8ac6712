//! Differentiation of graphs: every transform appends nodes to the builder that the loss is in.
//!
//! - [`grad`] and [`gradients`]: reverse mode from a scalar; [`vjp`]: from any outputs with given cotangents.
//! - [`jvp`]: forward mode, by transposing the pullback twice.
//! - [`hvp`], [`jacobian`], [`hessian`]: compositions of these.
//! - [`check`]: whether the gradients of a graph or a closure are right.
//!
//! What is appended is ordinary: it can be printed, saved, optimised, executed and differentiated again.
//! There is no tape and no recursion; [`reverse`](mod@reverse) is one sweep over node ids, downwards.

mod error;
pub mod reverse;
mod forward;
mod higher;
pub mod check;

pub use error::GradError;
pub use forward::{jvp, pushforward};
pub use higher::{hessian, hvp, jacobian};
pub use reverse::{Disconnected, GradOptions, grad, gradients, pullback, vjp};
