//! Combining many elements into one: sums, products, maxima, minima.
//!
//! The order is fixed by lengths alone: a run is cut into blocks, a block is combined in a fixed number of lanes and
//! the lanes as a tree, and blocks are combined in order. So the bits are the same for every instruction set.
//!
//! Sums of floats: a block adds at most 64 numbers per lane in the element type, blocks add up in f64. A sum of f32
//! differs from the exact one by at most 40 units in the last place of `Σ|x|`, usually by less than one; a sum of f64
//! by at most 80, and one more for each block. Products of floats are multiplied in order, in f64: a part of them, taken
//! alone, may leave the range of numbers.

use std::marker::PhantomData;

use pullback_graph::op::Real;

use crate::kernel::reductions::registers;
use crate::kernel::reductions::terms::Terms;
use crate::kernel::scratch::Banked;
use crate::kernel::simd::{self, Loop};

/// A way to combine elements of type `T`.
pub(crate) trait Fold<T>: Copy + Default {
    /// What blocks are combined in.
    type Total: Banked;
    /// Leaves every element as it is.
    const IDENTITY: T;
    /// No elements.
    const NOTHING: Self::Total;
    /// Whether elements must be combined one by one, in order.
    const IN_ORDER: bool;
    /// Combines two elements.
    fn combine(left: T, right: T) -> T;
    /// Combines a total with a block's result.
    fn add(total: Self::Total, block: T) -> Self::Total;
    /// Combines two totals.
    fn join(left: Self::Total, right: Self::Total) -> Self::Total;
    /// The total as an element.
    fn finish(total: Self::Total) -> T;

    /// Combines the elements of each row.
    fn rows<S: Terms<T>>(rows: Rows<'_, T, S, Self>)
    where
        T: Copy,
    {
        simd::run(rows);
    }

    /// What elements that must be combined in order are, where that is known only from all of them: asked if the result is
    /// not a number.
    fn mend(_elements: impl Iterator<Item = T>) -> Option<T> {
        None
    }
}

/// Adds; whole numbers wrap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum;

/// Multiplies; whole numbers wrap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prod;

/// The largest, NaN if there is one; of truth values: any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Max;

/// The smallest, NaN if there is one; of truth values: all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Min;

macro_rules! fold {
    ($Fold:ident over $ty:ident: identity $identity:expr, |$a:ident, $b:ident| $combine:expr,
        total $Total:ident, |$total:ident, $block:ident| $add:expr, |$end:ident| $finish:expr
        $(, in registers $rows:ident)?) => {
        impl Fold<$ty> for $Fold {
            type Total = $Total;
            const IDENTITY: $ty = $identity;
            const NOTHING: $Total = $identity;
            const IN_ORDER: bool = false;

            #[inline(always)]
            fn combine($a: $ty, $b: $ty) -> $ty {
                $combine
            }

            #[inline(always)]
            fn add($total: $Total, $block: $ty) -> $Total {
                $add
            }

            #[inline(always)]
            fn join(left: $Total, right: $Total) -> $Total {
                <$Fold as Fold<$Total>>::combine(left, right)
            }

            #[inline(always)]
            fn finish($end: $Total) -> $ty {
                $finish
            }

            $(
                fn rows<S: Terms<$ty>>($rows: Rows<'_, $ty, S, $Fold>) {
                    registers::rows($rows);
                }
            )?
        }
    };
}

// -0 is what leaves every float as it is, itself included.
// A sum of nothing but -0 is 0, as in the interpreter, which starts from 0.
fold!(Sum over f32: identity -0.0, |a, b| a + b, total f64, |total, block| total + f64::from(block), |end| (end + 0.0) as f32, in registers rows);
fold!(Sum over f64: identity -0.0, |a, b| a + b, total f64, |total, block| total + block, |end| end + 0.0, in registers rows);
fold!(Sum over i64: identity 0, |a, b| a.wrapping_add(b), total i64, |total, block| total.wrapping_add(block), |end| end);
fold!(Prod over i64: identity 1, |a, b| a.wrapping_mul(b), total i64, |total, block| total.wrapping_mul(block), |end| end);
fold!(Max over f32: identity f32::NEG_INFINITY, |a, b| a.larger(b), total f32, |total, block| total.larger(block), |end| end, in registers rows);
fold!(Max over f64: identity f64::NEG_INFINITY, |a, b| a.larger(b), total f64, |total, block| total.larger(block), |end| end, in registers rows);
fold!(Max over i64: identity i64::MIN, |a, b| a.max(b), total i64, |total, block| total.max(block), |end| end);
fold!(Min over f32: identity f32::INFINITY, |a, b| a.smaller(b), total f32, |total, block| total.smaller(block), |end| end, in registers rows);
fold!(Min over f64: identity f64::INFINITY, |a, b| a.smaller(b), total f64, |total, block| total.smaller(block), |end| end, in registers rows);
fold!(Min over i64: identity i64::MAX, |a, b| a.min(b), total i64, |total, block| total.min(block), |end| end);
fold!(Max over bool: identity false, |a, b| a | b, total bool, |total, block| total | block, |end| end);
fold!(Min over bool: identity true, |a, b| a & b, total bool, |total, block| total & block, |end| end);

macro_rules! product {
    ($ty:ident) => {
        impl Fold<$ty> for Prod {
            type Total = f64;
            const IDENTITY: $ty = 1.0;
            const NOTHING: f64 = 1.0;
            const IN_ORDER: bool = true;

            #[inline(always)]
            fn combine(left: $ty, right: $ty) -> $ty {
                left * right
            }

            #[inline(always)]
            fn add(total: f64, element: $ty) -> f64 {
                total * f64::from(element)
            }

            #[inline(always)]
            fn join(left: f64, right: f64) -> f64 {
                left * right
            }

            #[inline(always)]
            fn finish(total: f64) -> $ty {
                total as $ty
            }

            fn mend(elements: impl Iterator<Item = $ty>) -> Option<$ty> {
                let product = elements.fold((1.0, 0.0), |product, x| times(product, f64::from(x)));
                Some(product.0 as $ty)
            }
        }
    };
}

product!(f32);
product!(f64);

/// A product, and 1 beside it once a factor was not finite: 0 as soon as a zero is met, if all so far were finite.
#[inline(always)]
pub(crate) fn times((product, infinite): (f64, f64), x: f64) -> (f64, f64) {
    let infinite = if x.is_finite() { infinite } else { 1.0 };
    let next = product * x;
    // Finite factors whose product has left the range of numbers, and then a zero.
    let lost = next.is_nan() & (infinite == 0.0);
    (if lost { x * product.signum() } else { next }, infinite)
}

/// Runs an expression with `$T` the element type and `$F` the way to combine it: those that programs know.
macro_rules! with_fold {
    ($kind:expr, $dtype:expr, $T:ident, $F:ident => $body:expr) => {
        match $dtype {
            pullback_graph::DType::F32 => $crate::kernel::reductions::fold::with_fold!(@ f32, $kind, $T, $F => $body),
            pullback_graph::DType::F64 => $crate::kernel::reductions::fold::with_fold!(@ f64, $kind, $T, $F => $body),
            pullback_graph::DType::I64 => $crate::kernel::reductions::fold::with_fold!(@ i64, $kind, $T, $F => $body),
            pullback_graph::DType::Bool => unreachable!("truth values are not combined in programs"),
        }
    };
    (@ $ty:ty, $kind:expr, $T:ident, $F:ident => $body:expr) => {
        match $kind {
            pullback_graph::op::ReduceKind::Sum => {
                type $T = $ty;
                type $F = $crate::kernel::reductions::fold::Sum;
                $body
            }
            pullback_graph::op::ReduceKind::Max => {
                type $T = $ty;
                type $F = $crate::kernel::reductions::fold::Max;
                $body
            }
            pullback_graph::op::ReduceKind::Min => {
                type $T = $ty;
                type $F = $crate::kernel::reductions::fold::Min;
                $body
            }
            // A part of a product may leave the range of numbers where the whole does not.
            pullback_graph::op::ReduceKind::Prod => unreachable!("products are not combined in programs"),
        }
    };
}

pub(crate) use with_fold;

/// Elements per block of a run.
pub(crate) const BLOCK: usize = 2048;

/// Runs shorter than this go straight into the total: lanes would cost more than they save.
pub(crate) const SHORT: usize = 32;

/// Rows that are combined side by side where each goes one by one, for then an element waits for the one before it.
pub(crate) const SIDE_BY_SIDE: usize = 8;

/// Rows per block of columns.
pub(crate) const ROWS: usize = 32;

/// Combines a run of neighbours into a total.
pub(crate) struct Run<'a, T, F: Fold<T>> {
    pub(crate) total: F::Total,
    pub(crate) elements: &'a [T],
}

impl<T: Copy, F: Fold<T>> Loop for Run<'_, T, F> {
    type Output = F::Total;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> F::Total {
        total::<T, F>(self.total, self.elements)
    }
}

#[inline(always)]
pub(crate) fn total<T: Copy, F: Fold<T>>(mut total: F::Total, terms: impl Terms<T>) -> F::Total {
    let count = terms.count();
    if F::IN_ORDER || count < SHORT {
        for at in 0..count {
            total = F::add(total, terms.term(at));
        }
        return total;
    }
    for start in (0..count).step_by(BLOCK) {
        let block = terms.part(start, BLOCK.min(count - start));
        // 256 bytes of lanes: four registers of AVX-512, and no more than the baseline has.
        let sum = if size_of::<T>() <= 4 { lanes::<T, F, _, 64>(block) } else { lanes::<T, F, _, 32>(block) };
        total = F::add(total, sum);
    }
    total
}

/// Combines the elements of each row into one: the same bits as a [`Run`] after the other.
pub(crate) struct Rows<'a, T, S, F> {
    pub(crate) terms: S,
    /// Where the runs of a row start, counted from its first element.
    pub(crate) starts: &'a [usize],
    /// Elements of a run.
    pub(crate) columns: usize,
    /// From a row to the next.
    pub(crate) apart: usize,
    pub(crate) out: &'a mut [T],
    pub(crate) fold: PhantomData<F>,
}

impl<T: Copy, S: Terms<T>, F: Fold<T>> Loop for Rows<'_, T, S, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Rows { terms, starts, columns, apart, out, .. } = self;
        let run = |row: usize, start: usize| terms.part(row * apart + start, columns);
        let mut done = 0;
        if F::IN_ORDER || columns < SHORT {
            for out in out.as_chunks_mut::<SIDE_BY_SIDE>().0 {
                let mut totals = [F::NOTHING; SIDE_BY_SIDE];
                for start in starts {
                    let runs: [S; SIDE_BY_SIDE] = std::array::from_fn(|at| run(done + at, *start));
                    for at in 0..columns {
                        for (total, run) in totals.iter_mut().zip(runs) {
                            *total = F::add(*total, run.term(at));
                        }
                    }
                }
                *out = totals.map(F::finish);
                done += SIDE_BY_SIDE;
            }
        }
        for (at, out) in out[done..].iter_mut().enumerate() {
            let mut sum = F::NOTHING;
            for start in starts {
                sum = total::<T, F>(sum, run(done + at, *start));
            }
            *out = F::finish(sum);
        }
    }
}

/// Lanes that are combined at once where what is left does not fill all: enough to fill a register.
const SOME: usize = 8;

#[inline(always)]
fn lanes<T: Copy, F: Fold<T>, S: Terms<T>, const LANES: usize>(block: S) -> T {
    let count = block.count();
    let whole = count - count % LANES;
    // An array of its own, which is only ever used as a whole, so that it is in registers.
    let mut sums = [F::IDENTITY; LANES];
    for start in (0..whole).step_by(LANES) {
        let row: [T; LANES] = block.part(start, LANES).first();
        sums = std::array::from_fn(|lane| F::combine(sums[lane], row[lane]));
    }
    if whole < count {
        let rest = block.part(whole, count - whole);
        let mut lanes = sums;
        let (some, few) = lanes[..count - whole].as_chunks_mut::<SOME>();
        for (at, lanes) in some.iter_mut().enumerate() {
            let terms: [T; SOME] = rest.part(at * SOME, SOME).first();
            *lanes = std::array::from_fn(|lane| F::combine(lanes[lane], terms[lane]));
        }
        let done = some.len() * SOME;
        for (at, lane) in few.iter_mut().enumerate() {
            *lane = F::combine(*lane, rest.term(done + at));
        }
        sums = lanes;
    }
    let halves: [T; 32] = if LANES == 64 { halved::<T, F, 32>(&sums) } else { first(&sums) };
    // Arrays of their own for the same reason.
    let halves = halved::<T, F, 16>(&halves);
    let halves = halved::<T, F, 8>(&halves);
    let halves = halved::<T, F, 4>(&halves);
    let [left, right] = halved::<T, F, 2>(&halves);
    F::combine(left, right)
}

/// The first so many elements, each combined with the one that is so many behind it.
#[inline(always)]
fn halved<T: Copy, F: Fold<T>, const HALF: usize>(lanes: &[T]) -> [T; HALF] {
    let (left, right) = lanes.split_at(HALF);
    let mut half: [T; HALF] = first(left);
    for (lane, right) in half.iter_mut().zip(right) {
        *lane = F::combine(*lane, *right);
    }
    half
}

/// The first so many elements.
#[inline(always)]
fn first<T: Copy, const COUNT: usize>(lanes: &[T]) -> [T; COUNT] {
    *lanes.first_chunk().expect("there are more lanes")
}

/// Combines up to [`ROWS`] rows, column by column, into totals.
pub(crate) struct Columns<'a, T, F: Fold<T>> {
    pub(crate) elements: &'a [T],
    /// Where the rows start.
    pub(crate) rows: &'a [usize],
    /// As many as there are columns; overwritten.
    pub(crate) block: &'a mut [T],
    pub(crate) totals: &'a mut [F::Total],
}

impl<T: Copy, F: Fold<T>> Loop for Columns<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { elements, rows, block, totals } = self;
        let columns = block.len();
        let row = |at: usize| &elements[rows[at]..][..columns];
        if F::IN_ORDER {
            add_rows(totals, rows.len(), row, F::add);
            return;
        }
        if rows.is_empty() {
            return;
        }
        block.copy_from_slice(row(0));
        add_rows(block, rows.len() - 1, |at| row(1 + at), F::combine);
        for (total, block) in totals.iter_mut().zip(block) {
            *total = F::add(*total, *block);
        }
    }
}

/// Adds so many rows to what earlier ones came to, in their order.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "by an iterator over sums and positions, compilers leave up to a whole vector loop of elements to one without vectors"
)]
pub(crate) fn add_rows<A: Copy, T: Copy, S: Terms<T>>(
    into: &mut [A],
    count: usize,
    row: impl Fn(usize) -> S,
    add: impl Fn(A, T) -> A,
) {
    let len = into.len();
    let row = |at: usize| row(at).part(0, len);
    // Four at a time: sums are read and written once for them.
    let fours = count - count % 4;
    for first in (0..fours).step_by(4) {
        let [a, b, c, d] = [row(first), row(first + 1), row(first + 2), row(first + 3)];
        for at in 0..len {
            into[at] = add(add(add(add(into[at], a.term(at)), b.term(at)), c.term(at)), d.term(at));
        }
    }
    for row in (fours..count).map(row) {
        for at in 0..len {
            into[at] = add(into[at], row.term(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{run_as, tests::all};

    fn numbers(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + 13) % 4001) as f32 / 1000.0 - 2.0).collect()
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits_for_every_length() {
        for len in (0..200).chain([2047, 2048, 2049, 5000]) {
            let elements = numbers(len);
            let sums: Vec<f64> = all()
                .into_iter()
                .map(|set| run_as(set, Run::<_, Sum> { total: -0.0, elements: &elements }))
                .collect();
            assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "{len}: {sums:?}");
            let exact: f64 = elements.iter().map(|x| f64::from(*x)).sum();
            let size: f64 = elements.iter().map(|x| f64::from(x.abs())).sum();
            assert!((sums[0] - exact).abs() <= 40.0 * f64::from(f32::EPSILON) * size, "{len}");
        }
    }

    #[test]
    fn columns_equal_runs_of_each_column() {
        let elements = numbers(30 * 70);
        let rows: Vec<usize> = (0..30).map(|row| row * 70).collect();
        for set in all() {
            let (mut block, mut totals) = (vec![0.0; 70], vec![f32::NEG_INFINITY; 70]);
            run_as(
                set,
                Columns::<_, Max> {
                    elements: &elements,
                    rows: &rows,
                    block: &mut block,
                    totals: &mut totals,
                },
            );
            for (column, total) in totals.iter().enumerate() {
                let largest = rows.iter().map(|row| elements[row + column]).fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(*total, largest);
            }
        }
    }

    #[test]
    fn nan_wins_wherever_it_is() {
        for len in [1, 31, 64, 100, 3000] {
            for at in [0, len / 2, len - 1] {
                let mut elements = numbers(len);
                elements[at] = f32::NAN;
                for set in all() {
                    let max = run_as(set, Run::<_, Max> { total: f32::NEG_INFINITY, elements: &elements });
                    let min = run_as(set, Run::<_, Min> { total: f32::INFINITY, elements: &elements });
                    assert!(max.is_nan() && min.is_nan(), "NaN at {at} of {len}");
                }
            }
        }
    }
}
