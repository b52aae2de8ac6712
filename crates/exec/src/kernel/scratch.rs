//! A worker's own buffers: register tiles, packed operands, partial sums.
//!
//! Buffers grow to what the kernels of a plan need and are then reused: the steady state allocates nothing.
//! What a buffer holds between two uses is unspecified.

use std::ops::{Deref, DerefMut};

use pullback_graph::Buffer;

use crate::kernel::program::Spot;
use crate::kernel::slice::Typed;

/// Elements that start at a cache line, and grow.
#[derive(Debug)]
pub(crate) struct Aligned<T>(Buffer<T>);

impl<T> Default for Aligned<T> {
    fn default() -> Aligned<T> {
        Aligned(Buffer::from(Vec::new()))
    }
}

impl<T: Copy + Default> Aligned<T> {
    /// Grows to `len` elements or more, of unspecified values.
    pub(crate) fn grow(&mut self, len: usize) {
        if self.len() < len {
            self.0 = Buffer::zeros(len);
        }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// Buffers of every element type, one set per worker.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    f32: Bank<f32>,
    f64: Bank<f64>,
    i64: Bank<i64>,
    bool: Bank<bool>,
    /// Where a program finds its operands; empty between two pieces.
    spots: Vec<Spot>,
}

/// The numbered buffers of one element type.
#[derive(Debug, Default)]
pub(crate) struct Bank<T> {
    buffers: Vec<Aligned<T>>,
}

impl<T: Copy + Default> Bank<T> {
    /// The buffer of this number, made if there is none.
    fn buffer(&mut self, index: usize) -> &mut Aligned<T> {
        if self.buffers.len() <= index {
            self.buffers.resize_with(index + 1, Aligned::default);
        }
        &mut self.buffers[index]
    }

    fn cover(&mut self, other: &Bank<T>) {
        for (index, buffer) in other.buffers.iter().enumerate() {
            self.buffer(index).grow(buffer.len());
        }
    }

    fn bytes(&self) -> usize {
        self.buffers.iter().map(|buffer| size_of_val(&buffer[..])).sum()
    }
}

/// Elements that a [`Scratch`] has buffers of.
pub(crate) trait Banked: Typed {
    /// The buffers of this type.
    fn bank(scratch: &mut Scratch) -> &mut Bank<Self>;
}

macro_rules! banked {
    ($($ty:ident),*) => {
        $(impl Banked for $ty {
            fn bank(scratch: &mut Scratch) -> &mut Bank<Self> {
                &mut scratch.$ty
            }
        })*
    };
}

banked!(f32, f64, i64, bool);

impl Scratch {
    /// Takes buffer `index` out, grown to `len` elements or more, so that others can be read while it is written.
    ///
    /// Give it back with [`put`](Scratch::put), else the next use allocates again.
    pub(crate) fn take<T: Banked>(&mut self, index: usize, len: usize) -> Aligned<T> {
        let mut buffer = std::mem::take(T::bank(self).buffer(index));
        buffer.grow(len);
        buffer
    }

    /// Buffer `index` where it is, grown to `len` elements or more.
    pub(crate) fn room<T: Banked>(&mut self, index: usize, len: usize) -> &mut [T] {
        let buffer = T::bank(self).buffer(index);
        buffer.grow(len);
        buffer
    }

    /// Takes the list of a program's spots out, empty.
    pub(crate) fn take_spots(&mut self) -> Vec<Spot> {
        let mut spots = std::mem::take(&mut self.spots);
        spots.clear();
        spots
    }

    /// Gives the list of spots back.
    pub(crate) fn put_spots(&mut self, spots: Vec<Spot>) {
        self.spots = spots;
    }

    /// Gives buffer `index` back.
    pub(crate) fn put<T: Banked>(&mut self, index: usize, buffer: Aligned<T>) {
        T::bank(self).buffers[index] = buffer;
    }

    /// Grows every buffer to what `other` has.
    pub(crate) fn cover(&mut self, other: &Scratch) {
        let Scratch { f32, f64, i64, bool, spots } = self;
        spots.reserve_exact(other.spots.capacity().saturating_sub(spots.len()));
        f32.cover(&other.f32);
        f64.cover(&other.f64);
        i64.cover(&other.i64);
        bool.cover(&other.bool);
    }

    /// The bytes of all buffers.
    pub(crate) fn bytes(&self) -> usize {
        let spots = self.spots.capacity() * size_of::<Spot>();
        spots + self.f32.bytes() + self.f64.bytes() + self.i64.bytes() + self.bool.bytes()
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
        assert!(place.addr().is_multiple_of(64), "a buffer starts at a cache line");
    }

    #[test]
    fn workers_that_cover_each_other_stay_as_they_are() {
        let grown = |index, len| {
            let mut scratch = Scratch::default();
            let buffer = scratch.take::<f32>(index, len);
            scratch.put(index, buffer);
            scratch
        };
        let (mut one, mut other) = (grown(0, 100), grown(1, 30));
        one.cover(&other);
        other.cover(&one);
        let bytes = one.bytes();
        assert_eq!(other.bytes(), bytes);
        one.cover(&other);
        assert_eq!(one.bytes(), bytes);
        assert!(Bank::buffer(&mut other.f32, 0).len() >= 100 && Bank::buffer(&mut one.f32, 1).len() >= 30);
    }

    #[test]
    fn covering_what_covers_grows_nothing() {
        let (mut one, mut other) = (Scratch::default(), Scratch::default());
        one.put_spots(vec![Spot { start: std::ptr::null_mut(), stride: 0 }; 5]);
        other.cover(&one);
        other.put_spots(vec![Spot { start: std::ptr::null_mut(), stride: 0 }; 4]);
        let bytes = one.bytes().max(other.bytes());
        for _ in 0..3 {
            one.cover(&other);
            other.cover(&one);
        }
        assert_eq!((one.bytes(), other.bytes()), (bytes, bytes));
    }
}
