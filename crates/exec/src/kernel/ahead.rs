//! Memory that is asked for while something else is computed, so that it is near when its turn comes.
//!
//! A few lines at a time: a core waits for a dozen at once, and behind those that come from afar all others wait too.
#![allow(unsafe_code, reason = "a hint to the processor")]

use crate::kernel::matmul::Matrix;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

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
    /// Nothing.
    #[inline(always)]
    pub(crate) fn nothing() -> Ahead<T> {
        Ahead { place: std::ptr::null(), pace: 0, lines: 0, run: 0, run_lines: 0, gap: 0 }
    }

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

    /// Whether nothing is left to ask for.
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.lines == 0
    }

    /// Asks for the next lines, or for those that are left, in the second-level cache: most of the first is taken.
    #[inline(always)]
    pub(crate) fn ask(&mut self) {
        if self.lines == 0 {
            return;
        }
        for _ in 0..self.pace.min(self.lines) {
            prefetch::<false, T>(self.place);
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

/// Asks for the cache line at `place`, whether or not there is one, in the first-level cache if `NEAR` or else in the second.
#[inline(always)]
pub(crate) fn prefetch<const NEAR: bool, T>(place: *const T) {
    // SAFETY: a hint that touches no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        match NEAR {
            true => _mm_prefetch::<_MM_HINT_T0>(place.cast()),
            false => _mm_prefetch::<_MM_HINT_T1>(place.cast()),
        }
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        use std::arch::asm;
        match NEAR {
            true => asm!("prfm pldl1keep, [{0}]", in(reg) place, options(nostack, preserves_flags, readonly)),
            false => {
                asm!("prfm pldl2keep, [{0}]", in(reg) place, options(nostack, preserves_flags, readonly))
            }
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}
