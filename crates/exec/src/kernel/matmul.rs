//! One matrix product over strided operands, behind a trait that a faster backend can take over.
//!
//! Every backend computes each row of the result in the same way wherever the rows are cut: the bits do not depend on
//! how a product is split among workers. Which backend a product gets depends on its whole size, never on a piece's.

use pullback_graph::Element;

use crate::kernel::multiply::Multiply;
use crate::kernel::scratch::Aligned;
use crate::kernel::simd::{self, InstructionSet, Loop};

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
pub(crate) trait Scalar: Element + Multiply {
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

/// A product to be computed: `result = left · right`.
#[derive(Debug)]
pub(crate) struct Product<'a, T> {
    pub(crate) dims: Dims,
    pub(crate) left: Matrix<'a, T>,
    pub(crate) right: Matrix<'a, T>,
    /// Dense and row-major.
    pub(crate) result: &'a mut [T],
    /// Whether the sums go on from what the result holds, as if this had been contracted before, which is no more than a
    /// [block](crate::kernel::gemm::DEPTH); else it does not matter. [`Blocked`] alone does so.
    pub(crate) on: bool,
    /// Room for copies of the operands and of the result, grown to what is needed.
    pub(crate) room: &'a mut [Aligned<T>; 3],
}

/// A way to multiply matrices.
pub(crate) trait Matmul<T> {
    /// Computes a product.
    ///
    /// The bits of a row must not depend on which other rows are asked for in the same call.
    fn multiply(&self, product: Product<'_, T>);
}

/// In blocks and tiles: see [`gemm`](mod@crate::kernel::gemm).
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
    pub(crate) fn multiply<T: Scalar>(self, product: Product<'_, T>) {
        match self {
            Method::Plain => Plain.multiply(product),
            Method::Lines => Lines.multiply(product),
            Method::Blocked => Blocked.multiply(product),
        }
    }
}

impl<T: Multiply> Matmul<T> for Blocked {
    fn multiply(&self, product: Product<'_, T>) {
        T::multiply(InstructionSet::detected(), product);
    }
}

impl<T: Scalar> Matmul<T> for Plain {
    fn multiply(&self, product: Product<'_, T>) {
        let Product { dims, left, right, result, .. } = product;
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
    fn run<const FMA: bool>(mut self) {
        let Dims { m, k, n } = self.dims;
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

    /// So many columns from `column` on, adding up in registers.
    #[inline(always)]
    fn strip<const COLUMNS: usize>(&mut self, column: usize) {
        let Rows { dims, left, right, result } = self;
        for i in 0..dims.m {
            let mut sums = [T::default(); COLUMNS];
            for k in 0..dims.k {
                let factor = left.elements[i * left.row + k * left.column];
                let start = k * right.row + column * right.column;
                if right.column == 1 {
                    let values = &right.elements[start..start + COLUMNS];
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = T::add_product(*sum, factor, *value);
                    }
                } else {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = T::add_product(*sum, factor, right.elements[start + j * right.column]);
                    }
                }
            }
            let start = i * dims.n + column;
            result[start..start + COLUMNS].copy_from_slice(&sums);
        }
    }
}

impl<T: Scalar> Matmul<T> for Lines {
    fn multiply(&self, product: Product<'_, T>) {
        let Product { dims, left, right, result, .. } = product;
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
    fn run<const FMA: bool>(self) {
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
    /// The matrix from row `row` and column `column` on.
    #[inline(always)]
    pub(crate) fn from(self, row: usize, column: usize) -> Matrix<'a, T> {
        let start = (row * self.row + column * self.column).min(self.elements.len());
        Matrix { elements: &self.elements[start..], ..self }
    }

    /// Rows as columns.
    #[inline(always)]
    pub(crate) fn transposed(self) -> Matrix<'a, T> {
        Matrix { row: self.column, column: self.row, ..self }
    }

    /// Checks that `rows` × `columns` elements are there.
    ///
    /// # Panics
    /// When they are not.
    pub(crate) fn check(self, rows: usize, columns: usize) {
        let last = (rows - 1) * self.row + (columns - 1) * self.column;
        assert!(last < self.elements.len(), "the strides of a product stay within its operand");
    }
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

    fn product(
        method: impl Matmul<f64>,
        dims: Dims,
        left: Matrix<'_, f64>,
        right: Matrix<'_, f64>,
    ) -> Vec<f64> {
        let mut result = vec![f64::NAN; dims.m * dims.n];
        let mut room = std::array::from_fn(|_| Aligned::default());
        method.multiply(Product { dims, left, right, result: &mut result, on: false, room: &mut room });
        result
    }

    impl<T: Scalar> Matmul<T> for Method {
        fn multiply(&self, product: Product<'_, T>) {
            Method::multiply(*self, product);
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
            (100, 800, 50),
            (30, 20, 300),
            (90, 256, 160),
            (100, 530, 290),
            (40, 300, 600),
            (9, 500, 400),
        ] {
            let dims = Dims { m, k, n };
            let (left, right) = matrices(dims);
            for orders in 0..4 {
                let a = stored(orders & 1 == 0, m, k, &left);
                let b = stored(orders & 2 == 0, k, n, &right);
                let expected = product(Plain, dims, a, b);
                let whole = product(Blocked, dims, a, b);
                let far = expected.iter().zip(&whole).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
                assert_eq!(far, 0, "{dims:?}, storage {orders}");
                let method = Method::of(dims, (a.row, a.column), (b.row, b.column));
                let chosen = product(method, dims, a, b);
                let far = expected.iter().zip(&chosen).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
                assert_eq!(far, 0, "{dims:?}, storage {orders}, {method:?}");
                for split in [1, 2, 5, 8, 40] {
                    let mut parts = Vec::new();
                    for start in (0..m).step_by(split) {
                        let rows = split.min(m - start);
                        parts.extend(product(Blocked, Dims { m: rows, ..dims }, a.from(start, 0), b));
                    }
                    assert_eq!(parts, whole, "{dims:?} in blocks of {split} rows, storage {orders}");
                }
            }
        }
    }

    fn check_sets<T: Multiply + Element>(tolerance: f64) {
        for (m, k, n) in [(1, 1, 1), (5, 3, 2), (13, 40, 33), (25, 500, 70), (12, 64, 300)] {
            let dims = Dims { m, k, n };
            let (left, right) = matrices(dims);
            let expected = product(Plain, dims, stored(true, m, k, &left), stored(true, k, n, &right));
            let of = |values: &[f64]| values.iter().map(|value| T::from_f64(*value)).collect::<Vec<T>>();
            let (left, right) = (of(&left), of(&right));
            let left = Matrix { elements: &left[..], row: k, column: 1 };
            let right = Matrix { elements: &right[..], row: n, column: 1 };
            for set in simd::tests::all() {
                let mut result = vec![T::default(); m * n];
                let mut room = std::array::from_fn(|_| Aligned::default());
                T::multiply(
                    set,
                    Product { dims, left, right, result: &mut result, on: false, room: &mut room },
                );
                for (got, expected) in result.iter().zip(&expected) {
                    let bound = tolerance * k as f64;
                    assert!(
                        (got.to_f64() - expected).abs() <= bound,
                        "{dims:?}, {set:?}: {got:?}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_multiplies() {
        check_sets::<f32>(2e-7);
        check_sets::<f64>(4e-16);
    }
}
