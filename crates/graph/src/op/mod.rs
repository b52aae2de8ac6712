//! What ops are: a closed enum of small structs that carry their rules.
//!
//! Each op states its name, class, type inference, reference evaluation and pullback in one place: a row of the
//! [unary](UnaryOp) and [binary](BinaryOp) tables, or one file here. The compiler lists what a new variant must touch.

mod table;
mod special;
mod real;
mod unary;
mod binary;
mod compare;
mod choose;
mod polygamma;
mod scalar;
mod leaf;
mod reduce;
mod arg;
mod scan;
mod cumulative;
mod sort;
mod movement;
mod dot;
pub(crate) mod linalg;
mod index;
mod window;
mod random;
mod barrier;
mod custom_vjp;
mod custom;
pub(crate) mod attributes;
mod sample;
mod rules;
mod list;

pub use arg::{ArgMax, ArgMin};
pub use attributes::AttributeError;
pub use barrier::{Barrier, Checkpoint, StopGradient};
pub use binary::BinaryOp;
pub use choose::{Cast, Clamp, Select};
pub use compare::{CompareOp, LogicOp};
pub use cumulative::{Cumulative, CumulativeKind};
pub use custom::{Custom, CustomOp, Registry};
pub use custom_vjp::{CustomVjp, VjpRule};
pub use dot::DotGeneral;
pub use index::{Gather, GatherAlong, Scatter, ScatterAlong, ScatterKind};
pub use leaf::{Constant, DimSize, Input, InputKind, Iota, Literal};
pub use linalg::{Cholesky, Cofactor, Determinant, DeterminantForm, Solve, TriangularSolve};
pub use list::Op;
pub use movement::{Broadcast, Concat, Pad, Permute, Reshape, Reverse, Slice};
pub use polygamma::Polygamma;
pub use random::{Distribution, PhiloxBlock, Random};
pub use real::Real;
pub(crate) use reduce::joined;
pub use reduce::{Reduce, ReduceKind};
pub use rules::{Batch, OpClass, OpRules, Partial, Partials, Site, Slope};
pub use sample::{Choices, Domain, OperandSample, Sample};
pub use scalar::Scalar;
pub use scan::LinearScan;
pub use sort::{ArgSort, Order, Ranks};
pub use unary::UnaryOp;
pub use window::{Fold, Unfold, Window};
