//! The lanes of a tensor along one axis: what ops that walk an axis, or look for something on it, go through.

use pullback_graph::{Graph, NodeId};

use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};

/// An axis of a tensor, and what is around it. Element `at` of a lane is `at · inner` places after its first one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    /// The product of the sizes before the axis.
    pub(crate) outer: usize,
    /// The size of the axis: how many elements a lane has.
    pub(crate) count: usize,
    /// The product of the sizes after the axis: how many lanes lie side by side.
    pub(crate) inner: usize,
}

impl Lanes {
    /// The lanes along axis `axis` of the first operand of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> Lanes {
        let sizes = sizes(graph, graph.node(node).operands[0]);
        let product = |sizes: &[usize]| sizes.iter().product();
        Lanes { outer: product(&sizes[..axis]), count: sizes[axis], inner: product(&sizes[axis + 1..]) }
    }

    /// The number of elements of all lanes.
    pub(crate) fn len(&self) -> usize {
        self.outer * self.slab()
    }

    /// The number of elements of lanes that lie side by side.
    pub(crate) fn slab(&self) -> usize {
        self.count * self.inner
    }

    /// Where lane number `lane` begins.
    pub(crate) fn start(&self, lane: usize) -> usize {
        lane / self.inner * self.slab() + lane % self.inner
    }

    /// All elements, cut between slabs: about `GRAIN` elements each, and `together` lanes or more.
    pub(crate) fn slabs(&self, together: usize) -> Pieces {
        let slabs = (GRAIN / self.slab().max(1)).max(together.div_ceil(self.inner.max(1)));
        Pieces::of(self.len(), slabs.saturating_mul(self.slab()))
    }
}
