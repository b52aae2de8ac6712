//! Differentiation of graphs: every transform appends nodes to the builder that the loss is in.
//!
//! - [`grad`] and [`gradients`]: reverse mode from a scalar; [`vjp`]: from any outputs with given cotangents.
//! - [`jvp`]: forward mode, by transposing the pullback twice.
//! - [`vmap`]: what is written for one element, for every element of a leading axis.
//! - [`checkpoint`]: regions that are computed again instead of being kept.
//! - [`hvp`], [`jacobian`], [`hessian`]: compositions of these.
//! - [`check`]: whether the gradients of a graph or a closure are right.
//!
//! What is appended is ordinary: it can be printed, saved, optimised, executed and differentiated again.
//! There is no tape and no recursion; [`reverse`](mod@reverse) is one sweep over node ids, downwards.

mod error;
mod join;
pub mod reverse;
mod forward;
mod vmap;
mod checkpoint;
mod higher;
pub mod check;

pub use checkpoint::checkpoint;
pub use error::GradError;
pub use forward::{jvp, pushforward};
pub use higher::{hessian, hvp, jacobian, jacobian_forward};
pub use reverse::{Disconnected, GradOptions, grad, gradients, pullback, vjp};
pub use vmap::{Exprs, VmapOutput, vmap};
