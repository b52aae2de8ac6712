//! Random step graphs, and who comes before whom in them, the slow way.

use proptest::prelude::*;
use pullback_graph::DType;

use crate::csr::Csr;
use crate::plan::id::{StepId, ValueId};
use crate::plan::problem::{Problem, StepUse, ValueUse};

/// Predecessors of each of up to `most` steps, sorted, each once.
pub(crate) fn step_graphs(most: usize) -> impl Strategy<Value = Vec<Vec<StepId>>> {
    let rows = prop::collection::vec(
        prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4),
        1..most,
    );
    rows.prop_map(|rows| {
        let row = |(at, picks): (usize, Vec<(prop::sample::Index, bool)>)| {
            // Half of the edges are short, as in real graphs.
            let pick = |(index, near): (prop::sample::Index, bool)| {
                StepId::new(if near { at - 1 - index.index(at.min(4)) } else { index.index(at) })
            };
            let mut row: Vec<StepId> =
                if at == 0 { Vec::new() } else { picks.into_iter().map(pick).collect() };
            row.sort_unstable();
            row.dedup();
            row
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

/// `before[b][a]`: whether `a` is an ancestor of `b`.
pub(crate) fn closure(predecessors: &[Vec<StepId>]) -> Vec<Vec<bool>> {
    let mut before = vec![vec![false; predecessors.len()]; predecessors.len()];
    for (at, row) in predecessors.iter().enumerate() {
        for predecessor in row {
            before[at][predecessor.index()] = true;
            let (known, this) = before.split_at_mut(at);
            for (to, from) in this[0].iter_mut().zip(&known[predecessor.index()]) {
                *to |= *from;
            }
        }
    }
    before
}

pub(crate) fn rows(csr: &Csr<StepId>) -> Vec<Vec<StepId>> {
    (0..csr.len()).map(|row| csr.row(row).to_vec()).collect()
}

/// A step of a random problem: reads, size, element type, where it may write, whether the result is kept.
type Pick = (Vec<(prop::sample::Index, bool, bool)>, usize, bool, bool, Option<prop::sample::Index>);

/// Steps that read feeds and each other's values, some of which may be overwritten, some kept, some of truth values.
pub(crate) fn problems() -> impl Strategy<Value = Problem> {
    let read = (any::<prop::sample::Index>(), any::<bool>(), any::<bool>());
    let step = (
        prop::collection::vec(read, 0..4),
        0..3_usize,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, any::<prop::sample::Index>()),
    );
    (prop::collection::vec(step, 1..40), prop::sample::select(vec![0, 128, usize::MAX])).prop_map(build)
}

fn build((picks, ordering_from): (Vec<Pick>, usize)) -> Problem {
    let value = |bytes, boolean: bool, writer, until_end| ValueUse {
        len: bytes,
        bytes,
        dtype: if boolean { DType::Bool } else { DType::F32 },
        writer,
        until_end,
        fixed: None,
    };
    // Two feeds, then the values that steps write.
    let mut problem = Problem {
        values: vec![value(64, false, None, false), value(64, true, None, false)],
        ordering_from,
        ..Problem::default()
    };
    for (at, (reads, size, boolean, until_end, after)) in picks.into_iter().enumerate() {
        // Every third step writes a second value, half of the time one like the first.
        let writes = if at % 3 == 2 { 2 } else { 1 };
        let known = problem.values.len();
        let pick = |(index, near, _): &(prop::sample::Index, bool, bool)| {
            ValueId::new(if *near { known - 1 - index.index(known.min(5)) } else { index.index(known) })
        };
        let may_overwrite = reads.iter().enumerate().filter(|(_, (_, _, may))| *may).map(|(at, _)| at as u32);
        problem.steps.push(StepUse {
            may_overwrite: may_overwrite.collect(),
            reads: reads.iter().map(pick).collect(),
            writes: (0..writes).map(|write| ValueId::new(known + write)).collect(),
            after: after.filter(|_| at > 0).map(|index| StepId::new(index.index(at))).into_iter().collect(),
            time: 1,
            pieces: 1,
            start: at as u64,
            end: (at + size * 3) as u64,
        });
        problem.values.push(value(64 << size, boolean, Some(StepId::new(at)), until_end));
        if writes == 2 {
            problem.values.push(value(64 << (size * (at % 2)), boolean, Some(StepId::new(at)), false));
        }
    }
    problem
}
