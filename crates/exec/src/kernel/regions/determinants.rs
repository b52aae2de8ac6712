//! Determinants of the same matrices made into one region: the sign and the logarithm come of one elimination.

use pullback_graph::{Graph, NodeId, Op};

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
    let mut last: Vec<(NodeId, NodeId)> = Vec::new();
    let mut merged = false;
    for region in regions {
        let Some(matrices) = matrices(region) else { continue };
        match last.iter_mut().find(|(known, _)| *known == matrices) {
            Some((_, root)) => {
                merged = true;
                *root = region.root.max(*root);
            }
            None => last.push((matrices, region.root)),
        }
    }
    let root = |region: &Region| {
        let matrices = matrices(region)?;
        last.iter().find(|(known, _)| *known == matrices).map(|(_, root)| *root)
    };
    let place = |region: &Region| (root(region).unwrap_or(region.root), region.extent);
    merged.then(|| regions.iter().map(place).collect())
}
