//! One matrix product over strided operands, behind a trait that a faster backend can take over.
//!
//! Every backend computes each row of the result in the same way wherever the rows are cut: the bits do not depend on
//! how a product is split among workers. Which backend a product gets depends on its whole size, never on a piece's.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};
use pullback_graph::Element;

use crate::kernel::simd::{self, Loop};

/// The size of a product: `m`×`k` times `k`×`n`, none of them 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dims {
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
}

/// A matrix in a buffer: element `(i, j)` is at `i · row + j · column`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a, T> {
    pub(crate) elements: &'a [T],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// Elements that matrices can be made of.
pub(crate) trait Scalar: Element {
    /// `accumulator + a · b`, rounded after the product and after the sum.
    fn add_product(accumulator: Self, a: Self, b: Self) -> Self;
    /// `a + b`.
    fn add(a: Self, b: Self) -> Self;
}

impl Scalar for f32 {
    #[inline(always)]
    fn add_product(accumulator: f32, a: f32, b: f32) -> f32 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f32, b: f32) -> f32 {
        a + b
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn add_product(accumulator: f64, a: f64, b: f64) -> f64 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f64, b: f64) -> f64 {
        a + b
    }
}

/// A way to multiply matrices.
pub(crate) trait Matmul<T> {
    /// Writes `left · right` to `result`, dense and row-major, whatever it held.
    ///
    /// The bits of a row must not depend on which other rows are asked for in the same call.
    fn multiply(&self, dims: Dims, left: Matrix<'_, T>, right: Matrix<'_, T>, result: &mut [T]);
}

/// The `matrixmultiply` crate, through ndarray: packed, blocked, FMA where the processor has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked;

/// Multiples of the right operand's rows added up: for products so small that packing would cost more than multiplying,
/// and for a row times a matrix, which has nothing to reuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

/// A sum of products per element of the result, for a vector times lines that each lie together in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines;

/// The backend of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// [`Plain`].
    Plain,
    /// [`Lines`].
    Lines,
    /// [`Blocked`].
    Blocked,
}

/// Multiplications up to which [`Plain`] wins.
const TINY: usize = 512;

impl Method {
    /// What to use for a whole product of this size, operands having these (row, column) strides.
    pub(crate) fn of(dims: Dims, left: (usize, usize), right: (usize, usize)) -> Method {
        let tiny = dims.m.saturating_mul(dims.k).saturating_mul(dims.n) <= TINY;
        let together = left.1 == 1 && right.0 == 1;
        match dims {
            _ if tiny => Method::Plain,
            Dims { m: 1, .. } | Dims { n: 1, .. } if together => Method::Lines,
            Dims { m: 1, .. } if right.1 == 1 => Method::Plain,
            _ => Method::Blocked,
        }
    }

    /// Runs the backend.
    pub(crate) fn multiply<T: Scalar>(
        self,
        dims: Dims,
        left: Matrix<'_, T>,
        right: Matrix<'_, T>,
        result: &mut [T],
    ) where
        Blocked: Matmul<T>,
    {
        match self {
            Method::Plain => Plain.multiply(dims, left, right, result),
            Method::Lines => Lines.multiply(dims, left, right, result),
            Method::Blocked => Blocked.multiply(dims, left, right, result),
        }
    }
}

impl Matmul<f32> for Blocked {
    fn multiply(&self, dims: Dims, left: Matrix<'_, f32>, right: Matrix<'_, f32>, result: &mut [f32]) {
        general_mat_mul(
            1.0,
            &left.view(dims.m, dims.k),
            &right.view(dims.k, dims.n),
            0.0,
            &mut dense(dims, result),
        );
    }
}

impl Matmul<f64> for Blocked {
    fn multiply(&self, dims: Dims, left: Matrix<'_, f64>, right: Matrix<'_, f64>, result: &mut [f64]) {
        general_mat_mul(
            1.0,
            &left.view(dims.m, dims.k),
            &right.view(dims.k, dims.n),
            0.0,
            &mut dense(dims, result),
        );
    }
}

impl<T: Scalar> Matmul<T> for Plain {
    fn multiply(&self, dims: Dims, left: Matrix<'_, T>, right: Matrix<'_, T>, result: &mut [T]) {
        simd::run(Rows { dims, left, right, result });
    }
}

/// The rows of a product as sums of multiples of the right operand's rows.
struct Rows<'a, T> {
    dims: Dims,
    left: Matrix<'a, T>,
    right: Matrix<'a, T>,
    result: &'a mut [T],
}

impl<T: Scalar> Loop for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { dims, left, right, result } = self;
        result.fill(T::default());
        for (i, sums) in result.chunks_exact_mut(dims.n).enumerate() {
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
}

impl<T: Scalar> Matmul<T> for Lines {
    fn multiply(&self, dims: Dims, left: Matrix<'_, T>, right: Matrix<'_, T>, result: &mut [T]) {
        simd::run(Sums { dims, left, right, result });
    }
}

/// The elements of a product one by one, contracted elements lying together on both sides.
struct Sums<'a, T> {
    dims: Dims,
    left: Matrix<'a, T>,
    right: Matrix<'a, T>,
    result: &'a mut [T],
}

/// Products that are added up side by side.
const LANES: usize = 32;

impl<T: Scalar> Loop for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Sums { dims, left, right, result } = self;
        for (at, sum) in result.iter_mut().enumerate() {
            let (i, j) = (at / dims.n, at % dims.n);
            let ours = &left.elements[i * left.row..][..dims.k];
            let theirs = &right.elements[j * right.column..][..dims.k];
            let mut lanes = [T::default(); LANES];
            let (our_rows, our_rest) = ours.as_chunks::<LANES>();
            let (their_rows, their_rest) = theirs.as_chunks::<LANES>();
            for (ours, theirs) in our_rows.iter().zip(their_rows) {
                for lane in 0..LANES {
                    lanes[lane] = T::add_product(lanes[lane], ours[lane], theirs[lane]);
                }
            }
            for (lane, (ours, theirs)) in our_rest.iter().zip(their_rest).enumerate() {
                lanes[lane] = T::add_product(lanes[lane], *ours, *theirs);
            }
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    lanes[lane] = T::add(lanes[lane], lanes[lane + half]);
                }
                half /= 2;
            }
            *sum = lanes[0];
        }
    }
}

impl<'a, T> Matrix<'a, T> {
    /// The matrix from row `row` on.
    #[cfg(test)]
    fn below(self, row: usize) -> Matrix<'a, T> {
        let start = (row * self.row).min(self.elements.len());
        Matrix { elements: &self.elements[start..], ..self }
    }

    fn view(self, rows: usize, columns: usize) -> ArrayView2<'a, T> {
        ArrayView2::from_shape((rows, columns).strides((self.row, self.column)), self.elements)
            .expect("the strides of a dot product stay within its operand")
    }
}

fn dense<T>(dims: Dims, result: &mut [T]) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((dims.m, dims.n), result).expect("a dense result has one place per element")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrices(dims: Dims) -> (Vec<f64>, Vec<f64>) {
        let value = |seed: usize| ((seed * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        ((0..dims.m * dims.k).map(value).collect(), (0..dims.k * dims.n).map(|i| value(i + 31)).collect())
    }

    /// Left and right as stored: by rows, or by columns.
    fn stored(by_rows: bool, rows: usize, columns: usize, elements: &[f64]) -> Matrix<'_, f64> {
        match by_rows {
            true => Matrix { elements, row: columns, column: 1 },
            false => Matrix { elements, row: 1, column: rows },
        }
    }

    #[test]
    fn backends_agree_for_all_storage_orders_and_any_row_split() {
        for (m, k, n) in [
            (1, 1, 1),
            (4, 2, 4),
            (7, 5, 3),
            (33, 17, 20),
            (70, 300, 5),
            (1, 64, 9),
            (1, 700, 40),
            (50, 90, 1),
        ] {
            let dims = Dims { m, k, n };
            let (left, right) = matrices(dims);
            for orders in 0..4 {
                let a = stored(orders & 1 == 0, m, k, &left);
                let b = stored(orders & 2 == 0, k, n, &right);
                let mut expected = vec![f64::NAN; m * n];
                Plain.multiply(dims, a, b, &mut expected);
                let mut whole = vec![f64::NAN; m * n];
                Blocked.multiply(dims, a, b, &mut whole);
                let far = expected.iter().zip(&whole).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
                assert_eq!(far, 0, "{dims:?}, storage {orders}");
                let method = Method::of(dims, (a.row, a.column), (b.row, b.column));
                let mut chosen = vec![f64::NAN; m * n];
                method.multiply(dims, a, b, &mut chosen);
                let far = expected.iter().zip(&chosen).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
                assert_eq!(far, 0, "{dims:?}, storage {orders}, {method:?}");
                for split in [1, 2, 5, 8] {
                    let mut parts = vec![f64::NAN; m * n];
                    for start in (0..m).step_by(split) {
                        let rows = split.min(m - start);
                        let part = &mut parts[start * n..(start + rows) * n];
                        Blocked.multiply(Dims { m: rows, ..dims }, a.below(start), b, part);
                    }
                    assert_eq!(parts, whole, "{dims:?} in blocks of {split} rows, storage {orders}");
                }
            }
        }
    }
}
