//! Reductions over any axes: the reduced axes are walked as runs of neighbours or as rows of columns.
//!
//! Merging neighbouring axes leaves kept and reduced axes in turn. If the innermost is reduced, each result combines
//! runs; if it is kept, rows are combined column by column. Which order elements are combined in depends on the shape
//! alone, not on how results are cut into pieces.

use std::marker::PhantomData;
use std::ops::Range;

use pullback_graph::op::{Reduce as Op, ReduceKind};
use pullback_graph::{DType, Graph, NodeId};
use smallvec::SmallVec;

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::movement::view::{Axis, Walk, dense_strides, merge};
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::fold::{Columns, Fold, Max, Min, Prod, ROWS, Rows, Run, Sum};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd;
use crate::kernel::slice::{Slice, SliceMut};

/// A reduction of a dense operand.
#[derive(Debug)]
pub(crate) struct Reduce {
    kind: ReduceKind,
    dtype: DType,
    /// Kept axes but the innermost one of stride 1.
    outer: SmallVec<[Axis; 4]>,
    /// The size of a kept axis of stride 1; 1 if there is none.
    inner: usize,
    /// Reduced axes but the innermost one of stride 1.
    reduced: SmallVec<[Axis; 4]>,
    /// The size of a reduced axis of stride 1; 1 if there is none.
    run: usize,
    /// The number of results.
    len: usize,
    /// How many elements make one result.
    count: usize,
}

/// Columns that are combined at a time: their sums and totals stay in the first-level cache.
const COLUMNS: usize = 1024;

/// Runs of a result whose starts are found once for all results.
const STARTS: usize = 64;

impl Reduce {
    /// The reduction that a node is; `None` where there is nothing to combine and that is not 0, or for the reference to
    /// refuse.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &Op) -> Option<Reduce> {
        let sizes = sizes(graph, graph.node(node).operands[0]);
        let kernel = Reduce::new(op.kind, graph.ty(node).dtype, &sizes, |axis| op.axes.contains(axis));
        (kernel.count > 0 || op.kind == ReduceKind::Sum).then_some(kernel)
    }

    /// The reduction of an operand of `sizes` along the axes for which `is_reduced` holds.
    fn new(kind: ReduceKind, dtype: DType, sizes: &[usize], is_reduced: impl Fn(usize) -> bool) -> Reduce {
        let strides = dense_strides(sizes);
        let axes = |wanted: bool| {
            let chosen = (0..sizes.len()).filter(|axis| is_reduced(*axis) == wanted);
            chosen
                .map(|axis| Axis { size: sizes[axis], stride: strides[axis] })
                .collect::<SmallVec<[Axis; 4]>>()
        };
        let total = |axes: &[Axis]| axes.iter().map(|axis| axis.size).product();
        let (kept, reduced) = (axes(false), axes(true));
        let (len, count) = (total(&kept), total(&reduced));
        let (mut outer, mut reduced) = (merge(kept), merge(reduced));
        let innermost = |axes: &mut SmallVec<[Axis; 4]>| match axes.last() {
            Some(Axis { size, stride: 1 }) => {
                let size = *size;
                axes.pop();
                size
            }
            _ => 1,
        };
        let (inner, run) = (innermost(&mut outer), innermost(&mut reduced));
        Reduce { kind, dtype, outer, inner, reduced, run, len, count }
    }

    fn fold<T: Banked, F: Fold<T>>(
        &self,
        range: Range<usize>,
        source: &[T],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        if self.count == 0 {
            // The identity of a sum is -0, but the sum of nothing is 0.
            out.fill(T::default());
        } else if self.inner == 1 {
            self.fold_runs::<T, F>(range, source, out);
        } else {
            self.fold_columns::<T, F>(range, source, out, scratch);
        }
    }

    /// The result that elements from `place` on come to.
    fn mended<T: Banked, F: Fold<T>>(&self, end: T, place: usize, source: &[T]) -> T {
        if !F::IN_ORDER || end.partial_cmp(&end).is_some() {
            return end;
        }
        let mut runs = Walk::new(&self.reduced, place, 0);
        let elements = (0..self.count / self.run).flat_map(|_| {
            let start = runs.place();
            runs.advance(1);
            source[start..start + self.run].iter().copied()
        });
        F::mend(elements).unwrap_or(end)
    }

    fn fold_runs<T: Banked, F: Fold<T>>(&self, range: Range<usize>, source: &[T], out: &mut [T]) {
        let runs = self.count / self.run;
        let mut kept = Walk::new(&self.outer, 0, range.start);
        if runs > STARTS {
            for out in out {
                let mut total = F::NOTHING;
                let mut walk = Walk::new(&self.reduced, kept.place(), 0);
                for _ in 0..runs {
                    let elements = &source[walk.place()..walk.place() + self.run];
                    total = simd::run(Run::<T, F> { total, elements });
                    walk.advance(1);
                }
                *out = self.mended::<T, F>(F::finish(total), kept.place(), source);
                kept.advance(1);
            }
            return;
        }
        let mut walk = Walk::new(&self.reduced, 0, 0);
        let mut starts = [0; STARTS];
        for start in &mut starts[..runs] {
            *start = walk.place();
            walk.advance(1);
        }
        let (starts, columns, mut rest) = (&starts[..runs], self.run, out);
        while !rest.is_empty() {
            let (ahead, apart) = kept.ahead();
            let (out, tail) = rest.split_at_mut(ahead.clamp(1, rest.len()));
            let (place, count, fold) = (kept.place(), out.len(), PhantomData);
            F::rows(Rows { terms: &source[place..], starts, columns, apart, out: &mut *out, fold });
            for (at, out) in out.iter_mut().enumerate() {
                *out = self.mended::<T, F>(*out, place + at * apart, source);
            }
            rest = tail;
            kept.advance(count);
        }
    }

    fn fold_columns<T: Banked, F: Fold<T>>(
        &self,
        range: Range<usize>,
        source: &[T],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let mut block = scratch.take::<T>(0, COLUMNS);
        let mut totals = scratch.take::<F::Total>(1, COLUMNS);
        let mut kept = Walk::new(&self.outer, 0, range.start / self.inner);
        let (mut column, mut rest) = (range.start % self.inner, out);
        while !rest.is_empty() {
            let width = (self.inner - column).min(rest.len()).min(COLUMNS);
            let (part, tail) = rest.split_at_mut(width);
            let (block, totals) = (&mut block[..width], &mut totals[..width]);
            totals.fill(F::NOTHING);
            let mut walk = Walk::new(&self.reduced, kept.place() + column, 0);
            let mut places = [0; ROWS];
            for start in (0..self.count).step_by(ROWS) {
                let rows = ROWS.min(self.count - start);
                for place in &mut places[..rows] {
                    *place = walk.place();
                    walk.advance(1);
                }
                simd::run(Columns::<T, F> { elements: source, rows: &places[..rows], block, totals });
            }
            for (at, (out, total)) in part.iter_mut().zip(totals).enumerate() {
                *out = self.mended::<T, F>(F::finish(*total), kept.place() + column + at, source);
            }
            rest = tail;
            column += width;
            if column == self.inner {
                column = 0;
                kept.advance(1);
            }
        }
        scratch.put(0, block);
        scratch.put(1, totals);
    }
}

impl Compute for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn pieces(&self) -> Pieces {
        // A piece of columns reads whole cache lines.
        let least = if self.inner == 1 { 1 } else { self.inner.min(256) };
        Pieces::of(self.len, (2 * GRAIN / self.count.max(1)).max(least))
    }

    fn flops(&self) -> u64 {
        self.len as u64 * self.count as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return Ok(());
        }
        macro_rules! fold {
            ($ty:ty: $($Kind:ident)*) => {{
                let (source, out) = (reads[0].typed::<$ty>(), write.typed::<$ty>());
                match self.kind {
                    $(ReduceKind::$Kind => self.fold::<$ty, $Kind>(range, source, out, scratch),)*
                    #[allow(unreachable_patterns, reason = "numbers can be combined in every way")]
                    _ => return Err("takes numbers".into()),
                }
            }};
        }
        match self.dtype {
            DType::F32 => fold!(f32: Sum Prod Max Min),
            DType::F64 => fold!(f64: Sum Prod Max Min),
            DType::I64 => fold!(i64: Sum Prod Max Min),
            DType::Bool => fold!(bool: Max Min),
        }
        Ok(())
    }
}
