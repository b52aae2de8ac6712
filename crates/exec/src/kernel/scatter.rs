//! Adding at places given by indices.
//!
//! Updates of one place are added in row-major order, whoever adds them: a piece owns its part of the result, looks at
//! every index, and takes the updates that fall into its part.

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId};

use crate::kernel::compute::Compute;
use crate::kernel::fold::{Fold, Sum};
use crate::kernel::index::Indexed;
use crate::kernel::movement::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// A base with whole slices added at indices.
#[derive(Debug)]
pub(crate) struct ScatterAdd {
    dtype: DType,
    axis: Indexed,
    /// The number of indices.
    count: usize,
    in_place: Vec<usize>,
}

/// A base with one element added per index.
#[derive(Debug)]
pub(crate) struct ScatterAddAlong {
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

/// Runs `$body` with `$T` bound to the element type, for the types that can be added.
macro_rules! dispatch_sum {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            DType::I64 => {
                type $T = i64;
                $body
            }
            DType::Bool => Err("truth values cannot be added".to_string()),
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

impl ScatterAdd {
    /// The additions that a node makes along `axis`.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> ScatterAdd {
        ScatterAdd {
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, axis),
            count: sizes(graph, graph.node(node).operands[1]).iter().product(),
            in_place: in_place(graph, node),
        }
    }

    fn add<T: Banked>(&self, range: Range<usize>, reads: &[Slice<'_>], out: &mut [T]) -> Result<(), String>
    where
        Sum: Fold<T>,
    {
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
                    out.iter_mut().zip(updates).for_each(|(sum, update)| *sum = Sum::combine(*sum, *update));
                }
            }
        }
        Ok(())
    }
}

impl Compute for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
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
            return Ok(());
        }
        dispatch_sum!(self.dtype, T => self.add(range, reads, write.typed::<T>()))
    }
}

impl ScatterAddAlong {
    /// The additions that a node makes along `axis`.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> ScatterAddAlong {
        ScatterAddAlong {
            dtype: graph.ty(node).dtype,
            axis: Indexed::of(graph, node, axis),
            count: sizes(graph, graph.node(node).operands[1])[axis],
            in_place: in_place(graph, node),
        }
    }

    fn add<T: Banked>(&self, range: Range<usize>, reads: &[Slice<'_>], out: &mut [T]) -> Result<(), String>
    where
        Sum: Fold<T>,
    {
        let Indexed { bound, inner, .. } = self.axis;
        start(reads[0], &range, out);
        // Pieces are cut between whole indexed axes.
        let stride = self.count * inner;
        let updated = range.start / (bound * inner) * stride..range.end / (bound * inner) * stride;
        let (indices, updates) = (reads[1].typed::<i64>(), reads[2].typed::<T>());
        for ((at, index), update) in updated.clone().zip(&indices[updated.clone()]).zip(&updates[updated]) {
            let place = (at / stride * bound + self.axis.checked(*index)?) * inner + at % inner;
            let sum = &mut out[place - range.start];
            *sum = Sum::combine(*sum, *update);
        }
        Ok(())
    }
}

impl Compute for ScatterAddAlong {
    fn name(&self) -> &'static str {
        "scatter_add_along"
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
            return Ok(());
        }
        dispatch_sum!(self.dtype, T => self.add(range, reads, write.typed::<T>()))
    }
}
