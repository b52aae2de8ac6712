//! Products whose operands are read by tables of distances.
//!
//! Tiles are those of [matrix products](crate::kernel::matmul): sums stay in registers, every one a chain of additions in the
//! order of the table, in blocks of the same depth. Every row has an address of its own; with few rows a tile is wider, for
//! chains enough to keep the units busy.
#![allow(unsafe_code, reason = "loads and stores of vector registers; the tables are checked once")]

use crate::kernel::matmul::{DEPTH, VECTORS, evenly};
use crate::kernel::register::{InRegisters, Vector};

/// The product `result[r, l, i] = Σ over d of left[rows[r] + depths[0][d]] · right[lines[l] + i + depths[1][d]]`.
#[derive(Debug)]
pub(crate) struct Taps<'a, T> {
    pub(crate) left: &'a [T],
    /// [`SLACK`] elements longer than what is named.
    pub(crate) right: &'a [T],
    pub(crate) rows: Table<'a>,
    pub(crate) depths: [Table<'a>; 2],
    pub(crate) lines: Table<'a>,
    /// The elements of a line.
    pub(crate) line: usize,
    /// Dense, by rows, lines and elements.
    pub(crate) result: &'a mut [T],
    /// Whether the products are added to what the result holds.
    pub(crate) adds: bool,
}

/// Distances of elements from the first of an operand; at least one.
#[derive(Debug)]
pub(crate) struct Distances {
    distances: Vec<usize>,
    most: usize,
}

/// Some neighbours among [`Distances`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    distances: &'a [usize],
    /// What none of them is more than.
    most: usize,
}

/// Elements behind the last line that may be read and are not used: as many as the widest register has.
pub(crate) const SLACK: usize = 16;

/// Rows of a wide tile at most: with more, compilers move sums from register to register.
const WIDE_ROWS: usize = 4;

/// Registers that all rows together have, from which those left over by wide tiles do not matter.
const MANY: usize = 12;

impl<T: Copy + Default> InRegisters<T> for Taps<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<V>(self) }
    }
}

/// A tile: the first of its rows, and the first of the registers that lines are cut into.
#[derive(Clone, Copy)]
struct At {
    row: usize,
    register: usize,
}

impl From<Vec<usize>> for Distances {
    fn from(distances: Vec<usize>) -> Distances {
        let most = distances.iter().copied().max().expect("a table has entries");
        Distances { distances, most }
    }
}

impl Distances {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.distances.len()
    }

    /// The distances themselves.
    pub(crate) fn as_slice(&self) -> &[usize] {
        &self.distances
    }

    /// All of them.
    pub(crate) fn all(&self) -> Table<'_> {
        self.part(0, self.len())
    }

    /// So many from `start` on.
    pub(crate) fn part(&self, start: usize, count: usize) -> Table<'_> {
        Table { distances: &self.distances[start..start + count], most: self.most }
    }
}

impl Table<'_> {
    /// The first element alone.
    pub(crate) const FIRST: Table<'static> = Table { distances: &[0], most: 0 };

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.distances.len()
    }

    /// What none of them is more than.
    pub(crate) fn most(&self) -> usize {
        self.most
    }
}

impl<'a> Table<'a> {
    /// The distances themselves.
    pub(crate) fn as_slice(self) -> &'a [usize] {
        self.distances
    }
}

impl<T> Taps<'_, T> {
    /// Checks that everything that the tables name is there.
    ///
    /// # Panics
    /// When it is not.
    fn check(&self, lanes: usize) {
        let [left, right] = self.depths;
        assert_eq!(left.len(), right.len(), "both operands are as deep");
        assert!(self.rows.most + left.most < self.left.len(), "the left operand is there");
        let end = self.lines.most + right.most + self.line.next_multiple_of(lanes);
        assert!(end <= self.right.len() && lanes <= SLACK, "the right operand is there");
        let len = self.rows.len() * self.lines.len() * self.line;
        assert!(self.result.len() >= len && self.line > 0, "a dense result has one place per element");
    }
}

/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
unsafe fn multiply<V: Vector<Element: Default>>(mut product: Taps<'_, V::Element>) {
    product.check(V::LANES);
    let registers = product.lines.len() * product.line.div_ceil(V::LANES);
    let is_wide = registers >= MANY || registers.is_multiple_of(2 * VECTORS);
    let [left, right] = product.depths;
    let adds = product.adds;
    for (start, depth) in evenly(left.len(), DEPTH) {
        product.depths =
            [left, right].map(|all| Table { distances: &all.distances[start..start + depth], ..all });
        product.adds = adds || start > 0;
        for (row, rows) in evenly(product.rows.len(), most_rows::<V>(is_wide)) {
            let mut register = 0;
            while register < registers {
                let at = At { row, register };
                // SAFETY: the tables have been checked, and the tile ends with the rows and the registers.
                register += unsafe { tile_of::<V>(&mut product, at, rows, registers - register) };
            }
        }
    }
}

/// Rows of a tile at most: as many as leave registers for the operands even if compilers load those of all rows first. In wide
/// tiles, of more registers than those of products, there are few enough rows for that, and as many sums.
const fn most_rows<V: Vector>(is_wide: bool) -> usize {
    match V::ROWS / 2 {
        _ if !is_wide => V::ROWS * 3 / 4,
        rows if rows < WIDE_ROWS => rows,
        _ => WIDE_ROWS,
    }
}

/// Computes a tile of so many rows and at most so many registers, as many of these as pay; says how many.
///
/// # Safety
/// The instruction set of `V`; tables that have been checked, and that have so many rows and registers from `at` on.
#[inline(always)]
unsafe fn tile_of<V: Vector>(
    product: &mut Taps<'_, V::Element>,
    at: At,
    rows: usize,
    registers: usize,
) -> usize {
    const fn fits<V: Vector>(rows: usize, registers: usize) -> bool {
        rows * registers <= V::ROWS * VECTORS && rows <= most_rows::<V>(registers > VECTORS)
    }
    macro_rules! by_size {
        ($($registers:literal: $($rows:literal)*;)*) => {
            match (rows, registers) {
                $($(
                    ($rows, $registers..) if const { fits::<V>($rows, $registers) } => {
                        // SAFETY: as the caller promises.
                        unsafe { V::apart(Tile::<_, $rows, $registers> { product, at }) };
                        $registers
                    }
                )*)*
                (rows, _) => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    by_size! {
        8: 1 2;
        4: 1 2 3 4;
        2: 1 2 3 4 5 6 7 8 9;
        1: 1 2 3 4 5 6 7 8 9;
    }
}

/// A tile of `ROWS` rows and `REGISTERS` registers: a function of its own, as those of matrix products.
struct Tile<'a, 'b, T, const ROWS: usize, const REGISTERS: usize> {
    product: &'a mut Taps<'b, T>,
    at: At,
}

impl<T: Copy, const ROWS: usize, const REGISTERS: usize> InRegisters<T> for Tile<'_, '_, T, ROWS, REGISTERS> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let Taps { left, right, rows, depths, lines, line, adds, .. } = *self.product;
        let at = self.at;
        let per_line = line.div_ceil(V::LANES);
        let (mut line_at, mut part) = (at.register / per_line, at.register % per_line);
        // Where each register's elements start, where its sums go, and how many there are.
        let mut starts = [right.as_ptr(); REGISTERS];
        let mut places = [(0, 0); REGISTERS];
        for (start, place) in starts.iter_mut().zip(&mut places) {
            let first = part * V::LANES;
            *start = start.wrapping_add(lines.distances[line_at] + first);
            *place = (line_at * line + first, (line - first).min(V::LANES));
            part += 1;
            if part == per_line {
                (line_at, part) = (line_at + 1, 0);
            }
        }
        let mut factors = [left.as_ptr(); ROWS];
        for (factor, row) in factors.iter_mut().zip(&rows.distances[at.row..]) {
            *factor = factor.wrapping_add(*row);
        }
        let row_len = lines.len() * line;
        let result = self.product.result[at.row * row_len..].as_mut_ptr();
        // SAFETY: the tables have been checked: every sum of their entries is inside its operand, with a register of elements
        // behind it on the right; what is written are the elements of lines.
        unsafe {
            let mut sums = [[V::zero(); REGISTERS]; ROWS];
            for (ours, theirs) in depths[0].distances.iter().zip(depths[1].distances) {
                let factor = |row: usize| V::splat(factors[row].wrapping_add(*ours));
                let value = |register: usize| V::load(starts[register].wrapping_add(*theirs));
                // All of the fewer ones are held, and one of the others at a time.
                if ROWS < REGISTERS {
                    let factors: [V; ROWS] = std::array::from_fn(factor);
                    for register in 0..REGISTERS {
                        let value = value(register);
                        for (sums, factor) in sums.iter_mut().zip(factors) {
                            sums[register] = sums[register].add_product(factor, value);
                        }
                    }
                } else {
                    let values: [V; REGISTERS] = std::array::from_fn(value);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let factor = factor(row);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = sum.add_product(factor, value);
                        }
                    }
                }
            }
            // By value: sums that are borrowed would be in memory.
            for (row, sums) in sums.into_iter().enumerate() {
                for (sum, (place, count)) in sums.into_iter().zip(places) {
                    let (place, mask) = (result.wrapping_add(row * row_len + place), V::first(count));
                    let sum = if adds { V::load_part(place, mask).add(sum) } else { sum };
                    sum.store_part(place, mask);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::register::Registers;
    use crate::kernel::simd::tests::all;

    #[test]
    fn every_instruction_set_multiplies_by_tables() {
        let number = |at: usize| ((at * 37 + 11) % 64) as f64 / 16.0 - 2.0;
        for (rows, depth, lines, line) in [(1, 3, 1, 1), (5, 7, 3, 14), (13, 400, 2, 40), (24, 2, 9, 5)] {
            let left: Vec<f64> = (0..rows * 3 + depth * 2).map(number).collect();
            let right: Vec<f64> = (0..lines * line + depth * 3 + 2 * SLACK).map(number).collect();
            let table = |count: usize, step: usize| {
                Distances::from((0..count).map(|at| at * step).collect::<Vec<usize>>())
            };
            let tables = [table(rows, 3), table(depth, 2), table(depth, 3), table(lines, line)];
            let mut expected = vec![1.0; rows * lines * line];
            for (at, sum) in expected.iter_mut().enumerate() {
                let (row, column) = (at / (lines * line), at % (lines * line));
                *sum += (0..depth).map(|d| left[row * 3 + d * 2] * right[column + d * 3]).sum::<f64>();
            }
            for set in all() {
                let mut result = vec![1.0; rows * lines * line];
                f64::in_registers(
                    set,
                    Taps {
                        left: &left,
                        right: &right,
                        rows: tables[0].all(),
                        depths: [tables[1].all(), tables[2].all()],
                        lines: tables[3].all(),
                        line,
                        result: &mut result,
                        adds: true,
                    },
                );
                assert_eq!(result, expected, "{set:?}"); // of multiples of 1/256, exact
            }
        }
    }
}
