//! The memory of a plan: one allocation for its buffers, and typed views of it for the steps.
//!
//! This is the only file of the run that is not safe Rust. Views of one buffer are handed out to several threads at once;
//! that no two of them collide is what the plan promises: `plan::verify` certifies that a buffer is
//! written only by a step that comes after all other users, the [schedule](crate::run::schedule) runs steps in that order,
//! and the pieces of a step write ranges that do not meet. Debug builds count borrows and panic where that fails.
#![allow(
    unsafe_code,
    reason = "several threads hold views of one buffer; a lock per access costs more than a small step"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use pullback_graph::{DType, Sizes, Tensor, dispatch};
use smallvec::SmallVec;

use crate::kernel::{Buffers, Slice, SliceMut, Typed};
use crate::plan::{Owner, Place, Plan, SlotId, Step, StepId, Update, Value, ValueId};
use crate::run::borrow::Borrows;

/// Buffers start at multiples of this: a cache line, and the widest vector register.
const ALIGN: usize = align_of::<Line>();

/// A cache line.
#[repr(align(64))]
struct Line;

/// What the system aligns to anyway. Only such memory comes zeroed from it, page by page as it is used; memory of a larger
/// alignment is written over with zeros, all of it, before anything has run.
const GRANTED: usize = 16;

/// Zeroed, aligned memory.
#[derive(Debug)]
struct Memory {
    /// What was allocated.
    all: NonNull<u8>,
    layout: Layout,
    /// The first cache line of it.
    start: NonNull<u8>,
}

// SAFETY: `Memory` owns its allocation and has no interior mutability of its own; whoever writes through its pointer has
// to be the only one, which is what `Slots` and `Buffer` see to.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    fn zeroed(bytes: usize) -> Memory {
        let size = if bytes == 0 { 0 } else { bytes + (ALIGN - GRANTED) };
        let layout = Layout::from_size_align(size, GRANTED).expect("a buffer fits in memory");
        if size == 0 {
            let start = NonNull::<Line>::dangling().cast();
            return Memory { all: start, layout, start };
        }
        // SAFETY: the size is not zero.
        let all = unsafe { alloc_zeroed(layout) };
        let Some(all) = NonNull::new(all) else { handle_alloc_error(layout) };
        let skipped = all.addr().get().next_multiple_of(ALIGN) - all.addr().get();
        assert!(skipped + bytes <= size, "what the system gives is aligned as asked");
        // SAFETY: the first cache line starts inside the allocation, as was just checked.
        let start = unsafe { all.add(skipped) };
        Memory { all, layout, start }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated in `zeroed` with this layout, and freed once.
            unsafe { dealloc(self.all.as_ptr(), self.layout) }
        }
    }
}

/// Where elements are, without a lifetime.
#[derive(Clone, Copy, Debug)]
struct View {
    start: NonNull<u8>,
    len: usize,
    dtype: DType,
}

// SAFETY: a view is an address; using it is `unsafe` and has its own conditions.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// No elements, at an address that any type may have.
    fn empty(dtype: DType) -> View {
        View { start: NonNull::<u64>::dangling().cast(), len: 0, dtype }
    }

    fn of<T: Typed>(elements: &[T]) -> View {
        View { start: NonNull::from(elements).cast(), len: elements.len(), dtype: T::DTYPE }
    }

    /// A view through which the elements may be written.
    fn of_mut<T: Typed>(elements: &mut [T]) -> View {
        View { len: elements.len(), start: NonNull::from(elements).cast(), dtype: T::DTYPE }
    }

    fn of_tensor(tensor: &Tensor) -> View {
        dispatch!(tensor.dtype(), T => View::of(tensor.values::<T>()))
    }

    /// # Safety
    /// The elements must be alive and initialized for `'a`, and nobody may write them meanwhile.
    unsafe fn read<'a>(self) -> Slice<'a> {
        // SAFETY: `start` and `len` describe `len` elements of this type; the rest is the caller's promise.
        dispatch!(self.dtype, T => T::slice(unsafe { slice::from_raw_parts(self.start.cast::<T>().as_ptr(), self.len) }))
    }

    /// # Safety
    /// The elements must be alive and initialized for `'a`, and nobody else may use those in `range` meanwhile.
    unsafe fn write<'a>(self, range: Range<usize>) -> SliceMut<'a> {
        assert!(range.start <= range.end && range.end <= self.len, "a piece lies inside its result");
        dispatch!(self.dtype, T => {
            // SAFETY: the range was checked; the rest is the caller's promise.
            T::slice_mut(unsafe {
                slice::from_raw_parts_mut(self.start.cast::<T>().as_ptr().add(range.start), range.len())
            })
        })
    }
}

/// An aligned tensor that is written in place: training state.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Memory,
    dtype: DType,
    sizes: Sizes,
}

impl Buffer {
    /// A copy of `tensor`.
    pub(crate) fn of(tensor: &Tensor) -> Buffer {
        let mut buffer = Buffer::zeroed(tensor.dtype(), tensor.sizes());
        buffer.copy_from(tensor);
        buffer
    }

    fn zeroed(dtype: DType, sizes: &[usize]) -> Buffer {
        let memory = Memory::zeroed(sizes.iter().product::<usize>() * dtype.bytes());
        Buffer { memory, dtype, sizes: Sizes::from_slice(sizes) }
    }

    /// The element type.
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The size of each axis.
    pub(crate) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    fn view(&self) -> View {
        View { start: self.memory.start, len: self.sizes.iter().product(), dtype: self.dtype }
    }

    /// The elements.
    pub(crate) fn as_slice(&self) -> Slice<'_> {
        // SAFETY: the memory is owned, was zeroed, and is borrowed; zero is a value of every element type.
        unsafe { self.view().read() }
    }

    /// A copy as a tensor.
    pub(crate) fn to_tensor(&self) -> Tensor {
        tensor_of(self.as_slice(), &self.sizes)
    }

    /// Overwrites the elements with those of `tensor`.
    ///
    /// # Panics
    /// When the type or the number of elements differs.
    pub(crate) fn copy_from(&mut self, tensor: &Tensor) {
        // SAFETY: the tensor is borrowed for as long as the view is used.
        self.write(unsafe { View::of_tensor(tensor).read() });
    }

    fn write(&mut self, source: Slice<'_>) {
        let view = self.view();
        // SAFETY: the memory is owned and borrowed mutably; `source` cannot be a part of it.
        let mut target = unsafe { view.write(0..view.len) };
        dispatch!(self.dtype, T => target.typed::<T>().copy_from_slice(source.typed::<T>()));
    }
}

/// The elements as a tensor of these sizes.
pub(crate) fn tensor_of(elements: Slice<'_>, sizes: &[usize]) -> Tensor {
    dispatch!(elements.dtype(), T => {
        Tensor::new(sizes, elements.typed::<T>().to_vec()).expect("a value has as many elements as its node's type")
    })
}

/// Who lends a plan the memory of a slot.
#[derive(Debug)]
enum Lent {
    State(Option<Buffer>),
    Result(Option<Tensor>),
}

/// A worker's lists of what the piece at hand reads and writes: empty between pieces, kept for their memory.
#[derive(Debug, Default)]
pub(crate) struct Lists<'a> {
    reads: Vec<Slice<'a>>,
    writes: Vec<SliceMut<'a>>,
}

impl Lists<'_> {
    /// Lists with room for every step of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let most = |count: fn(&Step) -> usize| plan.steps.iter().map(count).max().unwrap_or(0);
        Lists {
            reads: Vec::with_capacity(most(|step| step.reads.len())),
            writes: Vec::with_capacity(most(|step| step.writes.len())),
        }
    }
}

/// The same memory for elements of the same layout: collecting reuses what it consumes.
fn emptied<From, To>(mut list: Vec<From>) -> Vec<To> {
    list.clear();
    list.into_iter().map(|_| unreachable!("the list was emptied")).collect()
}

/// All values of one plan.
#[derive(Debug)]
pub(crate) struct Slots {
    plan: Arc<Plan>,
    /// Where each value is, by [`ValueId`].
    views: Box<[View]>,
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
                    let start = unsafe { arena.start.add(offset) };
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
        let (borrows, feeds) = (Borrows::new(plan.slots.len()), vec![None; plan.graph.inputs().len()]);
        Slots { plan, views, _arena: arena, lent, tenants, feeds, copies, borrows }
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
        for (input, value) in &self.plan.feeds {
            self.views[value.index()] = View::empty(self.plan.values[value.index()].dtype);
            self.feeds[*input] = None;
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
        for value in &self.tenants[slot.index()] {
            self.views[value.index()] = View::empty(self.plan.values[value.index()].dtype);
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
                dispatch!(uses.dtype, T => Tensor::vector(vec![T::default(); uses.len]))
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
        // SAFETY: steps hold views only inside `with_piece`, which borrows `self`; here it is borrowed mutably. What a
        // view points to is owned by `self` or held in `feeds`, `lent` or the plan.
        unsafe { self.views[value.index()].read() }
    }

    fn lend_view(&mut self, value: ValueId, view: View) {
        let uses = &self.plan.values[value.index()];
        assert_eq!((view.len, view.dtype), (uses.len, uses.dtype), "what is lent for {value} has its size");
        self.views[value.index()] = view;
    }

    /// Calls `run` with what piece `piece` of `step` reads and writes.
    ///
    /// To be called only by a run of the plan that these slots were made for: each piece of each step once, after every
    /// piece of the step's predecessors.
    pub(crate) fn with_piece<R>(
        &self,
        step: StepId,
        piece: usize,
        lists: &mut Lists<'static>,
        run: impl FnOnce(Buffers<'_, '_>) -> R,
    ) -> R {
        let step_id = step;
        let step = &self.plan.steps[step.index()];
        let _borrowed = self.borrows.borrow(&self.plan, step_id);
        let Lists { mut reads, mut writes } = std::mem::take(lists);
        for (position, value) in step.reads.iter().enumerate() {
            let view = self.views[value.index()];
            // What the result overwrites is there for the kernel to find in the result.
            let view = if step.overwrites(position) { View::empty(view.dtype) } else { view };
            // SAFETY: the step that wrote the value is done, and the plan has no step write over it that does not come
            // after this one. Memory is zeroed at first and truth values share none with other types, so the elements
            // are valid. What the view points to is kept alive by `self`.
            reads.push(unsafe { view.read() });
        }
        for (at, value) in step.writes.iter().enumerate() {
            let range = step.kernel.piece_range(piece, at);
            // SAFETY: all other steps that use this buffer come before this one or after it, the other pieces of this step
            // write other ranges, and the plan puts what one step writes into buffers of their own. Values that steps
            // write are in slots, never in feeds or constants.
            writes.push(unsafe { self.views[value.index()].write(range) });
        }
        let answer = run(Buffers { reads: &reads, writes: &mut writes, in_place: &step.in_place });
        *lists = Lists { reads: emptied(reads), writes: emptied(writes) };
        answer
    }

    /// Calls `look` with a value that a step has written; to be called when all pieces of the step are done, before any
    /// step that comes after it starts.
    pub(crate) fn with_written<R>(&self, value: ValueId, look: impl FnOnce(Slice<'_>) -> R) -> R {
        // SAFETY: as in `with_piece`; nothing writes the value between the end of its step and the start of the next ones.
        look(unsafe { self.views[value.index()].read() })
    }
}
