//! Cofactors: `det A · A⁻ᵀ` where A is far from singular, and else what needs no division by the last pivot.

use crate::kernel::linalg::elimination::Elimination;
use crate::kernel::linalg::per_matrix::{Rule, Task};
use crate::kernel::linalg::space::Space;
use crate::kernel::linalg::triangle::SMALL;

/// The cofactors of each matrix.
#[derive(Debug)]
pub(crate) struct Cofactor;

/// The condition of a matrix up to which its inverse has enough digits.
const REGULAR: f64 = 1e6;

impl Rule for Cofactor {
    const NAME: &'static str = "cofactor";
    const IN_PLACE: &'static [usize] = &[];

    fn flops(&self, n: u64, _columns: u64) -> u64 {
        2 * n * n * n
    }

    fn compute(&self, task: Task<'_>) -> Result<(), String> {
        let Task { n, matrix, result, space, .. } = task;
        if n <= SMALL || !by_inverse(matrix, n, result, space) {
            by_elimination(matrix, n, result, space);
        }
        Ok(())
    }
}

/// Writes `det A · A⁻ᵀ`, if A is far from singular; else the result says nothing.
fn by_inverse(matrix: &[f64], n: usize, result: &mut [f64], space: &mut Space) -> bool {
    let Space { factors, spare, rows, tools, .. } = space;
    let elimination = Elimination::of(matrix, n, factors, rows, tools);
    let determinant = elimination.determinant();
    if !determinant.is_normal() {
        return false;
    }
    spare.grow(n * n);
    let inverse = &mut spare[..n * n];
    inverse.fill(0.0);
    inverse.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal = 1.0);
    elimination.invert(inverse, tools);
    let condition = size(matrix, n) * size(inverse, n);
    for (column, result) in result.chunks_exact_mut(n).enumerate() {
        for (row, result) in result.iter_mut().enumerate() {
            *result = determinant * inverse[row * n + column];
        }
    }
    condition <= REGULAR
}

/// The largest sum of absolute values in a row.
fn size(matrix: &[f64], n: usize) -> f64 {
    let sums = matrix.chunks_exact(n).map(|row| row.iter().map(|element| element.abs()).sum::<f64>());
    sums.fold(0.0, |most, sum| if sum > most || sum.is_nan() { sum } else { most })
}

/// By elimination with row and column exchanges, as the interpreter does, in the same order.
fn by_elimination(matrix: &[f64], n: usize, result: &mut [f64], space: &mut Space) {
    let Space { factors, spare, rows, columns, tools } = space;
    if n == 0 {
        return;
    }
    factors.grow(n * n);
    spare.grow(n * n);
    tools.copy.grow(n * n);
    rows.grow(n);
    columns.grow(n);
    let (factors, adjugate, turned) = (&mut factors[..n * n], &mut spare[..n * n], &mut tools.copy[..n * n]);
    let (rows, columns) = (&mut rows[..n], &mut columns[..n]);
    factors.copy_from_slice(matrix);
    let Some(is_odd) = eliminate(factors, n, rows, columns) else {
        result.fill(0.0);
        return;
    };
    let upper = |row: usize, column: usize| factors[row * n + column];
    // U = [U₁ u; 0 d], of adjugate |U₁| · [d·U₁⁻¹ -U₁⁻¹·u; 0 1].
    let (last, head) = (upper(n - 1, n - 1), n - 1);
    let determinant = (0..head).fold(if is_odd { -1.0 } else { 1.0 }, |product, k| product * upper(k, k));
    adjugate.fill(0.0);
    adjugate[n * n - 1] = determinant;
    for row in (0..head).rev() {
        let (above, below) = adjugate.split_at_mut((row + 1) * n);
        let sums = &mut above[row * n..][row..];
        for (k, known) in (row + 1..head).zip(below.chunks_exact(n)) {
            for (sum, known) in sums.iter_mut().zip(&known[row..]) {
                *sum += upper(row, k) * known;
            }
        }
        for (column, sum) in (row..n).zip(sums) {
            let wanted = match column == head {
                true => -determinant * upper(row, head),
                false if row == column => determinant * last,
                false => 0.0,
            };
            *sum = (wanted - *sum) / upper(row, row);
        }
    }
    // Times L⁻¹ from the right, last column first, columns lying together.
    for (column, turned) in turned.chunks_exact_mut(n).enumerate() {
        for (row, turned) in turned.iter_mut().enumerate() {
            *turned = adjugate[row * n + column];
        }
    }
    for column in (0..n).rev() {
        let (before, known) = turned.split_at_mut((column + 1) * n);
        let elements = &mut before[column * n..];
        for (k, known) in (column + 1..n).zip(known.chunks_exact(n)) {
            let factor = factors[k * n + column];
            for (element, known) in elements.iter_mut().zip(known) {
                *element -= known * factor;
            }
        }
    }
    for (row, turned) in rows.iter().zip(turned.chunks_exact(n)) {
        for (column, value) in columns.iter().zip(turned) {
            result[*row as usize * n + *column as usize] = *value;
        }
    }
}

/// `P·A·Q = L·U`, `L` below the diagonal: whether the number of exchanges is odd. `None` where two or more pivots are 0.
fn eliminate(matrix: &mut [f64], n: usize, rows: &mut [i64], columns: &mut [i64]) -> Option<bool> {
    for (at, (row, column)) in rows.iter_mut().zip(columns.iter_mut()).enumerate() {
        (*row, *column) = (at as i64, at as i64);
    }
    let mut is_odd = false;
    for k in 0..n - 1 {
        let pivot = largest(matrix, n, k);
        if matrix[pivot.0 * n + pivot.1] == 0.0 {
            return None;
        }
        if pivot.0 != k {
            let (above, below) = matrix.split_at_mut(pivot.0 * n);
            above[k * n..][..n].swap_with_slice(&mut below[..n]);
        }
        if pivot.1 != k {
            matrix.chunks_exact_mut(n).for_each(|row| row.swap(k, pivot.1));
        }
        rows.swap(k, pivot.0);
        columns.swap(k, pivot.1);
        is_odd ^= (pivot.0 != k) != (pivot.1 != k);
        let (above, below) = matrix.split_at_mut((k + 1) * n);
        let pivot = &above[k * n + k..][..n - k];
        for row in below.chunks_exact_mut(n) {
            let row = &mut row[k..];
            let factor = row[0] / pivot[0];
            row[0] = factor;
            for (element, above) in row[1..].iter_mut().zip(&pivot[1..]) {
                *element -= factor * above;
            }
        }
    }
    Some(is_odd)
}

/// The row and column, from `k` on, of the largest absolute value, the first of several, row by row; a NaN is taken as soon as
/// it is met, so that it reaches the result.
fn largest(matrix: &[f64], n: usize, k: usize) -> (usize, usize) {
    let size = |element: f64| if element.is_nan() { f64::INFINITY } else { element.abs() };
    let (mut pivot, mut most) = ((k, k), size(matrix[k * n + k]));
    for (row, elements) in matrix.chunks_exact(n).enumerate().skip(k) {
        let elements = &elements[k..];
        let mut lanes = [0.0; 8];
        let (chunks, rest) = elements.as_chunks::<8>();
        for chunk in chunks {
            for (lane, element) in lanes.iter_mut().zip(chunk) {
                let size = size(*element);
                *lane = if size > *lane { size } else { *lane };
            }
        }
        let of_rest = rest.iter().map(|element| size(*element));
        let largest = lanes.into_iter().chain(of_rest).fold(0.0, f64::max);
        if largest > most {
            let column = elements.iter().position(|element| size(*element) == largest);
            (pivot, most) = ((row, k + column.expect("it is one of them")), largest);
        }
    }
    pivot
}
