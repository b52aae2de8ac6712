//! Padding: a value everywhere, and the operand's elements on a lattice inside.

use std::ops::Range;

use pullback_graph::op::{Pad as Op, Scalar};
use pullback_graph::{Graph, NodeId, dispatch};
use smallvec::SmallVec;

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::movement::rows::{Apart, copy_rows};
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// An axis: where the operand's elements are along it.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// The size in the result.
    size: usize,
    /// The size in the operand.
    own: usize,
    /// The place of the operand's first element.
    low: usize,
    /// The distance of the operand's elements.
    step: usize,
}

/// The operand surrounded by a value.
#[derive(Debug)]
pub(crate) struct Pad {
    value: Scalar,
    /// The axes between the outermost padded one and the innermost, with the former.
    outer: SmallVec<[Axis; 4]>,
    /// The innermost axis that is padded.
    axis: Axis,
    /// Elements inside that axis, which stay together.
    unit: usize,
    len: usize,
}

impl Axis {
    /// The operand's coordinate at the result's, if there is one.
    fn source(&self, coordinate: usize) -> Option<usize> {
        let at = coordinate.checked_sub(self.low)?;
        (at.is_multiple_of(self.step) && at / self.step < self.own).then_some(at / self.step)
    }
}

impl Pad {
    /// The padding that a node is.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &Op) -> Pad {
        let (to, from) = (sizes(graph, node), sizes(graph, graph.node(node).operands[0]));
        let low = |axis: usize| op.low[axis].known().expect("a bound padding has known counts");
        let axis = |at: usize| Axis { size: to[at], own: from[at], low: low(at), step: op.inner[at] + 1 };
        let padded = (0..to.len()).rev().find(|at| to[*at] != from[*at]).unwrap_or(0);
        let inside = if to.is_empty() { 0 } else { padded + 1 };
        Pad {
            value: op.value,
            // Outermost axes that stay as they are need no coordinates.
            outer: (0..padded).skip_while(|axis| to[*axis] == from[*axis]).map(axis).collect(),
            axis: if to.is_empty() { Axis { size: 1, own: 1, low: 0, step: 1 } } else { axis(padded) },
            unit: to[inside..].iter().product(),
            len: to.iter().product(),
        }
    }

    /// Elements of a row: everything from the innermost padded axis inwards.
    fn row(&self) -> usize {
        self.axis.size * self.unit
    }

    /// The row of the operand that row `row` of the result shows, if it shows one.
    fn source_row(&self, mut row: usize) -> Option<usize> {
        let (mut source, mut stride) = (0, 1);
        for axis in self.outer.iter().rev() {
            source += axis.source(row % axis.size)? * stride;
            stride *= axis.own;
            row /= axis.size;
        }
        Some(source + row * stride)
    }

    fn fill<T: Banked>(&self, rows: Range<usize>, source: &[T], out: &mut [T]) {
        out.fill(self.value.get());
        let (axis, unit) = (&self.axis, self.unit);
        for (row, out) in rows.zip(out.chunks_exact_mut(self.row())) {
            let Some(from) = self.source_row(row) else { continue };
            let from = &source[from * axis.own * unit..(from + 1) * axis.own * unit];
            if axis.own == 0 {
                continue;
            }
            let out = &mut out[axis.low * unit..];
            if axis.step == 1 {
                out[..from.len()].copy_from_slice(from);
            } else {
                let apart = axis.step * unit;
                let end = (axis.own - 1) * apart + unit;
                let from = Apart { elements: from, apart: unit };
                copy_rows(from, Apart { elements: &mut out[..end], apart }, unit);
            }
        }
    }
}

impl Compute for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn pieces(&self) -> Pieces {
        Pieces::rows(self.len, self.row(), self.row(), GRAIN)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        if !range.is_empty() {
            let rows = range.start / self.row()..range.end / self.row();
            dispatch!(self.value.dtype(), T => self.fill(rows, reads[0].typed::<T>(), write.typed::<T>()));
        }
        Ok(())
    }
}
