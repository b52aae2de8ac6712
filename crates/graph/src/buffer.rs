//! The memory of a tensor.

use std::ops::{Deref, DerefMut};

/// Where elements start unless they came in a vector: at a cache line, which is also the widest vector register. What lies
/// across two lines costs two reads.
const ALIGN: usize = 64;

/// The elements of a tensor, from a multiple of 64 bytes on if they were not handed over in a vector.
#[derive(Debug)]
pub struct Buffer<T> {
    /// The elements, between others that nobody sees.
    padded: Vec<T>,
    skipped: usize,
    len: usize,
}

impl<T: Copy + Default> Buffer<T> {
    const SLACK: usize = ALIGN / size_of::<T>();

    /// Zeros, or what the type's default is. Large ones cost nothing before they are written to.
    #[must_use]
    pub fn zeros(len: usize) -> Buffer<T> {
        let padded = vec![T::default(); len + Self::SLACK];
        Buffer { skipped: Self::skipped(&padded), padded, len }
    }

    /// So many elements, in order.
    pub(crate) fn from_fn(len: usize, element: impl FnMut(usize) -> T) -> Buffer<T> {
        let mut padded = Vec::with_capacity(len + Self::SLACK);
        let skipped = Self::skipped(&padded);
        padded.resize(skipped, T::default());
        padded.extend((0..len).map(element));
        Buffer { padded, skipped, len }
    }

    /// How many elements lie before the first that is a multiple of so many bytes.
    fn skipped(padded: &[T]) -> usize {
        padded.as_ptr().align_offset(ALIGN).min(Self::SLACK)
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    /// The vector's own memory.
    fn from(padded: Vec<T>) -> Buffer<T> {
        let len = padded.len();
        Buffer { padded, skipped: 0, len }
    }
}

impl<T: Copy + Default> Clone for Buffer<T> {
    fn clone(&self) -> Buffer<T> {
        Buffer::from_fn(self.len, |at| self[at])
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.padded[self.skipped..self.skipped + self.len]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.padded[self.skipped..self.skipped + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_start_at_a_cache_line() {
        for len in [0, 1, 5, 64, 1000] {
            let made = [Buffer::from_fn(len, |at| at as f32), Buffer::zeros(len)];
            let copied = Buffer::from(vec![1.5_f32; len]).clone();
            for buffer in made.iter().chain([&copied]) {
                assert_eq!(buffer.len(), len);
                assert_eq!(buffer.as_ptr().addr() % ALIGN, 0);
            }
            assert!(made[0].iter().enumerate().all(|(at, value)| *value == at as f32));
            assert!(copied.iter().all(|value| *value == 1.5));
        }
        assert_eq!(Buffer::from_fn(3, |at| at > 0).as_ptr().addr() % ALIGN, 0);
    }
}
