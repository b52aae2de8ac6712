//! What is combined: elements, or the products of two by two.
#![allow(unsafe_code, reason = "registers are loaded without looking at bounds again")]

use std::ops::Mul;

use crate::kernel::register::Vector;

/// A run of numbers that are found, or computed, when they are combined.
pub(crate) trait Terms<T>: Copy {
    /// How many there are.
    fn count(self) -> usize;
    /// So many of them from number `start` on.
    fn part(self, start: usize, count: usize) -> Self;
    /// The first `COUNT`, of at least as many.
    fn first<const COUNT: usize>(self) -> [T; COUNT];
    /// Number `at`.
    fn term(self, at: usize) -> T;
    /// As many as a register has lanes, from number `at` on.
    ///
    /// # Safety
    /// The instruction set of `V` is available, and there are as many terms.
    unsafe fn register<V: Vector<Element = T>>(self, at: usize) -> V;
    /// Those in the lanes of `mask`, from number `at` on, and the lanes of `rest`.
    ///
    /// # Safety
    /// The instruction set of `V` is available, and there are terms for the lanes of the mask.
    unsafe fn register_part<V: Vector<Element = T>>(self, at: usize, mask: V::Mask, rest: V) -> V;
}

impl<T: Copy> Terms<T> for &[T] {
    #[inline(always)]
    fn count(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn part(self, start: usize, count: usize) -> Self {
        &self[start..][..count]
    }

    #[inline(always)]
    fn first<const COUNT: usize>(self) -> [T; COUNT] {
        *self.first_chunk().expect("there are as many terms")
    }

    #[inline(always)]
    fn term(self, at: usize) -> T {
        self[at]
    }

    #[inline(always)]
    unsafe fn register<V: Vector<Element = T>>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(self.as_ptr().add(at)) }
    }

    #[inline(always)]
    unsafe fn register_part<V: Vector<Element = T>>(self, at: usize, mask: V::Mask, rest: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { rest.load_over(self.as_ptr().add(at), mask) }
    }
}

/// The products of elements, each rounded, of two runs of the same length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Products<'a, T>(pub(crate) &'a [T], pub(crate) &'a [T]);

impl<T: Copy + Mul<Output = T>> Terms<T> for Products<'_, T> {
    #[inline(always)]
    fn count(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn part(self, start: usize, count: usize) -> Self {
        Products(self.0.part(start, count), self.1.part(start, count))
    }

    #[inline(always)]
    fn first<const COUNT: usize>(self) -> [T; COUNT] {
        let [left, right]: [[T; COUNT]; 2] = [self.0, self.1].map(Terms::first);
        std::array::from_fn(|at| left[at] * right[at])
    }

    #[inline(always)]
    fn term(self, at: usize) -> T {
        self.0[at] * self.1[at]
    }

    #[inline(always)]
    unsafe fn register<V: Vector<Element = T>>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { self.0.register::<V>(at).mul(self.1.register(at)) }
    }

    #[inline(always)]
    unsafe fn register_part<V: Vector<Element = T>>(self, at: usize, mask: V::Mask, rest: V) -> V {
        // Products are only added up, and zero times the identity of a sum is that identity.
        // SAFETY: the caller's promise.
        unsafe {
            V::load_part(self.0.as_ptr().add(at), mask).mul(rest.load_over(self.1.as_ptr().add(at), mask))
        }
    }
}
