//! Reductions over leading axes, in groups of rows.
//!
//! What is combined is seen as rows of so many columns: a sum over the batch has a column per number of an example, a sum of
//! everything has one column. A [program](crate::kernel::program) adds what it computes up on the way, each of its pieces a
//! group of rows, and [`Totals`] combines what the groups come to. Nothing of the size of the operand is written for it.
//!
//! Rows are combined 32 at a time in the element type, these in the total's, which for `f32` is `f64`; where there are few
//! columns, so that a row is too short for vector registers, all is combined in the total's. Blocks of rows lie where groups
//! do not cut them, so groups and programs change only how totals are added to each other.

use std::ops::Range;

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, Element, Graph, NodeId, Op};

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::fold::{Fold, ROWS, add_rows, with_fold};
use crate::kernel::reductions::terms::Terms;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::{self, Loop};
use crate::kernel::slice::{Slice, SliceMut};

/// A reduction over leading axes, and perhaps the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Columns {
    /// How many elements are combined in all.
    pub(crate) len: usize,
    /// How many neighbours are combined before their rows are: more than 1 if the last axes are reduced as well.
    pub(crate) run: usize,
}

/// The least width of what rows are added to, in elements: narrower rows are taken several at a time.
const LANES: usize = 64;

/// Elements that a group may have to have: its work cannot be shared.
const LARGEST: usize = 8 * GRAIN;

impl Columns {
    /// What a reduction combines, if it is one over leading axes that a program can do.
    pub(crate) fn of(graph: &Graph, node: NodeId) -> Option<Columns> {
        let Op::Reduce(op) = &graph.node(node).op else { return None };
        let operand = graph.node(node).operands[0];
        // A part of a product may leave the range of numbers where the whole does not.
        if op.kind == ReduceKind::Prod || graph.ty(operand).dtype == DType::Bool {
            return None;
        }
        // The sizes of neighbouring axes of one kind, from the first that is reduced.
        let mut sizes_of: [usize; 3] = [1; 3];
        let mut at = 0;
        for (axis, size) in sizes(graph, operand).into_iter().enumerate().filter(|(_, size)| *size != 1) {
            if op.axes.contains(axis) == (at == 1) {
                at += 1;
            }
            *sizes_of.get_mut(at)? *= size;
        }
        let [rows, columns, run] = sizes_of;
        let least = columns * rows.min(ROWS);
        (rows > 1 && columns > 0 && run > 0 && least * run <= LARGEST)
            .then_some(Columns { len: rows * columns * run, run })
    }
}

/// Elements of a group of so many columns, at least: what it comes to is to be much less than it has.
pub(crate) fn group(columns: usize) -> usize {
    ROWS * columns
}

/// What a program adds rows up in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums {
    /// Results.
    pub(crate) columns: usize,
    /// How many totals there are: as many as columns, or several for each.
    pub(crate) width: usize,
    /// Whether rows are combined in the element type first.
    pub(crate) in_blocks: bool,
}

impl Sums {
    /// What so many columns take of `len` elements in all; `is_dense` unless the program computes one element per row of its
    /// own.
    pub(crate) fn of(columns: usize, len: usize, is_dense: bool) -> Sums {
        let most = if columns < LANES { LANES.div_ceil(columns).next_multiple_of(8) } else { 1 };
        // Totals to which no row is added would only be joined to others, as a group ends, and change nothing.
        let mut times = most;
        while times > 1 && times.div_ceil(2) * columns >= len {
            times = times.div_ceil(2);
        }
        Sums { columns, width: columns * times, in_blocks: is_dense && most == 1 }
    }

    /// The length of what rows are combined in first.
    pub(crate) fn block(&self) -> usize {
        if self.in_blocks { self.width } else { 0 }
    }
}

/// Adds terms to what the ones before them came to.
pub(crate) struct Accumulate<'a, T, S, F: Fold<T>> {
    pub(crate) terms: S,
    /// The position of the first one among all.
    pub(crate) first: usize,
    /// Of rows whose block has not ended; empty if there are no blocks.
    pub(crate) block: &'a mut [T],
    pub(crate) totals: &'a mut [F::Total],
}

impl<T: Copy, S: Terms<T>, F: Fold<T>> Loop for Accumulate<'_, T, S, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Accumulate { terms, first, block, totals } = self;
        let width = totals.len();
        let (mut at, end) = (first, first + terms.count());
        while at < end {
            let (row, lane) = (at / width, at % width);
            // Whole rows up to the end of the block, or else what there is of one.
            let rows = if lane == 0 { ((end - at) / width).min(ROWS - row % ROWS) } else { 0 };
            let len = if rows > 0 { rows * width } else { (width - lane).min(end - at) };
            let part = terms.part(at - first, len);
            let lanes = lane..(lane + len).min(width);
            at += len;
            let (count, columns) = (len / lanes.len(), lanes.len());
            let row = |at: usize| part.part(at * columns, columns);
            if block.is_empty() {
                add_rows(&mut totals[lanes], count, row, F::add);
                continue;
            }
            add_rows(&mut block[lanes], count, row, F::combine);
            if at.is_multiple_of(width * ROWS) {
                end_block::<T, F>(block, totals);
            }
        }
    }
}

#[inline(always)]
fn end_block<T: Copy, F: Fold<T>>(block: &mut [T], totals: &mut [F::Total]) {
    for (total, block) in totals.iter_mut().zip(block) {
        *total = F::add(*total, *block);
        *block = F::IDENTITY;
    }
}

/// Ends a group: what is left of a block is added, and columns that have several totals get one, the first.
pub(crate) struct EndGroup<'a, T, F: Fold<T>> {
    pub(crate) block: &'a mut [T],
    pub(crate) totals: &'a mut [F::Total],
    pub(crate) columns: usize,
}

impl<T: Copy, F: Fold<T>> Loop for EndGroup<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let EndGroup { block, totals, columns } = self;
        end_block::<T, F>(block, totals);
        let mut rows = totals.len() / columns;
        while rows > 1 {
            let half = rows / 2;
            let (kept, added) = totals[..rows * columns].split_at_mut((rows - half) * columns);
            for (total, other) in kept.iter_mut().zip(added) {
                *total = F::join(*total, *other);
            }
            rows -= half;
        }
    }
}

/// Combines the totals of groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) kind: ReduceKind,
    /// The element type of the results.
    pub(crate) dtype: DType,
    pub(crate) groups: usize,
    pub(crate) columns: usize,
}

impl Totals {
    /// The element type of what is combined.
    pub(crate) fn operand(&self) -> DType {
        total_of(self.kind, self.dtype)
    }

    /// How many numbers are combined.
    pub(crate) fn len(&self) -> usize {
        self.groups * self.columns
    }
}

/// What elements of a type are combined in.
pub(crate) fn total_of(kind: ReduceKind, dtype: DType) -> DType {
    fn of<T, F: Fold<T>>() -> DType {
        F::Total::DTYPE
    }
    with_fold!(kind, dtype, T, F => of::<T, F>())
}

/// Combines totals and makes elements of them.
struct Join<'a, T, F: Fold<T>> {
    totals: &'a [F::Total],
    columns: usize,
    /// The first column that is wanted.
    first: usize,
    out: &'a mut [T],
}

impl<T: Copy, F: Fold<T>> Loop for Join<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (at, part) in self.out.chunks_mut(LANES).enumerate() {
            let mut sums = [F::NOTHING; LANES];
            let start = self.first + at * LANES;
            for group in self.totals.chunks_exact(self.columns) {
                for (sum, total) in sums.iter_mut().zip(&group[start..start + part.len()]) {
                    *sum = F::join(*sum, *total);
                }
            }
            for (out, sum) in part.iter_mut().zip(sums) {
                *out = F::finish(sum);
            }
        }
    }
}

impl Compute for Totals {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.columns, (2 * GRAIN / self.groups.max(1)).max(256))
    }

    fn flops(&self) -> u64 {
        self.len() as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        fn join<T: Banked, F: Fold<T>>(totals: Slice<'_>, columns: usize, first: usize, out: &mut [T]) {
            simd::run(Join::<T, F> { totals: totals.typed::<F::Total>(), columns, first, out });
        }
        with_fold!(self.kind, self.dtype, T, F => {
            join::<T, F>(reads[0], self.columns, range.start, write.typed::<T>());
        });
        Ok(())
    }
}
