//! A panel: a few columns of a matrix, eliminated one by one.

use crate::kernel::linalg::triangle::{SMALL, subtract_product};
use crate::kernel::simd::Loop;

/// Columns of a panel at most.
pub(super) const WIDTH: usize = 8;

/// Rows of a column that are computed at once.
const STRIP: usize = 16;

/// Elimination with row exchanges in columns that lie one behind the other, each of `height` elements. Column by column: what
/// the columns before do to it, then its pivot.
pub(super) struct Panel<'a> {
    pub(super) columns: &'a mut [f64],
    pub(super) height: usize,
    /// The row that each of the first rows is exchanged with, one after the other.
    pub(super) exchanges: &'a mut [i64],
}

impl Loop for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Panel { columns, height, exchanges } = self;
        // A column whose pivot is 0 has nothing below it, and does nothing to others.
        let mut is_zero = [false; WIDTH];
        for (at, exchange) in exchanges.iter_mut().enumerate() {
            let (before, column) = columns.split_at_mut(at * height);
            let column = &mut column[..height];
            let mut factors = [0.0; WIDTH];
            for (k, known) in before.chunks_exact(height).enumerate() {
                factors[k] = if is_zero[k] { 0.0 } else { column[k] };
                for row in k + 1..at {
                    column[row] = subtract_product::<true, FMA>(column[row], factors[k], known[row]);
                }
            }
            if at > 0 {
                subtract::<FMA>(before, height, &factors[..at], &mut column[at..]);
            }
            let pivot = at + largest(&column[at..]);
            *exchange = pivot as i64;
            if pivot != at {
                for column in columns.chunks_exact_mut(height) {
                    column.swap(at, pivot);
                }
            }
            let column = &mut columns[at * height..][at..height];
            let (divisor, rest) = column.split_first_mut().expect("a pivot for each column");
            is_zero[at] = *divisor == 0.0;
            if !is_zero[at] {
                for element in rest {
                    *element /= *divisor;
                }
            }
        }
    }
}

/// Takes multiples of columns off the rows of a column that `rest` holds, its last ones.
#[inline(always)]
fn subtract<const FMA: bool>(columns: &[f64], height: usize, factors: &[f64], rest: &mut [f64]) {
    let first = height - rest.len();
    let mut row = 0;
    macro_rules! strips {
        ($($count:expr),*) => {
            $(while rest.len() - row >= $count {
                let strip: &mut [f64; $count] = rest[row..].first_chunk_mut().expect("all rows");
                let mut sums = *strip;
                for (column, factor) in columns.chunks_exact(height).zip(factors) {
                    let values: &[f64; $count] = column[first + row..].first_chunk().expect("all rows");
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = subtract_product::<true, FMA>(*sum, *factor, *value);
                    }
                }
                *strip = sums;
                row += $count;
            })*
        };
    }
    strips!(STRIP, 1);
}

/// Where the largest absolute value is, the first one of several; a NaN is taken as soon as it is met, so that it reaches the
/// result.
#[inline(always)]
fn largest(column: &[f64]) -> usize {
    const LANES: usize = 8;
    let mut most = [0.0_f64; LANES];
    let mut is_nan = [false; LANES];
    let (chunks, rest) = column.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let size = chunk[lane].abs();
            is_nan[lane] |= size.is_nan();
            most[lane] = if size > most[lane] { size } else { most[lane] };
        }
    }
    for value in rest {
        is_nan[0] |= value.is_nan();
        most[0] = if value.abs() > most[0] { value.abs() } else { most[0] };
    }
    let is_nan = is_nan.iter().any(|lane| *lane);
    let mut size = 0.0;
    for lane in most {
        size = if lane > size { lane } else { size };
    }
    for (row, value) in column.iter().enumerate() {
        if value.abs() == size && !is_nan || value.is_nan() {
            return row;
        }
    }
    0
}

/// Elimination with row exchanges of a small matrix, row by row: the operations and roundings of the interpreter.
pub(super) struct Whole<'a> {
    pub(super) matrix: &'a mut [f64],
    pub(super) n: usize,
    /// Row `i` of the factors is row `rows[i]` of the matrix.
    pub(super) rows: &'a mut [i64],
}

impl Loop for Whole<'_> {
    /// Whether the number of exchanges is odd.
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let Whole { matrix, n, rows } = self;
        assert!(n <= SMALL && matrix.len() == n * n && rows.len() == n, "a small matrix");
        let mut is_odd = false;
        for k in 0..n {
            let mut pivot = k;
            for row in k + 1..n {
                let (new, best) = (matrix[row * n + k].abs(), matrix[pivot * n + k].abs());
                if new > best || (new.is_nan() && !best.is_nan()) {
                    pivot = row;
                }
            }
            if pivot != k {
                for column in 0..n {
                    matrix.swap(k * n + column, pivot * n + column);
                }
                rows.swap(k, pivot);
                is_odd = !is_odd;
            }
            let (above, below) = matrix.split_at_mut((k + 1) * n);
            let pivot = &above[k * n + k..][..n - k];
            if pivot[0] == 0.0 {
                continue;
            }
            for row in below.chunks_exact_mut(n) {
                let row = &mut row[k..];
                let factor = row[0] / pivot[0];
                row[0] = factor;
                for (element, above) in row[1..].iter_mut().zip(&pivot[1..]) {
                    *element -= factor * above;
                }
            }
        }
        is_odd
    }
}
