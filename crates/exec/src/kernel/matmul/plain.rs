//! Products as sums of multiples of rows.

use crate::kernel::matmul::{Dims, Matmul, Product, Scalar};
use crate::kernel::simd::{self, Loop};

/// Multiples of the right operand's rows added up: for products so small that packing would cost more than multiplying, and for
/// a row times a matrix or a column times a row, which have nothing to reuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

/// Multiplications up to which [`Plain`] wins.
pub(super) const TINY: usize = 512;

impl<T: Scalar> Matmul<T> for Plain {
    fn multiply(&self, product: Product<'_, T>) {
        simd::run(Rows(product));
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
    /// All columns, adding up in the result.
    #[inline(always)]
    fn multiples(&mut self) {
        let Product { dims, left, right, result, .. } = &mut self.0;
        for (i, sums) in result.chunks_exact_mut(dims.n).enumerate() {
            // Row by row, so that it is near when it is added to.
            sums.fill(T::default());
            for k in 0..dims.k {
                let factor = left.elements[i * left.row + k * left.column];
                let values = &right.elements[k * right.row..];
                if right.column == 1 {
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = T::add_product(*sum, factor, *value);
                    }
                } else {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = T::add_product(*sum, factor, values[j * right.column]);
                    }
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
