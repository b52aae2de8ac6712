//! Memory plans against the definition: no two values that can be live at once share a buffer.

use proptest::prelude::*;
use pullback_graph::DType;

use crate::plan::id::{StepId, ValueId};
use crate::plan::memory::{Assignment, assign};
use crate::plan::problem::{Problem, readers};
use crate::plan::reach::Reach;
use crate::plan::tests::strategy::{closure, problems, rows};
use crate::plan::verify::verify;

/// The definition, pair by pair, with the full closure.
fn is_safe(problem: &Problem, assignment: &Assignment) -> bool {
    let before = closure(&rows(&assignment.predecessors));
    let readers = readers(problem);
    let comes_before = |a: StepId, b: StepId| before[b.index()][a.index()];
    let users =
        |value: usize| problem.values[value].writer.into_iter().chain(readers.row(value).iter().copied());
    // Whether `next` may be written where `old` was.
    let gives_way = |old: usize, next: usize| {
        let Some(writer) = problem.values[next].writer else { return false };
        !problem.values[old].until_end
            && users(old).all(|user| {
                let uses = &problem.steps[writer.index()];
                let write = uses.writes.iter().position(|value| value.index() == next).expect("it writes it");
                let in_place = assignment.in_place[writer.index()][write].is_some_and(|position| {
                    uses.reads[position as usize].index() == old
                        && uses.may_overwrite.contains(&position)
                        && uses.reads.iter().filter(|read| read.index() == old).count() == 1
                });
                comes_before(user, writer) || (user == writer && in_place)
            })
    };
    let flows = problem.steps.iter().enumerate().all(|(at, step)| {
        step.reads.iter().all(|value| {
            problem.values[value.index()].writer.is_none_or(|writer| comes_before(writer, StepId::new(at)))
        }) && step.after.iter().all(|other| comes_before(*other, StepId::new(at)))
    });
    let slotted: Vec<usize> =
        (0..problem.values.len()).filter(|at| assignment.slots[*at].is_some()).collect();
    let apart = slotted.iter().all(|a| {
        slotted.iter().filter(|b| a < b && assignment.slots[*a] == assignment.slots[**b]).all(|b| {
            let types = [problem.values[*a].dtype, problem.values[*b].dtype];
            let alike = types[0] == types[1] || !types.contains(&DType::Bool);
            alike && (gives_way(*a, *b) || gives_way(*b, *a))
        })
    });
    let fits = slotted.iter().all(|at| {
        let slot = assignment.slots[*at].expect("it has one");
        assignment.bytes[slot.index()] >= problem.values[*at].bytes
    });
    flows && apart && fits
}

proptest! {
    #[test]
    fn assignments_are_safe_for_every_interleaving(problem in problems()) {
        let count = problem.steps.len();
        let assignment = assign(&problem, &mut Reach::any_order(count));
        prop_assert!(is_safe(&problem, &assignment), "{assignment:?}");
        prop_assert_eq!(verify(&problem, &assignment, &mut Reach::any_order(count)), Ok(()));
    }

    #[test]
    fn the_certificate_refuses_what_is_not_safe(
        problem in problems(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        let count = problem.steps.len();
        let mut assignment = assign(&problem, &mut Reach::any_order(count));
        let (from, to) = (2 + from.index(count), 2 + to.index(count));
        assignment.slots[from] = assignment.slots[to];
        let verdict = verify(&problem, &assignment, &mut Reach::any_order(count));
        prop_assert!(verdict.is_err() || is_safe(&problem, &assignment), "accepted: {assignment:?}");
    }

    #[test]
    fn steps_in_order_never_take_more_memory(problem in problems()) {
        let count = problem.steps.len();
        let shared = assign(&problem, &mut Reach::any_order(count));
        let serial = assign(&problem, &mut Reach::in_order(count));
        prop_assert_eq!(verify(&problem, &serial, &mut Reach::in_order(count)), Ok(()));
        let order: Vec<StepId> = (0..count).map(StepId::new).collect();
        prop_assert!(serial.bytes.iter().sum::<usize>() >= problem.live_peak(&order) / 2);
        prop_assert!(shared.bytes.len() >= serial.bytes.len() || shared.bytes.len() + 4 > serial.bytes.len());
    }

    #[test]
    fn reordering_keeps_the_meaning(problem in problems()) {
        let count = problem.steps.len();
        let order = crate::plan::order::depth_first(&problem.predecessors(), &vec![1; count]);
        let mut reordered = problem.clone();
        reordered.reorder(&order);
        for (at, step) in order.iter().enumerate() {
            prop_assert_eq!(&reordered.steps[at].reads, &problem.steps[step.index()].reads);
            for write in &reordered.steps[at].writes {
                prop_assert_eq!(reordered.values[write.index()].writer, Some(StepId::new(at)));
            }
        }
        let assignment = assign(&reordered, &mut Reach::any_order(count));
        prop_assert!(is_safe(&reordered, &assignment));
    }
}

#[test]
fn a_chain_runs_in_one_buffer() {
    let problem = chain(100, &[0]);
    let assignment = assign(&problem, &mut Reach::any_order(100));
    assert_eq!(assignment.bytes, [64]);
    // Without writing in place, two buffers take turns.
    let problem = chain(100, &[]);
    assert_eq!(assign(&problem, &mut Reach::any_order(100)).bytes, [64, 64]);
}

/// A feed, and steps each of which reads what the one before wrote.
fn chain(steps: usize, may_overwrite: &[u32]) -> Problem {
    use crate::plan::problem::{StepUse, ValueUse};
    let value = |writer: Option<usize>| ValueUse {
        len: 16,
        bytes: 64,
        dtype: DType::F32,
        writer: writer.map(StepId::new),
        until_end: false,
        fixed: None,
    };
    Problem {
        steps: (0..steps)
            .map(|at| StepUse {
                reads: [ValueId::new(at)].into_iter().collect(),
                writes: [ValueId::new(at + 1)].into_iter().collect(),
                may_overwrite: may_overwrite.into(),
                after: [].into_iter().collect(),
                time: 1,
                pieces: 1,
                start: 0,
                end: 0,
            })
            .collect(),
        values: [None].into_iter().chain((0..steps).map(Some)).map(value).collect(),
        fixed: Vec::new(),
        ordering_from: usize::MAX,
    }
}
