//! What is combined: elements, or the products of two by two.

use std::ops::Mul;

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
}
