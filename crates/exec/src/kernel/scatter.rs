//! Writing at places given by indices.
//!
//! Updates of one place are combined in row-major order, whoever combines them: a piece owns its part of the result,
//! looks at every index, and takes the updates that fall into its part.

use std::ops::Range;

use pullback_graph::op::{self, Real, ScatterKind};
use pullback_graph::{DType, Graph, NodeId, dispatch, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::index::Indexed;
use crate::kernel::movement::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// A base with whole slices combined into those at indices.
#[derive(Debug)]
pub(crate) struct Scatter {
    kind: ScatterKind,
    dtype: DType,
    axis: Indexed,
    /// The number of indices.
    count: usize,
    in_place: Vec<usize>,
}

/// A base with one element combined into the one at each index.
#[derive(Debug)]
pub(crate) struct ScatterAlong {
    kind: ScatterKind,
    dtype: DType,
    axis: Indexed,
    /// The size of the axis in the indices.
    count: usize,
    in_place: Vec<usize>,
}

/// Pieces of one axis, each of which looks at all indices.
const MOST: usize = 16;

/// The base's buffer may become the result's unless it is read as something else too.
fn in_place(graph: &Graph, node: NodeId) -> Vec<usize> {
    let operands = &graph.node(node).operands;
    if operands[1..].contains(&operands[0]) { Vec::new() } else { vec![0] }
}

/// Runs `$body` with `$T` bound to the element type and `$combine` to how an update is combined with what is there: a
/// loop for each kind, which the compiler sees through.
macro_rules! dispatch_kind {
    ($kind:expr, $dtype:expr, |$T:ident, $combine:ident| $body:expr) => {
        match $kind {
            ScatterKind::Set => dispatch!($dtype, $T => {
                let $combine = |_: $T, update: $T| update;
                $body
            }),
            ScatterKind::Add => dispatch_float!($dtype, $T => {
                let $combine = |sum: $T, update: $T| sum + update;
                $body
            }, else {
                type $T = i64;
                let $combine = i64::wrapping_add;
                $body
            }),
            ScatterKind::Max => dispatch_float!($dtype, $T => {
                let $combine = |most: $T, update: $T| most.larger(update);
                $body
            }, else {
                type $T = i64;
                let $combine = <i64 as Ord>::max;
                $body
            }),
            ScatterKind::Min => dispatch_float!($dtype, $T => {
                let $combine = |least: $T, update: $T| least.smaller(update);
                $body
            }, else {
                type $T = i64;
                let $combine = <i64 as Ord>::min;
                $body
            }),
        }
    };
}

/// Puts the base's elements into the result, unless they are there already.
fn start<T: Banked>(base: Slice<'_>, range: &Range<usize>, out: &mut [T]) {
    let base = base.typed::<T>();
    if !base.is_empty() {
        out.copy_from_slice(&base[range.clone()]);
    }
}

impl Scatter {
    /// What a node writes.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &op::Scatter) -> Scatter {
        Scatter {
            kind: op.kind,
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, op.axis),
            count: sizes(graph, graph.node(node).operands[1]).iter().product(),
            in_place: in_place(graph, node),
        }
    }

    fn write<T: Banked>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        combine: impl Fn(T, T) -> T,
    ) -> Result<(), String> {
        let Indexed { bound, inner, .. } = self.axis;
        let (indices, updates) = (reads[1].typed::<i64>(), reads[2].typed::<T>());
        start(reads[0], &range, out);
        // Pieces are cut between slices.
        let rows = range.start / inner..range.end / inner;
        for outer in rows.start / bound..rows.end.div_ceil(bound) {
            for (at, index) in indices.iter().enumerate() {
                let row = outer * bound + self.axis.checked(*index)?;
                if rows.contains(&row) {
                    let out = &mut out[(row - rows.start) * inner..][..inner];
                    let updates = &updates[(outer * self.count + at) * inner..][..inner];
                    out.iter_mut().zip(updates).for_each(|(out, update)| *out = combine(*out, *update));
                }
            }
        }
        Ok(())
    }
}

impl Compute for Scatter {
    fn name(&self) -> &'static str {
        match self.kind {
            ScatterKind::Set => "scatter_set",
            ScatterKind::Add => "scatter_add",
            ScatterKind::Max => "scatter_max",
            ScatterKind::Min => "scatter_min",
        }
    }

    fn pieces(&self) -> Pieces {
        let Indexed { outer, bound, inner } = self.axis;
        let least = (bound * inner).div_ceil(MOST).max(GRAIN);
        Pieces::rows(outer * bound * inner, inner, inner, least)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
    }

    fn flops(&self) -> u64 {
        (self.axis.outer * self.count * self.axis.inner) as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return self.axis.check(if self.axis.outer > 0 { reads[1].typed::<i64>() } else { &[] });
        }
        dispatch_kind!(self.kind, self.dtype, |T, combine| {
            self.write(range, reads, write.typed::<T>(), combine)
        })
    }
}

impl ScatterAlong {
    /// What a node writes.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &op::ScatterAlong) -> ScatterAlong {
        ScatterAlong {
            kind: op.kind,
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, op.axis),
            count: sizes(graph, graph.node(node).operands[1])[op.axis],
            in_place: in_place(graph, node),
        }
    }

    fn write<T: Banked>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        combine: impl Fn(T, T) -> T,
    ) -> Result<(), String> {
        let Indexed { bound, inner, .. } = self.axis;
        start(reads[0], &range, out);
        // Pieces are cut between whole indexed axes.
        let (slab, stride) = (bound * inner, self.count * inner);
        let updated = range.start / slab * stride..range.end / slab * stride;
        let indices = reads[1].typed::<i64>()[updated.clone()].chunks_exact(stride.max(1));
        let updates = reads[2].typed::<T>()[updated].chunks_exact(stride.max(1));
        for ((out, indices), updates) in out.chunks_exact_mut(slab).zip(indices).zip(updates) {
            if inner == 1 {
                for (index, update) in indices.iter().zip(updates) {
                    let out = &mut out[self.axis.checked(*index)?];
                    *out = combine(*out, *update);
                }
                continue;
            }
            for (indices, updates) in indices.chunks_exact(inner).zip(updates.chunks_exact(inner)) {
                for ((column, index), update) in indices.iter().enumerate().zip(updates) {
                    let out = &mut out[self.axis.checked(*index)? * inner + column];
                    *out = combine(*out, *update);
                }
            }
        }
        Ok(())
    }
}

impl Compute for ScatterAlong {
    fn name(&self) -> &'static str {
        match self.kind {
            ScatterKind::Set => "scatter_set_along",
            ScatterKind::Add => "scatter_add_along",
            ScatterKind::Max => "scatter_max_along",
            ScatterKind::Min => "scatter_min_along",
        }
    }

    fn pieces(&self) -> Pieces {
        let Indexed { outer, bound, inner } = self.axis;
        Pieces::rows(outer * bound * inner, bound * inner, (bound + self.count) * inner, GRAIN)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
    }

    fn flops(&self) -> u64 {
        (self.axis.outer * self.count * self.axis.inner) as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return self.axis.check(reads[1].typed::<i64>());
        }
        dispatch_kind!(self.kind, self.dtype, |T, combine| {
            self.write(range, reads, write.typed::<T>(), combine)
        })
    }
}
