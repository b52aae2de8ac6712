//! The innermost loops of matrix products: a few rows times one or two registers of columns, kept in registers throughout.
//!
//! Written over registers because compilers do not keep two dozen accumulators in registers on their own: loops over slices
//! run at a third of the processor's peak, those here at nine tenths of it while their operands are near.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::marker::PhantomData;

use crate::kernel::ahead::{Ahead, prefetch};
use crate::kernel::matmul::left::{Anyhow, ByColumns, ByRows, Left};
use crate::kernel::register::InRegisters;
use crate::kernel::register::Vector;

/// Registers of columns in a tile.
pub(crate) const VECTORS: usize = 2;

/// Contracted elements after which memory is asked for ahead of its use.
pub(crate) const STEPS: usize = 32;

/// How many rows before their use rows of the right operand are asked for that are read where they are.
const ROWS_AHEAD: usize = 8;

/// One operand of a tile: where it starts, and how far apart its rows and columns are.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) start: *const T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// What `count` tiles compute, one below the other: `rows` × `depth` times `depth` × `columns` each, the right operand's
/// columns being neighbors.
#[derive(Clone, Copy)]
pub(crate) struct Tiles<T> {
    pub(crate) count: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    pub(crate) left: Strided<T>,
    /// Elements from one tile's left operand to the next one's.
    pub(crate) next_left: usize,
    pub(crate) right: *const T,
    pub(crate) right_row: usize,
    /// Where the rows of the right operand are copied to while they are read, whole registers side by side, or null. Only
    /// for one tile with all columns and [most](copies) rows, the left operand being stored by rows or by columns.
    pub(crate) copy: *mut T,
    pub(crate) result: *mut T,
    pub(crate) result_row: usize,
    pub(crate) onto: Onto,
}

/// What becomes of what the results of tiles hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    /// It is written over.
    Nothing,
    /// The sum of the products is added to it.
    Sum,
    /// The products are added to it, one after the other.
    Chain,
}

/// Whether a tile of so many rows can copy what it reads: those of few rows would double the code for little.
pub(crate) const fn copies<V: Vector>(rows: usize) -> bool {
    4 * rows >= 3 * V::ROWS
}

/// Computes tiles. Every element is one chain of additions in the order of `depth`, whatever the tile's size.
///
/// # Safety
/// The instruction set of `V` must be available, `1 ≤ rows ≤ V::ROWS`, `1 ≤ columns ≤ VECTORS · V::LANES`, and all
/// elements that the tiles name must lie inside their buffers, the copy's among them if there is one.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(tiles: &Tiles<V::Element>, ahead: &mut [Ahead<V::Element>; 2]) {
    let has_copy = !tiles.copy.is_null();
    let is_full = tiles.columns == VECTORS * V::LANES;
    macro_rules! apart {
        ($Left:ident, $rows:literal, $vectors:expr, $full:literal, $copy:literal) => {
            V::apart(Apart::<_, $Left<_>, $rows, { $vectors }, $full, $copy> {
                tiles,
                ahead,
                order: PhantomData,
            })
        };
    }
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tiles.rows {
                $(
                    // What is constant is not compiled at all for registers of which a tile has fewer rows.
                    $rows if const { $rows <= V::ROWS } => {
                        // SAFETY: as the caller promises; a tile with all columns has all of them to load.
                        unsafe {
                            match tiles.left {
                                Strided { column: 1, .. } if const { copies::<V>($rows) } && has_copy => {
                                    apart!(ByRows, $rows, VECTORS, true, true);
                                }
                                Strided { row: 1, .. } if const { copies::<V>($rows) } && has_copy => {
                                    apart!(ByColumns, $rows, VECTORS, true, true);
                                }
                                Strided { column: 1, .. } if is_full => apart!(ByRows, $rows, VECTORS, true, false),
                                Strided { row: 1, .. } if is_full => apart!(ByColumns, $rows, VECTORS, true, false),
                                _ if tiles.columns > V::LANES => apart!(Anyhow, $rows, VECTORS, false, false),
                                _ => apart!(Anyhow, $rows, 1, false, false),
                            }
                        }
                    }
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// Tiles of `ROWS` rows, as many columns as need `VECTORS` registers, and fill them if `FULL`. With `COPY` there is room for the
/// copy. The left operand is stored as `L` says.
///
/// Each kind is a function of its own: in one for all of them, compilers would take longer for each loop the more there are.
struct Apart<'a, T, L, const ROWS: usize, const VECTORS: usize, const FULL: bool, const COPY: bool> {
    tiles: &'a Tiles<T>,
    ahead: &'a mut [Ahead<T>; 2],
    order: PhantomData<L>,
}

impl<T, L: Left<T>, const ROWS: usize, const VECTORS: usize, const FULL: bool, const COPY: bool>
    InRegisters<T> for Apart<'_, T, L, ROWS, VECTORS, FULL, COPY>
{
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        // SAFETY: as the caller promises.
        unsafe { multiply::<V, L, ROWS, VECTORS, FULL, COPY>(self.tiles, self.ahead) }
    }
}

/// # Safety
/// As [`run`], for tiles that are as [`Apart`] says.
#[inline(always)]
unsafe fn multiply<
    V: Vector,
    L: Left<V::Element>,
    const ROWS: usize,
    const VECTORS: usize,
    const FULL: bool,
    const COPY: bool,
>(
    tiles: &Tiles<V::Element>,
    ahead: &mut [Ahead<V::Element>; 2],
) {
    // The last register alone can be a part: one mask is as many as there are registers left for.
    // SAFETY: the instruction set is there.
    let mask = unsafe { V::first(tiles.columns - (VECTORS - 1) * V::LANES) };
    // Steps after which memory is asked for, and of how many rows of the result: of all at once if there is nothing else.
    let (asking, pace) = match ahead.iter().all(Ahead::is_over) {
        true => (tiles.depth, ROWS),
        false => (STEPS, ROWS.div_ceil(tiles.depth.div_ceil(STEPS))),
    };
    // Of more steps at once that also copy, compilers keep a sum in memory where there are sixteen registers.
    let at_once = if COPY { 1 } else { L::STEPS };
    let (mut start, mut result_start) = (tiles.left.start, tiles.result);
    for _ in 0..tiles.count {
        // SAFETY: the caller promises that the elements of the tiles lie inside their buffers; pointers move from one row to
        // the next and are not read behind the last.
        unsafe {
            let result = |row: usize, vector: usize| {
                result_start.wrapping_add(row * tiles.result_row + vector * V::LANES)
            };
            let mut sums = [[V::zero(); VECTORS]; ROWS];
            if tiles.onto == Onto::Chain {
                for (row, sums) in sums.iter_mut().enumerate() {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        let place = result(row, vector);
                        let is_whole = FULL || vector + 1 < VECTORS;
                        *sum = if is_whole { V::load(place) } else { V::load_part(place, mask) };
                    }
                }
            }
            let mut left = L::of(Strided { start, ..tiles.left });
            let mut right = Right { place: tiles.right, row: tiles.right_row, copy: tiles.copy, mask };
            let mut rest = tiles.depth;
            let mut asked = 0;
            while rest > 0 {
                let steps = rest.min(asking);
                rest -= steps;
                for ahead in &mut *ahead {
                    ahead.ask();
                }
                for row in asked..ROWS.min(asked + pace) {
                    for vector in 0..VECTORS {
                        prefetch::<true, _>(result(row, vector));
                    }
                }
                asked += pace;
                for _ in 0..steps / at_once {
                    left.keep();
                    for step in 0..at_once {
                        add_step(&mut sums, &left, step, right.next::<FULL, COPY>());
                    }
                    left.advance(at_once);
                }
                for _ in 0..steps % at_once {
                    left.keep();
                    add_step(&mut sums, &left, 0, right.next::<FULL, COPY>());
                    left.advance(1);
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (vector, sum) in sums.into_iter().enumerate() {
                    let place = result(row, vector);
                    let is_whole = FULL || vector + 1 < VECTORS;
                    let sum = match tiles.onto {
                        Onto::Sum if is_whole => V::load(place).add(sum),
                        Onto::Sum => V::load_part(place, mask).add(sum),
                        Onto::Nothing | Onto::Chain => sum,
                    };
                    if is_whole { sum.store(place) } else { sum.store_part(place, mask) }
                }
            }
        }
        start = start.wrapping_add(tiles.next_left);
        result_start = result_start.wrapping_add(ROWS * tiles.result_row);
    }
}

/// The rows of a tile's right operand, one after the other.
struct Right<V: Vector, const VECTORS: usize> {
    place: *const V::Element,
    row: usize,
    copy: *mut V::Element,
    mask: V::Mask,
}

impl<V: Vector, const VECTORS: usize> Right<V, VECTORS> {
    /// The next row, copied on the way with `COPY`.
    ///
    /// # Safety
    /// The instruction set of `V` must be there, one more row to read, all of its columns if `FULL`, and room for the copy.
    #[inline(always)]
    unsafe fn next<const FULL: bool, const COPY: bool>(&mut self) -> [V; VECTORS] {
        // SAFETY: as the caller promises.
        unsafe {
            let mut row = [V::zero(); VECTORS];
            for (vector, column) in row.iter_mut().enumerate() {
                let place = self.place.wrapping_add(vector * V::LANES);
                let is_whole = FULL || vector + 1 < VECTORS;
                *column = if is_whole { V::load(place) } else { V::load_part(place, self.mask) };
            }
            if COPY {
                for (vector, column) in row.into_iter().enumerate() {
                    let later = ROWS_AHEAD * self.row + vector * V::LANES;
                    prefetch::<true, _>(self.place.wrapping_add(later));
                    column.store(self.copy.wrapping_add(vector * V::LANES));
                }
                self.copy = self.copy.wrapping_add(VECTORS * V::LANES);
            }
            self.place = self.place.wrapping_add(self.row);
            row
        }
    }
}

/// Adds the products of one step.
///
/// # Safety
/// The instruction set of `V` must be there, and the left operand's elements of this step.
#[inline(always)]
unsafe fn add_step<V: Vector, L: Left<V::Element>, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    left: &L,
    step: usize,
    columns: [V; VECTORS],
) {
    for (row, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as the caller promises.
        unsafe {
            let factor = V::splat(left.place(row, step));
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = sum.add_product(factor, column);
            }
        }
    }
}
