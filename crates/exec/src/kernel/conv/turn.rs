//! A matrix copied row by row: columns turned into rows.
#![allow(unsafe_code, reason = "turning is compiled for every kind of vector register")]

use crate::kernel::matmul::Matrix;
use crate::kernel::multiply::InRegisters;
use crate::kernel::pack::copy;
use crate::kernel::register::Vector;

/// `to[r · row + c] = from[r, c]`, for so many rows and columns.
#[derive(Debug)]
pub(crate) struct Turned<'a, T> {
    pub(crate) from: Matrix<'a, T>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) to: &'a mut [T],
    /// How far rows are apart.
    pub(crate) row: usize,
}

impl<T: Copy + Default> InRegisters<T> for Turned<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let Turned { from, rows, columns, to, row } = self;
        // SAFETY: the caller's promise.
        unsafe { copy::<V>(from, rows, columns, row, to) }
    }
}
