//! A worker's own buffers: register tiles, packed operands, partial sums.
//!
//! Buffers grow to what the kernels of a plan need and are then reused: the steady state allocates nothing.
//! What a buffer holds between two uses is unspecified.

use std::ops::{Deref, DerefMut};

use crate::kernel::slice::Typed;

/// Where buffers start: at a cache line, which is also the widest vector register. What lies across two lines costs two
/// reads.
const ALIGN: usize = 64;

/// Elements that start at a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// The elements, behind as many that are skipped.
    padded: Vec<T>,
    skipped: usize,
}

impl<T> Default for Aligned<T> {
    fn default() -> Aligned<T> {
        Aligned { padded: Vec::new(), skipped: 0 }
    }
}

impl<T: Copy + Default> Aligned<T> {
    /// Grows to `len` elements or more, of unspecified values.
    pub(crate) fn grow(&mut self, len: usize) {
        if self.len() < len {
            let slack = ALIGN / size_of::<T>();
            self.padded = vec![T::default(); len + slack];
            self.skipped = self.padded.as_ptr().align_offset(ALIGN).min(slack);
        }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.padded[self.skipped..]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.padded[self.skipped..]
    }
}

/// Buffers of every element type, one set per worker.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    f32: Bank<f32>,
    f64: Bank<f64>,
    i64: Bank<i64>,
    bool: Bank<bool>,
}

/// The numbered buffers of one element type.
#[derive(Debug, Default)]
pub(crate) struct Bank<T> {
    buffers: Vec<Aligned<T>>,
}

/// Elements that a [`Scratch`] has buffers of.
pub(crate) trait Banked: Typed {
    /// The buffers of this type.
    fn bank(scratch: &Scratch) -> &Bank<Self>;
    /// The buffers of this type, to write.
    fn bank_mut(scratch: &mut Scratch) -> &mut Bank<Self>;
}

macro_rules! banked {
    ($($ty:ident),*) => {
        $(impl Banked for $ty {
            fn bank(scratch: &Scratch) -> &Bank<Self> {
                &scratch.$ty
            }

            fn bank_mut(scratch: &mut Scratch) -> &mut Bank<Self> {
                &mut scratch.$ty
            }
        })*
    };
}

banked!(f32, f64, i64, bool);

impl Scratch {
    /// Buffer `index`, as it was last given back; it may be longer than what was asked for.
    pub(crate) fn get<T: Banked>(&self, index: usize) -> &[T] {
        &T::bank(self).buffers[index]
    }

    /// Takes buffer `index` out, grown to `len` elements or more, so that others can be read while it is written.
    ///
    /// Give it back with [`put`](Scratch::put), else the next use allocates again.
    pub(crate) fn take<T: Banked>(&mut self, index: usize, len: usize) -> Aligned<T> {
        let bank = T::bank_mut(self);
        if bank.buffers.len() <= index {
            bank.buffers.resize_with(index + 1, Aligned::default);
        }
        let mut buffer = std::mem::take(&mut bank.buffers[index]);
        buffer.grow(len);
        buffer
    }

    /// Gives buffer `index` back.
    pub(crate) fn put<T: Banked>(&mut self, index: usize, buffer: Aligned<T>) {
        T::bank_mut(self).buffers[index] = buffer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_not_allocated_again() {
        let mut scratch = Scratch::default();
        let buffer = scratch.take::<f32>(2, 100);
        let place = buffer.as_ptr();
        scratch.put(2, buffer);
        let again = scratch.take::<f32>(2, 40);
        assert_eq!(again.as_ptr(), place);
        assert!(again.len() >= 100);
        assert!(place.addr().is_multiple_of(ALIGN), "a buffer starts at a cache line");
    }
}
