//! Results that no operand's elements go into: a number everywhere, and random draws.

use std::ops::Range;

use pullback_graph::op::{Random, Scalar};
use pullback_graph::{DType, Element, Graph, NodeId, Op, dispatch, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// One number everywhere.
#[derive(Debug)]
pub(crate) struct Fill {
    value: Scalar,
    len: usize,
}

impl Fill {
    /// `value` in the shape of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, value: Scalar) -> Fill {
        Fill { value, len: numel(graph, node) }
    }

    /// What a broadcast of a literal is.
    pub(crate) fn through(graph: &Graph, node: NodeId) -> Fill {
        match &graph.node(graph.node(node).operands[0]).op {
            Op::Literal(literal) => Fill::of(graph, node, literal.value),
            other => unreachable!("a region reads through literals alone, not through {other:?}"),
        }
    }
}

impl Compute for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN)
    }

    fn run(
        &self,
        _range: Range<usize>,
        _reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        dispatch!(self.value.dtype(), T => write.typed::<T>().fill(self.value.get::<T>()));
        Ok(())
    }
}

/// Random draws: element `i` of those with one key is a function of that key and `i` alone.
#[derive(Debug)]
pub(crate) struct Draw {
    op: Random,
    dtype: DType,
    len: usize,
    /// The number of draws with each key.
    each: usize,
}

impl Draw {
    /// The draws of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &Random) -> Draw {
        let (len, keys) = (numel(graph, node), numel(graph, graph.node(node).operands[0]));
        Draw { op: op.clone(), dtype: graph.ty(node).dtype, len, each: len.checked_div(keys).unwrap_or(0) }
    }
}

impl Compute for Draw {
    fn name(&self) -> &'static str {
        "draw"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN / 16)
    }

    fn flops(&self) -> u64 {
        self.len as u64 * 50
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let keys = reads[0].typed::<i64>();
        dispatch_float!(self.dtype, T => {
            for (out, at) in write.typed::<T>().iter_mut().zip(range) {
                *out = <T as Element>::from_f64(self.op.draw(keys[at / self.each], at % self.each));
            }
            Ok(())
        }, else Err(format!("draws floating-point numbers, not {}", self.dtype)))
    }
}
