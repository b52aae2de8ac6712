//! Borrow counters of buffers, in debug builds: a plan that lets two steps collide is caught when it does.

#[cfg(debug_assertions)]
use crate::plan::{Place, SlotId, ValueId};
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
    of: (&'a Borrows, &'a Plan, StepId),
    #[cfg(not(debug_assertions))]
    of: std::marker::PhantomData<&'a Borrows>,
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
    pub(crate) fn borrow<'a>(&'a self, plan: &'a Plan, step: StepId) -> Borrowed<'a> {
        borrowed(plan, step).for_each(|(slot, write)| self.acquire(slot, step, write));
        Borrowed { of: (self, plan, step) }
    }

    #[cfg(not(debug_assertions))]
    pub(crate) fn borrow<'a>(&'a self, _plan: &'a Plan, _step: StepId) -> Borrowed<'a> {
        Borrowed { of: std::marker::PhantomData }
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

/// The buffers that `step` uses, and whether it writes them.
#[cfg(debug_assertions)]
fn borrowed(plan: &Plan, step: StepId) -> impl Iterator<Item = (SlotId, bool)> {
    let uses = &plan.steps[step.index()];
    let slot_of = |value: &ValueId| match plan.values[value.index()].place {
        Place::Slot(slot) => Some(slot),
        Place::Feed(_) | Place::Constant(_) => None,
    };
    let reads = uses.reads.iter().enumerate().filter(|(position, _)| !uses.overwrites(*position));
    let reads = reads.filter_map(move |(_, value)| Some((slot_of(value)?, false)));
    reads.chain(uses.writes.iter().filter_map(move |value| Some((slot_of(value)?, true))))
}

#[cfg(debug_assertions)]
impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let (borrows, plan, step) = self.of;
        for (slot, _) in borrowed(plan, step) {
            // The writer's mark goes with the last borrow, when the next one is taken.
            borrows.counters[slot.index()].fetch_sub(1, Ordering::AcqRel);
        }
    }
}
