//! Writing a graph anew, node by node, with the lines of the old one.

use pullback_graph::{Builder, Expr, Graph, GraphError, NodeId, Op, Output, TypeError};

/// A graph written after another one.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    /// The new graph, with the outputs of the old one that are among the roots.
    pub(crate) graph: Graph,
    /// For each new node, the old one that it was written for.
    pub(crate) origin: Vec<NodeId>,
    /// For each old node, the new one that stands for it; `None` for those that no root depends on.
    pub(crate) place: Vec<Option<NodeId>>,
}

/// Writes the nodes that `roots` depend on, in order, each as `write` says: it is given the old node's id and the new
/// operands, and answers with the new node.
pub(crate) fn transcribe(
    graph: &Graph,
    roots: impl IntoIterator<Item = NodeId>,
    mut write: impl for<'g> FnMut(&'g Builder, NodeId, &[Expr<'g>]) -> Result<Expr<'g>, Box<TypeError>>,
) -> Result<Transcript, GraphError> {
    let needed = ancestors(graph, roots);
    let builder = Builder::new().with_kinks(graph.kinks());
    let mut place: Vec<Option<NodeId>> = vec![None; graph.len()];
    let mut origin = Vec::new();
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let operand =
            |old: &NodeId| builder.expr(place[old.index()].expect("operands are needed where users are"));
        let operands: Vec<Expr<'_>> = graph.node(id).operands.iter().map(operand).collect();
        let new = builder.on_behalf_of(graph, id, || write(&builder, id, &operands))?;
        // An input's label is its name.
        if let (Some(label), false) = (graph.label(id), matches!(new.op(), Op::Input(_))) {
            let _ = new.named(label);
        }
        place[id.index()] = Some(new.id());
        origin.resize(builder.len(), id);
    }
    let output = |old: &Output| Some((old.name.clone(), builder.expr(place[old.node.index()]?)));
    let graph = builder.finish(graph.outputs().iter().filter_map(output))?;
    Ok(Transcript { graph, origin, place })
}

/// Which nodes `roots` depend on, themselves included.
pub(crate) fn ancestors(graph: &Graph, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for root in roots {
        needed[root.index()] = true;
    }
    for id in graph.ids().rev() {
        if needed[id.index()] {
            for operand in &graph.node(id).operands {
                needed[operand.index()] = true;
            }
        }
    }
    needed
}

/// Which nodes depend on `sources`, themselves included.
pub(crate) fn descendants(graph: &Graph, sources: &[NodeId]) -> Vec<bool> {
    let mut depends = vec![false; graph.len()];
    for source in sources {
        depends[source.index()] = true;
    }
    for id in graph.ids() {
        let reached = graph.node(id).operands.iter().any(|operand| depends[operand.index()]);
        depends[id.index()] |= reached;
    }
    depends
}
