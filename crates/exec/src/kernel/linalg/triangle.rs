//! Substitution: equations whose matrix is a triangle.

use std::ops::Range;

use crate::kernel::linalg::space::Tools;
use crate::kernel::matmul::{Dims, Matrix};
use crate::kernel::simd::{self, Loop};

/// Rows of a triangle that is not cut any more.
pub(super) const SMALL: usize = 16;

/// A triangle of a matrix, with what stands for its diagonal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triangle<'a> {
    pub(super) matrix: Matrix<'a, f64>,
    /// Its rows.
    pub(super) n: usize,
    /// Whether it is the lower triangle, in which the first row has one unknown.
    pub(super) is_lower: bool,
    /// Whether its diagonal is ones, whatever stands there.
    pub(super) is_unit: bool,
}

/// The right-hand sides of equations, replaced by their solutions.
#[derive(Debug)]
pub(super) struct RightSides<'a> {
    pub(super) elements: &'a mut [f64],
    /// How many there are, side by side.
    pub(super) columns: usize,
    /// Elements from one row to the next.
    pub(super) across: usize,
    /// Whether column `c` is zero above row `c`, and stays so: the triangle is a lower one.
    pub(super) is_wedge: bool,
}

impl RightSides<'_> {
    /// The columns that are not zero above row `row`.
    fn reach(&self, row: usize) -> usize {
        if self.is_wedge { self.columns.min(row) } else { self.columns }
    }

    /// Turns the signs in these rows.
    pub(super) fn negate(&mut self, rows: Range<usize>) {
        for row in rows {
            for element in &mut self.elements[row * self.across..][..self.columns] {
                *element = -*element;
            }
        }
    }
}

impl Triangle<'_> {
    /// Solves the equations.
    pub(super) fn solve(self, mut right: RightSides<'_>, tools: &mut Tools) {
        if right.columns == 0 {
            return;
        }
        if self.n <= SMALL {
            self.substitute::<false>(0..self.n, &mut right, tools);
            return;
        }
        self.solve_negated(&mut right, tools);
        right.negate(0..self.n);
    }

    /// Solves the equations, and turns the signs of what was found: products with it are then added, not taken off.
    pub(super) fn solve_negated(self, right: &mut RightSides<'_>, tools: &mut Tools) {
        if right.columns > 0 {
            self.solve_rows(0..self.n, right, tools);
        }
    }

    fn solve_rows(self, rows: Range<usize>, right: &mut RightSides<'_>, tools: &mut Tools) {
        if rows.len() <= SMALL {
            self.substitute::<true>(rows.clone(), right, tools);
            right.negate(rows);
            return;
        }
        let middle = rows.start + rows.len().div_ceil(2).next_multiple_of(SMALL);
        let (above, below) = (rows.start..middle, middle..rows.end);
        let (known, unknown) = if self.is_lower { (above, below) } else { (below, above) };
        self.solve_rows(known.clone(), right, tools);
        let (across, columns) = (right.across, right.reach(known.end));
        let (above, below) = right.elements.split_at_mut(middle * across);
        let (solved, result) = match self.is_lower {
            true => (&above[known.start * across..], below),
            false => (&below[..], &mut above[unknown.start * across..]),
        };
        let solved = Matrix { elements: solved, row: across, column: 1 };
        let left = self.matrix.from(unknown.start, known.start);
        let dims = Dims { m: unknown.len(), k: known.len(), n: columns };
        tools.add_product(dims, left, solved, result, across);
        self.solve_rows(unknown, right, tools);
    }

    /// Solves the equations of these rows, in which no others are unknown.
    fn substitute<const FUSED: bool>(
        self,
        rows: Range<usize>,
        right: &mut RightSides<'_>,
        tools: &mut Tools,
    ) {
        tools.triangle.grow(SMALL * SMALL);
        let (triangle, _) = tools.triangle.as_chunks_mut::<SMALL>();
        let n = rows.len();
        for (row, elements) in triangle.iter_mut().enumerate().take(n) {
            let matrix = self.matrix.from(rows.start + row, rows.start);
            let read = if self.is_lower { 0..row + 1 } else { row..n };
            for column in read {
                elements[column] = matrix.elements[column * matrix.column];
            }
        }
        let (across, columns) = (right.across, right.reach(rows.end));
        let elements = &mut right.elements[rows.start * across..];
        let Triangle { is_lower, is_unit, .. } = self;
        simd::run(Substitution::<FUSED> { triangle, n, is_lower, is_unit, elements, columns, across });
    }
}

/// Substitution in a small triangle; products and sums are `FUSED` where the instruction set can.
struct Substitution<'a, const FUSED: bool> {
    triangle: &'a [[f64; SMALL]],
    n: usize,
    is_lower: bool,
    is_unit: bool,
    elements: &'a mut [f64],
    columns: usize,
    across: usize,
}

impl<const FUSED: bool> Loop for Substitution<'_, FUSED> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let mut column = 0;
        macro_rules! strips {
            ($($count:literal)*) => {
                $(while self.columns - column >= $count {
                    self.strip::<FMA, $count>(column);
                    column += $count;
                })*
            };
        }
        strips!(32 8 4 1);
    }
}

impl<const FUSED: bool> Substitution<'_, FUSED> {
    /// So many columns from `column` on, the row at hand in registers.
    #[inline(always)]
    fn strip<const FMA: bool, const COLUMNS: usize>(&mut self, column: usize) {
        for step in 0..self.n {
            let row = if self.is_lower { step } else { self.n - 1 - step };
            let solved = if self.is_lower { 0..row } else { row + 1..self.n };
            let factors = &self.triangle[row];
            let place = |row: usize| row * self.across + column;
            let mut sums: [f64; COLUMNS] = *self.elements[place(row)..].first_chunk().expect("all columns");
            for k in solved {
                let values: &[f64; COLUMNS] = self.elements[place(k)..].first_chunk().expect("all columns");
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = subtract_product::<FUSED, FMA>(*sum, factors[k], *value);
                }
            }
            if !self.is_unit {
                for sum in &mut sums {
                    *sum /= factors[row];
                }
            }
            let start = place(row);
            self.elements[start..start + COLUMNS].copy_from_slice(&sums);
        }
    }
}

/// `sum - a · b`, rounded once if that is wanted and the instruction set can.
#[inline(always)]
pub(super) fn subtract_product<const FUSED: bool, const FMA: bool>(sum: f64, a: f64, b: f64) -> f64 {
    if FUSED && FMA { (-a).mul_add(b, sum) } else { sum - a * b }
}
