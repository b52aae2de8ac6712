//! Which products are computed in the step of the product that multiplies the rows of their result.
//!
//! In `softmax(q · kᵀ) · v`, and in `tanh(x · a) · b`, what lies between two products may be by far the largest value, and
//! nobody else may read it. Then both are one kernel: the second product with a [prologue](crate::kernel::prologue), which
//! makes as many rows of the left operand at a time as stay in the cache. The rows of both must be the same: those of the left
//! operand, over its last axes, in the order in which its elements lie.
//!
//! They stay two steps where that would cost time. Every block of rows packs the right operands anew, which may take as long as
//! it would to write the rows and read them again, but no longer: so there must be enough rows in a block for what they are
//! multiplied by, and a block must stay in the cache. There must be some blocks for threads to share.

use pullback_graph::{Graph, NodeId, Op};
use rustc_hash::FxHashMap;

use crate::kernel::conv::Slide;
use crate::kernel::dot::Dot;
use crate::kernel::heads::{depth_and_columns, head};
use crate::kernel::merge::in_order;
use crate::kernel::prologue::Prologue;
use crate::kernel::region::{Extent, Left, Region};
use crate::kernel::role::{Role, numel, role};

/// The regions, in an order in which they can run, products being chained where that pays. What `keep` holds for is written.
pub(crate) fn chained(graph: &Graph, regions: Vec<Region>, keep: &dyn Fn(NodeId) -> bool) -> Vec<Region> {
    let mut places: FxHashMap<NodeId, usize> = FxHashMap::default();
    for (at, region) in regions.iter().enumerate().filter(|(_, region)| product_of(graph, region).is_some()) {
        places.insert(region.root, at);
    }
    if places.len() < 2 {
        return regions;
    }
    let mut readers = vec![0_u32; graph.len()];
    regions.iter().flat_map(|region| &region.operands).for_each(|operand| readers[operand.index()] += 1);
    let mut regions: Vec<Option<Region>> = regions.into_iter().map(Some).collect();
    let mut is_chained = false;
    for at in 0..regions.len() {
        let Some(region) = &regions[at] else { continue };
        let Some(product) = product_of(graph, region) else { continue };
        let made = graph.node(product).operands[0];
        let Some(left) = places.get(&made).and_then(|left| regions[*left].as_ref()) else { continue };
        if keep(made) || readers[made.index()] != 1 {
            continue;
        }
        let Some(rows) = rows_made(graph, left, region, product) else { continue };
        let left = regions[places[&made]].take();
        regions[at] = regions[at].take().zip(left).map(|(region, left)| with_left(region, left, rows));
        is_chained = true;
    }
    let regions = regions.into_iter().flatten().collect();
    if is_chained { in_order(graph, regions) } else { regions }
}

/// The product that a region is, or that heads it; `None` if there is none, or if it is a convolution.
pub(crate) fn product_of(graph: &Graph, region: &Region) -> Option<NodeId> {
    let root = role(graph, region.root);
    let product = match root {
        Role::Dot => region.root,
        _ => head(&region.nodes, root, |node| role(graph, node))?,
    };
    let Op::DotGeneral(op) = &graph.node(product).op else { return None };
    Slide::over(graph, region, product, op).is_none().then_some(product)
}

/// How many rows at a time `left` should make of what `product`, that of `region`, has as its left operand; `None` if it should
/// or can not.
fn rows_made(graph: &Graph, left: &Region, region: &Region, product: NodeId) -> Option<usize> {
    let made = left.root;
    let reads = region.nodes.iter().flat_map(|node| &graph.node(*node).operands);
    let once = reads.filter(|operand| **operand == made).count() == 1;
    let first = product_of(graph, left).filter(|_| once && left.left.is_none() && left.outputs.len() == 1)?;
    let (Op::DotGeneral(first_op), Op::DotGeneral(op)) = (&graph.node(first).op, &graph.node(product).op)
    else {
        return None;
    };
    if numel(graph, made) != left.extent.len() {
        return None;
    }
    // Blocks are whole rows of all that is computed on the way.
    let (_, row) = depth_and_columns(graph, first, first_op);
    let own = match left.extent {
        Extent::Flat(_) => 1,
        Extent::Rows { columns, .. } => columns,
    };
    let (first, product) = (Dot::of(graph, left, first, first_op), Dot::of(graph, region, product, op));
    let [_, columns, _] = product.sizes();
    let is_whole = |row: usize| row > 0 && columns.is_multiple_of(row);
    let fits = product.takes_rows() && is_whole(row) && is_whole(own);
    fits.then(|| Prologue::rows(&first, &product)).flatten()
}

/// The region that `left`, which is to make so many rows at a time, becomes a part of.
fn with_left(region: Region, left: Region, rows: usize) -> Region {
    let mut operands = left.operands.clone();
    for operand in &region.operands {
        if *operand != left.root && !operands.contains(operand) {
            operands.push(*operand);
        }
    }
    Region { operands, left: Some(Box::new(Left { region: left, rows })), ..region }
}
