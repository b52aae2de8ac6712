//! The values of a plan: one allocation for its buffers, what is lent to it for a run, and what each step reads and writes.
//!
//! With [`memory`](crate::run::memory) this is what is not safe Rust in a run. Views of one buffer are handed out to several
//! threads at once; that no two of them collide is what the plan promises: `plan::verify` certifies that a buffer is
//! written only by a step that comes after all other users, the [schedule](crate::run::schedule) runs steps in that order,
//! and the pieces of a step write ranges that do not meet. Debug builds count borrows and panic where that fails.
#![allow(
    unsafe_code,
    reason = "several threads hold views of one buffer; a lock per access costs more than a small step"
)]

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use pullback_graph::{Tensor, dispatch};
use smallvec::SmallVec;

use crate::csr::Csr;
use crate::kernel::{Buffers, Kernel, Slice, SliceMut};
use crate::plan::{Owner, Place, Plan, SlotId, Step, StepId, Update, Value, ValueId};
use crate::run::borrow::Borrows;
use crate::run::memory::{Buffer, Memory, View};
use crate::run::pages;

/// Who lends a plan the memory of a slot.
#[derive(Debug)]
enum Lent {
    State(Option<Buffer>),
    Result(Option<Tensor>),
}

/// A worker's lists of what the piece at hand reads and writes, as long as the longest of the plan.
#[derive(Debug)]
pub(crate) struct Lists {
    // Nobody sees these but in `with_pieces`, which shows what it has just written there.
    reads: Box<[Slice<'static>]>,
    writes: Box<[SliceMut<'static>]>,
}

impl Lists {
    /// Lists with room for every step of a plan.
    pub(crate) fn of(plan: &Plan) -> Lists {
        let most = |count: fn(&Step) -> usize| plan.steps.iter().map(count).max().unwrap_or(0);
        Lists {
            reads: (0..most(|step| step.reads.len())).map(|_| Slice::I64(&[])).collect(),
            writes: (0..most(|step| step.writes.len())).map(|_| SliceMut::I64(&mut [])).collect(),
        }
    }
}

/// All values of one plan.
#[derive(Debug)]
pub(crate) struct Slots {
    plan: Arc<Plan>,
    /// Where each value is, by [`ValueId`].
    views: Box<[View]>,
    /// Where what each step reads is, and then what it writes: `views`, as steps need them.
    uses: Csr<View>,
    /// The places of each value in `uses`. What a step overwrites is not among them: its kernel finds it in the result.
    places: Csr<u32>,
    /// The buffers that the plan owns: kept for as long as there are views of them.
    _arena: Memory,
    /// State and results, by [`SlotId`]: the first slots of a plan.
    lent: Vec<Lent>,
    /// The values in each lent slot.
    tenants: Vec<SmallVec<[ValueId; 2]>>,
    /// The tensors fed, by input: they keep what `views` point to alive.
    feeds: Vec<Option<Tensor>>,
    /// What is copied into states when all steps have succeeded.
    copies: Box<[StateCopy]>,
    borrows: Borrows,
}

/// A value that becomes a state's when all steps have succeeded.
#[derive(Debug)]
struct StateCopy {
    state: SlotId,
    value: ValueId,
    /// Where it is kept until all states have been read, if it is in the buffer of one.
    staged: Option<Buffer>,
}

impl Slots {
    /// Allocates what `plan` owns. Feeds, state and results are to be lent before a run.
    pub(crate) fn new(plan: Arc<Plan>) -> Slots {
        let arena = Memory::zeroed(plan.arena_bytes);
        let mut lent = Vec::new();
        for slot in &plan.slots {
            match slot.owner {
                Owner::Plan { .. } => break,
                Owner::State => lent.push(Lent::State(None)),
                Owner::Result => lent.push(Lent::Result(None)),
            }
        }
        let mut tenants = vec![SmallVec::new(); lent.len()];
        let views = plan.values.iter().enumerate().map(|(at, value)| match value.place {
            Place::Feed(_) => View::empty(value.dtype),
            Place::Constant(constant) => {
                let view = View::of_tensor(&plan.constants[constant]);
                assert!(
                    value.len <= view.len && value.dtype == view.dtype,
                    "a value lies inside its constant"
                );
                View { len: value.len, ..view }
            }
            Place::Slot(slot) => match plan.slots[slot.index()].owner {
                Owner::Plan { offset } => {
                    let bytes = value.len * value.dtype.bytes();
                    assert!(offset + bytes <= plan.arena_bytes, "a slot lies inside the plan's memory");
                    assert!(offset % value.dtype.bytes() == 0, "a slot starts where its elements may");
                    // SAFETY: the offset lies inside the allocation, as was just checked.
                    let start = unsafe { arena.start().add(offset) };
                    View { start, len: value.len, dtype: value.dtype }
                }
                Owner::State | Owner::Result => {
                    tenants[slot.index()].push(ValueId::new(at));
                    View::empty(value.dtype)
                }
            },
        });
        let views = views.collect();
        let copies = plan.states.iter().filter_map(|state| match state.update {
            Update::Copy(value) => {
                let Value { dtype, len, .. } = plan.values[value.index()];
                let staged = plan.is_in_state(value).then(|| Buffer::zeroed(dtype, &[len]));
                Some(StateCopy { state: state.slot, value, staged })
            }
            Update::InPlace(_) | Update::Keep => None,
        });
        let copies = copies.collect();
        let (uses, places) = uses(&plan);
        let (borrows, feeds) = (Borrows::new(plan.slots.len()), vec![None; plan.graph.inputs().len()]);
        let mut slots =
            Slots { plan, views, uses, places, _arena: arena, lent, tenants, feeds, copies, borrows };
        for at in 0..slots.views.len() {
            slots.set_view(ValueId::new(at), slots.views[at]);
        }
        slots
    }

    /// Says where a value is.
    fn set_view(&mut self, value: ValueId, view: View) {
        self.views[value.index()] = view;
        for place in self.places.row(value.index()) {
            *self.uses.item_mut(*place as usize) = view;
        }
    }

    /// Says that a value is nowhere until it is lent again.
    fn withdraw(&mut self, value: ValueId) {
        self.set_view(value, View::empty(self.plan.values[value.index()].dtype));
    }

    /// Has `tensor` read in place as the value of the feed `value`, until [`forget_feeds`](Slots::forget_feeds).
    pub(crate) fn feed(&mut self, value: ValueId, tensor: Tensor) {
        let (place, view) = (self.plan.values[value.index()].place, View::of_tensor(&tensor));
        let Place::Feed(input) = place else { unreachable!("only inputs are fed") };
        self.lend_view(value, view);
        self.feeds[input] = Some(tensor);
    }

    /// Lets go of the tensors fed.
    pub(crate) fn forget_feeds(&mut self) {
        for at in 0..self.plan.feeds.len() {
            let (input, value) = self.plan.feeds[at];
            self.withdraw(value);
            self.feeds[input] = None;
        }
    }

    /// Puts state into its slot.
    pub(crate) fn put_state(&mut self, slot: SlotId, buffer: Buffer) {
        let view = buffer.view();
        for at in 0..self.tenants[slot.index()].len() {
            self.lend_view(self.tenants[slot.index()][at], view);
        }
        self.lent[slot.index()] = Lent::State(Some(buffer));
    }

    /// Takes state out of its slot.
    pub(crate) fn take_state(&mut self, slot: SlotId) -> Option<Buffer> {
        let Lent::State(buffer) = &mut self.lent[slot.index()] else { return None };
        let buffer = buffer.take();
        for at in 0..self.tenants[slot.index()].len() {
            self.withdraw(self.tenants[slot.index()][at]);
        }
        buffer
    }

    /// The state in its slot.
    pub(crate) fn state(&self, slot: SlotId) -> Option<&Buffer> {
        match &self.lent[slot.index()] {
            Lent::State(buffer) => buffer.as_ref(),
            Lent::Result(_) => None,
        }
    }

    /// Copies values into the buffers of states, as if all at once: a value may be that of another state.
    pub(crate) fn copy_to_states(&mut self) {
        let Slots { views, copies, lent, .. } = self;
        for StateCopy { value, staged, .. } in &mut *copies {
            if let Some(staged) = staged {
                // SAFETY: no step runs, as `self` is borrowed mutably; the source is alive, and not this buffer.
                staged.write(unsafe { views[value.index()].read() });
            }
        }
        for StateCopy { state, value, staged } in &*copies {
            let source = staged.as_ref().map_or(views[value.index()], Buffer::view);
            if let Lent::State(Some(buffer)) = &mut lent[state.index()] {
                // SAFETY: no step runs, as `self` is borrowed mutably; the source is alive, and not in a state's buffer.
                buffer.write(unsafe { source.read() });
            }
        }
    }

    /// Gives every result memory to be written to: that of the run before, unless somebody still holds its tensor.
    pub(crate) fn renew_results(&mut self) {
        for slot in 0..self.lent.len() {
            let Lent::Result(tensor) = &mut self.lent[slot] else { continue };
            let value = self.tenants[slot][0];
            let uses = &self.plan.values[value.index()];
            let mut fresh = tensor.take().unwrap_or_else(|| {
                // Zeroed by the system page by page where it is large.
                let mut zeros = Tensor::zeros_of(uses.dtype, &[uses.len]);
                dispatch!(uses.dtype, T => {
                    let elements = zeros.make_mut::<T>().expect("a tensor has the type it was made with");
                    pages::enlarge(NonNull::from(&*elements).cast(), size_of_val(elements));
                });
                zeros
            });
            let view = dispatch!(uses.dtype, T => {
                View::of_mut(fresh.make_mut::<T>().expect("a result keeps its type from run to run"))
            });
            self.lent[slot] = Lent::Result(Some(fresh));
            self.lend_view(value, view);
        }
    }

    /// The tensor in which a step wrote this value, if it is a result.
    pub(crate) fn result(&self, value: ValueId) -> Option<&Tensor> {
        match self.plan.values[value.index()].place {
            Place::Feed(input) => self.feeds[input].as_ref(),
            Place::Slot(slot) => match self.lent.get(slot.index()) {
                Some(Lent::Result(tensor)) => tensor.as_ref(),
                _ => None,
            },
            Place::Constant(_) => None,
        }
    }

    /// The elements of a value, between runs.
    pub(crate) fn read(&mut self, value: ValueId) -> Slice<'_> {
        // SAFETY: steps hold views only inside `with_pieces`, which borrows `self`; here it is borrowed mutably. What a
        // view points to is owned by `self` or held in `feeds`, `lent` or the plan.
        unsafe { self.views[value.index()].read() }
    }

    fn lend_view(&mut self, value: ValueId, view: View) {
        let uses = &self.plan.values[value.index()];
        assert_eq!((view.len, view.dtype), (uses.len, uses.dtype), "what is lent for {value} has its size");
        self.set_view(value, view);
    }

    /// Calls `run` with the kernel of `step` and what some neighboring pieces of it read and write.
    ///
    /// To be called only by a run of the plan that these slots were made for: with each piece of each step once, after every
    /// piece of the step's predecessors.
    #[inline]
    pub(crate) fn with_pieces<R>(
        &self,
        step: StepId,
        pieces: Range<usize>,
        lists: &mut Lists,
        run: impl FnOnce(&Kernel, Buffers<'_, '_>) -> R,
    ) -> R {
        let _borrowed = self.borrows.borrow(&self.plan, step);
        let uses = self.uses.row(step.index());
        let step = &self.plan.steps[step.index()];
        let (read, written) = uses.split_at(step.reads.len());
        let (reads, writes) = (&mut lists.reads[..read.len()], &mut lists.writes[..written.len()]);
        for (read, view) in reads.iter_mut().zip(read) {
            // SAFETY: the step that wrote the value is done, and the plan has no step write over it that does not come
            // after this one. Memory is zeroed at first and truth values share none with other types, so the elements
            // are valid. What the view points to is kept alive by `self`.
            *read = unsafe { view.read() };
        }
        let cut = step.pieces() > 1;
        for (at, (write, view)) in writes.iter_mut().zip(written).enumerate() {
            let range = if cut { step.kernel.written(pieces.clone(), at) } else { 0..view.len };
            // SAFETY: all other steps that use this buffer come before this one or after it, the other pieces of this step
            // write other ranges, and the plan puts what one step writes into buffers of their own. Values that steps
            // write are in slots, never in feeds or constants.
            *write = unsafe { view.write(range) };
        }
        run(&step.kernel, Buffers { reads, writes })
    }

    /// Calls `look` with a value that a step has written; to be called when all pieces of the step are done, before any
    /// step that comes after it starts.
    pub(crate) fn with_written<R>(&self, value: ValueId, look: impl FnOnce(Slice<'_>) -> R) -> R {
        // SAFETY: as in `with_pieces`; nothing writes the value between the end of its step and the start of the next ones.
        look(unsafe { self.views[value.index()].read() })
    }
}

/// Room for a view of everything that each step reads and then of what it writes, and where in it each value is.
fn uses(plan: &Plan) -> (Csr<View>, Csr<u32>) {
    let mut uses = Csr::with_rows(plan.steps.len());
    let mut places = Vec::new();
    for step in &plan.steps {
        let start = uses.items().len();
        let used = || step.reads.iter().chain(&step.writes).enumerate();
        uses.push_row(used().map(|(_, value)| View::empty(plan.values[value.index()].dtype)));
        let seen = used().filter(|(at, _)| !step.overwrites(*at));
        places.extend(seen.map(|(at, value)| (value.index(), (start + at) as u32)));
    }
    (uses, Csr::from_pairs(plan.values.len(), places.into_iter()))
}
