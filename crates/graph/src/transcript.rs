//! A graph written down again: in another order, and some nodes more than once.

use std::sync::Arc;

use smallvec::smallvec;

use crate::graph::{Body, Graph, Operands, Output};
use crate::id::NodeId;
use crate::op::{Barrier, Op};
use crate::provenance::CotangentLink;
use crate::rewrite::translate_origins;

/// A graph that is being written after another one. Its nodes are those of the other, each as often as asked, or others in
/// their place.
///
/// ```
/// use pullback_graph::{Builder, DType::F32, Transcript};
/// let b = Builder::new();
/// let x = b.input("x", F32, [3]);
/// let graph = b.finish([("y", x.exp() * x.exp().sum())])?;
/// // A copy of it, node by node.
/// let mut transcript = Transcript::of(&graph);
/// for id in graph.ids().filter(|id| !graph.inputs().contains(id)) {
///     let operands = graph.node(id).operands.iter().map(|operand| transcript.place(*operand)).collect();
///     transcript.copy(id, operands);
/// }
/// assert_eq!(transcript.finish().to_string(), graph.to_string());
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
#[derive(Debug)]
pub struct Transcript<'g> {
    graph: &'g Graph,
    body: Body,
    /// The first copy of each node.
    place: Vec<Option<NodeId>>,
}

impl<'g> Transcript<'g> {
    /// The inputs of `graph`, in their order.
    #[must_use]
    pub fn of(graph: &'g Graph) -> Self {
        let body = graph.body().without_nodes();
        let mut transcript = Transcript { graph, body, place: vec![None; graph.len()] };
        for input in graph.inputs() {
            transcript.copy(*input, Operands::new());
        }
        transcript
    }

    /// The first copy of the node `id`.
    ///
    /// # Panics
    /// When there is none yet.
    #[must_use]
    pub fn place(&self, id: NodeId) -> NodeId {
        self.place[id.index()].expect("a node is copied before those that read it")
    }

    /// Writes the node `id` over `operands`, which have the types of its own.
    ///
    /// # Panics
    /// When they do not.
    pub fn copy(&mut self, id: NodeId, operands: Operands) -> NodeId {
        let node = self.graph.node(id);
        let copied = self.body.push(node.op.clone(), operands, self.graph.provenance(id).clone());
        let copied = copied.expect("the op took operands of these types before");
        self.place[id.index()].get_or_insert(copied);
        copied
    }

    /// Writes an op on the way to what the node `id` is for: made by the same line, without its name.
    ///
    /// # Panics
    /// When the op does not take these operands, or one of them has not been written.
    pub fn write(&mut self, id: NodeId, op: impl Into<Op>, operands: Operands) -> NodeId {
        let mut provenance = self.graph.provenance(id).clone();
        provenance.label = None;
        self.body.push(op.into(), operands, provenance).expect("an op is written over operands that it takes")
    }

    /// Has the node `value`, which was written, stand for `id` where that is read from now on.
    ///
    /// # Panics
    /// When their types differ, or there is a copy of `id` already.
    pub fn stand_in(&mut self, id: NodeId, value: NodeId) {
        assert_eq!(
            self.body.nodes[value.index()].ty,
            *self.graph.ty(id),
            "what stands for {id} has its type"
        );
        let before = self.place[id.index()].replace(value);
        assert_eq!(before, None, "{id} was not copied");
    }

    /// Writes the value of `value`, a copy of the node `id`, not before `after` has been computed.
    ///
    /// # Panics
    /// When `value` or `after` has not been written.
    pub fn barrier(&mut self, id: NodeId, value: NodeId, after: NodeId) -> NodeId {
        self.write(id, Barrier, smallvec![value, after])
    }

    /// The graph, whose outputs are the first copies of those of the other.
    ///
    /// # Panics
    /// When an output has not been copied.
    #[must_use]
    pub fn finish(mut self) -> Graph {
        for provenance in &mut self.body.provenance {
            translate_origins(&mut provenance.origins, &self.place);
        }
        for link in self.graph.cotangents() {
            if let (Some(forward), Some(gradient)) =
                (self.place[link.forward.index()], self.place[link.gradient.index()])
            {
                self.body.cotangents.push(CotangentLink { forward, gradient });
            }
        }
        let outputs = self.graph.outputs().iter().map(|output| Output {
            name: output.name.clone(),
            node: self.place(output.node),
            updates: output.updates.map(|state| self.place(state)),
        });
        let outputs = outputs.collect();
        Graph::from_parts(Arc::new(self.body), outputs).expect("the signature is that of the other graph")
    }
}
