//! The innermost loops of matrix products: a few rows times one or two registers of columns, kept in registers throughout.
//!
//! Written over registers because compilers do not keep two dozen accumulators in registers on their own: loops over slices
//! run at a third of the processor's peak, those here at nine tenths of it while their operands are near.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::hint::black_box;

use crate::kernel::ahead::{Ahead, prefetch};
use crate::kernel::register::Vector;

/// Registers of columns in a tile.
pub(crate) const VECTORS: usize = 2;

/// Contracted elements after which memory is asked for ahead of its use.
pub(crate) const STEPS: usize = 16;

/// One operand of a tile: where it starts, and how far apart its rows and columns are.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) start: *const T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// What a tile computes: `rows` × `depth` times `depth` × `columns`, the right operand's columns being neighbors.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    pub(crate) left: Strided<T>,
    pub(crate) right: *const T,
    pub(crate) right_row: usize,
    pub(crate) result: *mut T,
    pub(crate) result_row: usize,
    /// Whether the products are added to what the result holds.
    pub(crate) adds: bool,
}

/// Computes a tile. Every element is one chain of additions in the order of `depth`, whatever the tile's size.
///
/// # Safety
/// The instruction set of `V` must be available, `1 ≤ rows ≤ V::ROWS`, `1 ≤ columns ≤ VECTORS · V::LANES`, and all
/// elements that the tile names must lie inside their buffers.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(tile: Tile<V::Element>, ahead: &mut Ahead<V::Element>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tile.rows {
                $(
                    // SAFETY: as the caller promises; a tile with all columns has all of them to load.
                    $rows if $rows <= V::ROWS => unsafe {
                        if tile.columns == VECTORS * V::LANES {
                            multiply::<V, $rows, VECTORS, true>(tile, ahead);
                        } else if tile.columns > V::LANES {
                            multiply::<V, $rows, VECTORS, false>(tile, ahead);
                        } else {
                            multiply::<V, $rows, 1, false>(tile, ahead);
                        }
                    },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// # Safety
/// As [`run`], for `tile.rows == ROWS`, as many columns as fit `VECTORS` registers, and all of those if `FULL`.
#[inline(always)]
unsafe fn multiply<V: Vector, const ROWS: usize, const VECTORS: usize, const FULL: bool>(
    tile: Tile<V::Element>,
    ahead: &mut Ahead<V::Element>,
) {
    // SAFETY: the caller promises that the elements of the tile lie inside their buffers; pointers move from one row to
    // the next and are not read behind the last.
    unsafe {
        let masks: [V::Mask; VECTORS] =
            std::array::from_fn(|vector| V::first((tile.columns - vector * V::LANES).min(V::LANES)));
        let result =
            |row: usize, vector: usize| tile.result.wrapping_add(row * tile.result_row + vector * V::LANES);
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                prefetch(result(row, vector));
            }
        }
        // Each row's place on its own: the compiler would walk from row to row, and wait for each step.
        let rows: [_; ROWS] =
            std::array::from_fn(|row| black_box(tile.left.start.wrapping_add(row * tile.left.row)));
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let (mut at, mut right, mut rest) = (0, tile.right, tile.depth);
        while rest > 0 {
            let steps = rest.min(STEPS);
            rest -= steps;
            ahead.ask();
            for _ in 0..steps {
                let columns: [V; VECTORS] = std::array::from_fn(|vector| {
                    let place = right.wrapping_add(vector * V::LANES);
                    if FULL { V::load(place) } else { V::load_part(place, masks[vector]) }
                });
                for (row, sums) in sums.iter_mut().enumerate() {
                    let factor = V::splat(rows[row].wrapping_add(at));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = sum.add_product(factor, column);
                    }
                }
                at += tile.left.column;
                right = right.wrapping_add(tile.right_row);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                let place = result(row, vector);
                if FULL {
                    let sum = if tile.adds { V::load(place).add(sum) } else { sum };
                    sum.store(place);
                } else {
                    let mask = masks[vector];
                    let sum = if tile.adds { V::load_part(place, mask).add(sum) } else { sum };
                    sum.store_part(place, mask);
                }
            }
        }
    }
}
