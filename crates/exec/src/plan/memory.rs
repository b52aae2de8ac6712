//! Buffers from lifetimes: which values may share memory, whatever the order in which threads run the steps.
//!
//! A step may take over a buffer only if the writer and all readers of the value in it are ancestors of that step, or
//! the step itself reading element by element in place. By induction the same then holds for everything that was in
//! the buffer before. [`verify`](crate::plan::verify::verify) checks just that.
//!
//! Where a large buffer would lie idle only because nothing orders two steps, an edge is added between them, provided
//! that the one is expected to have ended before the other starts: then nobody should have to wait for it.

use std::collections::BTreeSet;

use pullback_graph::DType;
use smallvec::SmallVec;

use crate::csr::Csr;
use crate::plan::id::{SlotId, StepId, ValueId};
use crate::plan::problem::{Problem, ValueUse, readers};
use crate::plan::reach::Reach;
use crate::plan::step::InPlace;

/// How many free buffers of fitting sizes are tried before a new one is made.
const TRIES: usize = 16;

/// Readers of one buffer that a step may be made to wait for.
const MOST_LINKS: usize = 4;

/// Where every value goes.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// The slot of each value; `None` for feeds and constants.
    pub(crate) slots: Vec<Option<SlotId>>,
    /// The bytes of each slot, the fixed ones first.
    pub(crate) bytes: Vec<usize>,
    /// For each step and each value it writes: the position in its reads of the one that is overwritten.
    pub(crate) in_place: Vec<InPlace>,
    /// The direct predecessors of each step: the steps it reads from, those it must wait for, less what follows.
    pub(crate) predecessors: Csr<StepId>,
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
        seen: vec![None; problem.values.len()],
        assignment: Assignment {
            slots: problem
                .values
                .iter()
                .map(|value| value.fixed.filter(|_| value.writer.is_none()))
                .collect(),
            bytes: problem.fixed.clone(),
            in_place: vec![InPlace::new(); problem.steps.len()],
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
    /// The last step at which each value was looked at: some steps read a value twice.
    seen: Vec<Option<StepId>>,
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
        let mut ended = self.ended(step);
        for write in &uses.writes {
            let (slot, overwritten) = self.choose(step, *write, &mut ended, predecessors);
            self.assignment.slots[write.index()] = Some(slot);
            self.assignment.in_place[step.index()].push(overwritten);
        }
        self.reach.reduce(step, predecessors);
        self.assignment.predecessors.push_row(predecessors.iter().copied());

        for (position, value) in uses.reads.iter().enumerate() {
            let overwritten = self.assignment.in_place[step.index()].contains(&Some(position as u32));
            let first = self.seen[value.index()].replace(step) != Some(step);
            if !overwritten && first {
                self.release_after(*value, step);
            }
        }
        for write in &uses.writes {
            self.release_after(*write, step);
        }
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
        last_users
            .extend(users.iter().rev().skip(1).copied().filter(|user| !self.reach.is_ancestor(*user, step)));
        self.free.insert(self.assignment.bytes[slot.index()], uses.dtype == DType::Bool, slot);
    }

    /// The positions in the reads of `step` of values that end with it, and that it may overwrite.
    fn ended(&self, step: StepId) -> SmallVec<[u32; 4]> {
        let uses = &self.problem.steps[step.index()];
        let ends = |position: &u32| {
            let read = uses.reads[*position as usize];
            let value = &self.problem.values[read.index()];
            self.readers.row(read.index()).last() == Some(&step)
                && self.assignment.slots[read.index()].is_some()
                && !value.until_end
                && value.fixed.is_none()
                && uses.reads.iter().filter(|other| **other == read).count() == 1
        };
        uses.may_overwrite.iter().copied().filter(ends).collect()
    }

    /// The slot for a value that `step` writes, and the position in its reads of the value that it overwrites, which is
    /// taken out of `ended`. Steps that it is made to wait for are added to `predecessors`.
    fn choose(
        &mut self,
        step: StepId,
        write: ValueId,
        ended: &mut SmallVec<[u32; 4]>,
        predecessors: &mut Vec<StepId>,
    ) -> (SlotId, Option<u32>) {
        let uses = &self.problem.steps[step.index()];
        let value = &self.problem.values[write.index()];
        if let Some(slot) = value.fixed {
            let old = uses.reads.iter().position(|read| self.assignment.slots[read.index()] == Some(slot));
            return (slot, old.map(|position| position as u32));
        }
        for at in 0..ended.len() {
            let read = uses.reads[ended[at] as usize];
            if let Some(slot) = self.overwrite(step, read, value, predecessors) {
                return (slot, Some(ended.remove(at)));
            }
        }
        let boolean = value.dtype == DType::Bool;
        let mut found = None;
        for (bytes, slot) in self.free.candidates(value.bytes, boolean) {
            let users = &self.tenants[slot.index()].last_users;
            if let Some(links) = self.may_follow(step, users.iter().copied(), value.bytes) {
                found = Some((bytes, slot, links));
                break;
            }
        }
        let slot = match found {
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
        };
        (slot, None)
    }

    /// The slot of `read`, which ends with `step`, if a value that `step` writes may take its place.
    fn overwrite(
        &mut self,
        step: StepId,
        read: ValueId,
        new: &ValueUse,
        predecessors: &mut Vec<StepId>,
    ) -> Option<SlotId> {
        let slot = self.assignment.slots[read.index()]?;
        let (_, others) = self.readers.row(read.index()).split_last()?;
        if !self.problem.values[read.index()].is_like(new) {
            return None;
        }
        let links = self.may_follow(step, others.iter().rev().copied(), new.bytes)?;
        self.wait_for(step, &links, predecessors);
        Some(slot)
    }

    /// Whether `step` may write where `users` were the last: the steps it must then wait for, if any.
    fn may_follow(
        &self,
        step: StepId,
        users: impl Iterator<Item = StepId>,
        bytes: usize,
    ) -> Option<SmallVec<[StepId; MOST_LINKS]>> {
        let mut links = SmallVec::new();
        for user in users.filter(|user| !self.reach.is_ancestor(*user, step)) {
            let (ends, starts) =
                (self.problem.steps[user.index()].end, self.problem.steps[step.index()].start);
            let harmless = bytes >= self.problem.ordering_from && ends <= starts;
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
