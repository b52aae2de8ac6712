//! Products as sums of multiples of rows.

use std::array;

use crate::kernel::matmul::{Dims, Matmul, Matrix, Product, Scalar};
use crate::kernel::simd::{self, Loop};

/// Multiples of the right operand's rows added up: for products so small that packing would cost more than multiplying, and for
/// those that have nothing to reuse: a row times a matrix, a matrix whose rows lie side by side times a column, and a column
/// times a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

/// Multiplications up to which [`Plain`] wins.
pub(crate) const TINY: usize = 512;

/// Rows of the right operand that are added at once: so often is a sum read and written less.
const ABREAST: usize = 4;

/// Columns whose sums, and as many rows, are half of the first-level cache.
const NEAR: usize = 1 << 10;

impl<T: Scalar> Matmul<T> for Plain {
    fn multiply(&self, product: Product<'_, T>) {
        let Dims { m, k, n } = product.dims;
        // A column of which rows lie side by side is a row that columns do.
        let is_turned = n == 1 && product.left.row == 1 && m * k > TINY;
        simd::run(Rows(if is_turned { product.turned() } else { product }));
    }
}

/// The rows of a product as sums of multiples of the right operand's rows.
struct Rows<'a, T>(Product<'a, T>);

impl<T: Scalar> Loop for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let Dims { m, k, n } = self.0.dims;
        if m * k * n > TINY {
            self.multiples();
            return;
        }
        let mut column = 0;
        macro_rules! strips {
            ($($count:literal)*) => {
                $(while n - column >= $count {
                    self.strip::<$count>(column);
                    column += $count;
                })*
            };
        }
        strips!(16 8 4 2 1);
    }
}

impl<T: Scalar> Rows<'_, T> {
    /// All columns, adding up in the result: so many that they stay near while all rows are added to them.
    #[inline(always)]
    fn multiples(&mut self) {
        let Product { dims, left, right, result, .. } = &mut self.0;
        for (i, sums) in result.chunks_exact_mut(dims.n).enumerate() {
            let left = left.from(i, 0);
            for (part, sums) in sums.chunks_mut(NEAR).enumerate() {
                let right = right.from(0, part * NEAR);
                let mut k = if dims.k < ABREAST { 1 } else { ABREAST };
                match k {
                    1 => add::<T, 1, true>(left, right, sums),
                    _ => add::<T, ABREAST, true>(left, right, sums),
                }
                while dims.k - k >= ABREAST {
                    add::<T, ABREAST, false>(left.from(0, k), right.from(k, 0), sums);
                    k += ABREAST;
                }
                while k < dims.k {
                    add::<T, 1, false>(left.from(0, k), right.from(k, 0), sums);
                    k += 1;
                }
            }
        }
    }

    /// So many columns from `column` on, adding up in registers.
    #[inline(always)]
    fn strip<const COLUMNS: usize>(&mut self, column: usize) {
        let Product { dims, left, right, result, .. } = &mut self.0;
        let first = column * right.column;
        for i in 0..dims.m {
            let mut sums = [T::default(); COLUMNS];
            let (mut ours, mut theirs) = (i * left.row, first);
            for _ in 0..dims.k {
                let factor = left.elements[ours];
                if right.column == 1 || COLUMNS == 1 {
                    let values: &[T; COLUMNS] = right.elements[theirs..].first_chunk().expect("all columns");
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = T::add_product(*sum, factor, *value);
                    }
                } else {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = T::add_product(*sum, factor, right.elements[theirs + j * right.column]);
                    }
                }
                (ours, theirs) = (ours + left.column, theirs + right.row);
            }
            let start = i * dims.n + column;
            result[start..start + COLUMNS].copy_from_slice(&sums);
        }
    }
}

/// Adds multiples of the first `ROWS` rows, one after the other, to sums that are zero if they are `FRESH`.
#[inline(always)]
fn add<T: Scalar, const ROWS: usize, const FRESH: bool>(
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    sums: &mut [T],
) {
    let factors: [T; ROWS] = array::from_fn(|row| left.elements[row * left.column]);
    let start = |sum: &T| if FRESH { T::default() } else { *sum };
    if right.column == 1 {
        let rows: [&[T]; ROWS] = array::from_fn(|row| &right.elements[row * right.row..][..sums.len()]);
        for (column, sum) in sums.iter_mut().enumerate() {
            let products = factors.iter().zip(rows);
            *sum = products.fold(start(sum), |sum, (factor, row)| T::add_product(sum, *factor, row[column]));
        }
    } else {
        for (column, sum) in sums.iter_mut().enumerate() {
            let value = |row: usize| right.elements[row * right.row + column * right.column];
            *sum = (0..ROWS).fold(start(sum), |sum, row| T::add_product(sum, factors[row], value(row)));
        }
    }
}
