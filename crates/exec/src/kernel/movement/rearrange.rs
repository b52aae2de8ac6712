//! Movement by strides: broadcast, permute, slice and reverse are all copies through a [`View`].

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId, Op, Sizes, dispatch};

use crate::kernel::compute::Compute;
use crate::kernel::movement::view::{Strides, View, dense_strides};
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// The sizes of a node of a bound graph.
pub(crate) fn sizes(graph: &Graph, node: NodeId) -> Sizes {
    graph.ty(node).shape.known().expect("a graph is bound before it is lowered")
}

/// For each axis of the result, how far apart its elements are in the operand, and where element 0 is.
///
/// `None` for ops that do not place elements by strides.
pub(crate) fn strides(graph: &Graph, node: NodeId) -> Option<(Strides, usize)> {
    let operand = || sizes(graph, graph.node(node).operands[0]);
    let rank = graph.ty(node).rank();
    match &graph.node(node).op {
        Op::Broadcast(op) => {
            let (from, to) = (operand(), sizes(graph, node));
            let dense = dense_strides(&from);
            let mut strides = Strides::from_elem(0, rank);
            for (own, axis) in op.axes.iter().enumerate() {
                if from[own] == to[axis] {
                    strides[axis] = dense[own];
                }
            }
            Some((strides, 0))
        }
        Op::Permute(op) => {
            let dense = dense_strides(&operand());
            Some((op.order.iter().map(|axis| dense[axis]).collect(), 0))
        }
        Op::Slice(op) => {
            let dense = dense_strides(&operand());
            let start = |axis: usize| op.starts[axis].known().expect("a bound slice has known starts");
            let offset = (0..rank).map(|axis| start(axis) * dense[axis] as usize).sum();
            Some(((0..rank).map(|axis| dense[axis] * op.steps[axis] as isize).collect(), offset))
        }
        Op::Reverse(op) => {
            let from = operand();
            let (mut strides, mut offset) = (dense_strides(&from), 0);
            for axis in op.axes.iter() {
                offset += from[axis].saturating_sub(1) * strides[axis] as usize;
                strides[axis] = -strides[axis];
            }
            Some((strides, offset))
        }
        Op::Reshape(_) | Op::StopGradient(_) | Op::Checkpoint(_) | Op::CustomVjp(_) | Op::Barrier(_) => {
            Some((dense_strides(&sizes(graph, node)), 0))
        }
        _ => None,
    }
}

/// The view of its operand that the result of a movement op is.
pub(crate) fn view(graph: &Graph, node: NodeId) -> Option<View> {
    let (strides, offset) = strides(graph, node)?;
    Some(View::new(&sizes(graph, node), &strides, offset))
}

/// A copy through a view.
#[derive(Debug)]
pub(crate) struct Rearrange {
    dtype: DType,
    view: View,
    alias: Option<usize>,
}

impl Rearrange {
    /// The copy that a movement node is.
    pub(crate) fn of(graph: &Graph, node: NodeId) -> Rearrange {
        let view = view(graph, node).expect("the node moves elements by strides");
        let source: usize = sizes(graph, graph.node(node).operands[0]).iter().product();
        let alias = (view.is_dense() && view.len() == source).then_some(0);
        Rearrange { dtype: graph.ty(node).dtype, view, alias }
    }

    /// The copy of a buffer that a product reads in its place.
    pub(crate) fn turning(dtype: DType, view: View) -> Rearrange {
        Rearrange { dtype, view, alias: None }
    }
}

impl Compute for Rearrange {
    fn name(&self) -> &'static str {
        "rearrange"
    }

    fn pieces(&self) -> Pieces {
        Pieces::rows(self.view.len(), self.view.block(), self.view.block(), GRAIN)
    }

    fn alias(&self) -> Option<usize> {
        self.alias
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        dispatch!(self.dtype, T => self.view.copy(reads[0].typed::<T>(), range.start, write.typed::<T>()));
        Ok(())
    }
}

/// The operand's bytes, under another type.
#[derive(Debug)]
pub(crate) struct Alias {
    dtype: DType,
    len: usize,
}

impl Alias {
    /// The node's operand, seen as the node.
    pub(crate) fn of(graph: &Graph, node: NodeId) -> Alias {
        Alias { dtype: graph.ty(node).dtype, len: sizes(graph, node).iter().product() }
    }
}

impl Compute for Alias {
    fn name(&self) -> &'static str {
        "alias"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN)
    }

    fn in_place(&self) -> &[usize] {
        &[0]
    }

    fn alias(&self) -> Option<usize> {
        Some(0)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        // Only where the two may not share a buffer, as when a result must be the caller's own.
        if reads[0].len() > 0 {
            dispatch!(self.dtype, T => write.typed::<T>().copy_from_slice(&reads[0].typed::<T>()[range]));
        }
        Ok(())
    }
}
