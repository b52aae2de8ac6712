//! Passes: graphs into graphs that mean the same, to the bit.
//!
//! A pass is a name, a description and a list of rules; a rule is a small function that looks at one node and its operands
//! and may name a simpler node. The driver, `rewrite.rs`, does the rest: it visits the nodes, merges equal ones, drops
//! dead ones, and keeps the signature and every node's origins.
//!
//! Only values count as meaning: a pass may change which of two NaNs comes out, never anything else. Passes are for graphs
//! that have been differentiated: they remove what only differentiation sees, such as `stop_gradient`.

/// The rules of a pass, each under the name of its function: `rules! { file { rule, rule } file { rule } }`.
macro_rules! rules {
    ($($module:ident { $($rule:ident),* $(,)? })*) => {
        &[$($((stringify!($rule), $module::$rule as $crate::rewrite::Rule)),*),*]
    };
}

mod pipeline;
mod fold_constants;
mod simplify;
mod push_movement;
mod dead_code;

pub use pipeline::{PASSES, Pass, optimize};
