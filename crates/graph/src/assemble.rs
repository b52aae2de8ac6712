//! Where readers of texts and files end: what they found becomes a graph only if every invariant holds.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{FormatError, TypeError, VerifyError};
use crate::graph::{Body, Graph, Operands, Output};
use crate::id::{NodeId, ScopeId};
use crate::op::{AttributeError, Op, Registry};
use crate::provenance::{Provenance, Source};
use crate::shape::TensorType;

/// A node as a text or file writes it; nothing about it is known to be right.
pub(crate) struct WrittenNode {
    pub(crate) op: String,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) operands: Operands,
    pub(crate) ty: TensorType,
    pub(crate) provenance: Provenance,
}

/// A graph being read.
pub(crate) struct Assembly<'r> {
    pub(crate) body: Body,
    registry: &'r Registry,
    /// How many scopes each scope is inside of.
    depths: Vec<usize>,
}

impl<'r> Assembly<'r> {
    /// Paths are printed once per node: deeper nesting than any program has would make short files print long texts.
    const MAX_SCOPE_DEPTH: usize = 1000;

    /// An empty graph; custom ops come from `registry`.
    pub(crate) fn new(registry: &'r Registry) -> Self {
        Assembly { body: Body::default(), registry, depths: vec![0] }
    }

    /// Appends a scope inside one that exists; `None` when it is nested too deeply.
    pub(crate) fn scope(&mut self, parent: ScopeId, name: Arc<str>) -> Option<ScopeId> {
        let depth = self.depths[parent.index()] + 1;
        self.depths.push(depth);
        (depth <= Self::MAX_SCOPE_DEPTH).then(|| self.body.new_scope(parent, name))
    }

    /// Appends a node whose scope, sources and names exist.
    pub(crate) fn node(&mut self, written: WrittenNode) -> Result<NodeId, FormatError> {
        let WrittenNode { op, attributes, operands, ty, provenance } = written;
        let node = NodeId::new(self.body.nodes.len());
        let at = self.source_of(&provenance);
        if let Some(operand) = operands.iter().copied().find(|operand| *operand >= node) {
            return Err(VerifyError::Order { node, operand, at }.into());
        }
        let op = Op::from_parts(&op, attributes, self.registry).map_err(|error| match error {
            AttributeError::UnknownOp => FormatError::UnknownOp { node, op: op.clone() },
            AttributeError::Malformed(message) => FormatError::Attributes { node, op: op.clone(), message },
        })?;
        let pushed = self.body.push(op, operands, provenance);
        pushed.map_err(|error: Box<TypeError>| VerifyError::Type { node, error })?;
        let inferred = &self.body.nodes[node.index()].ty;
        if *inferred != ty {
            return Err(VerifyError::Mistyped { node, written: ty, inferred: inferred.clone(), at }.into());
        }
        Ok(node)
    }

    /// The graph, with everything that nodes and side tables refer to checked.
    pub(crate) fn finish(self, outputs: Vec<Output>) -> Result<Graph, FormatError> {
        let graph = Graph::from_parts(Arc::new(self.body), outputs)?;
        crate::verify::side_tables(&graph)?;
        Ok(graph)
    }

    fn source_of(&self, provenance: &Provenance) -> Option<Source> {
        let source = provenance.origins.first()?.source?;
        Some(self.body.sources.items()[source.index()].clone())
    }
}
