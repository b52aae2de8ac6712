//! Slices of a tensor combined into those at indices, in the order of the indices.
//!
//! Where a slice is to go is known long before its turn, so what comes from afar is asked for ahead: slices at random
//! places are nothing that a processor foresees.

use std::ops::Range;

use crate::kernel::ahead::{LINE, prefetch};
use crate::kernel::movement::index::Indexed;
use crate::kernel::slice::Typed;

/// How many slices ahead to ask for.
const AHEAD: usize = 8;

/// Lines of a slice to ask for: behind those the processor foresees the others.
const LINES: usize = 8;

/// Bytes that are near without being asked for: half of a small second-level cache.
const NEAR: usize = 256 * 1024;

/// Indices to look at before those that were listed are used.
const CHUNK: usize = 256;

/// Room for those of a chunk, and for as many that were too few to be used.
const LISTED: usize = 2 * CHUNK;

/// What is combined into a tensor along one axis, for one place before the axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Updates<'a, T> {
    pub(crate) axis: Indexed,
    pub(crate) indices: &'a [i64],
    /// A slice for each index.
    pub(crate) elements: &'a [T],
}

impl<T: Typed> Updates<'_, T> {
    /// Combines the slices whose indices are in `rows` into `out`, which holds those rows.
    ///
    /// # Errors
    /// What is wrong with the first index that is out of range, in `rows` or not.
    pub(crate) fn combine(
        &self,
        rows: Range<usize>,
        out: &mut [T],
        combine: impl Fn(T, T) -> T,
    ) -> Result<(), String> {
        match rows.len() == self.axis.bound {
            true => self.combine_all(out, combine),
            false => self.combine_some(rows, out, combine),
        }
    }

    fn combine_all(&self, out: &mut [T], combine: impl Fn(T, T) -> T) -> Result<(), String> {
        let Updates { axis, indices, elements } = *self;
        let (inner, place, is_far) = (axis.inner, out.as_ptr(), size_of_val(out) > NEAR);
        let ask = |at: usize| {
            if is_far && let Some(next) = indices.get(at + AHEAD) {
                ask_for(place.wrapping_add((*next as usize).wrapping_mul(inner)), inner);
            }
        };
        if inner == 1 {
            for ((at, index), update) in indices.iter().enumerate().zip(elements) {
                ask(at);
                let out = &mut out[axis.checked(*index)?];
                *out = combine(*out, *update);
            }
        } else {
            for ((at, index), updates) in indices.iter().enumerate().zip(elements.chunks_exact(inner)) {
                ask(at);
                let out = &mut out[axis.checked(*index)? * inner..][..inner];
                out.iter_mut().zip(updates).for_each(|(out, update)| *out = combine(*out, *update));
            }
        }
        Ok(())
    }

    /// Positions of indices in `rows` are listed first, without a branch that nothing could predict.
    fn combine_some(
        &self,
        rows: Range<usize>,
        out: &mut [T],
        combine: impl Fn(T, T) -> T,
    ) -> Result<(), String> {
        let (mut listed, mut count) = ([0; LISTED], 0);
        let mut most = 0;
        for (chunk, start) in self.indices.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            for (index, at) in chunk.iter().zip(start..) {
                // A negative one becomes the largest.
                most = most.max(*index as u64);
                listed[count % LISTED] = at;
                count += usize::from((*index as usize).wrapping_sub(rows.start) < rows.len());
            }
            if count > LISTED - CHUNK || start + chunk.len() == self.indices.len() {
                if most >= self.axis.bound as u64 {
                    return self.axis.check(self.indices);
                }
                self.combine_listed(&listed[..count], rows.start, out, &combine);
                count = 0;
            }
        }
        Ok(())
    }

    /// Combines the slices at these positions into `out`, whose first row is `first`.
    fn combine_listed(&self, listed: &[usize], first: usize, out: &mut [T], combine: &impl Fn(T, T) -> T) {
        let (inner, place) = (self.axis.inner, out.as_ptr());
        let row = |at: usize| self.indices[at] as usize - first;
        let ask = |at: &usize| {
            ask_for(place.wrapping_add(row(*at) * inner), inner);
            ask_for(self.elements.as_ptr().wrapping_add(*at * inner), inner);
        };
        listed.iter().take(AHEAD).for_each(ask);
        for (turn, at) in listed.iter().enumerate() {
            listed.get(turn + AHEAD).into_iter().for_each(ask);
            let out = &mut out[row(*at) * inner..][..inner];
            let updates = &self.elements[*at * inner..][..inner];
            out.iter_mut().zip(updates).for_each(|(out, update)| *out = combine(*out, *update));
        }
    }
}

/// Asks for `len` elements from `place` on.
#[inline(always)]
fn ask_for<T>(place: *const T, len: usize) {
    for byte in (0..(len * size_of::<T>()).min(LINES * LINE)).step_by(LINE) {
        prefetch::<true, _>(place.cast::<u8>().wrapping_add(byte));
    }
}
