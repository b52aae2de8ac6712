//! Elimination with row exchanges, `P · A = L · U`.

use std::ops::Range;

use crate::kernel::linalg::panel::{Panel, WIDTH, Whole};
use crate::kernel::linalg::space::Tools;
use crate::kernel::linalg::triangle::{RightSides, SMALL, Triangle};
use crate::kernel::matmul::{Dims, Matrix};
use crate::kernel::scratch::Aligned;
use crate::kernel::simd;

/// The factors of a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elimination<'a> {
    n: usize,
    /// `L` below the diagonal, which is ones, `U` on and above it.
    factors: &'a [f64],
    /// Row `i` of `P · A` is row `rows[i]` of `A`.
    rows: &'a [i64],
    /// Whether the number of exchanges is odd.
    is_odd: bool,
}

impl<'a> Elimination<'a> {
    /// Factors a matrix, in these buffers.
    pub(super) fn of(
        matrix: &[f64],
        n: usize,
        factors: &'a mut Aligned<f64>,
        rows: &'a mut Aligned<i64>,
        tools: &mut Tools,
    ) -> Elimination<'a> {
        factors.grow(n * n);
        rows.grow(n);
        let (factors, rows) = (&mut factors[..n * n], &mut rows[..n]);
        factors.copy_from_slice(matrix);
        for (at, row) in rows.iter_mut().enumerate() {
            *row = at as i64;
        }
        let is_odd = match n <= SMALL {
            true => simd::run(Whole { matrix: factors, n, rows }),
            false => eliminate(factors, n, 0..n, rows, tools),
        };
        Elimination { n, factors, rows, is_odd }
    }

    /// The diagonal of `U`.
    pub(super) fn pivots(&self) -> impl Iterator<Item = f64> + 'a {
        let (factors, n) = (self.factors, self.n);
        (0..n).map(move |k| factors[k * n + k])
    }

    /// What the number of exchanges does to the sign.
    pub(super) fn sign_of_exchanges(&self) -> f64 {
        if self.is_odd { -1.0 } else { 1.0 }
    }

    /// The determinant of the matrix.
    pub(super) fn determinant(&self) -> f64 {
        self.pivots().fold(self.sign_of_exchanges(), |product, pivot| product * pivot)
    }

    /// The first pivot that is 0.
    pub(super) fn zero_pivot(&self) -> Option<usize> {
        self.pivots().position(|pivot| pivot == 0.0)
    }

    /// Replaces right-hand sides by `A⁻¹` times them, where no pivot is 0.
    pub(super) fn solve(
        &self,
        right: &mut [f64],
        columns: usize,
        spare: &mut Aligned<f64>,
        tools: &mut Tools,
    ) {
        if self.n > SMALL && columns == self.n && is_identity(right, columns) {
            self.invert(right, tools);
            return;
        }
        spare.grow(right.len());
        let copy = &mut spare[..right.len()];
        copy.copy_from_slice(right);
        if columns > 0 {
            for (row, from) in right.chunks_exact_mut(columns).zip(self.rows) {
                row.copy_from_slice(&copy[*from as usize * columns..][..columns]);
            }
        }
        self.substitute(right, columns, false, tools);
    }

    /// Replaces the identity by `A⁻¹ = U⁻¹ · L⁻¹ · P`: of a triangle's inverse half is zeros, so `P` comes last.
    pub(super) fn invert(&self, identity: &mut [f64], tools: &mut Tools) {
        let n = self.n;
        self.substitute(identity, n, true, tools);
        tools.copy.grow(n);
        let copy = &mut tools.copy[..n];
        for row in identity.chunks_exact_mut(n) {
            copy.copy_from_slice(row);
            for (element, to) in copy.iter().zip(self.rows) {
                row[*to as usize] = *element;
            }
        }
    }

    /// `U⁻¹ · L⁻¹` times the right-hand sides.
    fn substitute(&self, right: &mut [f64], columns: usize, is_wedge: bool, tools: &mut Tools) {
        let matrix = Matrix { elements: self.factors, row: self.n, column: 1 };
        let lower = Triangle { matrix, n: self.n, is_lower: true, is_unit: true };
        let upper = Triangle { is_lower: false, is_unit: false, ..lower };
        lower.solve(RightSides { elements: right, columns, across: columns, is_wedge }, tools);
        upper.solve(RightSides { elements: right, columns, across: columns, is_wedge: false }, tools);
    }
}

/// Eliminates these columns below the diagonal; what the columns before them do to them is done. Whether the number of exchanges
/// is odd.
fn eliminate(
    matrix: &mut [f64],
    n: usize,
    columns: Range<usize>,
    rows: &mut [i64],
    tools: &mut Tools,
) -> bool {
    let Range { start, end } = columns;
    if columns.len() <= WIDTH {
        return eliminate_panel(matrix, n, columns, rows, tools);
    }
    let middle = start + columns.len().div_ceil(2).next_multiple_of(WIDTH);
    let first = eliminate(matrix, n, start..middle, rows, tools);
    // The factors to the left stand in the rows that are updated.
    let width = middle - start;
    let mut lower = std::mem::take(&mut tools.copy);
    lower.grow((n - start) * width);
    for (row, copy) in (start..n).zip(lower.chunks_exact_mut(width)) {
        copy.copy_from_slice(&matrix[row * n + start..][..width]);
    }
    let (above, below) = matrix.split_at_mut(middle * n);
    let triangle = Triangle {
        matrix: Matrix { elements: &lower, row: width, column: 1 },
        n: width,
        is_lower: true,
        is_unit: true,
    };
    let elements = &mut above[start * n + middle..];
    let mut upper = RightSides { elements, columns: end - middle, across: n, is_wedge: false };
    triangle.solve_negated(&mut upper, tools);
    let dims = Dims { m: n - middle, k: width, n: end - middle };
    let right = Matrix { elements: &*upper.elements, row: n, column: 1 };
    let left = triangle.matrix.from(width, 0);
    tools.add_product(dims, left, right, &mut below[middle..], n);
    upper.negate(0..width);
    tools.copy = lower;
    first ^ eliminate(matrix, n, middle..end, rows, tools)
}

/// Eliminates a few columns, in a copy in which they lie one behind the other.
fn eliminate_panel(
    matrix: &mut [f64],
    n: usize,
    columns: Range<usize>,
    rows: &mut [i64],
    tools: &mut Tools,
) -> bool {
    let (start, width) = (columns.start, columns.len());
    let height = n - start;
    tools.copy.grow(height * width);
    let panel = &mut tools.copy[..height * width];
    for (row, elements) in matrix[start * n..].chunks_exact(n).enumerate() {
        for (column, element) in elements[columns.clone()].iter().enumerate() {
            panel[column * height + row] = *element;
        }
    }
    let mut exchanges = [0; WIDTH];
    simd::run(Panel { columns: panel, height, exchanges: &mut exchanges[..width] });
    let mut is_odd = false;
    for (at, exchange) in exchanges[..width].iter().map(|row| *row as usize).enumerate() {
        if exchange != at {
            let (above, below) = matrix.split_at_mut((start + exchange) * n);
            above[(start + at) * n..][..n].swap_with_slice(&mut below[..n]);
            rows.swap(start + at, start + exchange);
            is_odd = !is_odd;
        }
    }
    for (row, elements) in matrix[start * n..].chunks_exact_mut(n).enumerate() {
        for (column, element) in elements[columns.clone()].iter_mut().enumerate() {
            *element = panel[column * height + row];
        }
    }
    is_odd
}

/// Whether a square matrix is the identity.
fn is_identity(matrix: &[f64], n: usize) -> bool {
    matrix.chunks_exact(n).enumerate().all(|(at, row)| {
        let (before, rest) = row.split_at(at);
        rest[0] == 1.0 && before.iter().chain(&rest[1..]).all(|element| *element == 0.0)
    })
}
