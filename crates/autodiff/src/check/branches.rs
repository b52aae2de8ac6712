//! Kinks told apart: on which side of each decision a point lies.
//!
//! A function of tensors is smooth but for the decisions that it takes: which operand is larger, which element is the
//! maximum, which whole number is nearest. Nobody lists the ops that decide. The pullback of such an op has to decide
//! the same, in the open: by comparing, by a whole number, by a sign. So each node's pullback is appended next to it,
//! and every value that cannot vary continuously is a decision of that node. Two points with the same decisions lie on
//! one smooth piece.

use pullback_graph::op::{Partial, Site};
use pullback_graph::{Builder, Expr, Graph, NodeId, OpRules, Output, Tensor, interpret};

use crate::check::oracle::FIRST_STEP;
use crate::check::place::Place;
use crate::check::subject::Subject;
use crate::check::transcribe::{ancestors, descendants};

/// Steps shorter than this do not move a double.
const SMALLEST_STEP: f64 = 1e-13;

/// The decisions of a subject's reference graph.
#[derive(Debug)]
pub(crate) struct Branches {
    /// The reference with the pullback of each node appended.
    graph: Graph,
    /// The nodes whose values are decisions, and the nodes of the subject that take them.
    decisions: Vec<(NodeId, NodeId)>,
    /// The decisions at the point.
    here: Vec<Tensor>,
}

/// How far one can go from the point without a change of decisions.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// A step with the same decisions at both ends and in the middle; `None` if there is none.
    pub(crate) step: Option<f64>,
    /// What changes at the next larger step, if anything does.
    pub(crate) kink: Option<Place>,
}

impl Branches {
    /// Finds the decisions and takes them at the point; `None` when they cannot be evaluated there.
    pub(crate) fn of(subject: &Subject) -> Option<Branches> {
        let active = active_nodes(subject);
        let builder = Builder::extending(&subject.reference);
        let mut decisions = Vec::new();
        for id in subject.reference.ids().filter(|id| active[id.index()]) {
            let node = builder.expr(id);
            if decides(node) {
                decisions.push((id, id));
                continue;
            }
            let start = builder.len();
            append_pullback(node);
            let appended = (start..builder.len()).map(NodeId::new);
            decisions.extend(appended.filter(|made| decides(builder.expr(*made))).map(|made| (made, id)));
        }
        let outputs: [Output; 0] = [];
        let graph = builder.finish(outputs).ok()?;
        let mut branches = Branches { graph, decisions, here: Vec::new() };
        branches.here = branches.taken(subject, &subject.point())?;
        Some(branches)
    }

    /// The decisions where the variables have the values `at`.
    fn taken(&self, subject: &Subject, at: &[Tensor]) -> Option<Vec<Tensor>> {
        let values = interpret(&self.graph, subject.feeds(at)).ok()?;
        Some(self.decisions.iter().map(|(decision, _)| values.node(*decision).clone()).collect())
    }

    /// The smooth piece around the point, along `direction`.
    pub(crate) fn piece(&self, subject: &Subject, direction: &[Tensor]) -> Piece {
        let (mut step, mut kink) = (FIRST_STEP, None);
        while step > SMALLEST_STEP {
            let sides = [step, -step].map(|step| self.taken(subject, &subject.moved(direction, step)));
            let changed = sides.iter().find_map(|side| self.first_change(side.as_deref()));
            match changed {
                None => return Piece { step: Some(step), kink },
                Some(node) => kink = node.map(|node| subject.place(&subject.reference, node)).or(kink),
            }
            step /= 4.0;
        }
        Piece { step: None, kink }
    }

    /// Whether decisions differ from those at the point, and the first node to differ, if it can be told.
    fn first_change(&self, side: Option<&[Tensor]>) -> Option<Option<NodeId>> {
        let Some(side) = side else { return Some(None) };
        let differ = side.iter().zip(&self.here).position(|(there, here)| there != here)?;
        Some(Some(self.decisions[differ].1))
    }
}

/// The nodes through which the variables reach the output.
fn active_nodes(subject: &Subject) -> Vec<bool> {
    let variables: Vec<NodeId> = subject.variables.iter().map(|variable| variable.node).collect();
    let mut active = descendants(&subject.reference, &variables);
    let needed = ancestors(&subject.reference, [subject.reference_output]);
    active.iter_mut().zip(needed).for_each(|(active, needed)| *active &= needed);
    variables.iter().for_each(|variable| active[variable.index()] = false);
    active
}

/// Whether a value cannot vary continuously: it is no float, or it is constant between jumps.
fn decides(node: Expr<'_>) -> bool {
    if !node.dtype().is_float() {
        return true;
    }
    let builder = Builder::new().with_kinks(node.builder().kinks());
    let operands = node.operands();
    let types = operands.iter().enumerate().map(|(at, operand)| (at.to_string(), operand.ty()));
    let inputs: Vec<Expr<'_>> = types.map(|(name, ty)| builder.input(&name, ty.dtype, ty.shape)).collect();
    let Ok(result) = builder.push(node.op(), &inputs) else { return false };
    let site = site(result, inputs);
    let partials = result.op().pullback(&site);
    let floats: Vec<&Partial<'_>> =
        partials.iter().zip(&site.wanted).filter(|(_, is)| **is).map(|(p, _)| p).collect();
    !floats.is_empty() && floats.iter().all(|partial| matches!(partial, Partial::Flat))
}

/// Appends the whole pullback of a node, for a cotangent of ones.
fn append_pullback(node: Expr<'_>) {
    // What matters is what it appends, not what it answers.
    let _ = node.op().pullback(&site(node, node.operands()));
}

fn site<'g>(result: Expr<'g>, operands: Vec<Expr<'g>>) -> Site<'g> {
    Site {
        wanted: operands.iter().map(|operand| operand.dtype().is_float()).collect(),
        operands: operands.into_iter().collect(),
        result,
        cotangent: result.ones_like(),
    }
}
