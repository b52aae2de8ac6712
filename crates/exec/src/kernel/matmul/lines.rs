//! Products whose contracted elements lie together on both sides, line by line.
#![allow(unsafe_code, reason = "lines are read by registers; the bounds of whole operands are checked once")]

use std::array;

use crate::kernel::matmul::pack::copy;
use crate::kernel::matmul::{Dims, Matmul, Matrix, Product};
use crate::kernel::register::{InRegisters, Registers, Vector};
use crate::kernel::simd::InstructionSet;

/// A sum of products per element of the result, for a vector times lines that each lie together in memory.
///
/// Each register adds up the products of one line, two for each. What the registers of several lines hold is turned, so that
/// their sums are added up side by side as well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines;

impl<T: Registers> Matmul<T> for Lines {
    fn multiply(&self, product: Product<'_, T>) {
        T::in_registers(InstructionSet::detected(), Sums(product));
    }
}

/// The elements of a product one by one, contracted elements lying together on both sides.
struct Sums<'a, T>(Product<'a, T>);

/// Lines that are read at once: with as many registers each, multiplications need not wait for those before.
const ABREAST: usize = 4;

/// Registers that a line is added up in.
const REGISTERS: usize = 2;

/// Lines whose sums are turned at once.
const GROUP: usize = 16;

/// The lanes of the largest register.
const MOST_LANES: usize = 16;

impl<T: Copy + Default> InRegisters<T> for Sums<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let Product { dims: Dims { m, k, n }, left, right, result, .. } = self.0;
        let (lines, vector) = if m == 1 { (right.transposed(), left) } else { (left, right.transposed()) };
        let count = m * n;
        lines.check(count, k);
        vector.check(1, k);
        assert!(lines.column == 1 && vector.column == 1, "what is contracted lies together");
        let vector = &vector.elements[..k];
        let mut lanes = [T::default(); GROUP * MOST_LANES];
        let mut turned = lanes;
        for (group, result) in result[..count].chunks_mut(GROUP).enumerate() {
            let lines = lines.from(group * GROUP, 0);
            let abreast = result.len() / ABREAST * ABREAST;
            // SAFETY: the instruction set is there, as the caller promises, and so are all lines, as was checked.
            unsafe {
                for line in (0..abreast).step_by(ABREAST) {
                    sums::<V, ABREAST>(lines.from(line, 0), vector, &mut lanes[line * V::LANES..]);
                }
                for line in abreast..result.len() {
                    sums::<V, 1>(lines.from(line, 0), vector, &mut lanes[line * V::LANES..]);
                }
                let by_lines = Matrix { elements: &lanes[..], row: 1, column: V::LANES };
                copy::<V>(by_lines, V::LANES, result.len(), GROUP, &mut turned);
                add_up::<V>(&turned, result);
            }
        }
    }
}

/// The products of some lines with a vector, added up in the lanes of a register each, one line behind the other.
///
/// # Safety
/// The instruction set of `V`, and so many lines of as many elements as the vector has.
#[inline(always)]
unsafe fn sums<V: Vector, const LINES: usize>(
    lines: Matrix<'_, V::Element>,
    vector: &[V::Element],
    lanes: &mut [V::Element],
) {
    assert!(lanes.len() >= LINES * V::LANES, "a register's lanes for each line");
    let starts: [*const V::Element; LINES] =
        array::from_fn(|line| lines.elements.as_ptr().wrapping_add(line * lines.row));
    let step = REGISTERS * V::LANES;
    let whole = vector.len() - vector.len() % step;
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[V::zero(); REGISTERS]; LINES];
        let mut at = 0;
        while at < whole {
            let factors: [V; REGISTERS] =
                array::from_fn(|register| V::load(vector.as_ptr().add(at + register * V::LANES)));
            for (sums, start) in sums.iter_mut().zip(starts) {
                for (register, sum) in sums.iter_mut().enumerate() {
                    let elements = V::load(start.add(at + register * V::LANES));
                    *sum = sum.add_product(elements, factors[register]);
                }
            }
            at += step;
        }
        for register in 0..REGISTERS {
            let rest = (vector.len() - at).min(V::LANES);
            if rest == 0 {
                break;
            }
            let mask = V::first(rest);
            let factors = V::load_part(vector.as_ptr().add(at), mask);
            for (sums, start) in sums.iter_mut().zip(starts) {
                sums[register] = sums[register].add_product(V::load_part(start.add(at), mask), factors);
            }
            at += rest;
        }
        for (line, [one, other]) in sums.into_iter().enumerate() {
            one.add(other).store(lanes.as_mut_ptr().add(line * V::LANES));
        }
    }
}

/// Adds up rows of a group's sums, as many as there are lanes.
///
/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
unsafe fn add_up<V: Vector>(rows: &[V::Element], result: &mut [V::Element]) {
    assert!(rows.len() >= V::LANES * GROUP && result.len() <= GROUP, "a sum for each line of a group");
    for start in (0..result.len()).step_by(V::LANES) {
        let count = (result.len() - start).min(V::LANES);
        // SAFETY: all rows are there, and room for so many sums.
        unsafe {
            let row = |at: usize| V::load(rows.as_ptr().add(at * GROUP + start));
            let mut sum = row(0);
            for at in 1..V::LANES {
                sum = sum.add(row(at));
            }
            sum.store_part(result.as_mut_ptr().add(start), V::first(count));
        }
    }
}
