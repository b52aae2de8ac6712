//! How reports name a node: by what the user wrote.

use std::fmt;
use std::sync::Arc;

use pullback_graph::{Graph, NodeId, OpRules, Source};

/// A node of the graph that was checked, or of its gradient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node of the user's graph; for a node of its gradient, the one whose rule made it.
    pub node: NodeId,
    /// That node's op.
    pub op: String,
    /// The name of the input, or the label the user gave.
    pub label: Option<Arc<str>>,
    /// The user's line.
    pub at: Option<Source>,
    /// The op of the gradient node that is meant, if it is one.
    pub within: Option<String>,
}

impl Place {
    /// Node `id` of the user's graph.
    pub(crate) fn of(graph: &Graph, id: NodeId) -> Place {
        Place {
            node: id,
            op: graph.node(id).op.name().to_string(),
            label: graph.label(id).cloned(),
            at: graph.source(id).cloned(),
            within: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = &self.within {
            write!(f, "{within}, appended by the rule `{}` to the gradient of ", self.op)?;
        }
        write!(f, "{} {}", self.node, self.op)?;
        if let Some(label) = &self.label {
            write!(f, " \"{label}\"")?;
        }
        if let Some(source) = &self.at {
            write!(f, " at {source}")?;
        }
        Ok(())
    }
}
