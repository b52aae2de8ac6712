//! The factor of a symmetric positive definite matrix.

use std::ops::Range;

use crate::kernel::linalg::per_matrix::{Rule, Task};
use crate::kernel::linalg::space::{Space, Tools};
use crate::kernel::linalg::triangle::{RightSides, SMALL, Triangle, subtract_product};
use crate::kernel::matmul::{Dims, Matrix, evenly};
use crate::kernel::simd::{self, Loop};

/// `L` with `L · Lᵀ = A`, by way of `U = Lᵀ`: rows of `U` lie together, and what they do to later rows is a product of them.
#[derive(Debug)]
pub(crate) struct Cholesky;

/// Rows of the triangle that are updated at once: of so many, what is left of the diagonal is computed in vain.
const STRIP: usize = 48;

/// A row, and the number in it whose root does not exist.
type NoRoot = (usize, f64);

impl Rule for Cholesky {
    const NAME: &'static str = "cholesky";
    const IN_PLACE: &'static [usize] = &[];

    fn flops(&self, n: u64, _columns: u64) -> u64 {
        n * n * n / 3
    }

    fn compute(&self, Task { n, matrix, result, space, .. }: Task<'_>) -> Result<(), String> {
        let Space { factors, tools, .. } = space;
        factors.grow(n * n);
        let upper = &mut factors[..n * n];
        symmetric_part(matrix, n, upper);
        let done = match n <= SMALL {
            true => simd::run(Rows::<false> { upper, n, rows: 0..n }),
            // Rounded as the interpreter's, the answer may be another; and so may the number that is reported.
            false => factor(upper, n, 0..n, tools).or_else(|_| {
                symmetric_part(matrix, n, upper);
                simd::run(Rows::<false> { upper, n, rows: 0..n })
            }),
        };
        done.map_err(|(row, pivot)| {
            format!("is not positive definite: row {row} leaves {pivot} under the root")
        })?;
        turn_upper(upper, n, result);
        Ok(())
    }
}

/// The upper triangle of `(A + Aᵀ)/2`.
fn symmetric_part(matrix: &[f64], n: usize, upper: &mut [f64]) {
    for_tiles(n, |rows, columns| {
        for row in rows {
            let columns = columns.start.max(row)..columns.end;
            let turned = matrix[columns.start * n + row..].iter().step_by(n);
            let place = row * n + columns.start..row * n + columns.end;
            for ((upper, one), other) in upper[place.clone()].iter_mut().zip(&matrix[place]).zip(turned) {
                *upper = 0.5 * (one + other);
            }
        }
    });
}

/// The transpose of an upper triangle, and zeros above it.
fn turn_upper(upper: &[f64], n: usize, lower: &mut [f64]) {
    for_tiles(n, |columns, rows| {
        for row in rows {
            let turned = upper[columns.start * n + row..].iter().step_by(n);
            let place = row * n + columns.start..row * n + columns.end.min(row + 1);
            for (lower, upper) in lower[place].iter_mut().zip(turned) {
                *lower = *upper;
            }
        }
    });
    for (row, elements) in lower.chunks_exact_mut(n.max(1)).enumerate() {
        elements[row + 1..].fill(0.0);
    }
}

/// Goes through the tiles on and above the diagonal: rows and columns of each.
fn for_tiles(n: usize, mut tile: impl FnMut(Range<usize>, Range<usize>)) {
    const TILE: usize = 16;
    for row in (0..n).step_by(TILE) {
        for column in (row..n).step_by(TILE) {
            tile(row..n.min(row + TILE), column..n.min(column + TILE));
        }
    }
}

/// Factors these rows and columns; what the rows before them do to them is done.
fn factor(upper: &mut [f64], n: usize, rows: Range<usize>, tools: &mut Tools) -> Result<(), NoRoot> {
    let Range { start, end } = rows;
    if rows.len() <= SMALL {
        return simd::run(Rows::<true> { upper, n, rows });
    }
    let middle = start + rows.len().div_ceil(2).next_multiple_of(SMALL);
    factor(upper, n, start..middle, tools)?;
    let (height, width) = (middle - start, end - middle);
    let mut copy = std::mem::take(&mut tools.copy);
    // First the triangle, then the rows to the right of it.
    copy.grow(height * (height + width));
    let (triangle, beside) = copy.split_at_mut(height * height);
    for (row, copy) in (start..middle).zip(triangle.chunks_exact_mut(height)) {
        copy.copy_from_slice(&upper[row * n + start..][..height]);
    }
    let (above, below) = upper.split_at_mut(middle * n);
    let matrix = Matrix { elements: &*triangle, row: 1, column: height };
    let triangle = Triangle { matrix, n: height, is_lower: true, is_unit: false };
    let elements = &mut above[start * n + middle..];
    let mut right = RightSides { elements, columns: width, across: n, is_wedge: false };
    triangle.solve_negated(&mut right, tools);
    for (row, copy) in right.elements.chunks(n).zip(beside.chunks_exact_mut(width)) {
        for (copy, element) in copy.iter_mut().zip(row) {
            *copy = -element;
        }
    }
    let left = Matrix { elements: &*beside, row: 1, column: width };
    let negated = Matrix { elements: &*right.elements, row: n, column: 1 };
    for (first, count) in evenly(width, STRIP) {
        let dims = Dims { m: count, k: height, n: width - first };
        let result = &mut below[first * n + middle + first..];
        tools.add_product(dims, left.from(first, 0), negated.from(0, first), result, n);
    }
    right.negate(0..height);
    tools.copy = copy;
    factor(upper, n, middle..end, tools)
}

/// Factors a few rows, or all of them, row by row: in the interpreter's order, and if not `FUSED` with its roundings.
struct Rows<'a, const FUSED: bool> {
    upper: &'a mut [f64],
    n: usize,
    rows: Range<usize>,
}

impl<const FUSED: bool> Loop for Rows<'_, FUSED> {
    type Output = Result<(), NoRoot>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Result<(), NoRoot> {
        let Rows { upper, n, rows } = self;
        for row in rows.clone() {
            let (above, below) = upper[..rows.end * n].split_at_mut((row + 1) * n);
            let known = &mut above[row * n..][row..rows.end];
            let (diagonal, known) = known.split_first_mut().expect("a row begins at its diagonal");
            if *diagonal <= 0.0 {
                return Err((row, *diagonal));
            }
            *diagonal = diagonal.sqrt();
            for element in &mut *known {
                *element /= *diagonal;
            }
            for (at, later) in below.chunks_exact_mut(n).enumerate() {
                let factor = known[at];
                let later = &mut later[row + 1 + at..rows.end];
                for (element, known) in later.iter_mut().zip(&known[at..]) {
                    *element = subtract_product::<FUSED, FMA>(*element, factor, *known);
                }
            }
        }
        Ok(())
    }
}
