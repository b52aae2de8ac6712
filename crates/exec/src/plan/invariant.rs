//! What is the same in every run, and need not be computed in each.
//!
//! What follows from constants, and from state that no run changes, is computed by the first run after such state was set; later
//! runs find it where it was: tables, masks, what parameters are turned into before something is multiplied by them. The
//! values among it that the rest reads have buffers that nothing else uses.

use pullback_graph::{Graph, NodeId, Op, OpClass, OpRules};

use crate::plan::id::SlotId;
use crate::plan::problem::{Problem, ValueUse};

/// Per node: whether its value follows from constants and unchanging state alone.
///
/// What somebody else's op computes is asked for in every run.
///
/// # Complexity
/// Linear in the nodes and operands.
pub(crate) fn invariant(graph: &Graph) -> Vec<bool> {
    let mut invariant = vec![false; graph.len()];
    for output in graph.outputs() {
        if output.updates == Some(output.node) {
            invariant[output.node.index()] = true;
        }
    }
    for id in graph.ids() {
        let node = graph.node(id);
        if !matches!(node.op, Op::Input(_)) && node.op.class() != OpClass::Opaque {
            let follows = |operand: &NodeId| invariant[operand.index()];
            invariant[id.index()] = node.operands.iter().all(follows);
        }
    }
    invariant
}

/// The steps that need not run again, of those that compute what is invariant; the values of theirs that the rest reads get
/// fixed slots, behind those that there are.
///
/// What a run hands out, or writes into state, is computed in every run.
pub(crate) fn hold(problem: &mut Problem, invariant: &[bool]) -> Vec<bool> {
    let Problem { steps, values, fixed, .. } = problem;
    let is_held = |step: usize| {
        let mut writes = steps[step].writes.iter();
        invariant[step] && writes.all(|value| values[value.index()].fixed.is_none())
    };
    let once: Vec<bool> = (0..steps.len()).map(is_held).collect();
    if !once.contains(&true) {
        return once;
    }
    let mut keep = |value: &mut ValueUse| {
        if value.fixed.is_none() && value.writer.is_some_and(|writer| once[writer.index()]) {
            value.fixed = Some(SlotId::new(fixed.len()));
            fixed.push(value.bytes);
        }
    };
    for (step, _) in steps.iter().zip(&once).filter(|(_, once)| !**once) {
        step.reads.iter().for_each(|value| keep(&mut values[value.index()]));
    }
    values.iter_mut().filter(|value| value.until_end).for_each(keep);
    once
}
