//! Products of lines with windows, summed along the lines: for few outputs, of which registers would hold little else than
//! nothing.
//!
//! Neighboring windows lie side by side in registers, and so do their sums until all are there. There are as many on every
//! instruction set, so that the sums are the same.
#![allow(unsafe_code, reason = "loads of vector registers; the tables are checked once")]

use crate::kernel::conv::taps::Table;
use crate::kernel::matmul::evenly;
use crate::kernel::register::{InRegisters, Vector};

/// Sums of a product that are kept apart.
pub(crate) const APART: usize = 16;

/// Rows of a tile at most.
const ROWS: usize = 8;

/// `sums[r, i mod APART] += left[rows[r] + lines[l] + i] · right[l · line + i]`, for every line and its elements.
#[derive(Debug)]
pub(crate) struct Along<'a, T> {
    pub(crate) left: &'a [T],
    pub(crate) right: &'a [T],
    pub(crate) rows: Table<'a>,
    pub(crate) lines: Table<'a>,
    /// The elements of a line.
    pub(crate) line: usize,
    pub(crate) sums: &'a mut [T],
}

impl<T: Copy + Default> InRegisters<T> for Along<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(mut self) {
        assert!(self.rows.most() + self.lines.most() + self.line <= self.left.len(), "windows are there");
        assert!(self.lines.len() * self.line <= self.right.len(), "lines are there");
        assert!(self.rows.len() * APART <= self.sums.len(), "every row has its sums");
        for (row, rows) in evenly(self.rows.len(), ROWS) {
            for lane in (0..APART).step_by(V::LANES) {
                macro_rules! by_rows {
                    ($($rows:literal)*) => {
                        match rows {
                            // SAFETY: as the caller promises; the tables have been checked.
                            $($rows => unsafe { tile::<V, $rows>(&mut self, row, lane) },)*
                            rows => unreachable!("a tile of {rows} rows"),
                        }
                    };
                }
                by_rows!(1 2 3 4 5 6 7 8);
            }
        }
    }
}

/// Adds the products of some rows from `row` on, as far as they go to a register of sums from `lane` on.
///
/// # Safety
/// The instruction set of `V`; tables that have been checked, and `ROWS` rows.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(of: &mut Along<'_, V::Element>, row: usize, lane: usize) {
    let Along { left, right, rows, lines, line, .. } = *of;
    let rows: [*const V::Element; ROWS] =
        std::array::from_fn(|at| left.as_ptr().wrapping_add(rows.as_slice()[row + at]));
    let place = of.sums[row * APART + lane..].as_mut_ptr();
    // SAFETY: the tables have been checked: all elements of lines are inside both operands, and others are not read.
    unsafe {
        let mut sums: [V; ROWS] = std::array::from_fn(|at| V::load(place.add(at * APART)));
        for (start, right) in lines.as_slice().iter().zip(right.chunks_exact(line)) {
            let mut at = lane;
            while at + V::LANES <= line {
                let factor = V::load(right.as_ptr().add(at));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = sum.add_product(V::load(row.add(start + at)), factor);
                }
                at += APART;
            }
            if at < line {
                let mask = V::first(line - at);
                let factor = V::load_part(right.as_ptr().add(at), mask);
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = sum.add_product(V::load_part(row.add(start + at), mask), factor);
                }
            }
        }
        for (at, sum) in sums.into_iter().enumerate() {
            sum.store(place.add(at * APART));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv::taps::Distances;
    use crate::kernel::register::Registers;
    use crate::kernel::simd::tests::all;

    #[test]
    fn every_instruction_set_sums_along_lines() {
        let number = |at: usize| ((at * 37 + 11) % 64) as f64 / 16.0 - 2.0;
        for (rows, lines, line) in [(1, 1, 1), (3, 4, 14), (9, 2, 40), (25, 3, 16)] {
            let left: Vec<f64> = (0..rows * 2 + lines * (line + 3)).map(number).collect();
            let right: Vec<f64> = (0..lines * line).map(|at| number(at + 5)).collect();
            let table = |count: usize, step: usize| {
                Distances::from((0..count).map(|at| at * step).collect::<Vec<usize>>())
            };
            let (starts, places) = (table(lines, line + 3), table(rows, 2));
            let mut expected = vec![0.5; rows * APART];
            for (at, sum) in expected.iter_mut().enumerate() {
                let (row, lane) = (at / APART, at % APART);
                for l in 0..lines {
                    for i in (lane..line).step_by(APART) {
                        *sum += left[row * 2 + l * (line + 3) + i] * right[l * line + i];
                    }
                }
            }
            for set in all() {
                let mut sums = vec![0.5; rows * APART];
                let (rows, lines) = (places.all(), starts.all());
                f64::in_registers(
                    set,
                    Along { left: &left, right: &right, rows, lines, line, sums: &mut sums },
                );
                assert_eq!(sums, expected, "{set:?}"); // of multiples of 1/256, exact
            }
        }
    }
}
