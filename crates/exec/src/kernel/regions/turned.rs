//! Right operands that are turned once for all that multiply by them.
//!
//! A product wants the columns of its right operand side by side. Where they lie otherwise, it copies them for a block of rows
//! of the result at a time, and the next block, thread or product copies them again. What is copied several times, for many
//! rows or at every step of a recurrence, is copied by a step of its own instead, whose result they all read where it is.
//!
//! Columns that do lie side by side are never copied so: the first tile that reads a panel copies it on the way, which takes no
//! time.

use pullback_graph::{Graph, NodeId, Op};
use rustc_hash::FxHashMap;

use crate::kernel::movement::view::View;
use crate::kernel::products::dot::{Dot, MOST_ROWS};
use crate::kernel::regions::read::read;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, role};
use crate::kernel::strip::product_of;

/// A copy that products read in place of a buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turned {
    /// The buffer.
    pub(crate) buffer: NodeId,
    /// Which of its elements each element of the copy is.
    pub(crate) view: View,
}

/// How often an operand must be copied in all to be worth a step, which also writes it to memory for others to read.
const COPIES: usize = 3;

/// The regions, with the [operands](Region::turned) that are turned by steps of their own. Nodes that are `held` have the same
/// value in every run, and so have their copies, which are then made in the first alone.
pub(crate) fn turned(graph: &Graph, mut regions: Vec<Region>, held: &[bool]) -> Vec<Region> {
    // Elements that are copied in all of what is turned.
    let mut copied: FxHashMap<Turned, usize> = FxHashMap::default();
    let mut found = Vec::new();
    for (at, region) in regions.iter().enumerate() {
        let rows = region.strip.as_ref().map_or(MOST_ROWS, |strip| strip.block);
        let own = region.strip.as_ref().map_or(std::slice::from_ref(region), |strip| &strip.regions);
        for (part, of) in own.iter().enumerate() {
            let Some(product) = product_of(graph, of) else { continue };
            let Op::DotGeneral(op) = &graph.node(product).op else { continue };
            let turned = right_operand(graph, of, product).zip(Dot::turning(graph, of, product, op, rows));
            let Some((buffer, (view, count))) = turned else { continue };
            let turned = Turned { buffer, view };
            *copied.entry(turned.clone()).or_default() += count;
            found.push((at, part, turned));
        }
    }
    for (at, part, turned) in found {
        let copies = if held[turned.buffer.index()] { 1 } else { COPIES };
        if copied[&turned] < copies * turned.view.len() {
            continue;
        }
        let region = &mut regions[at];
        let Some(strip) = &mut region.strip else {
            region.turned = Some(turned);
            continue;
        };
        strip.regions[part].turned = Some(turned);
        region.operands = strip.operands().into_iter().map(|(node, _)| node).collect();
    }
    regions
}

/// The buffer of the right operand of `product`, which is in `region`, if that reads it from memory, and nowhere else.
fn right_operand(graph: &Graph, region: &Region, product: NodeId) -> Option<NodeId> {
    let role = |node: NodeId| role(graph, node);
    let root = role(region.root);
    let buffer = read(graph, root, product, 1, role).buffer?;
    let readers = region
        .nodes
        .iter()
        .filter(|node| role(**node).is_computed() || role(**node) == Role::Dot)
        .flat_map(|node| {
            (0..graph.node(*node).operands.len()).map(move |at| read(graph, root, *node, at, role).buffer)
        })
        .filter(|read| *read == Some(buffer));
    (readers.count() == 1 && !region.held.contains(&buffer)).then_some(buffer)
}
