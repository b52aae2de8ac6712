//! A program as a typed, append-only list of pure tensor ops.
//!
//! - [`Dim`], [`Shape`], [`TensorType`], [`Tensor`]: what values are. Dimensions may be [symbols](sym).
//! - [`Op`] and [`OpRules`]: what an op is; [`op`] holds one file per family.
//! - [`Graph`]: nodes, inputs, outputs, and where each node comes from ([`Provenance`]).
//! - [`Builder`] and [`Expr`]: how graphs are written.
//! - [`KinkPolicy`]: which gradients they choose where functions have no derivative.
//! - [`interpret`]: what graphs mean; [`verify`]: what always holds; [`Graph::bind`]: sizes put in.
//! - [`pass`]: simpler graphs of the same bits; [`petgraph_view`]: graphs for petgraph's algorithms; [`generate()`]:
//!   random programs for property tests.
//! - [`Graph::parse`] and [`GraphFile`]: graphs as text and as files; [`Summary`], [`Dot`], [`ForwardWithGradients`]: views.
//!
//! Operands have smaller ids than their users, so storage order is a topological order and graphs are acyclic.
//! Nothing here executes in parallel, keeps global state, or knows about schedules.

mod id;
mod buffer;
mod dtype;
mod dim;
mod shape;
mod tensor;
mod error;
mod provenance;
mod kinks;
pub mod op;
mod graph;
mod builder;
mod expr;
mod promote;
mod derived;
mod verify;
mod bind;
mod interpret;
mod stats;
mod generate;
mod assemble;
mod inline;
pub mod mask;
pub mod petgraph_view;
mod rewrite;
mod transcript;
pub mod pass;
mod text;
pub mod atomic_file;
mod file;
mod dump;

pub use buffer::Buffer;
pub use builder::Builder;
pub use derived::{
    AttentionOptions, ConvOptions, ConvTransposeOptions, CustomSite, PadMode, Padding, PerAxis, PoolOptions,
    RecurrentWeights, Sides, custom_vjp, einsum,
};
pub use dim::{Bindings, Dim, Polynomial, sym};
pub use dtype::{DType, Element};
pub use dump::{Dot, ForwardWithGradients, Mermaid, OpSummary, Port, ScopeSummary, Storage, Summary, units};
pub use error::{
    BatchError, EvalError, FeedError, FormatError, GraphError, OperandNote, TypeError, VerifyError,
    Violation, place, render,
};
pub use expr::{Axes, Expr, IntoOperand};
pub use file::GraphFile;
pub use generate::{Generated, GraphSpec, generate};
pub use graph::{Graph, Node, Operands, Output};
pub use id::{NameId, NodeId, ScopeId, SourceId};
pub use interpret::{Values, interpret};
pub use kinks::{Kink, KinkPolicy, KinkRow, Subgradient};
pub use op::{Op, OpClass, OpRules, Order};
pub use provenance::{CotangentLink, Origin, Provenance, Role, Scope, Source};
pub use shape::{AxisList, Shape, Sizes, TensorType};
pub use stats::{NodeStats, RunStats};
pub use tensor::{Data, Tensor, TensorError};
pub use text::Text;
pub use transcript::Transcript;
pub use verify::verify;
