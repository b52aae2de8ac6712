//! What the kernels of a strip hand to each other for a block of rows.

use pullback_graph::DType;

use crate::kernel::scratch::{Aligned, Scratch};
use crate::kernel::slice::{Slice, SliceMut, Typed};

/// Rows of a value that is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) dtype: DType,
    /// Elements per row.
    pub(super) row: usize,
}

/// The buffer of a worker that holds them.
#[derive(Debug)]
pub(super) enum Holder {
    F32(Aligned<f32>),
    F64(Aligned<f64>),
    I64(Aligned<i64>),
    Bool(Aligned<bool>),
}

impl Default for Holder {
    fn default() -> Holder {
        Holder::Bool(Aligned::default())
    }
}

/// Does the same for a buffer of any type.
macro_rules! each {
    ($holder:expr, $buffer:ident => $body:expr) => {
        match $holder {
            Holder::F32($buffer) => $body,
            Holder::F64($buffer) => $body,
            Holder::I64($buffer) => $body,
            Holder::Bool($buffer) => $body,
        }
    };
}

impl Holder {
    /// Takes the worker's buffer of this number, grown to `len` elements or more.
    pub(super) fn take(dtype: DType, index: usize, len: usize, scratch: &mut Scratch) -> Holder {
        match dtype {
            DType::F32 => Holder::F32(scratch.take(index, len)),
            DType::F64 => Holder::F64(scratch.take(index, len)),
            DType::I64 => Holder::I64(scratch.take(index, len)),
            DType::Bool => Holder::Bool(scratch.take(index, len)),
        }
    }

    /// Gives it back.
    pub(super) fn put(self, index: usize, scratch: &mut Scratch) {
        each!(self, buffer => scratch.put(index, buffer));
    }

    /// The first `len` elements.
    pub(super) fn elements(&self, len: usize) -> Slice<'_> {
        each!(self, buffer => Typed::slice(&buffer[..len]))
    }

    /// The first `len` elements, to write.
    pub(super) fn elements_mut(&mut self, len: usize) -> SliceMut<'_> {
        each!(self, buffer => Typed::slice_mut(&mut buffer[..len]))
    }
}
