//! Training state that is updated where it is.
//!
//! The step that computes a state's next value may write over the present one if every other step that reads the present
//! value has finished. Those steps are made its predecessors, which no cycle can come of as they stand before it. Where
//! that cannot be (the old value is itself a result, a reader stands behind, the step reads it out of order) the new
//! value gets a buffer of its own and is copied when all steps have succeeded.

use std::collections::HashMap;

use pullback_graph::{Graph, NodeId};
use smallvec::SmallVec;

use crate::csr::Csr;
use crate::plan::id::{SlotId, StepId, ValueId};
use crate::plan::lower::Lowered;
use crate::plan::problem::{Problem, readers};
use crate::plan::step::{State, Update};

/// Decides how each state gets its next value, and writes what follows from it into `problem`: fixed slots, steps to
/// wait for, values needed at the end. State `k` gets slot `k`.
///
/// With `in_place` off, every update is copied at the end.
///
/// # Complexity
/// Linear in the outputs and the readers of states.
pub(crate) fn donate(graph: &Graph, lowered: &Lowered, problem: &mut Problem, in_place: bool) -> Vec<State> {
    let value_of = |node: NodeId| lowered.value_of[node.index()].expect("outputs are lowered");
    let inputs: HashMap<NodeId, usize> =
        graph.inputs().iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let updates: Vec<(usize, usize, ValueId, ValueId)> = graph
        .outputs()
        .iter()
        .enumerate()
        .filter_map(|(output, target)| {
            let input = target.updates?;
            Some((inputs[&input], output, value_of(input), value_of(target.node)))
        })
        .collect();
    for (slot, (_, _, old, _)) in updates.iter().enumerate() {
        problem.values[old.index()].fixed = Some(SlotId::new(slot));
    }
    for output in graph.outputs().iter().filter(|output| output.updates.is_none()) {
        problem.values[value_of(output.node).index()].until_end = true;
    }
    // A state whose present value becomes another state's next one is read at the end.
    for (_, _, old, new) in &updates {
        if old != new && problem.values[new.index()].writer.is_none() {
            problem.values[new.index()].until_end = true;
        }
    }
    let readers = readers(problem);
    let mut states = Vec::with_capacity(updates.len());
    for (at, (input, output, old, new)) in updates.into_iter().enumerate() {
        let slot = SlotId::new(at);
        let update = if old == new {
            Update::Keep
        } else if let Some(waits) = in_place.then(|| must_wait(problem, &readers, old, new)).flatten() {
            let writer = problem.values[new.index()].writer.expect("only steps update in place");
            problem.steps[writer.index()].after.extend(waits);
            problem.values[new.index()].fixed = Some(slot);
            Update::InPlace(new)
        } else {
            Update::Copy(new)
        };
        // Nothing may move into the buffer of a state after its next value.
        problem.values[new.index()].until_end = true;
        if !matches!(update, Update::InPlace(_)) {
            problem.values[old.index()].until_end = true;
        }
        states.push(State { input, output, slot, update });
    }
    states
}

/// The steps that the writer of `new` must come after so that it can write over `old`; `None` if it cannot.
fn must_wait(
    problem: &Problem,
    readers: &Csr<StepId>,
    old: ValueId,
    new: ValueId,
) -> Option<SmallVec<[StepId; 2]>> {
    let (present, next) = (&problem.values[old.index()], &problem.values[new.index()]);
    let writer = next.writer?;
    if present.until_end || next.fixed.is_some() || !present.is_like(next) {
        return None;
    }
    let uses = &problem.steps[writer.index()];
    let positions: SmallVec<[usize; 2]> = (0..uses.reads.len()).filter(|at| uses.reads[*at] == old).collect();
    let in_place = match *positions {
        [] => true,
        [position] => uses.may_overwrite.contains(&(position as u32)),
        _ => false,
    };
    let others = readers.row(old.index()).iter().copied().filter(|reader| *reader != writer);
    let waits: SmallVec<[StepId; 2]> = others.collect();
    (in_place && waits.iter().all(|reader| *reader < writer)).then_some(waits)
}
