//! The one driver that every pass uses: a sweep over a graph that writes its nodes anew, with rules applied and equal
//! nodes merged.
//!
//! The sweep goes upwards through the ids, so when a rule looks at a node, the operands are in their final form already;
//! what a rule puts in a node's place is offered to the rules again before it is written. Writing interns: a node of the
//! same op and the same operands is never written twice, so common subexpressions and dead code are no passes of their
//! own. Inputs are always kept, which keeps the signature.

mod draft;

use crate::graph::{Graph, Node, Operands, Output};
use crate::id::NodeId;
use crate::op::{Literal, Op, Scalar};
use crate::pass::Pass;
use crate::shape::TensorType;
use draft::Draft;

pub(crate) use draft::translate_origins;

/// What a rule puts in the place of a node. It has the same type and, for the same inputs, the same bits.
#[derive(Debug)]
pub(crate) enum Replacement {
    /// A node that is written already.
    Existing(NodeId),
    /// A new node over such nodes.
    New(Op, Operands),
}

impl Replacement {
    /// `op` applied to `operands`.
    pub(crate) fn new(op: impl Into<Op>, operands: &[NodeId]) -> Option<Replacement> {
        Some(Replacement::New(op.into(), operands.into()))
    }
}

/// Looks at a node that is about to be written; `None` if the rule has nothing to say.
pub(crate) type Rule = fn(&Candidate<'_>) -> Option<Replacement>;

/// A node that is about to be written. Its operands are written, and final.
pub(crate) struct Candidate<'a> {
    pub(crate) op: &'a Op,
    pub(crate) operands: &'a [NodeId],
    pub(crate) ty: &'a TensorType,
    draft: &'a Draft,
    /// Whether this is the node as it stood in the old graph.
    original: bool,
}

impl<'a> Candidate<'a> {
    /// The node that is operand `index`.
    pub(crate) fn operand(&self, index: usize) -> &'a Node {
        self.node(self.operands[index])
    }

    /// A node that is written.
    pub(crate) fn node(&self, id: NodeId) -> &'a Node {
        self.draft.node(id)
    }

    /// The op that makes operand `index`, if there are that many.
    pub(crate) fn operand_op(&self, index: usize) -> Option<&'a Op> {
        self.operands.get(index).map(|id| &self.node(*id).op)
    }

    /// The literal that operand `index` is, if it is one.
    pub(crate) fn literal(&self, index: usize) -> Option<&'a Literal> {
        match self.operand_op(index) {
            Some(Op::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    /// Whether operand `index` is a literal of `value`, with the sign of its zero.
    pub(crate) fn is_uniform(&self, index: usize, value: f64) -> bool {
        self.is_uniform_node(self.operands[index], value)
    }

    /// Whether a node is a literal of `value`, with the sign of its zero.
    pub(crate) fn is_uniform_node(&self, id: NodeId, value: f64) -> bool {
        match &self.node(id).op {
            Op::Literal(literal) => Scalar::of(literal.value.dtype(), value) == Ok(literal.value),
            _ => false,
        }
    }

    /// The operand that stands beside a literal of `value`, on either side of an op of two operands.
    pub(crate) fn beside(&self, value: f64) -> Option<NodeId> {
        (0..2).rev().find(|index| self.is_uniform(*index, value)).map(|index| self.operands[1 - index])
    }

    /// Whether this node is the only user of operand `index`, as far as is known.
    ///
    /// A rule that asks does work again that others may share, so in doubt the answer is no; a later sweep knows more.
    pub(crate) fn is_only_user(&self, index: usize) -> bool {
        let is_only = self.original && self.draft.uses(self.operands[index]) == 1;
        if !is_only {
            self.draft.doubt(self.operands[index]);
        }
        is_only
    }
}

/// What a sweep gives.
pub(crate) struct Swept {
    pub(crate) graph: Graph,
    /// Whether another sweep may find more: a rule was told that a node has other users, and it has none any more. All else
    /// that rules ask for is final when they see a node.
    pub(crate) is_unsettled: bool,
}

/// Writes `graph` anew with the rules of `passes`, in order. Linear in nodes and edges, for a fixed list of rules.
///
/// In debug builds the result is verified and its signature compared with the old one.
pub(crate) fn sweep(graph: &Graph, passes: &[&Pass]) -> Swept {
    let uses = live_uses(graph);
    let mut draft = Draft::after(graph);
    for id in graph.ids() {
        let is_input = matches!(graph.node(id).op, Op::Input(_));
        if uses[id.index()] > 0 || is_input {
            draft.write(graph, id, uses[id.index()], passes);
        }
    }
    let swept = draft.finish(graph);
    if cfg!(debug_assertions) {
        check(graph, &swept.graph, passes);
    }
    swept
}

/// How often each node is used by nodes that an output depends on, and by outputs; 0 for dead nodes.
fn live_uses(graph: &Graph) -> Vec<u32> {
    let mut uses = vec![0; graph.len()];
    for output in graph.outputs() {
        uses[output.node.index()] += 1;
    }
    for id in graph.ids().rev() {
        if uses[id.index()] > 0 {
            for operand in &graph.node(id).operands {
                uses[operand.index()] += 1;
            }
        }
    }
    uses
}

/// What holds after every pass: the invariants of graphs, and the signature of before.
fn check(before: &Graph, after: &Graph, passes: &[&Pass]) {
    let names = || passes.iter().map(|pass| pass.name).collect::<Vec<_>>().join(", ");
    if let Err(error) = crate::verify::verify(after) {
        panic!("after {}: {error}", names());
    }
    let inputs =
        |graph: &Graph| graph.inputs().iter().map(|id| graph.node(*id).op.clone()).collect::<Vec<_>>();
    let outputs = |graph: &Graph| {
        let output = |output: &Output| {
            let updated = output.updates.and_then(|state| graph.label(state).cloned());
            (output.name.clone(), graph.ty(output.node).clone(), updated)
        };
        graph.outputs().iter().map(output).collect::<Vec<_>>()
    };
    assert_eq!(inputs(before), inputs(after), "after {}: the inputs changed", names());
    assert_eq!(outputs(before), outputs(after), "after {}: the outputs changed", names());
}
