//! Writing at places given by indices.
//!
//! Updates of one place are combined in row-major order, whoever combines them: a piece owns its part of the result,
//! looks at every index, and takes the updates that fall into its part. So few large pieces cost less than many, and a
//! worker takes all of its neighbors in one call.

use std::ops::Range;

use pullback_graph::op::{self, Real, Scalar, ScatterKind};
use pullback_graph::{DType, Graph, Op, dispatch, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::movement::index::Indexed;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::movement::updates::Updates;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::regions::region::Region;
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
    base: Base,
}

/// A base with one element combined into the one at each index.
#[derive(Debug)]
pub(crate) struct ScatterAlong {
    kind: ScatterKind,
    dtype: DType,
    axis: Indexed,
    /// The size of the axis in the indices.
    count: usize,
    base: Base,
}

/// Elements to write that cost as much as looking at an index and listing it or not.
const LOOK: usize = 16;

/// Elements of an update that is not taken that are read all the same: a processor fetches what lies behind the one that is.
const FETCHED: usize = 256;

/// Workers that are faster than one although each fetches most of the updates.
const MANY: usize = 4;

/// What is written to.
#[derive(Debug)]
enum Base {
    /// A number everywhere, which is not read.
    Number(Scalar),
    /// The first operand. Its buffer may become the result's unless it is read as something else too.
    Operand { in_place: Vec<usize> },
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

impl Base {
    /// The base of the root of a region.
    fn of(graph: &Graph, region: &Region) -> Base {
        let operands = &graph.node(region.root).operands;
        match &graph.node(operands[0]).op {
            Op::Literal(literal) if region.contains(operands[0]) => Base::Number(literal.value),
            _ if operands[1..].contains(&operands[0]) => Base::Operand { in_place: Vec::new() },
            _ => Base::Operand { in_place: vec![0] },
        }
    }

    fn in_place(&self) -> &[usize] {
        match self {
            Base::Number(_) => &[],
            Base::Operand { in_place } => in_place,
        }
    }

    /// The indices and the updates.
    fn rest<'a, 'b>(&self, reads: &'a [Slice<'b>]) -> [&'a Slice<'b>; 2] {
        match self {
            Base::Number(_) => [&reads[0], &reads[1]],
            Base::Operand { .. } => [&reads[1], &reads[2]],
        }
    }

    /// Puts the base's elements into the result, unless they are there already.
    fn start<T: Banked>(&self, reads: &[Slice<'_>], range: &Range<usize>, out: &mut [T]) {
        match self {
            Base::Number(value) => out.fill(value.get()),
            Base::Operand { .. } => {
                let base = reads[0].typed::<T>();
                if !base.is_empty() {
                    out.copy_from_slice(&base[range.clone()]);
                }
            }
        }
    }
}

impl Scatter {
    /// What a node writes.
    pub(crate) fn of(graph: &Graph, region: &Region, op: &op::Scatter) -> Scatter {
        let node = region.root;
        Scatter {
            kind: op.kind,
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, op.axis),
            count: sizes(graph, graph.node(node).operands[1]).iter().product(),
            base: Base::of(graph, region),
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
        let [indices, updates] = self.base.rest(reads);
        let (indices, updates) = (indices.typed::<i64>(), updates.typed::<T>());
        self.base.start(reads, &range, out);
        // Pieces are cut between slices.
        let rows = range.start / inner..range.end / inner;
        for outer in rows.start / bound..rows.end.div_ceil(bound) {
            let slab = outer * bound;
            let part = rows.start.max(slab)..rows.end.min(slab + bound);
            let out = &mut out[(part.start - rows.start) * inner..][..part.len() * inner];
            let elements = &updates[outer * self.count * inner..][..self.count * inner];
            let updates = Updates { axis: self.axis, indices, elements };
            updates.combine(part.start - slab..part.end - slab, out, &combine)?;
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
        // What is written along the axis, updates included, shared out so that a piece writes more than it looks for.
        let slab = (bound + self.count) * inner;
        let pieces = slab / (LOOK * self.count).max(GRAIN);
        let rows = match pieces {
            0 => (GRAIN / slab.max(1)).max(1).saturating_mul(bound),
            _ => bound.div_ceil(pieces),
        };
        let in_vain = self.count * (LOOK + inner.min(FETCHED));
        let workers = if outer > 1 || slab > 2 * in_vain { 2 } else { MANY };
        Pieces::of(outer * bound * inner, rows.saturating_mul(inner)).one_call_each(workers)
    }

    fn in_place(&self) -> &[usize] {
        self.base.in_place()
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
            let [indices, _] = self.base.rest(reads);
            return self.axis.check(if self.axis.outer > 0 { indices.typed::<i64>() } else { &[] });
        }
        dispatch_kind!(self.kind, self.dtype, |T, combine| {
            self.write(range, reads, write.typed::<T>(), combine)
        })
    }
}

impl ScatterAlong {
    /// What a node writes.
    pub(crate) fn of(graph: &Graph, region: &Region, op: &op::ScatterAlong) -> ScatterAlong {
        let node = region.root;
        ScatterAlong {
            kind: op.kind,
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, op.axis),
            count: sizes(graph, graph.node(node).operands[1])[op.axis],
            base: Base::of(graph, region),
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
        let [indices, updates] = self.base.rest(reads);
        self.base.start(reads, &range, out);
        // Pieces are cut between whole indexed axes.
        let (slab, stride) = (bound * inner, self.count * inner);
        let updated = range.start / slab * stride..range.end / slab * stride;
        let indices = indices.typed::<i64>()[updated.clone()].chunks_exact(stride.max(1));
        let updates = updates.typed::<T>()[updated].chunks_exact(stride.max(1));
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
        self.base.in_place()
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
            let [indices, _] = self.base.rest(reads);
            return self.axis.check(indices.typed::<i64>());
        }
        dispatch_kind!(self.kind, self.dtype, |T, combine| {
            self.write(range, reads, write.typed::<T>(), combine)
        })
    }
}
