//! Everything that can be wrong with a graph, its text or its feeds.
//!
//! Messages name what was expected, what came, the node, and the user's line.
//! [`render`] adds a picture of that line when the source file can be read.

mod render;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dtype::DType;
use crate::id::NodeId;
use crate::provenance::Source;
use crate::shape::TensorType;
use crate::tensor::TensorError;

pub use render::render;

/// What `infer` reports: the numbered constraint that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The constraint's number in the op's documentation, such as `C2`.
    pub constraint: &'static str,
    /// What was expected and what came.
    pub message: String,
    /// What to do about it.
    pub help: Option<&'static str>,
}

impl Violation {
    /// Constraint `constraint` does not hold.
    pub fn new(constraint: &'static str, message: impl Into<String>) -> Self {
        Violation { constraint, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(self, help: &'static str) -> Self {
        Violation { help: Some(help), ..self }
    }
}

/// An operand as an error message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperandNote {
    /// The operand's node.
    pub node: NodeId,
    /// Its type.
    pub ty: TensorType,
    /// The name of the input, or the label the user gave.
    pub label: Option<Arc<str>>,
    /// The user's line that made it.
    pub at: Option<Source>,
}

impl fmt::Display for OperandNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.node)?;
        if let Some(label) = &self.label {
            write!(f, " \"{label}\"")?;
        }
        write!(f, ": {}", self.ty)?;
        if let Some(source) = &self.at {
            write!(f, ", made at {source}")?;
        }
        Ok(())
    }
}

/// An op does not fit its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// The op's name.
    pub op: String,
    /// The constraint that does not hold.
    pub violation: Violation,
    /// The operands, in order.
    pub operands: Vec<OperandNote>,
    /// The user's line.
    pub at: Option<Source>,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.op, self.violation.message, self.violation.constraint)?;
        if let Some(source) = &self.at {
            write!(f, "\n  --> {source}")?;
        }
        for (at, operand) in self.operands.iter().enumerate() {
            write!(f, "\n  = operand {at}: {operand}")?;
        }
        if let Some(help) = self.violation.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TypeError {}

/// Something cannot be done for every element of a leading axis at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A scalar is to be mapped over.
    #[error("{node} is {ty}: there is no leading axis to map over{}", place(.at))]
    NoAxis {
        /// The input.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// The inputs' leading axes have different sizes.
    #[error("the leading axes differ: {first} is {first_ty}, {node} is {ty}{}", place(.at))]
    Sizes {
        /// The first input.
        first: NodeId,
        /// Its type.
        first_ty: TensorType,
        /// The other one.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// An op depends on the element and has no rule for a leading axis.
    #[error("{node}: {op} has no rule for a leading axis{}", place(.at))]
    NoRule {
        /// The node, as it was made for one element.
        node: NodeId,
        /// Its op.
        op: String,
        /// The user's line.
        at: Option<Source>,
    },
    /// A rule answered with another type.
    #[error("{node}: the rule of {op} for a leading axis is wrong: expected {expected}, got {got}{}", place(.at))]
    Rule {
        /// The node, as it was made for one element.
        node: NodeId,
        /// Its op.
        op: String,
        /// The type for one element, with the axis in front.
        expected: TensorType,
        /// The type that came.
        got: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
}

/// The values given to a graph do not fit its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// An input got no value.
    #[error(
        "input \"{name}\" ({expected}) was not fed{}{}",
        place(.at),
        match updated {
            true => "\n  = help: an output updates it, so it is state: set it once by `Session::set_state`, or feed it",
            false => "",
        }
    )]
    Missing {
        /// The input.
        name: Arc<str>,
        /// Its type.
        expected: TensorType,
        /// Whether an output updates it: it is state then, which a session keeps once it has a value.
        updated: bool,
        /// The line that made it.
        at: Option<Source>,
    },
    /// A value was given for an input that does not exist.
    #[error("there is no input \"{name}\"; the inputs are {}", quoted(.known))]
    Unknown {
        /// The name given.
        name: String,
        /// The inputs that exist.
        known: Vec<Arc<str>>,
    },
    /// The same input was given twice.
    #[error("input \"{name}\" was fed twice")]
    Twice {
        /// The input.
        name: Arc<str>,
    },
    /// Element type, rank or a known size differs.
    #[error("input \"{name}\" takes {expected}, got {got}{}{}", place(.at), conversion(.expected, .got))]
    Type {
        /// The input.
        name: Arc<str>,
        /// Its type.
        expected: TensorType,
        /// The type of the value.
        got: TensorType,
        /// The line that made the input.
        at: Option<Source>,
    },
    /// Two feeds give one symbol different sizes.
    #[error(
        "dimension {dim} is {first} by input \"{first_input}\" and {second} by input \"{second_input}\"{}",
        place(.at)
    )]
    SymbolConflict {
        /// The dimension.
        dim: String,
        /// Its size by the first feed.
        first: usize,
        /// The input that gave it.
        first_input: Arc<str>,
        /// Its size by the second feed.
        second: usize,
        /// The input that gave that.
        second_input: Arc<str>,
        /// The line that made the second input.
        at: Option<Source>,
    },
    /// A symbol's size does not follow from the feeds.
    #[error("the size of dimension {symbol} does not follow from the inputs fed; bind it")]
    Unbound {
        /// The symbol.
        symbol: Arc<str>,
    },
    /// A dimension cannot be computed from the sizes given.
    #[error("dimension {dim} has no size for {bindings}{}", place(.at))]
    Size {
        /// The dimension.
        dim: String,
        /// The sizes of the symbols.
        bindings: String,
        /// The line that made the node.
        at: Option<Source>,
    },
}

/// An op failed on the values it was given: an index out of range, a check that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op} at {node}{}: {message}{}", label.as_ref().map(|l| format!(" \"{l}\"")).unwrap_or_default(), place(.at))]
pub struct EvalError {
    /// The node.
    pub node: NodeId,
    /// Its op's name.
    pub op: String,
    /// The label the user gave.
    pub label: Option<Arc<str>>,
    /// What is wrong.
    pub message: String,
    /// The user's line.
    pub at: Option<Source>,
}

/// A text or file does not describe a graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The text IR is malformed.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was expected and what came.
        message: String,
    },
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is not JSON of the expected form, or ends early.
    #[error("not a graph file: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is of another kind.
    #[error("not a graph file: format is {found:?}, expected {expected:?}")]
    Kind {
        /// What the file says it is.
        found: String,
        /// What a graph file says.
        expected: &'static str,
    },
    /// The file was written by a newer version.
    #[error(
        "graph file version {found} is newer than {supported}, the newest this program reads; update pullback"
    )]
    Version {
        /// The file's version.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// An op is not known, nor registered.
    #[error("{node}: unknown op {op:?}; custom ops must be added to the registry first")]
    UnknownOp {
        /// The node.
        node: NodeId,
        /// The op's name.
        op: String,
    },
    /// A node's attributes do not fit its op.
    #[error("{node}: {op}: {message}")]
    Attributes {
        /// The node.
        node: NodeId,
        /// The op's name.
        op: String,
        /// What is wrong.
        message: String,
    },
    /// The parts do not fit together: a cycle, a missing operand, a wrong type.
    #[error(transparent)]
    Invalid(#[from] VerifyError),
}

/// An invariant of graphs does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// An operand does not come before its node: a cycle, or a node that does not exist.
    #[error("{node}: operand {operand} does not come before its user; graphs are acyclic and stored in order{}", place(.at))]
    Order {
        /// The node.
        node: NodeId,
        /// Its operand.
        operand: NodeId,
        /// The user's line.
        at: Option<Source>,
    },
    /// The op does not fit its operands.
    #[error("{node}: {error}")]
    Type {
        /// The node.
        node: NodeId,
        /// The constraint that does not hold.
        error: Box<TypeError>,
    },
    /// The type written on a node is not the inferred one.
    #[error("{node}: its type is written as {written}, but its operands make it {inferred}{}", place(.at))]
    Mistyped {
        /// The node.
        node: NodeId,
        /// The type written.
        written: TensorType,
        /// The type inferred.
        inferred: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// Two inputs or two outputs have one name.
    #[error("there are two {kind}s named \"{name}\"{}", place(.at))]
    Duplicate {
        /// "input" or "output".
        kind: &'static str,
        /// The name.
        name: Arc<str>,
        /// The line of the second.
        at: Option<Source>,
    },
    /// Something refers to an entity that does not exist.
    #[error("{what} {id} does not exist")]
    Dangling {
        /// What kind of entity.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// An output does not fit the state input it updates.
    #[error("output \"{output}\" ({got}) cannot update \"{input}\" ({expected}): {message}")]
    Update {
        /// The output.
        output: Arc<str>,
        /// The type of the output.
        got: TensorType,
        /// The input.
        input: Arc<str>,
        /// The type of the input.
        expected: TensorType,
        /// Why.
        message: &'static str,
    },
}

/// Any error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// An op does not fit its operands.
    #[error(transparent)]
    Type(#[from] Box<TypeError>),
    /// The feeds do not fit the inputs.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// An op failed on its values.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A text or file is not a graph.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// An invariant does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A tensor cannot be made or read as asked.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl From<TypeError> for GraphError {
    fn from(error: TypeError) -> Self {
        GraphError::Type(Box::new(error))
    }
}

impl GraphError {
    /// The user's line, where one is known.
    #[must_use]
    pub fn source_line(&self) -> Option<&Source> {
        match self {
            GraphError::Type(error) => error.at.as_ref(),
            GraphError::Eval(error) => error.at.as_ref(),
            GraphError::Feed(
                FeedError::Missing { at, .. }
                | FeedError::Type { at, .. }
                | FeedError::SymbolConflict { at, .. },
            ) => at.as_ref(),
            _ => None,
        }
    }
}

/// The line of an error, for the end of its message.
#[must_use]
pub fn place(at: &Option<Source>) -> String {
    at.as_ref().map(|source| format!("\n  --> {source}")).unwrap_or_default()
}

/// How a value of another element type is converted, for the end of a message.
fn conversion(expected: &TensorType, got: &TensorType) -> String {
    match (expected.dtype, got.dtype) {
        (DType::F32, DType::F64) => {
            "\n  = help: convert with `cast(DType::F32)`, or write numbers as `1.0_f32`".to_string()
        }
        (to, from) if to != from => format!("\n  = help: convert with `cast(DType::{to:?})`"),
        _ => String::new(),
    }
}

fn quoted(names: &[Arc<str>]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
