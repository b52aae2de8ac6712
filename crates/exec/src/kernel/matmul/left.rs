//! Where tiles find the elements of their left operand.
//!
//! A tile reads one element of each of its rows per step. Which arithmetic finds them is compiled for the order in which they
//! are stored: an instruction that only moves a pointer takes the place of a product in the processor. Neighbors are told by
//! constants, so that several steps need one move.

use crate::kernel::matmul::tile::Strided;
use crate::kernel::opaque::opaque;

/// The elements of a tile's left operand, step by step.
pub(crate) trait Left<T>: Sized {
    /// Steps that are told from one place.
    const STEPS: usize;
    /// From the first step on.
    fn of(operand: Strided<T>) -> Self;
    /// The element of `row`, so many steps on; `step` is less than [`STEPS`](Left::STEPS).
    fn place(&self, row: usize, step: usize) -> *const T;
    /// Moves on by so many steps.
    fn advance(&mut self, steps: usize);
    /// Keeps the compiler from making a place for each row of those there are: there are too few registers.
    fn keep(&mut self);
}

/// Rows whose places are told by how far rows are apart: from each third one.
const TOGETHER: usize = 3;

/// Any order.
pub(crate) struct Anyhow<T> {
    places: [*const T; 4],
    row: usize,
    column: usize,
}

impl<T> Left<T> for Anyhow<T> {
    const STEPS: usize = 1;

    #[inline(always)]
    fn of(Strided { start, row, column }: Strided<T>) -> Anyhow<T> {
        let after = |rows: usize| start.wrapping_add(rows * row);
        let places = [start, after(TOGETHER), after(2 * TOGETHER), after(3 * TOGETHER)];
        Anyhow { places, row, column }
    }

    #[inline(always)]
    fn place(&self, row: usize, _: usize) -> *const T {
        self.places[row / TOGETHER].wrapping_add(row % TOGETHER * self.row)
    }

    #[inline(always)]
    fn advance(&mut self, steps: usize) {
        for place in &mut self.places {
            *place = place.wrapping_add(steps * self.column);
        }
    }

    #[inline(always)]
    fn keep(&mut self) {
        for place in &mut self.places {
            *place = opaque(*place);
        }
    }
}

/// The elements of a row are neighbors.
pub(crate) struct ByRows<T>(Anyhow<T>);

impl<T> Left<T> for ByRows<T> {
    const STEPS: usize = 4;

    #[inline(always)]
    fn of(operand: Strided<T>) -> ByRows<T> {
        ByRows(Anyhow::of(Strided { column: 1, ..operand }))
    }

    #[inline(always)]
    fn place(&self, row: usize, step: usize) -> *const T {
        self.0.place(row, 0).wrapping_add(step)
    }

    #[inline(always)]
    fn advance(&mut self, steps: usize) {
        self.0.advance(steps);
    }

    #[inline(always)]
    fn keep(&mut self) {
        self.0.keep();
    }
}

/// The elements of a step are neighbors.
pub(crate) struct ByColumns<T> {
    place: *const T,
    column: usize,
}

impl<T> Left<T> for ByColumns<T> {
    const STEPS: usize = 4;

    #[inline(always)]
    fn of(Strided { start, column, .. }: Strided<T>) -> ByColumns<T> {
        ByColumns { place: start, column }
    }

    #[inline(always)]
    fn place(&self, row: usize, step: usize) -> *const T {
        self.place.wrapping_add(step * self.column + row)
    }

    #[inline(always)]
    fn advance(&mut self, steps: usize) {
        self.place = self.place.wrapping_add(steps * self.column);
    }

    #[inline(always)]
    fn keep(&mut self) {
        self.place = opaque(self.place);
    }
}
