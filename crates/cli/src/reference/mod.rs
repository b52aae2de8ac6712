//! Reference cases: operations with inputs, as JSON lines, answered with values and gradients.
//!
//! A case names an operation, its attributes, inputs and cotangents. [`answer`] builds the graph of the case with the
//! methods of [`Expr`](pullback_graph::Expr), differentiates it, runs it, and writes the answer as JSON:
//!
//! - `case`: what a case is, and how it is read; `numbers`: tensors as JSON, with NaN and infinities;
//! - `call`: what an operation is given, and the `Skip` that says why a case has no answer;
//! - one file per family of operations (`unary`, `binary`, …): tables of names and the calls that they stand for;
//! - `run`: the graph of a case, run by a session or by the interpreter.
//!
//! Nothing is guessed: an operation or attribute that is not known, and a case that fails, is answered with the reason.

mod numbers;
mod case;
mod call;
mod unary;
mod binary;
mod reduce;
mod shape;
mod linalg;
mod nn;
mod cells;
mod losses;
mod models;
mod operations;
mod run;
mod answer;

pub use answer::{Engine, Options, answer};
pub use operations::operations;
