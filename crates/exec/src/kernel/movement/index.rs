//! Reading at places given by indices.

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId, dispatch};

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// An indexed axis of a tensor, and what is around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    /// The product of the sizes before the axis.
    pub(crate) outer: usize,
    /// The size of the axis.
    pub(crate) bound: usize,
    /// The product of the sizes after the axis.
    pub(crate) inner: usize,
}

impl Indexed {
    /// Axis `axis` of the first operand of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> Indexed {
        let base = sizes(graph, graph.node(node).operands[0]);
        let product = |sizes: &[usize]| sizes.iter().product();
        Indexed { outer: product(&base[..axis]), bound: base[axis], inner: product(&base[axis + 1..]) }
    }

    /// An index as a position.
    pub(crate) fn checked(&self, index: i64) -> Result<usize, String> {
        match usize::try_from(index) {
            Ok(at) if at < self.bound => Ok(at),
            _ => Err(format!("index {index} is out of range for an axis of size {}", self.bound)),
        }
    }

    /// The elements of `slab`, which is whole along the axis, at each index: column `column` and those after it.
    #[inline]
    pub(crate) fn pick<T: Copy>(
        &self,
        slab: &[T],
        column: usize,
        indices: &[i64],
        out: &mut [T],
    ) -> Result<(), String> {
        if self.inner == 1 {
            for (index, out) in indices.iter().zip(out) {
                *out = slab[self.checked(*index)?];
            }
        } else {
            for ((column, index), out) in (column..).zip(indices).zip(out) {
                *out = slab[self.checked(*index)? * self.inner + column];
            }
        }
        Ok(())
    }

    /// What is wrong with the first index that is out of range, where nothing is to be read or written.
    pub(crate) fn check(&self, indices: &[i64]) -> Result<(), String> {
        indices.iter().try_for_each(|index| self.checked(*index).map(|_| ()))
    }
}

/// The elements `range` cut between rows of `row` elements: for each part the number of its row, where in the row it starts,
/// and how many elements it has.
pub(crate) fn parts(range: Range<usize>, row: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let row = row.max(1);
    let (mut at, mut start, mut rest) = (range.start / row, range.start % row, range.len());
    std::iter::from_fn(move || {
        let part = (at, start, rest.min(row - start));
        rest -= part.2;
        (at, start) = (at + 1, 0);
        (part.2 > 0).then_some(part)
    })
}

/// Whole slices at indices.
#[derive(Debug)]
pub(crate) struct Gather {
    dtype: DType,
    axis: Indexed,
    /// The number of indices.
    count: usize,
}

impl Gather {
    /// The slices that a node reads along `axis`.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> Gather {
        let count = sizes(graph, graph.node(node).operands[1]).iter().product();
        Gather { dtype: graph.ty(node).dtype, axis: Indexed::of(graph, node, axis), count }
    }
}

impl Compute for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn pieces(&self) -> Pieces {
        let Indexed { outer, inner, .. } = self.axis;
        Pieces::rows(outer * self.count * inner, inner, inner, GRAIN)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let Indexed { outer, bound, inner } = self.axis;
        let indices = reads[1].typed::<i64>();
        if range.is_empty() {
            return self.axis.check(if outer > 0 { indices } else { &[] });
        }
        dispatch!(self.dtype, T => {
            let (source, mut out) = (reads[0].typed::<T>(), write.typed::<T>());
            // Pieces are cut between slices.
            for (outer, start, len) in parts(range.start / inner..range.end / inner, self.count) {
                let source = &source[outer * bound * inner..][..bound * inner];
                let indices = &indices[start..start + len];
                let (slices, rest) = out.split_at_mut(len * inner);
                if inner == 1 {
                    self.axis.pick(source, 0, indices, slices)?;
                } else {
                    for (index, out) in indices.iter().zip(slices.chunks_exact_mut(inner)) {
                        let from = self.axis.checked(*index)? * inner;
                        out.copy_from_slice(&source[from..from + inner]);
                    }
                }
                out = rest;
            }
        });
        Ok(())
    }
}

/// One element per index.
#[derive(Debug)]
pub(crate) struct GatherAlong {
    dtype: DType,
    axis: Indexed,
    /// The size of the axis in the indices.
    count: usize,
}

impl GatherAlong {
    /// The elements that a node reads along `axis`.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> GatherAlong {
        let count = sizes(graph, graph.node(node).operands[1])[axis];
        GatherAlong { dtype: graph.ty(node).dtype, axis: Indexed::of(graph, node, axis), count }
    }
}

impl Compute for GatherAlong {
    fn name(&self) -> &'static str {
        "gather_along"
    }

    fn pieces(&self) -> Pieces {
        let Indexed { outer, inner, .. } = self.axis;
        Pieces::of(outer * self.count * inner, GRAIN)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let Indexed { bound, inner, .. } = self.axis;
        let mut indices = &reads[1].typed::<i64>()[range.clone()];
        // Rows that share a place before the axis, and where there is something after it, one along it.
        let (row, rows) = if inner == 1 { (self.count, 1) } else { (inner, self.count) };
        dispatch!(self.dtype, T => {
            let (source, mut out) = (reads[0].typed::<T>(), write.typed::<T>());
            for (at, start, len) in parts(range, row) {
                let slab = &source[at / rows * bound * inner..][..bound * inner];
                let (some, rest) = indices.split_at(len);
                let (elements, tail) = out.split_at_mut(len);
                self.axis.pick(slab, start, some, elements)?;
                (indices, out) = (rest, tail);
            }
        });
        Ok(())
    }
}
