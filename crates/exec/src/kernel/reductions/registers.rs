//! Rows of floats, combined in vector registers: the same lanes and trees as [`fold`](crate::kernel::reductions::fold) says.
//!
//! Compilers make registers of arrays of lanes only now and then, and hardly ever where NaN is to win.
#![allow(unsafe_code, reason = "elements are read inside bounds that are checked once for all rows")]

use crate::kernel::reductions::fold::{BLOCK, Fold, Max, Min, Rows, SHORT, SIDE_BY_SIDE, Sum};
use crate::kernel::reductions::terms::Terms;
use crate::kernel::register::{InRegisters, Registers, Vector};
use crate::kernel::simd::{self, InstructionSet};

/// A fold of floats, lane by lane.
pub(crate) trait InLanes<T>: Fold<T> {
    /// Whether combining numbers may lose NaN. Then it is looked for.
    const LOSES_NAN: bool;

    /// Combines numbers.
    ///
    /// # Safety
    /// The instruction set of `V` is available.
    unsafe fn combine_registers<V: Vector<Element = T>>(left: V, right: V) -> V;

    /// The same of two lanes.
    fn combine_lanes(left: T, right: T) -> T;

    /// Whether it is NaN.
    fn is_nan(element: T) -> bool;
}

/// Declares folds of `f32` and `f64` by an instruction of registers, and what it does to two lanes.
macro_rules! in_lanes {
    ($($Fold:ident: $instruction:ident |$left:ident, $right:ident| $combine:expr, loses NaN $loses:literal;)*) => {
        $(
            in_lanes!(@ $Fold f32: $instruction |$left, $right| $combine, $loses);
            in_lanes!(@ $Fold f64: $instruction |$left, $right| $combine, $loses);
        )*
    };
    (@ $Fold:ident $ty:ident: $instruction:ident |$left:ident, $right:ident| $combine:expr, $loses:literal) => {
        impl InLanes<$ty> for $Fold {
            const LOSES_NAN: bool = $loses;

            #[inline(always)]
            unsafe fn combine_registers<V: Vector<Element = $ty>>(left: V, right: V) -> V {
                // SAFETY: the caller's promise.
                unsafe { left.$instruction(right) }
            }

            #[inline(always)]
            fn combine_lanes($left: $ty, $right: $ty) -> $ty {
                $combine
            }

            #[inline(always)]
            fn is_nan(element: $ty) -> bool {
                element.is_nan()
            }
        }
    };
}

in_lanes! {
    Sum: add |a, b| a + b, loses NaN false;
    Max: larger |a, b| if a > b { a } else { b }, loses NaN true;
    Min: smaller |a, b| if a < b { a } else { b }, loses NaN true;
}

/// Combines the elements of each row.
pub(crate) fn rows<T: Registers, S: Terms<T>, F: InLanes<T>>(rows: Rows<'_, T, S, F>) {
    if rows.columns < SHORT {
        simd::run(rows);
    } else {
        T::in_registers(InstructionSet::detected(), rows);
    }
}

/// The lanes that registers are combined to; what is left goes through memory, for several rows at once.
const WIDE: usize = 16;

/// Bytes of lanes: four registers of AVX-512, and no more than the baseline has.
const LANES: usize = 256;

impl<T: Registers, S: Terms<T>, F: InLanes<T>> InRegisters<T> for Rows<'_, T, S, F> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        let rows = self.out.len();
        if rows > 0 {
            let end = |start: &usize| (rows - 1) * self.apart + start + self.columns;
            assert!(self.starts.iter().all(|start| end(start) <= self.terms.count()), "all rows have terms");
        }
        // SAFETY: the instruction set is there, and it was checked that all rows are.
        unsafe {
            match size_of::<V>() {
                64 => all::<V, T, S, F, { LANES / 64 }>(self),
                32 => all::<V, T, S, F, { LANES / 32 }>(self),
                _ => all::<V, T, S, F, { LANES / 16 }>(self),
            }
        }
    }
}

/// Combines all rows, `COUNT` registers at a time.
///
/// # Safety
/// The instruction set of `V` is available, and so are the terms of all rows.
#[inline(always)]
unsafe fn all<V: Vector<Element = T>, T: Registers, S: Terms<T>, F: InLanes<T>, const COUNT: usize>(
    Rows { terms, starts, columns, apart, out, .. }: Rows<'_, T, S, F>,
) {
    let mut done = 0;
    let (groups, rest) = out.as_chunks_mut::<SIDE_BY_SIDE>();
    for out in groups {
        // SAFETY: the caller's promise.
        let totals =
            unsafe { some::<V, T, S, F, COUNT, SIDE_BY_SIDE>(terms, starts, done * apart, columns, apart) };
        *out = totals.map(F::finish);
        done += SIDE_BY_SIDE;
    }
    for out in rest {
        // SAFETY: as above.
        let [total] = unsafe { some::<V, T, S, F, COUNT, 1>(terms, starts, done * apart, columns, apart) };
        *out = F::finish(total);
        done += 1;
    }
}

/// Combines so many rows, the first one from `first` on.
///
/// # Safety
/// As [`all`].
#[inline(always)]
unsafe fn some<
    V: Vector<Element = T>,
    T: Registers,
    S: Terms<T>,
    F: InLanes<T>,
    const COUNT: usize,
    const ROWS: usize,
>(
    terms: S,
    starts: &[usize],
    first: usize,
    columns: usize,
    apart: usize,
) -> [F::Total; ROWS] {
    let mut totals = [F::NOTHING; ROWS];
    for start in starts {
        for block in (0..columns).step_by(BLOCK) {
            let (from, count) = (first + start + block, BLOCK.min(columns - block));
            // SAFETY: the caller's promise.
            let sums = unsafe { blocks::<V, T, S, F, COUNT, ROWS>(terms, from, count, apart) };
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = F::add(*total, sum);
            }
        }
    }
    totals
}

/// Combines blocks of `count` terms, the first one from `first` on and each `apart` from the one before.
///
/// # Safety
/// As [`all`].
#[inline(always)]
unsafe fn blocks<
    V: Vector<Element = T>,
    T: Registers,
    S: Terms<T>,
    F: InLanes<T>,
    const COUNT: usize,
    const ROWS: usize,
>(
    terms: S,
    first: usize,
    count: usize,
    apart: usize,
) -> [T; ROWS] {
    let mut wide = [[F::IDENTITY; WIDE]; ROWS];
    // What is NaN if a term is, and hardly ever otherwise: the sum of all that is read.
    // SAFETY: the instruction set is there.
    let mut trace = [unsafe { V::zero() }; 4];
    for (row, wide) in wide.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { lanes::<V, T, S, F, COUNT>(terms, first + row * apart, count, wide, &mut trace) };
    }
    let mut eights = [[F::IDENTITY; WIDE / 2]; ROWS];
    for (eight, wide) in eights.iter_mut().zip(&wide) {
        *eight = halved::<T, F, 8>(wide);
    }
    let mut fours = [[F::IDENTITY; WIDE / 4]; ROWS];
    for (four, eight) in fours.iter_mut().zip(&eights) {
        *four = halved::<T, F, 4>(eight);
    }
    let mut sums = [F::IDENTITY; ROWS];
    for (sum, [a, b, c, d]) in sums.iter_mut().zip(fours) {
        *sum = F::combine_lanes(F::combine_lanes(a, c), F::combine_lanes(b, d));
    }
    // SAFETY: the instruction set is there.
    if F::LOSES_NAN && unsafe { has_nan::<V, T, F>(trace) } {
        for (row, sum) in sums.iter_mut().enumerate() {
            // Infinities of both signs come to NaN, too.
            let mut block = (0..count).map(|at| terms.term(first + row * apart + at));
            *sum = block.find(|term| F::is_nan(*term)).unwrap_or(*sum);
        }
    }
    sums
}

/// Combines a block's lanes until [`WIDE`] are left.
///
/// # Safety
/// As [`all`].
#[inline(always)]
unsafe fn lanes<V: Vector<Element = T>, T: Registers, S: Terms<T>, F: InLanes<T>, const COUNT: usize>(
    terms: S,
    first: usize,
    count: usize,
    wide: &mut [T; WIDE],
    trace: &mut [V; 4],
) {
    // SAFETY: the instruction set is there, and so are the terms of the row; `wide` has room for what is left.
    unsafe {
        let mut lanes = [V::splat(&F::IDENTITY); COUNT];
        let (mut at, end) = (first, first + count);
        while at + COUNT * V::LANES <= end {
            for (register, lanes) in lanes.iter_mut().enumerate() {
                let terms: V = terms.register(at + register * V::LANES);
                *lanes = F::combine_registers(*lanes, terms);
                if F::LOSES_NAN {
                    trace[register % 4] = trace[register % 4].add(terms);
                }
            }
            at += COUNT * V::LANES;
        }
        for (register, lanes) in lanes.iter_mut().enumerate() {
            let at = at + register * V::LANES;
            if at < end {
                let left = end - at;
                let terms: V = match left < V::LANES {
                    true => terms.register_part(at, V::first(left), V::splat(&F::IDENTITY)),
                    false => terms.register(at),
                };
                *lanes = F::combine_registers(*lanes, terms);
                if F::LOSES_NAN {
                    trace[0] = trace[0].add(terms);
                }
            }
        }
        let mut left = COUNT;
        while left * V::LANES > WIDE {
            left /= 2;
            for register in 0..left {
                lanes[register] = F::combine_registers(lanes[register], lanes[register + left]);
            }
        }
        for (register, lanes) in lanes[..left].iter().enumerate() {
            lanes.store(wide.as_mut_ptr().add(register * V::LANES));
        }
    }
}

/// Whether a lane is NaN.
///
/// # Safety
/// The instruction set of `V` is available.
#[inline(always)]
unsafe fn has_nan<V: Vector<Element = T>, T: Registers, F: InLanes<T>>([a, b, c, d]: [V; 4]) -> bool {
    let mut lanes = [F::IDENTITY; WIDE];
    // SAFETY: the caller's promise; there is room for a register.
    unsafe { a.add(c).add(b.add(d)).store(lanes.as_mut_ptr()) };
    lanes.into_iter().fold(false, |is, lane| is | F::is_nan(lane))
}

/// The first half of the lanes, each combined with the one that is so many behind it.
#[inline(always)]
fn halved<T: Copy, F: InLanes<T>, const HALF: usize>(lanes: &[T]) -> [T; HALF] {
    let (left, right) = lanes.split_at(HALF);
    let mut half: [T; HALF] = *left.first_chunk().expect("there are as many lanes");
    for (lane, right) in half.iter_mut().zip(right) {
        *lane = F::combine_lanes(*lane, *right);
    }
    half
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::kernel::reductions::fold::Run;
    use crate::kernel::reductions::terms::Products;
    use crate::kernel::simd::{run_as, tests::all};

    /// Rows of these terms as every instruction set combines them.
    fn combined<F: InLanes<f32>>(
        terms: impl Terms<f32>,
        count: usize,
        columns: usize,
        apart: usize,
    ) -> Vec<Vec<f32>> {
        let combined = |set| {
            let mut out = vec![0.0; count];
            let fold = PhantomData::<F>;
            f32::in_registers(set, Rows { terms, starts: &[0], columns, apart, out: &mut out, fold });
            out
        };
        all().into_iter().map(combined).collect()
    }

    /// What the same rows come to one after another.
    fn one_by_one<F: InLanes<f32>>(elements: &[f32], count: usize, columns: usize, apart: usize) -> Vec<f32> {
        let row = |row: usize| &elements[row * apart..][..columns];
        let run = |row| Run::<f32, F> { total: F::NOTHING, elements: row };
        (0..count).map(|at| F::finish(run_as(InstructionSet::Baseline, run(row(at))))).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
    }

    fn numbers(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + 13) % 4001) as f32 / 1000.0 - 2.0).collect()
    }

    #[test]
    fn rows_have_the_bits_of_runs_with_every_instruction_set() {
        for columns in (SHORT..SHORT + 100).chain([255, 256, 1000, BLOCK, BLOCK + 1, 2 * BLOCK + 40]) {
            for (count, more) in [(1, 0), (SIDE_BY_SIDE, 3), (SIDE_BY_SIDE + 3, 0)] {
                let apart = columns + more;
                let elements = numbers((count - 1) * apart + columns);
                let squares: Vec<f32> = elements.iter().map(|x| x * x).collect();
                let sums = bits(&one_by_one::<Sum>(&elements, count, columns, apart));
                for found in combined::<Sum>(&elements[..], count, columns, apart) {
                    assert_eq!(bits(&found), sums, "{columns}");
                }
                let sums = bits(&one_by_one::<Sum>(&squares, count, columns, apart));
                for found in combined::<Sum>(Products(&elements, &elements), count, columns, apart) {
                    assert_eq!(bits(&found), sums, "products, {columns}");
                }
                let largest = bits(&one_by_one::<Max>(&elements, count, columns, apart));
                for found in combined::<Max>(&elements[..], count, columns, apart) {
                    assert_eq!(bits(&found), largest, "{columns}");
                }
            }
        }
    }

    #[test]
    fn nan_is_found_among_infinities() {
        let (count, columns) = (SIDE_BY_SIDE, 50);
        for nan in [None, Some(0), Some(49), Some(3 * 50 + 33)] {
            let mut elements = numbers(count * columns);
            elements[2 * columns..3 * columns].fill(f32::NEG_INFINITY);
            (elements[7], elements[columns + 8]) = (f32::INFINITY, f32::NEG_INFINITY);
            if let Some(at) = nan {
                elements[at] = f32::NAN;
            }
            let largest = one_by_one::<Max>(&elements, count, columns, columns);
            let least = one_by_one::<Min>(&elements, count, columns, columns);
            assert_eq!(largest.iter().filter(|x| x.is_nan()).count(), usize::from(nan.is_some()));
            for found in combined::<Max>(&elements[..], count, columns, columns) {
                assert_eq!(bits(&found), bits(&largest));
            }
            for found in combined::<Min>(&elements[..], count, columns, columns) {
                assert_eq!(bits(&found), bits(&least));
            }
        }
    }
}
