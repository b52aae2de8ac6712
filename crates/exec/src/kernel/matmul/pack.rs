//! Copies of a part of an operand in the order in which tiles read it.
#![allow(unsafe_code, reason = "whole registers are copied; the bounds of the part are checked once")]

use std::slice;

use pullback_graph::{DType, Element};

use crate::kernel::matmul::Matrix;
use crate::kernel::register::{InRegisters, Registers};
use crate::kernel::register::{Turn, Vector};
use crate::kernel::simd::InstructionSet;

/// Fills dense rows from columns whose elements are neighbors: the first `rows` elements of each, `column` apart in `from`.
pub(crate) fn turned<T: Element>(from: &[T], column: usize, rows: usize, to: &mut [T]) {
    fn turn<T: Registers>(elements: &[T], column: usize, rows: usize, to: &mut [T]) {
        let (from, columns) = (Matrix { elements, row: 1, column }, to.len() / rows);
        T::in_registers(InstructionSet::detected(), Turned { from, rows, columns, to, row: columns });
    }
    if T::DTYPE == DType::Bool {
        let columns = to.len() / rows;
        assert!((columns - 1) * column + rows <= from.len() && rows * columns <= to.len(), "a copy has room");
        // SAFETY: it was checked that all elements are there, and room for as many.
        unsafe { scattered(from.as_ptr(), [1, column], 0..rows, 0..columns, to.as_mut_ptr(), columns) };
    } else if size_of::<T>() == size_of::<f32>() {
        // SAFETY: numbers of one size, all bits of which are numbers; registers only move them.
        unsafe { turn(numbers::<T, f32>(from), column, rows, numbers_mut(to)) };
    } else {
        // SAFETY: as above; there are no numbers of other sizes.
        unsafe { turn(numbers::<T, f64>(from), column, rows, numbers_mut(to)) };
    }
}

/// # Safety
/// Both types are numbers of one size.
unsafe fn numbers<From, To>(elements: &[From]) -> &[To] {
    assert_eq!(size_of::<From>(), size_of::<To>(), "numbers of one size");
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) }
}

/// # Safety
/// As [`numbers`].
unsafe fn numbers_mut<From, To>(elements: &mut [From]) -> &mut [To] {
    assert_eq!(size_of::<From>(), size_of::<To>(), "numbers of one size");
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), elements.len()) }
}

/// `to[r · row + c] = from[r, c]`, for so many rows and columns, compiled for every kind of vector register.
#[derive(Debug)]
pub(crate) struct Turned<'a, T> {
    pub(crate) from: Matrix<'a, T>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) to: &'a mut [T],
    /// How far rows are apart.
    pub(crate) row: usize,
}

impl<T: Copy> InRegisters<T> for Turned<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let Turned { from, rows, columns, to, row } = self;
        // SAFETY: the instruction set is there, as the caller promises.
        unsafe { copy::<V>(from, rows, columns, row, to) }
    }
}

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
