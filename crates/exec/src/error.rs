//! What can go wrong when a graph is planned or run, with the node and the user's line.

use std::sync::Arc;

use pullback_graph::{
    FeedError, Graph, GraphError, NodeId, OpRules, Source, TensorError, TensorType, VerifyError,
};

/// A graph could not be planned or run.
///
/// [`Feed`](ExecError::Feed), [`State`](ExecError::State) and [`Torn`](ExecError::Torn) are the caller's to mend;
/// [`Kernel`](ExecError::Kernel) and [`NonFinite`](ExecError::NonFinite) come of the values;
/// [`DoesNotFit`](ExecError::DoesNotFit) of the memory allowed;
/// [`Cancelled`](ExecError::Cancelled) and [`Deadline`](ExecError::Deadline) were asked for;
/// [`Panic`](ExecError::Panic) is a fault in an op.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The graph cannot be bound or rewritten.
    #[error(transparent)]
    Graph(Box<GraphError>),
    /// The values given do not fit the inputs.
    #[error(transparent)]
    Feed(Box<FeedError>),
    /// An invariant of the graph does not hold.
    #[error(transparent)]
    Verify(Box<VerifyError>),
    /// A size is not known: the graph must be bound before it is planned.
    #[error("{node} has type {ty}; bind every dimension before planning{}", arrow(.at))]
    Unbound {
        /// The first node of unknown size.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// An op failed on the values it was given: an index out of range, a check that did not hold.
    #[error("{op} at {node}{}: {message}{}", named(.label), arrow(.at))]
    Kernel {
        /// The node.
        node: NodeId,
        /// Its op's name.
        op: String,
        /// The label the user gave.
        label: Option<Arc<str>>,
        /// What is wrong.
        message: String,
        /// The user's line.
        at: Option<Source>,
    },
    /// An op panicked.
    #[error("{op} at {node}{} panicked: {message}{}", named(.label), arrow(.at))]
    Panic {
        /// The node.
        node: NodeId,
        /// Its op's name.
        op: String,
        /// The label the user gave.
        label: Option<Arc<str>>,
        /// What the panic said.
        message: String,
        /// The user's line.
        at: Option<Source>,
    },
    /// A value is NaN or infinite, and [`Options::check_finite`](crate::Options::check_finite) is on.
    #[error("{op} at {node}{} gave {what}{}", named(.label), arrow(.at))]
    NonFinite {
        /// The node.
        node: NodeId,
        /// Its op's name.
        op: String,
        /// The label the user gave.
        label: Option<Arc<str>>,
        /// What was found, and where.
        what: String,
        /// The user's line.
        at: Option<Source>,
    },
    /// The run was [cancelled](crate::CancelToken::cancel).
    #[error("the run was cancelled")]
    Cancelled,
    /// The run's [deadline](crate::CancelToken::with_deadline) passed.
    #[error("the run's deadline passed")]
    Deadline,
    /// The plan holds more than [`Options::fit_in`](crate::Options::fit_in) allows, whatever is computed again.
    #[error("the plan is to hold at most {budget} bytes, and the least found is {least}")]
    DoesNotFit {
        /// The bytes allowed.
        budget: usize,
        /// The lowest peak found.
        least: usize,
    },
    /// There is no state of that name.
    #[error(
        "there is no state \"{name}\"; {}\
         \n  = help: an input is state if an output updates it, as `Output::updating` says",
        match known.as_slice() {
            [] => "no output of the graph updates an input".to_string(),
            known => format!("the state is {}", listed(known)),
        }
    )]
    State {
        /// The name asked for.
        name: String,
        /// The state that exists.
        known: Vec<Arc<str>>,
    },
    /// An earlier run failed after it had begun to update state in place, and that state was not set since.
    #[error("an earlier run failed while updating {}; set it anew before the next run", listed(.states))]
    Torn {
        /// The state whose value may be old, new or partly new.
        states: Vec<Arc<str>>,
    },
    /// A result cannot be made a tensor.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The thread pool could not be started.
    #[error("the thread pool could not be started: {0}")]
    Pool(#[from] rayon::ThreadPoolBuildError),
}

impl From<GraphError> for ExecError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Feed(error) => error.into(),
            GraphError::Verify(error) => error.into(),
            error => ExecError::Graph(Box::new(error)),
        }
    }
}

impl From<FeedError> for ExecError {
    fn from(error: FeedError) -> Self {
        ExecError::Feed(Box::new(error))
    }
}

impl From<VerifyError> for ExecError {
    fn from(error: VerifyError) -> Self {
        ExecError::Verify(Box::new(error))
    }
}

impl ExecError {
    pub(crate) fn unbound(graph: &Graph, node: NodeId) -> ExecError {
        ExecError::Unbound { node, ty: graph.ty(node).clone(), at: graph.source(node).cloned() }
    }

    pub(crate) fn kernel(graph: &Graph, node: NodeId, message: String) -> ExecError {
        let (op, label, at) = site(graph, node);
        ExecError::Kernel { node, op, label, message, at }
    }

    pub(crate) fn panic(graph: &Graph, node: NodeId, message: String) -> ExecError {
        let (op, label, at) = site(graph, node);
        ExecError::Panic { node, op, label, message, at }
    }

    pub(crate) fn non_finite(graph: &Graph, node: NodeId, what: String) -> ExecError {
        let (op, label, at) = site(graph, node);
        ExecError::NonFinite { node, op, label, what, at }
    }

    /// The user's line, where one is known.
    #[must_use]
    pub fn source_line(&self) -> Option<&Source> {
        match self {
            ExecError::Graph(error) => error.source_line(),
            ExecError::Feed(error) => match &**error {
                FeedError::Missing { at, .. }
                | FeedError::Type { at, .. }
                | FeedError::SymbolConflict { at, .. }
                | FeedError::Size { at, .. } => at.as_ref(),
                _ => None,
            },
            ExecError::Unbound { at, .. }
            | ExecError::Kernel { at, .. }
            | ExecError::Panic { at, .. }
            | ExecError::NonFinite { at, .. } => at.as_ref(),
            _ => None,
        }
    }
}

/// What messages say of a node: its op, label and line.
fn site(graph: &Graph, node: NodeId) -> (String, Option<Arc<str>>, Option<Source>) {
    (graph.node(node).op.name().to_string(), graph.label(node).cloned(), graph.source(node).cloned())
}

/// The user's line, for the end of a message.
fn arrow(at: &Option<Source>) -> String {
    at.as_ref().map(|source| format!("\n  --> {source}")).unwrap_or_default()
}

fn named(label: &Option<Arc<str>>) -> String {
    label.as_ref().map(|label| format!(" \"{label}\"")).unwrap_or_default()
}

fn listed(names: &[Arc<str>]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
