//! Copies of a part of an operand in the order in which tiles read it.
#![allow(unsafe_code, reason = "whole registers are copied; the bounds of the part are checked once")]

use crate::kernel::matmul::Matrix;
use crate::kernel::register::{Turn, Vector};

/// Copies the first `rows` × `columns` elements of a matrix to `to`, row by row, rows `stride` apart.
///
/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
pub(crate) unsafe fn copy<V: Vector>(
    from: Matrix<'_, V::Element>,
    rows: usize,
    columns: usize,
    stride: usize,
    to: &mut [V::Element],
) {
    from.check(rows, columns);
    assert!(columns <= stride && to.len() >= (rows - 1) * stride + columns, "the copy has room");
    let (source, to) = (from.elements.as_ptr(), to.as_mut_ptr());
    // SAFETY: both parts were checked to lie inside their buffers.
    unsafe {
        match from {
            Matrix { column: 1, .. } => lines::<V>(source, from.row, rows, columns, to, stride),
            Matrix { row: 1, .. } => turn::<V::Turning>(source, from.column, rows, columns, to, stride),
            _ => scattered(source, [from.row, from.column], 0..rows, 0..columns, to, stride),
        }
    }
}

/// Copies rows whose elements are neighbors.
///
/// # Safety
/// The instruction set of `V`, `rows` × `columns` elements at `from`, and room for them at `to`.
#[inline(always)]
unsafe fn lines<V: Vector>(
    from: *const V::Element,
    row: usize,
    rows: usize,
    columns: usize,
    to: *mut V::Element,
    stride: usize,
) {
    let whole = columns - columns % V::LANES;
    // SAFETY: as the caller promises.
    unsafe {
        let rest = V::first(columns - whole);
        for at in 0..rows {
            let (from, to) = (from.wrapping_add(at * row), to.wrapping_add(at * stride));
            for column in (0..whole).step_by(V::LANES) {
                V::load(from.add(column)).store(to.add(column));
            }
            if whole < columns {
                V::load_part(from.wrapping_add(whole), rest).store_part(to.wrapping_add(whole), rest);
            }
        }
    }
}

/// Copies rows the elements of which are `column` apart, neighbors being in the same column.
///
/// # Safety
/// As [`lines`].
#[inline(always)]
unsafe fn turn<V: Turn>(
    from: *const V::Element,
    column: usize,
    rows: usize,
    columns: usize,
    to: *mut V::Element,
    stride: usize,
) {
    let (whole_rows, whole_columns) = (rows - rows % V::NEIGHBORS, columns - columns % V::LINES);
    // SAFETY: as the caller promises.
    unsafe {
        for row in (0..whole_rows).step_by(V::NEIGHBORS) {
            for first in (0..whole_columns).step_by(V::LINES) {
                V::turn(from.add(first * column + row), column, to.add(row * stride + first), stride);
            }
        }
        scattered(from, [1, column], whole_rows..rows, 0..whole_columns, to, stride);
        scattered(from, [1, column], 0..rows, whole_columns..columns, to, stride);
    }
}

/// Copies elements one by one.
///
/// # Safety
/// The elements must be at `from`, with room for them at `to`.
#[inline(always)]
unsafe fn scattered<T: Copy>(
    from: *const T,
    [row, column]: [usize; 2],
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    to: *mut T,
    stride: usize,
) {
    for at in rows {
        for other in columns.clone() {
            // SAFETY: as the caller promises.
            unsafe { to.add(at * stride + other).write(from.add(at * row + other * column).read()) }
        }
    }
}
