//! Products of windows turned into rows of a result.
#![allow(unsafe_code, reason = "turning is compiled for every kind of vector register")]

use crate::kernel::matmul::Matrix;
use crate::kernel::multiply::InRegisters;
use crate::kernel::pack::copy;
use crate::kernel::register::Vector;

/// `to[r · row + w] = held[w · rows + r]`, for as many windows as are held.
#[derive(Debug)]
pub(crate) struct Turned<'a, T> {
    pub(crate) rows: usize,
    pub(crate) held: &'a [T],
    pub(crate) to: &'a mut [T],
    /// How far rows of the result are apart.
    pub(crate) row: usize,
}

impl<T: Copy + Default> InRegisters<T> for Turned<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let Turned { rows, held, to, row } = self;
        let matrix = Matrix { elements: held, row: 1, column: rows };
        // SAFETY: the caller's promise.
        unsafe { copy::<V>(matrix, rows, held.len() / rows, row, to) }
    }
}
