//! Determinants of the same matrices made into one region: the sign and the logarithm come of one elimination.

use pullback_graph::{Graph, NodeId, Op};
use rustc_hash::FxHashMap;

use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::Role;

/// The new root of each region, with its extent, where there are several determinants of the same matrices. They read nothing
/// else, so nothing must run between them.
pub(crate) fn merge_determinants(
    graph: &Graph,
    regions: &[Region],
    _role: impl Fn(NodeId) -> Role + Copy,
) -> Option<Vec<(NodeId, Extent)>> {
    let matrices = |region: &Region| match graph.node(region.root) {
        node if matches!(node.op, Op::Determinant(_)) => Some(node.operands[0]),
        _ => None,
    };
    // The last root that asks for a determinant of each stack of matrices.
    let mut last: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    let mut merged = false;
    for region in regions {
        let Some(matrices) = matrices(region) else { continue };
        if let Some(root) = last.insert(matrices, region.root) {
            merged = true;
            last.insert(matrices, root.max(region.root));
        }
    }
    let root = |region: &Region| matrices(region).map_or(region.root, |matrices| last[&matrices]);
    let place = |region: &Region| (root(region), region.extent);
    merged.then(|| regions.iter().map(place).collect())
}
