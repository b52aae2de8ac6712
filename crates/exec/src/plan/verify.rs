//! The certificate of a memory plan: no two values that may be live at once share a slot, under any interleaving.

use crate::plan::id::{SlotId, StepId, ValueId};
use crate::plan::memory::Assignment;
use crate::plan::problem::{Problem, readers};
use crate::plan::reach::Reach;

/// Checks `assignment` against the lifetimes in `problem`; the first fault found, in words.
///
/// `reach` must be fresh. Only the edges of the assignment count as order.
///
/// # Errors
/// Which values collide in which slot, or which value does not fit.
///
/// # Complexity
/// `O(steps + reads)` beside what `reach` costs.
pub(crate) fn verify(problem: &Problem, assignment: &Assignment, reach: &mut Reach) -> Result<(), String> {
    let readers = readers(problem);
    let mut tenants: Vec<Option<ValueId>> = vec![None; assignment.bytes.len()];
    for (at, value) in problem.values.iter().enumerate() {
        let Some(slot) = assignment.slots[at] else { continue };
        if assignment.bytes[slot.index()] < value.bytes {
            return Err(format!(
                "v{at} has {} bytes, {slot} only {}",
                value.bytes,
                assignment.bytes[slot.index()]
            ));
        }
        if value.writer.is_none() {
            tenants[slot.index()] = Some(ValueId::new(at));
        }
    }
    for (at, uses) in problem.steps.iter().enumerate() {
        let predecessors = assignment.predecessors.row(at);
        let step = reach.open(predecessors);
        for value in &uses.reads {
            let writer = problem.values[value.index()].writer;
            if let Some(writer) = writer.filter(|writer| !reach.is_ancestor(*writer, step)) {
                return Err(format!(
                    "{step} reads {value} but does not come after {writer}, which writes it"
                ));
            }
            if let Some(slot) = assignment.slots[value.index()]
                && tenants[slot.index()] != Some(*value)
            {
                return Err(format!("{step} reads {value}, which is no longer in {slot}"));
            }
        }
        for (at, write) in uses.writes.iter().enumerate() {
            let Some(slot) = assignment.slots[write.index()] else {
                return Err(format!("{step} writes {write}, which has no slot"));
            };
            if let Some(old) = tenants[slot.index()].replace(*write) {
                follows(problem, assignment, readers.row(old.index()), old, (step, at), slot, reach)?;
            }
        }
    }
    Ok(())
}

/// Whether a step may overwrite `old` in `slot` with the value at that position of its writes.
fn follows(
    problem: &Problem,
    assignment: &Assignment,
    readers: &[StepId],
    old: ValueId,
    (step, at): (StepId, usize),
    slot: SlotId,
    reach: &Reach,
) -> Result<(), String> {
    let uses = &problem.steps[step.index()];
    let write = uses.writes[at];
    let collision = |why: String| Err(format!("{step} writes {write} over {old} in {slot}: {why}"));
    let (value, new) = (&problem.values[old.index()], &problem.values[write.index()]);
    if value.until_end {
        return collision(format!("{old} is needed at the end"));
    }
    if value.writer == Some(step) || (value.dtype != new.dtype && [value.dtype, new.dtype].contains(&BOOL)) {
        return collision(format!("{} and {} cannot share memory", value.dtype, new.dtype));
    }
    for user in value.writer.iter().chain(readers) {
        let in_place = *user == step
            && assignment.in_place[step.index()][at].is_some_and(|position| {
                let reads = uses.reads.iter().filter(|read| **read == old).count();
                uses.reads[position as usize] == old
                    && reads == 1
                    && uses.may_overwrite.contains(&position)
                    && value.is_like(new)
            });
        if !in_place && !reach.is_ancestor(*user, step) {
            return collision(format!("{user} may still be using it"));
        }
    }
    Ok(())
}

const BOOL: pullback_graph::DType = pullback_graph::DType::Bool;
