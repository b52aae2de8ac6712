//! Borrow counters of buffers, in debug builds: a plan that lets two steps collide is caught when it does.

#[cfg(debug_assertions)]
use crate::plan::{Place, SlotId};
use crate::plan::{Plan, StepId};

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// One counter per slot: the writing step plus one in the upper half, the number of borrows in the lower. Empty in
/// release builds.
#[derive(Debug)]
pub(crate) struct Borrows {
    #[cfg(debug_assertions)]
    counters: Box<[AtomicU64]>,
}

/// The borrows of one piece of a step.
#[derive(Debug)]
pub(crate) struct Borrowed<'a> {
    #[cfg(debug_assertions)]
    slots: smallvec::SmallVec<[SlotId; 8]>,
    #[cfg(debug_assertions)]
    borrows: &'a Borrows,
    #[cfg(not(debug_assertions))]
    borrows: std::marker::PhantomData<&'a Borrows>,
}

impl Borrows {
    #[cfg_attr(
        not(debug_assertions),
        allow(unused_variables, reason = "nothing is counted in release builds")
    )]
    pub(crate) fn new(slots: usize) -> Borrows {
        Borrows {
            #[cfg(debug_assertions)]
            counters: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Borrows what `step` reads, to share, and what it writes, for its own pieces alone.
    ///
    /// # Panics
    /// In debug builds, when another step holds one of the buffers in a way that does not allow that.
    #[cfg(debug_assertions)]
    pub(crate) fn borrow(&self, plan: &Plan, step: StepId) -> Borrowed<'_> {
        let mut borrowed = Borrowed { borrows: self, slots: smallvec::SmallVec::new() };
        let uses = &plan.steps[step.index()];
        let slot_of = |place| if let Place::Slot(slot) = place { Some(slot) } else { None };
        for (position, value) in uses.reads.iter().enumerate() {
            let overwritten = uses.overwrites(position);
            if let Some(slot) = slot_of(plan.values[value.index()].place).filter(|_| !overwritten) {
                self.acquire(slot, step, false);
                borrowed.slots.push(slot);
            }
        }
        for value in &uses.writes {
            if let Some(slot) = slot_of(plan.values[value.index()].place) {
                self.acquire(slot, step, true);
                borrowed.slots.push(slot);
            }
        }
        borrowed
    }

    #[cfg(not(debug_assertions))]
    pub(crate) fn borrow(&self, _plan: &Plan, _step: StepId) -> Borrowed<'_> {
        Borrowed { borrows: std::marker::PhantomData }
    }

    #[cfg(debug_assertions)]
    fn acquire(&self, slot: SlotId, step: StepId, write: bool) {
        let own = (step.index() as u64 + 1) << 32;
        let update = |word: u64| match (word >> 32 << 32, word & u64::from(u32::MAX)) {
            (_, 0) => Some(if write { own + 1 } else { 1 }),
            (0, count) if !write => Some(count + 1),
            (writer, count) if write && writer == own => Some(own + count + 1),
            _ => None,
        };
        if let Err(word) =
            self.counters[slot.index()].fetch_update(Ordering::AcqRel, Ordering::Acquire, update)
        {
            let holder = match (word >> 32).checked_sub(1) {
                Some(writer) => format!("{} writes it", StepId::new(writer as usize)),
                None => format!("{} steps read it", word & u64::from(u32::MAX)),
            };
            let wants = if write { "write" } else { "read" };
            panic!("the memory plan is wrong: {step} is to {wants} {slot} while {holder}");
        }
    }
}

#[cfg(debug_assertions)]
impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        for slot in &self.slots {
            // The writer's mark goes with the last borrow, when the next one is taken.
            self.borrows.counters[slot.index()].fetch_sub(1, Ordering::AcqRel);
        }
    }
}
