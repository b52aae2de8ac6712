//! Programs that need not go through the whole of their rows, for what is behind a mask's limit is the same all along.

use std::ops::Range;

use pullback_graph::op::ReduceKind;
use pullback_graph::{Graph, NodeId, Op, mask};

use crate::csr::Csr;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel, role};

/// How far the program of a region has to go through its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// The columns up to the row's position and this differ; all behind are as the first of them, or nobody reads them.
    shift: i64,
    /// Rows of a matrix, of which there may be several.
    height: usize,
    /// Whether that takes the product that heads the region to be finite there.
    pub(crate) finite: bool,
}

/// Columns of a row at least: for fewer, to begin every row anew takes as long as is saved.
const LEAST: usize = 512;

/// What numbers of columns are multiples of: whole lanes of sums.
const UNIT: usize = 64;

/// Nodes of a region at most.
const NODES: usize = 128;

impl Narrow {
    /// What is known of the rows of a region, given who reads each node; what `keep` holds for is read as a whole.
    pub(crate) fn of(
        graph: &Graph,
        region: &Region,
        readers: &Csr<NodeId>,
        keep: &dyn Fn(NodeId) -> bool,
    ) -> Option<Narrow> {
        let Extent::Rows { rows, columns } = region.extent else { return None };
        if columns < LEAST || region.nodes.len() > NODES || !role(graph, region.root).is_computed() {
            return None;
        }
        let product = region.nodes.iter().copied().find(|node| role(graph, *node) == Role::Dot);
        let mut narrow = Narrow { shift: mask::EVERYWHERE, height: 0, finite: false };
        for node in region.nodes.iter().copied() {
            let (whole, of_rows) = (numel(graph, node) == rows * columns, numel(graph, node) == rows);
            let shift = match (role(graph, node), &graph.node(node).op) {
                (Role::Rows(_), Op::Reduce(op)) => {
                    let operand = graph.node(node).operands[0];
                    match op.kind {
                        ReduceKind::Sum => narrow.zero(graph, operand, product)?,
                        ReduceKind::Max | ReduceKind::Min => mask::alike(graph, operand)?,
                        _ => return None,
                    }
                }
                (Role::Elementwise, _) if whole => match sizes(graph, node)[..] {
                    [.., height, own] if own == columns && [0, height].contains(&narrow.height) => {
                        narrow.height = height;
                        narrow.along(graph, node, product, readers, keep)?
                    }
                    _ => return None,
                },
                (Role::Elementwise | Role::Alias, _) if of_rows => continue,
                (Role::Columns(_) | Role::Rows(_) | Role::Elementwise | Role::Alias, _) => return None,
                // What is read, or read through.
                _ => continue,
            };
            narrow.shift = narrow.shift.max(shift);
        }
        (narrow.height > 0 && narrow.width(0..1, columns) < columns).then_some(narrow)
    }

    /// From which shift on a node is the same all along a row, or not read.
    fn along(
        &mut self,
        graph: &Graph,
        node: NodeId,
        product: Option<NodeId>,
        readers: &Csr<NodeId>,
        keep: &dyn Fn(NodeId) -> bool,
    ) -> Option<i64> {
        let unread = || {
            let unread = mask::unread(graph, node, |node| readers.row(node.index()), keep)?;
            (!unread.finite).then_some(unread.shift)
        };
        mask::alike(graph, node).or_else(unread).or_else(|| self.zero(graph, node, product))
    }

    /// From which shift on a node is zero.
    fn zero(&mut self, graph: &Graph, node: NodeId, product: Option<NodeId>) -> Option<i64> {
        mask::zero(graph, node, None).or_else(|| {
            let shift = mask::zero(graph, node, Some(product?))?;
            self.finite = true;
            Some(shift)
        })
    }

    /// How many columns of some rows, counted over all matrices, are to be gone through; the last of them is as those behind.
    pub(crate) fn width(self, rows: Range<usize>, columns: usize) -> usize {
        // Limits grow from row to row of a matrix: the furthest is the last row's, or that of a matrix that ends before it.
        let own = rows.end % self.height;
        let last = if own < rows.len() { self.height - 1 } else { own - 1 };
        let inside = (last as i64).saturating_add(self.shift).saturating_add(1).max(0) as u64;
        let width = inside.saturating_add(1).min(columns as u64) as usize;
        width.next_multiple_of(UNIT).min(columns)
    }
}
