//! Which nodes run as one kernel: [regions](Region) of elementwise nodes and of reductions along rows, and operands that are
//! [read](crate::kernel::regions::read) where they are.
//!
//! Regions run in the order of their roots. A node joins the earliest region that reads it, if it can be computed there,
//! or else one before that which reads what it reads: then everything a region reads is computed in earlier ones, nothing
//! is computed twice, and what other regions read as well is one more result of the kernel. All nodes of a region have one
//! element per element of its root, or, where a region has rows, one per element or one per row: a reduction along the last
//! axes makes a number of each row, and a broadcast along them spreads it out again, so that a softmax is one region. A
//! reduction over leading axes, or over all, may be a result of a region, and nothing in it can read that: it is known when
//! all rows have been gone through.
//!
//! What stays apart although it reads the same is then [merged](crate::kernel::regions::merge).
//!
//! A product whose elements a region goes through may be computed there too: it is the [head](crate::kernel::regions::heads) of the
//! region. Regions that go through the same rows may then be run as one, a block of rows at a time: a
//! [strip](crate::kernel::strip).
//!
//! Nothing is computed twice here. What had better be, because little is needed to compute it again, stands in the graph twice
//! [before](crate::kernel::regions::recompute).
//!
//! A product reads windows that slide over its operand matrix by matrix, and what adds overlapping windows up takes them
//! from a product the same way, so that a convolution never writes its windows out.
//!
//! Literals, broadcasts, slices and transposes are not computed at all where a kernel can read through them; such a node may
//! stand in several regions, and has a region of its own only if something needs its buffer.

use pullback_graph::{Graph, NodeId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::kernel::products::dot;
use crate::kernel::regions::determinants::merge_determinants;
use crate::kernel::regions::heads::Heads;
use crate::kernel::regions::merge::{in_order, merge, merge_scalars};
use crate::kernel::regions::read::{Access, read};
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel, role};
use crate::kernel::regions::unread::note_unread;

/// Nodes in one region; more would only lengthen the list of live registers.
pub(crate) const LIMIT: u32 = 1024;

/// The readers of a node's buffer, as far as the walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Readers {
    /// The earliest region that reads it.
    root: NodeId,
    /// How that one does.
    access: Access,
    /// Whether others do.
    shared: bool,
}

/// The regions that compute every node for which `keep` holds, ascending by root: an order they can run in.
///
/// Nodes that none of those needs are in no region. Pure, and linear in the edges of the graph.
pub(crate) fn regions(graph: &Graph, keep: &dyn Fn(NodeId) -> bool) -> Vec<Region> {
    let roles: Vec<Role> = graph.ids().map(|id| role(graph, id)).collect();
    let role = |id: NodeId| roles[id.index()];
    let mut readers: Vec<Option<Readers>> = vec![None; graph.len()];
    let mut root_of: Vec<Option<NodeId>> = vec![None; graph.len()];
    let mut counts = vec![0_u32; graph.len()];
    let mut extents = vec![Extent::Flat(0); graph.len()];
    let mut heads = Heads::none(graph, role);
    for id in graph.ids().rev() {
        let (own, len) = (role(id), numel(graph, id));
        let reader = readers[id.index()];
        if reader.is_none() && !keep(id) {
            continue;
        }
        let alone = !keep(id) && reader.is_some_and(|readers| !readers.shared);
        let headed = reader.filter(|readers| {
            let Readers { root, access, .. } = *readers;
            let (extent, count) = (extents[root.index()], counts[root.index()]);
            own == Role::Dot
                && access == Access::Elements
                && role(root).is_computed()
                && heads.join(id, root, extent, count, |node| root_of[node.index()], role)
        });
        let join = |root: NodeId, access| match role(root) {
            Role::Overlap => {
                let joins = own == Role::Alias || (own == Role::Dot && dot::is_added_up(graph, id, root));
                (alone && joins && access == Access::Elements).then_some((root, extents[root.index()]))
            }
            computed if computed.is_computed() && counts[root.index()] < LIMIT => {
                let extent = extents[root.index()].joined(own, len, access)?;
                heads.allow(root, extent).then_some((root, extent))
            }
            _ => None,
        };
        // What is written under two names would be written twice.
        let twice = own == Role::Alias && !alone;
        // What rows come to is known when all have been gone through.
        let late = matches!(own, Role::Columns(_));
        let joined = match reader {
            _ if twice || late => None,
            Some(Readers { root, .. }) if headed.is_some() => Some((root, extents[root.index()])),
            Some(Readers { root, access, .. }) => join(root, access),
            None => None,
        };
        // A region that reads what this node reads saves reading it again, if it comes before all that read this node.
        let neighbor = || {
            let operands = (0..graph.node(id).operands.len()).filter_map(|at| {
                let read = read(graph, own, id, at, role);
                readers[read.buffer.filter(|_| read.access == Access::Elements)?.index()]
            });
            let first = reader.map_or(NodeId::new(graph.len()), |readers| readers.root);
            let before = operands.filter(|other| other.access == Access::Elements && other.root < first);
            let before = before.filter(|other| heads.allow_beside(other.root, id));
            before.filter_map(|other| join(other.root, Access::Elements)).next()
        };
        let joined = joined.or_else(|| if own.is_computed() { neighbor() } else { None });
        let is_read = |operand: NodeId| role(operand).is_computed() && readers[operand.index()].is_some();
        let joined = joined.filter(|(root, _)| !heads.cut(id, *root, is_read));
        let (root, extent) = joined.unwrap_or((id, Extent::starting(own, len)));
        extents[root.index()] = extent;
        root_of[id.index()] = Some(root);
        heads.joined(id, root);
        counts[root.index()] += 1;
        for at in 0..graph.node(id).operands.len() {
            let read = read(graph, role(root), id, at, role);
            let Some(buffer) = read.buffer else { continue };
            let new = Readers { root, access: read.access, shared: false };
            let of = &mut readers[buffer.index()];
            *of = Some(match *of {
                None => new,
                Some(old) if old.root == root => Readers { access: old.access.and(new.access), ..old },
                Some(old) => Readers { shared: true, ..if root < old.root { new } else { old } },
            });
        }
    }
    let mut found = collect(graph, keep, &root_of, &extents, role);
    for merge in [merge_scalars, merge_determinants, merge] {
        let Some(merged) = merge(graph, &found, &role) else { continue };
        let place: FxHashMap<NodeId, (NodeId, Extent)> =
            found.iter().map(|region| region.root).zip(merged).collect();
        for root in root_of.iter_mut().flatten() {
            let (new, extent) = place[root];
            (*root, extents[new.index()]) = (new, extent);
        }
        found = in_order(graph, collect(graph, keep, &root_of, &extents, role));
    }
    let mut found = heads.in_place(found);
    note_unread(graph, keep, &mut found);
    found
}

/// The regions, given the root of each node that is computed.
fn collect(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    root_of: &[Option<NodeId>],
    extents: &[Extent],
    role: impl Fn(NodeId) -> Role + Copy,
) -> Vec<Region> {
    let mut computed: Vec<(NodeId, NodeId)> =
        root_of.iter().zip(graph.ids()).filter_map(|(root, id)| Some(((*root)?, id))).collect();
    computed.sort_unstable();
    let mut regions = Vec::new();
    // Whether a node is read by another region than its own.
    let mut is_read = vec![false; graph.len()];
    // The region in whose operands a buffer was seen last: a set that needs no clearing.
    let mut seen: Vec<Option<NodeId>> = vec![None; graph.len()];
    for members in computed.chunk_by(|one, other| one.0 == other.0) {
        let root = members[0].0;
        let outputs: SmallVec<[NodeId; 1]> = members.iter().map(|(_, id)| *id).collect();
        let (mut nodes, mut operands) = (outputs.to_vec(), Vec::new());
        let places = outputs.iter().flat_map(|id| {
            let id = *id;
            (0..graph.node(id).operands.len()).map(move |at| (id, at))
        });
        for (id, at) in places {
            let read = read(graph, role(root), id, at, role);
            nodes.extend(read.through);
            let Some(buffer) = read.buffer else { continue };
            // Only programs take each buffer once; other kernels take one per operand of their node.
            let once = role(root).is_computed();
            let inside = root_of[buffer.index()] == Some(root);
            let known = once && seen[buffer.index()] == Some(root);
            if !inside && !known {
                seen[buffer.index()] = Some(root);
                is_read[buffer.index()] = true;
                operands.push(buffer);
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        let extent = extents[root.index()];
        let held = SmallVec::new();
        regions.push(Region {
            root,
            outputs,
            nodes,
            operands,
            extent,
            piece: None,
            held,
            strip: None,
            turned: None,
            kept: None,
            unread: None,
            narrow: None,
        });
    }
    for region in &mut regions {
        let root = region.root;
        region.outputs.retain(|node| *node == root || keep(*node) || is_read[node.index()]);
    }
    regions
}
