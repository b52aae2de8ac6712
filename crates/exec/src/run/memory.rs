//! Zeroed, aligned memory, views of elements wherever they are, and the buffers that state is kept in.
#![allow(unsafe_code, reason = "memory is handed out to several threads in parts that the plan keeps apart")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;
use std::slice;

use pullback_graph::{DType, Sizes, Tensor, dispatch};

use crate::kernel::{Slice, SliceMut, Typed};
use crate::run::pages;

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
pub(crate) struct Memory {
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
    /// The first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// So many bytes, the first at the start of a cache line.
    pub(crate) fn zeroed(bytes: usize) -> Memory {
        let size = if bytes == 0 { 0 } else { bytes + (ALIGN - GRANTED) };
        let layout = Layout::from_size_align(size, GRANTED).expect("a buffer fits in memory");
        if size == 0 {
            let start = NonNull::<Line>::dangling().cast();
            return Memory { all: start, layout, start };
        }
        // SAFETY: the size is not zero.
        let all = unsafe { alloc_zeroed(layout) };
        let Some(all) = NonNull::new(all) else { handle_alloc_error(layout) };
        pages::enlarge(all, size);
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
pub(crate) struct View {
    pub(crate) start: NonNull<u8>,
    pub(crate) len: usize,
    pub(crate) dtype: DType,
}

// SAFETY: a view is an address; using it is `unsafe` and has its own conditions.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// No elements, at an address that any type may have.
    pub(crate) fn empty(dtype: DType) -> View {
        View { start: NonNull::<u64>::dangling().cast(), len: 0, dtype }
    }

    /// The view of a slice.
    pub(crate) fn of<T: Typed>(elements: &[T]) -> View {
        View { start: NonNull::from(elements).cast(), len: elements.len(), dtype: T::DTYPE }
    }

    /// A view through which the elements may be written.
    pub(crate) fn of_mut<T: Typed>(elements: &mut [T]) -> View {
        View { len: elements.len(), start: NonNull::from(elements).cast(), dtype: T::DTYPE }
    }

    /// The view of a tensor's elements.
    pub(crate) fn of_tensor(tensor: &Tensor) -> View {
        dispatch!(tensor.dtype(), T => View::of(tensor.values::<T>()))
    }

    /// The elements, to be read.
    ///
    /// # Safety
    /// The elements must be alive and initialized for `'a`, and nobody may write them meanwhile.
    pub(crate) unsafe fn read<'a>(self) -> Slice<'a> {
        // SAFETY: `start` and `len` describe `len` elements of this type; the rest is the caller's promise.
        dispatch!(self.dtype, T => T::slice(unsafe { slice::from_raw_parts(self.start.cast::<T>().as_ptr(), self.len) }))
    }

    /// The elements `range`, to be written.
    ///
    /// # Safety
    /// The elements must be alive and initialized for `'a`, and nobody else may use those in `range` meanwhile.
    pub(crate) unsafe fn write<'a>(self, range: Range<usize>) -> SliceMut<'a> {
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

    /// Zeros.
    pub(crate) fn zeroed(dtype: DType, sizes: &[usize]) -> Buffer {
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

    /// Where the elements are.
    pub(crate) fn view(&self) -> View {
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

    /// Overwrites the elements with `source`, which is no part of them.
    pub(crate) fn write(&mut self, source: Slice<'_>) {
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
