//! Products, and which backend computes one.

use crate::kernel::matmul::Scalar;
use crate::kernel::matmul::gemm::Blocked;
use crate::kernel::matmul::lines::Lines;
use crate::kernel::matmul::panels::Panels;
use crate::kernel::matmul::plain::{Plain, TINY};
use crate::kernel::scratch::Aligned;

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

/// A part of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Elements from one row of the result to the next.
    pub(crate) across: usize,
    /// The first contracted element that is multiplied, and the first behind those.
    pub(crate) contracted: (usize, usize),
}

/// Room for copies, grown to what is needed.
#[derive(Debug, Default)]
pub(crate) struct Room<T> {
    /// Of a block of the left operand.
    pub(crate) block: Aligned<T>,
    /// Of a panel of the right operand.
    pub(crate) panel: Aligned<T>,
    /// Of a result that is to be turned.
    pub(crate) turned: Aligned<T>,
    /// Of all panels of the right operand, if others are about to be multiplied by it.
    pub(crate) kept: Option<Panels<T>>,
}

/// A product to be computed: `result = left · right`.
#[derive(Debug)]
pub(crate) struct Product<'a, T> {
    pub(crate) dims: Dims,
    pub(crate) left: Matrix<'a, T>,
    pub(crate) right: Matrix<'a, T>,
    /// Row-major.
    pub(crate) result: &'a mut [T],
    /// How far rows of the result are apart, and which contracted elements are multiplied, the others being taken for zeros;
    /// `None`: as many as there are columns, and all. [`Blocked`] alone can do otherwise.
    pub(crate) part: Option<Part>,
    /// Whether the sums go on from what the result holds, as if this had been contracted before, which is no more than a
    /// [block](crate::kernel::matmul::gemm::DEPTH); else it does not matter. [`Blocked`] alone does so.
    pub(crate) on: bool,
    /// `None` where [`Blocked`] is not asked.
    pub(crate) room: Option<&'a mut Room<T>>,
}

impl<'a, T> Product<'a, T> {
    /// All of a product, with a dense result.
    #[inline(always)]
    pub(crate) fn whole(
        dims: Dims,
        left: Matrix<'a, T>,
        right: Matrix<'a, T>,
        result: &'a mut [T],
        room: Option<&'a mut Room<T>>,
    ) -> Product<'a, T> {
        Product { dims, left, right, result, part: None, on: false, room }
    }

    /// One column as one row, which lies in memory as the column does.
    pub(super) fn turned(self) -> Product<'a, T> {
        let Dims { m, k, n } = self.dims;
        assert_eq!(n, 1, "a product of one column");
        let (left, right) = (self.right.transposed(), self.left.transposed());
        Product { dims: Dims { m: n, k, n: m }, left, right, ..self }
    }
}

/// A way to multiply matrices.
pub(crate) trait Matmul<T> {
    /// Computes a product.
    ///
    /// The bits of a row must not depend on which other rows are asked for in the same call.
    fn multiply(&self, product: Product<'_, T>);
}

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

impl Method {
    /// What to use for a whole product of this size, operands having these (row, column) strides.
    pub(crate) fn of(dims: Dims, left: (usize, usize), right: (usize, usize)) -> Method {
        let tiny = dims.m.saturating_mul(dims.k).saturating_mul(dims.n) <= TINY;
        let together = left.1 == 1 && right.0 == 1;
        match dims {
            _ if tiny => Method::Plain,
            Dims { m: 1, .. } | Dims { n: 1, .. } if together => Method::Lines,
            Dims { m: 1, .. } | Dims { k: 1, .. } if right.1 == 1 => Method::Plain,
            Dims { n: 1, .. } if left.0 == 1 => Method::Plain,
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
