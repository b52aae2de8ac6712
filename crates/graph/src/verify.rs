//! Checks of the invariants: what readers of files and the pass driver rely on.
//!
//! A graph made by a builder satisfies them by construction; here they are stated so that they can be tested.

use std::collections::HashSet;

use crate::dim::Dim;
use crate::error::{TypeError, VerifyError};
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::{Op, OpRules};
use crate::provenance::Role;

/// Checks every invariant of a graph: order, types, names, side tables. Linear in nodes and edges.
///
/// # Errors
/// The first one that does not hold.
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    for id in graph.ids() {
        let node = graph.node(id);
        if let Some(operand) = node.operands.iter().find(|operand| **operand >= id) {
            return Err(VerifyError::Order { node: id, operand: *operand, at: graph.source(id).cloned() });
        }
        let types: Vec<_> = node.operands.iter().map(|operand| graph.ty(*operand)).collect();
        let inferred = node.op.infer(&types).map_err(|violation| VerifyError::Type {
            node: id,
            error: Box::new(TypeError {
                op: node.op.name().to_string(),
                violation,
                operands: node.operands.iter().map(|operand| graph.body().operand_note(*operand)).collect(),
                at: graph.source(id).cloned(),
            }),
        })?;
        if inferred != node.ty {
            let (written, at) = (node.ty.clone(), graph.source(id).cloned());
            return Err(VerifyError::Mistyped { node: id, written, inferred, at });
        }
    }
    side_tables(graph)?;
    signature(graph)
}

/// Every id in the side tables exists.
pub(crate) fn side_tables(graph: &Graph) -> Result<(), VerifyError> {
    let body = graph.body();
    let dangling = |what, id: String| Err(VerifyError::Dangling { what, id });
    let node_exists = |id: NodeId| id.index() < graph.len();
    if body.provenance.len() != graph.len() {
        return dangling(
            "provenance of node",
            NodeId::new(body.provenance.len().min(graph.len())).to_string(),
        );
    }
    for (at, scope) in body.scopes.iter().enumerate() {
        if scope.parent.map_or(at != 0, |parent| parent.index() >= at) {
            return dangling("parent of scope", at.to_string());
        }
    }
    for provenance in &body.provenance {
        if provenance.scope.index() >= body.scopes.len() {
            return dangling("scope", provenance.scope.to_string());
        }
        for origin in &provenance.origins {
            if origin.source.is_some_and(|source| source.index() >= body.sources.items().len()) {
                return dangling("source of origin", format!("{:?}", origin.source));
            }
            if let Role::Gradient { forward: Some(forward), .. } = origin.role
                && !node_exists(forward)
            {
                return dangling("forward node", forward.to_string());
            }
        }
    }
    for link in &body.cotangents {
        for id in [link.forward, link.gradient] {
            if !node_exists(id) {
                return dangling("cotangent's node", id.to_string());
            }
        }
    }
    Ok(())
}

/// Inputs and outputs have names of their own, outputs exist, and updates fit the state they update.
pub(crate) fn signature(graph: &Graph) -> Result<(), VerifyError> {
    let mut seen = HashSet::new();
    for id in graph.inputs() {
        let Op::Input(input) = &graph.node(*id).op else { continue };
        if !seen.insert(input.name.clone()) {
            let at = graph.source(*id).cloned();
            return Err(VerifyError::Duplicate { kind: "input", name: input.name.clone(), at });
        }
    }
    let mut seen = HashSet::new();
    let mut updated = HashSet::new();
    for output in graph.outputs() {
        if output.node.index() >= graph.len() {
            return Err(VerifyError::Dangling { what: "output's node", id: output.node.to_string() });
        }
        if !seen.insert(output.name.clone()) {
            let at = graph.source(output.node).cloned();
            return Err(VerifyError::Duplicate { kind: "output", name: output.name.clone(), at });
        }
        let Some(state) = output.updates else { continue };
        let Some(Op::Input(input)) = graph.nodes().get(state.index()).map(|node| &node.op) else {
            return Err(VerifyError::Dangling { what: "state input", id: state.to_string() });
        };
        let message = if graph.ty(state) != graph.ty(output.node) {
            "the types differ"
        } else if graph.ty(state).shape.iter().any(|dim| matches!(dim, Dim::Symbolic(_))) {
            "state has known sizes, so that it can outlive a run"
        } else if !updated.insert(state) {
            "another output updates it already"
        } else {
            continue;
        };
        return Err(VerifyError::Update {
            output: output.name.clone(),
            got: graph.ty(output.node).clone(),
            input: input.name.clone(),
            expected: graph.ty(state).clone(),
            message,
        });
    }
    Ok(())
}
