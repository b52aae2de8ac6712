//! A worker's own buffers: register tiles, packed operands, partial sums.
//!
//! Buffers grow to what the kernels of a plan need and are then reused: the steady state allocates nothing.
//! What a buffer holds between two uses is unspecified.

use std::ops::{Deref, DerefMut};

use pullback_graph::Buffer;

use crate::kernel::matmul::Panels;
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
    #[inline]
    pub(crate) fn grow(&mut self, len: usize) {
        #[cold]
        fn zeros<T: Copy + Default>(len: usize) -> Buffer<T> {
            Buffer::zeros(len)
        }
        if self.len() < len {
            self.0 = zeros(len);
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
    /// Where a program finds its operands.
    spots: Vec<Spot>,
}

/// The numbered buffers of one element type.
#[derive(Debug, Default)]
pub(crate) struct Bank<T> {
    buffers: Vec<Aligned<T>>,
    panels: Vec<Panels<T>>,
}

impl<T: Copy + Default> Bank<T> {
    /// The buffer of this number, made if there is none.
    #[inline]
    fn buffer(&mut self, index: usize) -> &mut Aligned<T> {
        if self.buffers.len() <= index {
            self.make(index);
        }
        &mut self.buffers[index]
    }

    #[cold]
    fn make(&mut self, index: usize) {
        self.buffers.resize_with(index + 1, Aligned::default);
    }

    fn cover(&mut self, other: &Bank<T>) {
        for (index, buffer) in other.buffers.iter().enumerate() {
            self.buffer(index).grow(buffer.len());
        }
        self.panels.resize_with(self.panels.len().max(other.panels.len()), Panels::default);
        self.panels.iter_mut().zip(&other.panels).for_each(|(own, other)| own.cover(other));
    }

    fn bytes(&self) -> usize {
        let buffers = self.buffers.iter().map(|buffer| size_of_val(&buffer[..]));
        buffers.chain(self.panels.iter().map(Panels::bytes)).sum()
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
    #[inline]
    pub(crate) fn take<T: Banked>(&mut self, index: usize, len: usize) -> Aligned<T> {
        let mut buffer = std::mem::take(T::bank(self).buffer(index));
        buffer.grow(len);
        buffer
    }

    /// Buffer `index` where it is, grown to `len` elements or more.
    #[inline]
    pub(crate) fn room<T: Banked>(&mut self, index: usize, len: usize) -> &mut [T] {
        let buffer = T::bank(self).buffer(index);
        buffer.grow(len);
        buffer
    }

    /// Room for so many spots of a program.
    #[inline]
    pub(crate) fn spots(&mut self, len: usize) -> &mut [Spot] {
        if self.spots.len() < len {
            self.spots.resize(len, Spot::NOWHERE);
        }
        &mut self.spots[..len]
    }

    /// Gives buffer `index` back.
    #[inline]
    pub(crate) fn put<T: Banked>(&mut self, index: usize, buffer: Aligned<T>) {
        T::bank(self).buffers[index] = buffer;
    }

    /// Takes panels number `index` out; give them back with [`put_panels`](Scratch::put_panels).
    pub(crate) fn take_panels<T: Banked>(&mut self, index: usize) -> Panels<T> {
        let panels = &mut T::bank(self).panels;
        if panels.len() <= index {
            panels.resize_with(index + 1, Panels::default);
        }
        std::mem::take(&mut panels[index])
    }

    /// Gives panels number `index` back.
    pub(crate) fn put_panels<T: Banked>(&mut self, index: usize, panels: Panels<T>) {
        T::bank(self).panels[index] = panels;
    }

    /// Forgets what panels hold: operands are about to be others.
    pub(crate) fn forget_panels(&mut self) {
        self.f32.panels.iter_mut().for_each(Panels::forget);
        self.f64.panels.iter_mut().for_each(Panels::forget);
    }

    /// Grows every buffer to what `other` has.
    pub(crate) fn cover(&mut self, other: &Scratch) {
        self.spots(other.spots.len());
        let Scratch { f32, f64, i64, bool, spots: _ } = self;
        f32.cover(&other.f32);
        f64.cover(&other.f64);
        i64.cover(&other.i64);
        bool.cover(&other.bool);
    }

    /// The bytes of all buffers.
    pub(crate) fn bytes(&self) -> usize {
        let spots = size_of_val(&self.spots[..]);
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
        one.spots(5);
        other.spots(4);
        other.cover(&one);
        let bytes = one.bytes().max(other.bytes());
        for _ in 0..3 {
            one.cover(&other);
            other.cover(&one);
        }
        assert_eq!((one.bytes(), other.bytes()), (bytes, bytes));
    }
}
