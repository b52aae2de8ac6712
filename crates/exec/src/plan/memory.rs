//! Buffers from lifetimes: which values may share memory, whatever the order in which threads run the steps.
//!
//! A step may take over a buffer only if the writer and all readers of the value in it are ancestors of that step, or
//! the step itself reading element by element in place. By induction the same then holds for everything that was in
//! the buffer before. [`verify`](crate::plan::verify::verify) checks just that.
//!
//! Where a large buffer would lie idle only because nothing orders two steps, an edge is added between them, provided
//! that it does not make the critical path longer.

use std::collections::BTreeSet;

use pullback_graph::DType;
use smallvec::SmallVec;

use crate::plan::csr::Csr;
use crate::plan::id::{SlotId, StepId, ValueId};
use crate::plan::reach::Reach;

/// How many free buffers of fitting sizes are tried before a new one is made.
const TRIES: usize = 16;

/// Readers of one buffer that a step may be made to wait for.
const MOST_LINKS: usize = 4;

/// What is to be placed. Steps are in an order in which they could run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem {
    /// What each step reads and writes.
    pub(crate) steps: Vec<StepUse>,
    /// What each value needs. Values that no step writes and no slot holds (feeds, constants) have no bytes.
    pub(crate) values: Vec<ValueUse>,
    /// Bytes of the slots that exist before: training state, results.
    pub(crate) fixed: Vec<usize>,
    /// Buffers of so many bytes may be reused by making a step wait.
    pub(crate) ordering_from: usize,
}

/// How a step uses memory.
#[derive(Clone, Debug)]
pub(crate) struct StepUse {
    /// The values read, in the kernel's order.
    pub(crate) reads: SmallVec<[ValueId; 4]>,
    /// The value written.
    pub(crate) write: ValueId,
    /// The positions in `reads` whose buffer the result may take over.
    pub(crate) may_overwrite: SmallVec<[u8; 2]>,
    /// Steps that must have finished although nothing of theirs is read.
    pub(crate) after: SmallVec<[StepId; 2]>,
    /// Estimated time, in ns.
    pub(crate) time: u64,
}

/// What a value needs.
#[derive(Clone, Debug)]
pub(crate) struct ValueUse {
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

/// Where every value goes.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// The slot of each value; `None` for feeds and constants.
    pub(crate) slots: Vec<Option<SlotId>>,
    /// The bytes of each slot, the fixed ones first.
    pub(crate) bytes: Vec<usize>,
    /// For each step that overwrites what it reads: the position in its reads.
    pub(crate) in_place: Vec<Option<u8>>,
    /// The direct predecessors of each step: the steps it reads from, those it must wait for, less what follows.
    pub(crate) predecessors: Csr<StepId>,
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
    fn predecessors_of(&self, at: usize, row: &mut Vec<StepId>) {
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
            live += planned(step.write).unwrap_or(0);
            peak = peak.max(live);
            for value in &step.reads {
                left[value.index()] -= 1;
                if left[value.index()] == 0 {
                    live -= planned(*value).unwrap_or(0);
                }
            }
            if left[step.write.index()] == 0 {
                live -= planned(step.write).unwrap_or(0);
            }
        }
        peak
    }
}

/// The readers of each value, ascending, each once.
pub(crate) fn readers(problem: &Problem) -> Csr<StepId> {
    let reads = problem.steps.iter().enumerate().flat_map(|(at, step)| {
        let step_reads = &step.reads;
        let first = |position: usize| !step_reads[..position].contains(&step_reads[position]);
        (0..step_reads.len())
            .filter(move |position| first(*position))
            .map(move |position| (step_reads[position].index(), StepId::new(at)))
    });
    Csr::from_pairs(problem.values.len(), reads)
}

/// Places every value.
///
/// # Complexity
/// `O((steps + reads) · log(slots))` beside what `reach` costs.
pub(crate) fn assign(problem: &Problem, reach: &mut Reach) -> Assignment {
    let readers = readers(problem);
    let mut placing = Placing {
        problem,
        readers: &readers,
        reach,
        free: Pool::default(),
        tenants: vec![Tenant::default(); problem.fixed.len()],
        finish: Vec::with_capacity(problem.steps.len()),
        assignment: Assignment {
            slots: problem.values.iter().map(|value| value.fixed.filter(|_| value.writer.is_none())).collect(),
            bytes: problem.fixed.clone(),
            in_place: vec![None; problem.steps.len()],
            predecessors: Csr::with_rows(problem.steps.len()),
        },
    };
    let mut predecessors = Vec::new();
    for at in 0..problem.steps.len() {
        problem.predecessors_of(at, &mut predecessors);
        placing.place(StepId::new(at), &mut predecessors);
    }
    placing.assignment
}

/// The sweep's state.
struct Placing<'a> {
    problem: &'a Problem,
    readers: &'a Csr<StepId>,
    reach: &'a mut Reach,
    free: Pool,
    /// Who is, or was last, in each slot.
    tenants: Vec<Tenant>,
    /// The earliest time at which each step can have finished, with as many threads as one likes.
    finish: Vec<u64>,
    assignment: Assignment,
}

/// The last value in a slot.
#[derive(Clone, Debug, Default)]
struct Tenant {
    /// The steps that the next one to write the slot must come after: the last users, less their ancestors.
    last_users: SmallVec<[StepId; 2]>,
}

impl Placing<'_> {
    fn place(&mut self, step: StepId, predecessors: &mut Vec<StepId>) {
        let problem = self.problem;
        let uses = &problem.steps[step.index()];
        self.reach.open(predecessors);
        let start = predecessors.iter().map(|p| self.finish[p.index()]).max().unwrap_or(0);

        let slot = self.choose(step, start, predecessors);
        self.assignment.slots[uses.write.index()] = Some(slot);
        self.finish.push(start + uses.time);
        self.reach.reduce(step, predecessors);
        self.assignment.predecessors.push_row(predecessors.iter().copied());

        for (position, value) in uses.reads.iter().enumerate() {
            let overwritten = self.assignment.in_place[step.index()] == Some(position as u8);
            if !overwritten && !uses.reads[..position].contains(value) {
                self.release_after(*value, step);
            }
        }
        self.release_after(uses.write, step);
    }

    /// Frees the slot of `value` if `step` is the last to use it.
    fn release_after(&mut self, value: ValueId, step: StepId) {
        let uses = &self.problem.values[value.index()];
        let users = self.readers.row(value.index());
        if users.last().copied().or(uses.writer) != Some(step) || uses.until_end || uses.fixed.is_some() {
            return;
        }
        let Some(slot) = self.assignment.slots[value.index()] else { return };
        let last_users = &mut self.tenants[slot.index()].last_users;
        last_users.clear();
        last_users.push(step);
        last_users.extend(users.iter().rev().skip(1).copied().filter(|user| !self.reach.is_ancestor(*user, step)));
        self.free.insert(self.assignment.bytes[slot.index()], uses.dtype == DType::Bool, slot);
    }

    /// The slot that `step` writes. Steps that it is made to wait for are added to `predecessors`.
    fn choose(&mut self, step: StepId, start: u64, predecessors: &mut Vec<StepId>) -> SlotId {
        let uses = &self.problem.steps[step.index()];
        let value = &self.problem.values[uses.write.index()];
        if let Some(slot) = value.fixed {
            let old = uses.reads.iter().position(|read| self.assignment.slots[read.index()] == Some(slot));
            self.assignment.in_place[step.index()] = old.map(|position| position as u8);
            return slot;
        }
        for position in &uses.may_overwrite {
            if let Some(slot) = self.overwrite(step, usize::from(*position), start, predecessors) {
                self.assignment.in_place[step.index()] = Some(*position);
                return slot;
            }
        }
        let boolean = value.dtype == DType::Bool;
        let mut found = None;
        for (bytes, slot) in self.free.candidates(value.bytes, boolean) {
            let users = &self.tenants[slot.index()].last_users;
            if let Some(links) = self.may_follow(step, users.iter().copied(), start, value.bytes) {
                found = Some((bytes, slot, links));
                break;
            }
        }
        match found {
            Some((bytes, slot, links)) => {
                self.wait_for(step, &links, predecessors);
                self.free.remove(bytes, boolean, slot);
                self.assignment.bytes[slot.index()] = bytes.max(value.bytes);
                slot
            }
            None => {
                self.assignment.bytes.push(value.bytes);
                self.tenants.push(Tenant::default());
                SlotId::new(self.tenants.len() - 1)
            }
        }
    }

    /// The slot of the operand at `position`, if the result of `step` may take its place.
    fn overwrite(
        &mut self,
        step: StepId,
        position: usize,
        start: u64,
        predecessors: &mut Vec<StepId>,
    ) -> Option<SlotId> {
        let uses = &self.problem.steps[step.index()];
        let read = uses.reads[position];
        let (old, new) = (&self.problem.values[read.index()], &self.problem.values[uses.write.index()]);
        let slot = self.assignment.slots[read.index()]?;
        let once = uses.reads.iter().filter(|other| **other == read).count() == 1;
        let (last, others) = self.readers.row(read.index()).split_last()?;
        if !once
            || *last != step
            || old.until_end
            || old.fixed.is_some()
            || (old.bytes, old.dtype) != (new.bytes, new.dtype)
        {
            return None;
        }
        let links = self.may_follow(step, others.iter().rev().copied(), start, new.bytes)?;
        self.wait_for(step, &links, predecessors);
        Some(slot)
    }

    /// Whether `step` may write where `users` were the last: the steps it must then wait for, if any.
    fn may_follow(
        &self,
        step: StepId,
        users: impl Iterator<Item = StepId>,
        start: u64,
        bytes: usize,
    ) -> Option<SmallVec<[StepId; MOST_LINKS]>> {
        let mut links = SmallVec::new();
        for user in users.filter(|user| !self.reach.is_ancestor(*user, step)) {
            let harmless = bytes >= self.problem.ordering_from && self.finish[user.index()] <= start;
            if !harmless || links.len() == MOST_LINKS {
                return None;
            }
            links.push(user);
        }
        Some(links)
    }

    fn wait_for(&mut self, step: StepId, links: &[StepId], predecessors: &mut Vec<StepId>) {
        for link in links {
            self.reach.link(step, *link);
            predecessors.push(*link);
        }
        if !links.is_empty() {
            predecessors.sort_unstable();
        }
    }
}

/// Slots that nothing needs any more, by size, the latest freed first among equals: it is the likeliest to be in cache.
#[derive(Debug, Default)]
struct Pool {
    numbers: BTreeSet<(usize, u32, SlotId)>,
    truths: BTreeSet<(usize, u32, SlotId)>,
    /// Counts down, so that what was freed last comes first.
    clock: Vec<u32>,
    freed: u32,
}

impl Pool {
    fn of(&self, boolean: bool) -> &BTreeSet<(usize, u32, SlotId)> {
        if boolean { &self.truths } else { &self.numbers }
    }

    fn of_mut(&mut self, boolean: bool) -> &mut BTreeSet<(usize, u32, SlotId)> {
        if boolean { &mut self.truths } else { &mut self.numbers }
    }

    fn insert(&mut self, bytes: usize, boolean: bool, slot: SlotId) {
        self.freed += 1;
        if self.clock.len() <= slot.index() {
            self.clock.resize(slot.index() + 1, 0);
        }
        let time = u32::MAX - self.freed;
        self.clock[slot.index()] = time;
        self.of_mut(boolean).insert((bytes, time, slot));
    }

    fn remove(&mut self, bytes: usize, boolean: bool, slot: SlotId) {
        let time = self.clock[slot.index()];
        let was_there = self.of_mut(boolean).remove(&(bytes, time, slot));
        debug_assert!(was_there, "only free slots are taken");
    }

    /// Slots to try for a value of `bytes`: the smallest that fit, then the largest that could be grown.
    fn candidates(&self, bytes: usize, boolean: bool) -> impl Iterator<Item = (usize, SlotId)> {
        // A small value in a large buffer would make the next large value need another one.
        let most = bytes.saturating_mul(4).max(4096);
        let (pool, least) = (self.of(boolean), bytes / 4);
        let bound = (bytes, 0, SlotId::new(0));
        let fitting = pool.range(bound..).take_while(move |(size, ..)| *size <= most).take(TRIES);
        let growing = pool.range(..bound).rev().take_while(move |(size, ..)| *size >= least).take(TRIES);
        fitting.chain(growing).map(|(size, _, slot)| (*size, *slot))
    }
}
