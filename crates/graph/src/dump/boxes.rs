//! The nodes of a graph in boxes: what pictures with nested scopes walk over.

use crate::graph::Graph;
use crate::id::{NodeId, ScopeId};

/// A step of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A box begins; `depth` boxes are open around it.
    Open { scope: ScopeId, depth: usize },
    /// A node in the box that was opened last.
    Node { node: NodeId, depth: usize },
    /// The box that was opened last ends.
    Close { depth: usize },
}

/// The walk over all boxes that hold a node, themselves or further in; the root is no box. Each box has its nodes first,
/// then the boxes in it.
pub(super) fn walk(graph: &Graph) -> Vec<Step> {
    let scopes = graph.scopes();
    let mut nodes: Vec<Vec<NodeId>> = vec![Vec::new(); scopes.len()];
    for id in graph.ids() {
        nodes[graph.provenance(id).scope.index()].push(id);
    }
    // A scope comes after the one around it, so one sweep downwards sees every child before its parent.
    let mut occupied: Vec<bool> = nodes.iter().map(|nodes| !nodes.is_empty()).collect();
    let mut children: Vec<Vec<ScopeId>> = vec![Vec::new(); scopes.len()];
    for at in (1..scopes.len()).rev() {
        if let (true, Some(parent)) = (occupied[at], scopes[at].parent) {
            occupied[parent.index()] = true;
            children[parent.index()].push(ScopeId::new(at));
        }
    }
    let mut steps = Vec::with_capacity(graph.len() + 2 * scopes.len());
    let mut enter = |scope: ScopeId, depth: usize, steps: &mut Vec<Step>| {
        steps.extend(nodes[scope.index()].iter().map(|node| Step::Node { node: *node, depth }));
        // The children were found in reverse: popping them gives them in order.
        std::mem::take(&mut children[scope.index()])
    };
    let mut open = vec![enter(ScopeId::new(0), 0, &mut steps)];
    while let Some(waiting) = open.last_mut() {
        let next = waiting.pop();
        let depth = open.len() - 1;
        match next {
            Some(scope) => {
                steps.push(Step::Open { scope, depth });
                open.push(enter(scope, depth + 1, &mut steps));
            }
            None => {
                open.pop();
                if depth > 0 {
                    steps.push(Step::Close { depth: depth - 1 });
                }
            }
        }
    }
    steps
}
