//! Results that no operand's elements go into: a number everywhere.

use std::ops::Range;

use pullback_graph::op::Scalar;
use pullback_graph::{Graph, NodeId, Op, dispatch};

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
