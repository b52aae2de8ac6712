//! Products and rows of which not all is read.

use pullback_graph::{Graph, NodeId, Op, mask};

use crate::csr::Csr;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::regions::narrow::Narrow;
use crate::kernel::regions::region::{Extent, Region};

/// Rows and columns of a product at least, for it to be looked at.
const LEAST: usize = 64;

/// Notes in every region which part of its product nobody reads, and how far its program has to go through rows. What `keep`
/// holds for is read.
///
/// # Complexity
/// Linear in nodes and operands.
pub(crate) fn note_unread(graph: &Graph, keep: &dyn Fn(NodeId) -> bool, regions: &mut [Region]) {
    let is_wide = |node: &NodeId| {
        matches!(graph.node(*node).op, Op::DotGeneral(_))
            && matches!(sizes(graph, *node)[..], [.., rows, columns] if rows.min(columns) >= LEAST)
    };
    let has_rows = |region: &Region| matches!(region.extent, Extent::Rows { .. });
    let is_candidate = |region: &Region| has_rows(region) || region.nodes.iter().any(is_wide);
    let is_positions = |id| matches!(graph.node(id).op, Op::Iota(_));
    // Without positions no mask compares them.
    if !regions.iter().any(is_candidate) || !graph.ids().any(is_positions) {
        return;
    }
    let read_by = |id: NodeId| graph.node(id).operands.iter().map(move |operand| (operand.index(), id));
    let edges: Vec<(usize, NodeId)> = graph.ids().flat_map(read_by).collect();
    let readers = Csr::from_pairs(graph.len(), edges.iter().copied());
    for region in regions.iter_mut().filter(|region| is_candidate(region)) {
        let product = region.nodes.iter().copied().find(is_wide);
        let unread = |product| mask::unread(graph, product, |node| readers.row(node.index()), keep);
        region.unread = product.and_then(unread);
        region.narrow = Narrow::of(graph, region, &readers, keep);
    }
}
