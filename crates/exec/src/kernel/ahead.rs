//! Memory that is asked for while tiles are multiplied, so that it is near when its turn comes.
#![allow(unsafe_code, reason = "a hint to the processor")]

use crate::kernel::matmul::Matrix;

/// Bytes of a cache line.
const LINE: usize = 64;

/// The cache lines of a part of a matrix, asked for a few at a time.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<T> {
    place: *const T,
    /// Lines that are asked for at a time.
    pace: usize,
    /// Lines that are left, and how many of those are in the current run of neighbors.
    lines: usize,
    run: usize,
    /// Lines of every run, and elements from the end of one to the start of the next.
    run_lines: usize,
    gap: usize,
}

impl<T> Ahead<T> {
    /// The first `rows` × `columns` elements of a matrix, if rows or columns are neighbors, in so many times.
    #[inline(always)]
    pub(crate) fn of(matrix: Matrix<'_, T>, rows: usize, columns: usize, times: usize) -> Ahead<T> {
        let (runs, length, distance) = match matrix {
            Matrix { column: 1, row, .. } => (rows, columns, row),
            Matrix { row: 1, column, .. } => (columns, rows, column),
            _ => (0, 1, 0),
        };
        let line = LINE / size_of::<T>();
        let run_lines = length.div_ceil(line);
        Ahead {
            place: matrix.elements.as_ptr(),
            pace: (runs * run_lines).div_ceil(times),
            lines: runs * run_lines,
            run: run_lines,
            run_lines,
            gap: distance.wrapping_sub(run_lines * line),
        }
    }

    /// Asks for the next lines, or for those that are left.
    #[inline(always)]
    pub(crate) fn ask(&mut self) {
        for _ in 0..self.pace.min(self.lines) {
            prefetch(self.place);
            self.place = self.place.wrapping_add(LINE / size_of::<T>());
            self.lines -= 1;
            self.run -= 1;
            if self.run == 0 {
                self.place = self.place.wrapping_add(self.gap);
                self.run = self.run_lines;
            }
        }
    }
}

/// Asks for the cache line at `place`, whether or not there is one.
#[inline(always)]
pub(crate) fn prefetch<T>(place: *const T) {
    // SAFETY: a hint that touches no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
