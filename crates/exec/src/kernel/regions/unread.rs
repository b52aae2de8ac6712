//! Products of which not all is read.

use pullback_graph::{Graph, NodeId, Op, mask};

use crate::csr::Csr;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::regions::region::Region;

/// Rows and columns of a product at least, for it to be looked at.
const LEAST: usize = 64;

/// Notes in every region that computes a product which of that nobody reads. What `keep` holds for is read.
///
/// # Complexity
/// Linear in nodes and operands.
pub(crate) fn note_unread(graph: &Graph, keep: &dyn Fn(NodeId) -> bool, regions: &mut [Region]) {
    let is_wide = |node: &NodeId| {
        matches!(graph.node(*node).op, Op::DotGeneral(_))
            && matches!(sizes(graph, *node)[..], [.., rows, columns] if rows.min(columns) >= LEAST)
    };
    let products = regions.iter_mut().filter_map(|region| {
        let product = region.nodes.iter().copied().find(is_wide)?;
        Some((region, product))
    });
    let mut products = products.peekable();
    // No mask compares positions.
    if products.peek().is_none() || !graph.ids().any(|id| matches!(graph.node(id).op, Op::Iota(_))) {
        return;
    }
    let read_by = |id: NodeId| graph.node(id).operands.iter().map(move |operand| (operand.index(), id));
    let edges: Vec<(usize, NodeId)> = graph.ids().flat_map(read_by).collect();
    let readers = Csr::from_pairs(graph.len(), edges.iter().copied());
    for (region, product) in products {
        region.unread = mask::unread(graph, product, |node| readers.row(node.index()), keep);
    }
}
