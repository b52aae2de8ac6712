//! Which nodes run as one kernel: regions of elementwise nodes and of reductions along rows, and operands that are read
//! where they are.
//!
//! Regions run in the order of their roots. A node joins the earliest region that reads it, if it can be computed there,
//! or else one before that which reads what it reads: then everything a region reads is computed in earlier ones, nothing
//! is computed twice, and what other regions read as well is one more result of the kernel. All nodes of a region have one element per element of its root, or, where a
//! region has rows, one per element or one per row: a reduction along the last axes makes a number of each row, and a
//! broadcast along them spreads it out again, so that a softmax is one region. A reduction over leading axes, or over all,
//! may be a result of a region, and nothing in it can read that: it is known when all rows have been gone through.
//!
//! What stays apart although it reads the same is then [merged](crate::kernel::merge).
//!
//! A product whose elements a region goes through may be computed there too: it is the [head](crate::kernel::heads) of the
//! region. One that multiplies the rows of another's result may then be [chained](crate::kernel::chain) to it.
//!
//! A product reads windows that slide over its operand matrix by matrix, and what adds overlapping windows up takes them
//! from a product the same way, so that a convolution never writes its windows out.
//!
//! Literals, broadcasts and transposes are not computed at all where a kernel can read through them; such a node may
//! stand in several regions, and has a region of its own only if something needs its buffer.

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, Graph, NodeId, Op};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::kernel::columns::Columns;
use crate::kernel::conv::Weights;
use crate::kernel::heads::Heads;
use crate::kernel::merge::{in_order, merge, merge_scalars};
use crate::kernel::window_arg::windows_of;
use crate::kernel::{dot, movement};

/// Nodes that one kernel computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The last node of the region; its value is written.
    pub(crate) root: NodeId,
    /// The nodes whose values the kernel writes, ascending; the root is the last.
    pub(crate) outputs: SmallVec<[NodeId; 1]>,
    /// Every node that the kernel stands for, ascending.
    pub(crate) nodes: Vec<NodeId>,
    /// The nodes whose buffers the kernel reads, in the order in which it takes them.
    pub(crate) operands: Vec<NodeId>,
    /// How many elements the nodes have.
    pub(crate) extent: Extent,
    /// What makes the left operand of this one's product row by row, if that is computed here too: the operands are those of
    /// both, and the nodes this one's own.
    pub(crate) left: Option<Box<Left>>,
}

/// A region that makes rows for the product of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) region: Region,
    /// How many rows of the product's left operand are made at once.
    pub(crate) rows: usize,
}

/// How many elements the nodes of a region have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All the same number.
    Flat(usize),
    /// `rows · columns` elements, or one per row.
    Rows { rows: usize, columns: usize },
}

/// How a node takes part in fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Computed element by element: an instruction of a program.
    Elementwise,
    /// Combines so many neighbours into one number: an instruction of a program.
    Rows(usize),
    /// Combines the rows that its operand consists of: an instruction of a program, in which nothing can read it.
    Columns(Columns),
    /// Its operand's bytes under another type.
    Alias,
    /// One number everywhere.
    Literal,
    /// Repeats each element of its operand so many times, side by side.
    Spread(usize),
    /// Repeats its operand in another way.
    Broadcast,
    /// Its operand's axes in another order.
    Permute,
    /// A product that takes its operands by strides.
    Dot,
    /// Writes to places of its first operand, which may be a number everywhere.
    Scatter,
    /// Windows of its operand, which a product can read matrix by matrix.
    Windows,
    /// Overlapping windows added up, or a product with windows summed over its stack: the product may be computed on the way.
    Overlap,
    /// None of these.
    Other,
}

/// How a kernel gets at an operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// The nodes it reads through, outermost first.
    pub(crate) through: SmallVec<[NodeId; 2]>,
    /// The buffer it reads; `None` for a number.
    pub(crate) buffer: Option<NodeId>,
    /// What must hold for the node behind the buffer to be computed in the same kernel.
    pub(crate) access: Access,
}

/// In which way a region reads a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Element by element, or row by row.
    Elements,
    /// One element for each row of so many.
    Spread(usize),
    /// In a way that needs the whole buffer.
    Buffer,
}

/// Nodes in one region; more would only lengthen the list of live registers.
pub(crate) const LIMIT: u32 = 1024;

/// The longest rows that are gone through in one kernel: a few of them fit the second-level cache.
const LONGEST_ROW: usize = 8192;

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

impl Access {
    /// What holds for a region that reads in both ways.
    fn and(self, other: Access) -> Access {
        match (self, other) {
            (Access::Elements, access) | (access, Access::Elements) => access,
            (Access::Spread(one), Access::Spread(two)) if one == two => self,
            _ => Access::Buffer,
        }
    }
}

impl Extent {
    /// The number of elements, rows counting for all of theirs.
    pub(crate) fn len(self) -> usize {
        match self {
            Extent::Flat(len) => len,
            Extent::Rows { rows, columns } => rows * columns,
        }
    }

    /// The extent of two regions in one, if they go together.
    pub(crate) fn with(self, other: Extent) -> Option<Extent> {
        match (self, other) {
            (Extent::Flat(one), Extent::Flat(two)) => (one == two).then_some(self),
            (Extent::Rows { rows, columns }, extent) | (extent, Extent::Rows { rows, columns }) => {
                extent.with_rows(rows, columns)
            }
        }
    }

    /// The extent of a region that a node of so many elements and this role starts.
    fn starting(role: Role, len: usize) -> Extent {
        match role {
            Role::Rows(columns) => Extent::Rows { rows: len, columns },
            Role::Columns(Columns { len, run: 1 }) => Extent::Flat(len),
            Role::Columns(Columns { len, run }) => Extent::Rows { rows: len / run, columns: run },
            _ => Extent::Flat(len),
        }
    }

    /// The extent with rows of `columns`, if that fits.
    fn with_rows(self, rows: usize, columns: usize) -> Option<Extent> {
        let wanted = Extent::Rows { rows, columns };
        match self {
            // What was there has one element per row, or one per column of each.
            Extent::Flat(len) => (len == rows || len == rows * columns).then_some(wanted),
            Extent::Rows { .. } => (self == wanted).then_some(wanted),
        }
    }

    /// Whether a node of so many elements may be in the region.
    fn has(self, len: usize) -> bool {
        match self {
            Extent::Flat(all) => len == all,
            Extent::Rows { rows, columns } => len == rows || len == rows * columns,
        }
    }

    /// The extent once a node of so many elements that is read by `access` has joined; `None` if it cannot.
    fn joined(self, role: Role, len: usize, access: Access) -> Option<Extent> {
        let extent = match access {
            Access::Elements => self,
            Access::Spread(columns) => self.with_rows(len, columns)?,
            Access::Buffer => return None,
        };
        match role {
            Role::Rows(columns) => extent.with_rows(len, columns),
            Role::Elementwise | Role::Alias => extent.has(len).then_some(extent),
            Role::Columns(Columns { len, run: 1 }) => extent.has(len).then_some(extent),
            Role::Columns(Columns { len, run }) => extent.with_rows(len / run, run),
            _ => None,
        }
    }
}

impl Role {
    /// Whether a node of this role can be the root of a program.
    pub(crate) fn is_computed(self) -> bool {
        matches!(self, Role::Elementwise | Role::Rows(_) | Role::Columns(_))
    }
}

impl Region {
    /// The node alone. A program reads each buffer once, other kernels take one buffer per operand.
    pub(crate) fn single(graph: &Graph, node: NodeId) -> Region {
        let mut operands = graph.node(node).operands.to_vec();
        let role = role(graph, node);
        if role == Role::Elementwise {
            let all = std::mem::take(&mut operands);
            for operand in all {
                if !operands.contains(&operand) {
                    operands.push(operand);
                }
            }
        }
        let extent = Extent::starting(role, numel(graph, node));
        Region {
            root: node,
            outputs: [node].into_iter().collect(),
            nodes: vec![node],
            operands,
            extent,
            left: None,
        }
    }

    /// Every node that is computed, or of which a part is, ascending.
    pub(crate) fn covered(&self) -> SmallVec<[NodeId; 1]> {
        let left = self.left.iter().flat_map(|left| &left.region.nodes);
        let mut nodes: SmallVec<[NodeId; 1]> = self.nodes.iter().chain(left).copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Whether the kernel stands for `node`.
    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }
}

/// The number of elements of a bound node.
pub(crate) fn numel(graph: &Graph, node: NodeId) -> usize {
    graph.ty(node).shape.numel().known().expect("a graph is bound before it is lowered")
}

/// How `node` takes part in fusion.
pub(crate) fn role(graph: &Graph, node: NodeId) -> Role {
    let operand = |at: usize| graph.node(node).operands[at];
    match &graph.node(node).op {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Logic(_) | Op::Select(_) | Op::Clamp(_) => {
            Role::Elementwise
        }
        Op::Cast(op) if op.dtype == graph.ty(operand(0)).dtype => Role::Alias,
        Op::Cast(_) => Role::Elementwise,
        Op::Reshape(_) | Op::StopGradient(_) => Role::Alias,
        Op::Literal(_) => Role::Literal,
        Op::Broadcast(_) if numel(graph, node) == numel(graph, operand(0)) => Role::Alias,
        Op::Broadcast(_) => match movement::view(graph, node).and_then(|view| view.spread()) {
            Some((rows, columns)) if is_row(rows, columns) => Role::Spread(columns),
            _ => Role::Broadcast,
        },
        Op::Reduce(op) if matches!(op.kind, ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min) => {
            match row_length(graph, node, |axis| op.axes.contains(axis)) {
                Some(columns) => Role::Rows(columns),
                None if Weights::of(graph, node).is_some() => Role::Overlap,
                None => Columns::of(graph, node).map_or(Role::Other, Role::Columns),
            }
        }
        Op::Permute(_) if movement::view(graph, node).is_some_and(|view| view.is_dense()) => Role::Alias,
        Op::Permute(_) => Role::Permute,
        Op::DotGeneral(_) => Role::Dot,
        Op::Scatter(_) | Op::ScatterAlong(_) => Role::Scatter,
        Op::Unfold(_) => Role::Windows,
        Op::Fold(_) => Role::Overlap,
        _ => Role::Other,
    }
}

/// Whether so many rows of so many elements are worth being gone through row by row.
fn is_row(rows: usize, columns: usize) -> bool {
    rows > 1 && (2..=LONGEST_ROW).contains(&columns)
}

/// How many neighbours of its operand each element of a reduction combines, if they are neighbours.
fn row_length(graph: &Graph, node: NodeId, is_reduced: impl Fn(usize) -> bool) -> Option<usize> {
    let operand = graph.node(node).operands[0];
    if graph.ty(operand).dtype == DType::Bool {
        return None;
    }
    let sizes = movement::sizes(graph, operand);
    let kept =
        (0..sizes.len()).rposition(|axis| !is_reduced(axis) && sizes[axis] != 1).map_or(0, |axis| axis + 1);
    let last = (0..kept).all(|axis| !is_reduced(axis) || sizes[axis] == 1);
    let columns = sizes[kept..].iter().product();
    let rows = numel(graph, node);
    (last && is_row(rows, columns) && rows * columns == numel(graph, operand)).then_some(columns)
}

/// How the kernel of a region whose root is `root` gets at operand `at` of `node`, which is in the region.
pub(crate) fn read(
    graph: &Graph,
    root: Role,
    node: NodeId,
    at: usize,
    role: impl Fn(NodeId) -> Role,
) -> Read {
    let operand = graph.node(node).operands[at];
    // A product in the region of what adds it up reads as any product does.
    let root = if role(node) == Role::Dot { Role::Dot } else { root };
    let source = |node: NodeId| graph.node(node).operands[0];
    let through = |nodes: &[NodeId], buffer, access| Read { through: nodes.into(), buffer, access };
    if let Some(nodes) = windows_of(graph, node) {
        return through(&nodes, nodes.last().map(|windows| source(*windows)), Access::Buffer);
    }
    match (root, role(operand)) {
        (Role::Broadcast | Role::Spread(_), Role::Literal) => through(&[operand], None, Access::Buffer),
        (computed, Role::Literal) if computed.is_computed() => through(&[operand], None, Access::Buffer),
        (computed, Role::Broadcast | Role::Spread(_))
            if computed.is_computed() && role(source(operand)) == Role::Literal =>
        {
            through(&[operand, source(operand)], None, Access::Buffer)
        }
        (computed, Role::Spread(columns)) if computed.is_computed() => {
            through(&[operand], Some(source(operand)), Access::Spread(columns))
        }
        (computed, Role::Broadcast) if computed.is_computed() => {
            through(&[operand], Some(source(operand)), Access::Buffer)
        }
        (Role::Dot, Role::Broadcast | Role::Spread(_) | Role::Permute) => {
            through(&[operand], Some(source(operand)), Access::Buffer)
        }
        (Role::Scatter, Role::Literal) if at == 0 => through(&[operand], None, Access::Buffer),
        (Role::Dot, Role::Windows) if dot::takes_windows(graph, node, at) => {
            through(&[operand], Some(source(operand)), Access::Buffer)
        }
        (Role::Overlap, _) => through(&[], Some(operand), Access::Elements),
        (computed, _) if computed.is_computed() => through(&[], Some(operand), Access::Elements),
        _ => through(&[], Some(operand), Access::Buffer),
    }
}

/// Where operand `at` of the product `node`, which is in a region, is among those of the region.
pub(crate) fn place(graph: &Graph, region: &Region, node: NodeId, at: usize) -> usize {
    let read = read(graph, role(graph, region.root), node, at, |node| role(graph, node));
    let buffer = read.buffer.expect("a product reads buffers");
    let place = region.operands.iter().position(|operand| *operand == buffer);
    place.expect("a region lists what it reads")
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
    for merge in [merge_scalars, merge] {
        let Some(merged) = merge(graph, &found, &role) else { continue };
        let place: FxHashMap<NodeId, (NodeId, Extent)> =
            found.iter().map(|region| region.root).zip(merged).collect();
        for root in root_of.iter_mut().flatten() {
            let (new, extent) = place[root];
            (*root, extents[new.index()]) = (new, extent);
        }
        found = in_order(graph, collect(graph, keep, &root_of, &extents, role));
    }
    heads.in_place(found)
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
        regions.push(Region { root, outputs, nodes, operands, extent, left: None });
    }
    for region in &mut regions {
        let root = region.root;
        region.outputs.retain(|node| *node == root || keep(*node) || is_read[node.index()]);
    }
    regions
}
