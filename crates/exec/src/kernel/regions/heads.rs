//! Which products are computed in the region of what is done with their result.
//!
//! A product may head a region of elementwise nodes if its elements are the region's, one by one, and the region's rows go
//! into whole rows of the product: then the kernel is the product with an [`Epilogue`](crate::kernel::products::epilogue), and the
//! product's value is written only if somebody else reads it. It does not if that would cost parallelism: if the region is
//! cut into many more pieces than the product, or must wait for something that other threads could compute beside it.
//!
//! A region has one head. Where several products are added up (the gradient of what is used at every step of a recurrence), the
//! region is therefore cut at each of them: each step adds its product to what is there, in place, and no product is written.

use pullback_graph::op::DotGeneral;
use pullback_graph::{Graph, NodeId, Op};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::kernel::movement::rearrange::sizes;
use crate::kernel::products::contraction::is_row;
use crate::kernel::products::dot;
use crate::kernel::program;
use crate::kernel::regions::merge::in_order;
use crate::kernel::regions::read::read;
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel};

/// The heads of regions.
pub(crate) struct Heads<'g> {
    graph: &'g Graph,
    /// How many products and other nodes that are no part of programs lie one behind the other up to each node, itself
    /// included; empty if there are no products.
    levels: Vec<u32>,
    /// By the root of the region.
    heads: FxHashMap<NodeId, Head>,
    /// Nodes that alone read a product, once all else that they read is there.
    takers: FxHashSet<NodeId>,
    /// The roots of regions that have a taker.
    taken: FxHashSet<NodeId>,
}

/// The head of a region.
#[derive(Clone, Copy)]
struct Head {
    node: NodeId,
    /// Elements of the product and of a row of it.
    len: usize,
    columns: usize,
}

/// How many times as many pieces a region may be cut into as its head, unless that has plenty.
const PIECES: usize = 8;

/// Pieces that are enough for the threads of most machines, whatever a piece costs.
const PLENTY: usize = 32;

/// Products of so many pieces are done by all threads at once, and need nothing beside them.
const MANY: usize = 4;

/// Nodes of a region that are looked at.
const VISITS: usize = 64;

impl<'g> Heads<'g> {
    /// No heads yet.
    pub(crate) fn none(graph: &'g Graph, role: impl Fn(NodeId) -> Role + Copy) -> Heads<'g> {
        let mut levels = Vec::new();
        if graph.ids().any(|id| role(id) == Role::Dot) {
            levels.reserve_exact(graph.len());
            for id in graph.ids() {
                let node = graph.node(id);
                let before = node.operands.iter().map(|operand| levels[operand.index()]).max();
                let own = match role(id) {
                    Role::Dot | Role::Scatter | Role::Overlap | Role::Other => !node.operands.is_empty(),
                    _ => false,
                };
                levels.push(before.unwrap_or(0) + u32::from(own));
            }
        }
        let takers = takers(graph, &levels, role);
        Heads { graph, levels, heads: FxHashMap::default(), takers, taken: FxHashSet::default() }
    }

    /// Whether `node` starts a region rather than join that of `root`, so that each of two products can head one.
    /// `is_read` tells whether what it reads is read elsewhere in that region: then it is not worth it.
    pub(crate) fn cut(&self, node: NodeId, root: NodeId, is_read: impl Fn(NodeId) -> bool) -> bool {
        self.takers.contains(&node)
            && self.taken.contains(&root)
            && !self.graph.node(node).operands.iter().any(|operand| is_read(*operand))
    }

    /// Notes that `node` is in the region of `root`.
    pub(crate) fn joined(&mut self, node: NodeId, root: NodeId) {
        if self.takers.contains(&node) {
            self.taken.insert(root);
        }
    }

    /// Whether the region of `root` may take this extent, as far as its head is concerned.
    pub(crate) fn allow(&self, root: NodeId, extent: Extent) -> bool {
        self.heads.get(&root).is_none_or(|head| head.fits(extent))
    }

    /// Whether the region of `root` may take in `node` although nothing in it reads that: its head must not wait for it.
    pub(crate) fn allow_beside(&self, root: NodeId, node: NodeId) -> bool {
        let level = |node: NodeId| self.levels[node.index()];
        self.heads.get(&root).is_none_or(|head| level(node) < level(head.node))
    }

    /// Makes the product `node` the head of the region of `root`, of this extent and so many nodes, if that pays. `region`
    /// tells the region of nodes that have one.
    pub(crate) fn join(
        &mut self,
        node: NodeId,
        root: NodeId,
        extent: Extent,
        count: u32,
        region: impl Fn(NodeId) -> Option<NodeId>,
        role: impl Fn(NodeId) -> Role + Copy,
    ) -> bool {
        let Op::DotGeneral(op) = &self.graph.node(node).op else { return false };
        let (depth, columns) = depth_and_columns(self.graph, node, op);
        let head = Head { node, len: numel(self.graph, node), columns };
        if head.len < 2 || depth == 0 || self.heads.contains_key(&root) || !head.fits(extent) {
            return false;
        }
        let pieces = head.len.div_ceil(dot::grain(head.len / columns, depth, columns));
        let alone = head.len.div_ceil(program::grain(count as usize));
        let parallel = alone <= PIECES * pieces || pieces >= PLENTY;
        let pays = parallel && (pieces >= MANY || self.is_last(node, root, region, role));
        if pays {
            self.heads.insert(root, head);
        }
        pays
    }

    /// The regions in an order in which they can run, those with a head where the head would be. What nobody reads stays
    /// where its root is: it may be the next value of state that others are still to read.
    pub(crate) fn in_place(&self, mut regions: Vec<Region>) -> Vec<Region> {
        if self.heads.is_empty() {
            return regions;
        }
        let mut is_read = vec![false; self.graph.len()];
        for operand in regions.iter().flat_map(|region| &region.operands) {
            is_read[operand.index()] = true;
        }
        regions.sort_by_key(|region| match self.heads.get(&region.root) {
            Some(head) if region.outputs.iter().any(|output| is_read[output.index()]) => head.node,
            _ => region.root,
        });
        in_order(self.graph, regions)
    }

    /// Whether all else that the region of `root` reads is there before the product `node` can be begun, as far as one can
    /// tell.
    fn is_last(
        &self,
        node: NodeId,
        root: NodeId,
        region: impl Fn(NodeId) -> Option<NodeId>,
        role: impl Fn(NodeId) -> Role + Copy,
    ) -> bool {
        let level = |node: NodeId| self.levels[node.index()];
        let mut seen = vec![root];
        let mut at = 0;
        while at < seen.len() {
            for operand in 0..self.graph.node(seen[at]).operands.len() {
                let read = read(self.graph, role(root), seen[at], operand, role);
                let Some(buffer) = read.buffer.filter(|buffer| *buffer != node) else { continue };
                if region(buffer) == Some(root) {
                    if !seen.contains(&buffer) {
                        seen.push(buffer);
                    }
                } else if level(buffer) >= level(node) {
                    return false;
                }
            }
            at += 1;
            if seen.len() > VISITS {
                return false;
            }
        }
        true
    }
}

/// The nodes that alone read a product of as many elements, and nothing else that comes as late.
fn takers(graph: &Graph, levels: &[u32], role: impl Fn(NodeId) -> Role) -> FxHashSet<NodeId> {
    let mut takers = FxHashSet::default();
    if levels.is_empty() {
        return takers;
    }
    let mut reads = vec![0_u32; graph.len()];
    let outputs = graph.outputs().iter().map(|output| output.node);
    for read in graph.ids().flat_map(|id| graph.node(id).operands.iter().copied()).chain(outputs) {
        reads[read.index()] += 1;
    }
    for id in graph.ids().filter(|id| role(*id) == Role::Elementwise) {
        let operands = &graph.node(id).operands;
        let latest = operands.iter().max_by_key(|operand| levels[operand.index()]);
        takers.extend(
            latest
                .filter(|latest| {
                    let is_alone = role(**latest) == Role::Dot && reads[latest.index()] == 1;
                    let others = operands.iter().filter(|operand| operand != latest);
                    is_alone
                        && numel(graph, **latest) == numel(graph, id)
                        && others
                            .map(|other| levels[other.index()])
                            .all(|level| level < levels[latest.index()])
                })
                .map(|_| id),
        );
    }
    takers
}

impl Head {
    /// Whether rows of a region of this extent are whole rows of the product, or lie in one.
    fn fits(self, extent: Extent) -> bool {
        let columns = match extent {
            Extent::Flat(_) => 1,
            Extent::Rows { columns, .. } => columns,
        };
        let whole = self.columns.is_multiple_of(columns) || columns.is_multiple_of(self.columns);
        extent.len() == self.len && whole
    }
}

/// How many products are added up for each element of a product, and how many elements a row of it has: one of [a
/// row](is_row), which is computed as a column.
pub(crate) fn depth_and_columns(graph: &Graph, node: NodeId, op: &DotGeneral) -> (usize, usize) {
    let [left, right] = [0, 1].map(|operand| sizes(graph, graph.node(node).operands[operand]));
    let depth = op.contract_left.iter().map(|axis| left[axis]).product();
    let columns = op.free_right(right.len()).iter().map(|axis| right[axis]).product();
    (depth, if is_row(graph, node, op) { 1 } else { columns })
}

/// The product that heads a region whose root is computed.
pub(crate) fn head(nodes: &[NodeId], root: Role, role: impl Fn(NodeId) -> Role) -> Option<NodeId> {
    if !root.is_computed() {
        return None;
    }
    nodes.iter().copied().find(|node| role(*node) == Role::Dot)
}
