//! Derived ops: methods of [`Expr`](crate::Expr) that are composed of other ops.
//!
//! Every order of their derivatives follows from the primitives; where the rule that follows is wasteful, as for the softmax,
//! a [`custom_vjp`] of primitives stands for it. Each opens a box in the dumps, and its nodes carry the caller's line.

mod arithmetic;
mod activation;
mod norms;
mod shrink;
mod softmax;
mod sorted;
mod stats;
mod sliding;
mod conv;
mod pool;
mod adaptive_pool;
mod resize;
mod columns;
mod pixel_shuffle;
mod response_norm;
mod repeat;
mod diagonal;
mod pad;
mod lookup;
mod random;
mod einsum;
mod linalg;
mod normalization;
mod attention;
mod recurrent;
mod custom_vjp;

pub use attention::AttentionOptions;
pub use conv::{ConvOptions, ConvTransposeOptions, Padding};
pub use custom_vjp::{CustomSite, custom_vjp};
pub use einsum::einsum;
pub use pad::PadMode;
pub use pool::PoolOptions;
pub use recurrent::RecurrentWeights;
pub use sliding::{PerAxis, Sides};
