//! What memory planning has to know: which steps use which values, and what those need.

use pullback_graph::DType;
use smallvec::SmallVec;

use crate::csr::Csr;
use crate::plan::id::{SlotId, StepId, ValueId};

/// What is to be placed. Steps are in an order in which they could run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem {
    /// What each step reads and writes.
    pub(crate) steps: Vec<StepUse>,
    /// What each value needs. Values that no step writes and no slot holds (feeds, constants) have no bytes.
    pub(crate) values: Vec<ValueUse>,
    /// Bytes of the slots that exist before: training state, results.
    pub(crate) fixed: Vec<usize>,
    /// Buffers of so many bytes may be reused by making a step wait for what is expected to have ended anyway.
    pub(crate) ordering_from: usize,
}

/// How a step uses memory.
#[derive(Clone, Debug)]
pub(crate) struct StepUse {
    /// The values read, in the kernel's order.
    pub(crate) reads: SmallVec<[ValueId; 4]>,
    /// The values written, in the kernel's order.
    pub(crate) writes: SmallVec<[ValueId; 1]>,
    /// The positions in `reads` whose buffer a value written may take over, if it has as many elements of the same type.
    pub(crate) may_overwrite: SmallVec<[u32; 2]>,
    /// Steps that must have finished although nothing of theirs is read.
    pub(crate) after: SmallVec<[StepId; 2]>,
    /// Estimated time on one thread, in ns.
    pub(crate) time: u64,
    /// How many parts may run side by side.
    pub(crate) pieces: u32,
    /// When the step is expected to start, in ns from the start of the run.
    pub(crate) start: u64,
    /// When it is expected to end.
    pub(crate) end: u64,
}

/// What a value needs.
#[derive(Clone, Debug)]
pub(crate) struct ValueUse {
    /// The number of its elements.
    pub(crate) len: usize,
    /// The size of its buffer, alignment included.
    pub(crate) bytes: usize,
    /// Its element type: `bool` shares no memory with others, for not every byte is a truth value.
    pub(crate) dtype: DType,
    /// The step that writes it; `None` if it is there before the first.
    pub(crate) writer: Option<StepId>,
    /// Whether something reads it after the last step.
    pub(crate) until_end: bool,
    /// The fixed slot it must be in.
    pub(crate) fixed: Option<SlotId>,
}

impl ValueUse {
    /// Whether both are as many elements of one type, so that one may be written over the other.
    pub(crate) fn is_like(&self, other: &ValueUse) -> bool {
        (self.len, self.dtype) == (other.len, other.dtype)
    }
}

impl Problem {
    /// The steps that each step must come after: the writers of what it reads, and those it must wait for.
    pub(crate) fn predecessors(&self) -> Csr<StepId> {
        let mut rows = Csr::with_rows(self.steps.len());
        let mut row = Vec::new();
        for at in 0..self.steps.len() {
            self.predecessors_of(at, &mut row);
            rows.push_row(row.iter().copied());
        }
        rows
    }

    /// Writes the direct predecessors of step `at` into `row`, ascending, each once.
    pub(crate) fn predecessors_of(&self, at: usize, row: &mut Vec<StepId>) {
        let step = &self.steps[at];
        row.clear();
        row.extend(step.reads.iter().filter_map(|value| self.values[value.index()].writer));
        row.extend(step.after.iter().copied());
        row.sort_unstable();
        row.dedup();
    }

    /// The same problem with the steps in another order: `order` lists the present ids.
    pub(crate) fn reorder(&mut self, order: &[StepId]) {
        let mut position = vec![StepId::new(0); order.len()];
        for (at, step) in order.iter().enumerate() {
            position[step.index()] = StepId::new(at);
        }
        let mut steps: Vec<Option<StepUse>> = std::mem::take(&mut self.steps).into_iter().map(Some).collect();
        let take = |step: &StepId| steps[step.index()].take().expect("an order lists every step once");
        self.steps = order.iter().map(take).collect();
        for after in self.steps.iter_mut().flat_map(|step| &mut step.after) {
            *after = position[after.index()];
        }
        for writer in self.values.iter_mut().filter_map(|value| value.writer.as_mut()) {
            *writer = position[writer.index()];
        }
    }

    /// The most bytes that values of the plan take up at once when the steps run one by one in `order`.
    pub(crate) fn live_peak(&self, order: &[StepId]) -> usize {
        let planned = |value: ValueId| {
            let uses = &self.values[value.index()];
            (uses.writer.is_some() && uses.fixed.is_none()).then_some(uses.bytes)
        };
        let mut left: Vec<u32> = self.values.iter().map(|value| u32::from(value.until_end)).collect();
        for value in self.steps.iter().flat_map(|step| &step.reads) {
            left[value.index()] += 1;
        }
        let (mut live, mut peak) = (0, 0);
        for step in order.iter().map(|step| &self.steps[step.index()]) {
            live += step.writes.iter().filter_map(|value| planned(*value)).sum::<usize>();
            peak = peak.max(live);
            for value in &step.reads {
                left[value.index()] -= 1;
                if left[value.index()] == 0 {
                    live -= planned(*value).unwrap_or(0);
                }
            }
            let unread = step.writes.iter().filter(|value| left[value.index()] == 0);
            live -= unread.filter_map(|value| planned(*value)).sum::<usize>();
        }
        peak
    }
}

/// The readers of each value, ascending, each once. Linear in the reads.
pub(crate) fn readers(problem: &Problem) -> Csr<StepId> {
    let mut last = vec![None; problem.values.len()];
    let mut reads = Vec::with_capacity(problem.steps.len());
    for (at, step) in problem.steps.iter().enumerate() {
        for value in &step.reads {
            if last[value.index()].replace(at) != Some(at) {
                reads.push((value.index(), StepId::new(at)));
            }
        }
    }
    Csr::from_pairs(problem.values.len(), reads.iter().copied())
}
