//! What the command `pullback` and its tests share.
//!
//! - [`reference`](mod@reference): answers to cases of other programs, by which values and gradients are compared.

pub mod reference;
