//! Results that combine rows: each piece of a program is a group, and adds up what it goes through.
#![allow(unsafe_code, reason = "totals are in a worker's memory, and found there by address")]

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, dispatch_float};

use crate::kernel::program::blocks::Spot;
use crate::kernel::program::instruction::Space;
use crate::kernel::program::layout::{Cell, Layout};
use crate::kernel::program::run::{Piece, elements, products};
use crate::kernel::reductions::columns::{Accumulate, EndGroup, Sums, Totals, total_of};
use crate::kernel::reductions::fold::{Fold, Sum, with_fold};
use crate::kernel::scratch::Banked;
use crate::kernel::simd;

/// A result that combines rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reduced {
    pub(super) kind: ReduceKind,
    pub(super) dtype: DType,
    pub(super) sums: Sums,
    /// Which elements are combined.
    pub(super) space: Space,
    /// The number of the result.
    pub(super) result: usize,
    /// Where totals are kept.
    totals: Cell,
    /// Where blocks are.
    block: Cell,
}

impl Reduced {
    /// What result `result` combines; takes places for it.
    pub(super) fn new(
        (kind, dtype): (ReduceKind, DType),
        sums: Sums,
        space: Space,
        result: usize,
        layout: &mut Layout,
    ) -> Reduced {
        let totals = layout.more(total_of(kind, dtype), sums.width);
        let block = layout.more(dtype, sums.block());
        Reduced { kind, dtype, sums, space, result, totals, block }
    }

    /// What is to be done once `groups` groups have been added up; `None` if there is but one.
    pub(super) fn rest(&self, groups: usize) -> Option<Totals> {
        let (kind, dtype, columns) = (self.kind, self.dtype, self.sums.columns);
        (groups > 1).then_some(Totals { kind, dtype, groups, columns })
    }
}

impl Piece<'_, '_> {
    /// The block and the totals of a result.
    ///
    /// # Safety
    /// They are not in use.
    unsafe fn sums<'a, T: Banked, F: Fold<T>>(&self, of: &Reduced) -> (&'a mut [T], &'a mut [F::Total]) {
        let [block, totals] = [of.block, of.totals].map(|cell| Spot { start: self.memory(cell), stride: 0 });
        // SAFETY: as much room was taken, and filled when the piece began; the rest is the caller's promise.
        unsafe { (elements(block, of.sums.block()), elements(totals, of.sums.width)) }
    }

    /// Nothing has been added up yet.
    #[inline]
    pub(super) fn begin_groups(&self) {
        for of in &self.program.reduced {
            with_fold!(of.kind, of.dtype, T, F => {
                // SAFETY: nothing runs yet.
                let (block, totals) = unsafe { self.sums::<T, F>(of) };
                block.fill(<F as Fold<T>>::IDENTITY);
                totals.fill(<F as Fold<T>>::NOTHING);
            });
        }
    }

    /// Adds so many elements at `x`, or their products with others, the first of which is at this position among all.
    pub(super) fn accumulate(
        &self,
        of: &Reduced,
        (x, times): (Spot, Option<Spot>),
        first: usize,
        len: usize,
    ) {
        // SAFETY: operands have the elements of the tile, which are apart from sums, and sums are used by this stage alone.
        match times {
            None => with_fold!(of.kind, of.dtype, T, F => {
                let (terms, (block, totals)) = unsafe { (&*elements::<T>(x, len), self.sums::<T, F>(of)) };
                simd::run(Accumulate::<_, _, F> { terms, first, block, totals });
            }),
            Some(times) => dispatch_float!(of.dtype, T => {
                let (terms, (block, totals)) =
                    unsafe { (products::<T>(x, times, len), self.sums::<T, Sum>(of)) };
                simd::run(Accumulate::<_, _, Sum> { terms, first, block, totals });
            }, else unreachable!("products of floats alone are added up")),
        }
    }

    /// Writes what the piece has come to.
    #[inline]
    pub(super) fn end_groups(&mut self) {
        for of in &self.program.reduced {
            let columns = of.sums.columns;
            with_fold!(of.kind, of.dtype, T, F => {
                // SAFETY: all stages have run.
                let (block, totals) = unsafe { self.sums::<T, F>(of) };
                simd::run(EndGroup::<T, F> { block, totals, columns });
                let (totals, write) = (&totals[..columns], &mut self.writes[of.result]);
                if self.program.has_groups() {
                    let group = (self.range.start - self.first).div_ceil(self.program.piece);
                    let written = write.typed::<<F as Fold<T>>::Total>();
                    written[group * columns..][..columns].copy_from_slice(totals);
                } else {
                    let finished = totals.iter().map(|total| <F as Fold<T>>::finish(*total));
                    write.typed::<T>().iter_mut().zip(finished).for_each(|(out, total)| *out = total);
                }
            });
        }
    }
}
