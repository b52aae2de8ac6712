//! Which nodes run as one kernel: regions of elementwise nodes, and operands that are read where they are.
//!
//! A region has one result, its root. Other nodes of a region exist only inside its kernel: an elementwise node joins
//! the region of its readers when that is one region of as many elements, so nothing is computed twice. Literals,
//! broadcasts and transposes are not computed at all where a kernel can read through them; such a node may stand in
//! several regions, and has a region of its own only if something needs its buffer.

use pullback_graph::{Graph, NodeId, Op};
use smallvec::SmallVec;

use crate::kernel::movement;

/// Nodes that one kernel computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The node whose value the kernel writes.
    pub(crate) root: NodeId,
    /// Every node that the kernel stands for, ascending; the root is the last.
    pub(crate) nodes: Vec<NodeId>,
    /// The nodes whose buffers the kernel reads, in the order in which it takes them.
    pub(crate) operands: Vec<NodeId>,
}

/// How a node takes part in fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Computed element by element: an instruction of a program.
    Elementwise,
    /// Its operand's bytes under another type.
    Alias,
    /// One number everywhere.
    Literal,
    /// Repeats its operand.
    Broadcast,
    /// Its operand's axes in another order.
    Permute,
    /// A product that takes its operands by strides.
    Dot,
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
}

/// Nodes in one region; more would only lengthen the list of live registers.
const LIMIT: u32 = 1024;

/// The readers of a node's buffer, as far as the walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// Nobody reads it.
    None,
    /// Only this region, an elementwise one.
    Region(NodeId),
    /// Several regions, or one that needs a buffer.
    Buffer,
}

impl Region {
    /// The node alone. A program reads each buffer once, other kernels take one buffer per operand.
    pub(crate) fn single(graph: &Graph, node: NodeId) -> Region {
        let mut operands = graph.node(node).operands.to_vec();
        if role(graph, node) == Role::Elementwise {
            let all = std::mem::take(&mut operands);
            for operand in all {
                if !operands.contains(&operand) {
                    operands.push(operand);
                }
            }
        }
        Region { root: node, nodes: vec![node], operands }
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
        Op::Broadcast(_) => Role::Broadcast,
        Op::Permute(_) if movement::view(graph, node).is_some_and(|view| view.is_dense()) => Role::Alias,
        Op::Permute(_) => Role::Permute,
        Op::DotGeneral(_) => Role::Dot,
        _ => Role::Other,
    }
}

/// How the kernel of a region whose root is `root` gets at `operand`, one of its nodes' operands.
pub(crate) fn read(graph: &Graph, root: Role, operand: NodeId, role: impl Fn(NodeId) -> Role) -> Read {
    let source = |node: NodeId| graph.node(node).operands[0];
    let (through, buffer): (SmallVec<[NodeId; 2]>, _) = match (root, role(operand)) {
        (Role::Elementwise | Role::Broadcast, Role::Literal) => ([operand].into_iter().collect(), None),
        (Role::Elementwise, Role::Broadcast) if role(source(operand)) == Role::Literal => {
            ([operand, source(operand)].into_iter().collect(), None)
        }
        (Role::Elementwise | Role::Dot, Role::Broadcast) | (Role::Dot, Role::Permute) => {
            ([operand].into_iter().collect(), Some(source(operand)))
        }
        _ => (SmallVec::new(), Some(operand)),
    };
    Read { through, buffer }
}

/// The regions that compute every node for which `keep` holds, ascending by root: an order they can run in.
///
/// Nodes that none of those needs are in no region. Pure, and linear in the edges of the graph.
pub(crate) fn regions(graph: &Graph, keep: &dyn Fn(NodeId) -> bool) -> Vec<Region> {
    let roles: Vec<Role> = graph.ids().map(|id| role(graph, id)).collect();
    let role = |id: NodeId| roles[id.index()];
    let mut readers = vec![Readers::None; graph.len()];
    let mut root_of: Vec<Option<NodeId>> = vec![None; graph.len()];
    let mut counts = vec![0_u32; graph.len()];
    for id in graph.ids().rev() {
        let root = match readers[id.index()] {
            _ if keep(id) => id,
            Readers::None => continue,
            Readers::Region(root) if joins(graph, id, role(id), root) && counts[root.index()] < LIMIT => root,
            Readers::Region(_) | Readers::Buffer => id,
        };
        root_of[id.index()] = Some(root);
        counts[root.index()] += 1;
        let joinable = role(root) == Role::Elementwise;
        for operand in &graph.node(id).operands {
            if let Some(buffer) = read(graph, role(root), *operand, role).buffer {
                let of = &mut readers[buffer.index()];
                *of = match *of {
                    Readers::None if joinable => Readers::Region(root),
                    Readers::Region(other) if joinable && other == root => *of,
                    _ => Readers::Buffer,
                };
            }
        }
    }
    collect(graph, &root_of, role)
}

/// Whether a node of this role can be computed inside the region of `root`.
fn joins(graph: &Graph, node: NodeId, role: Role, root: NodeId) -> bool {
    matches!(role, Role::Elementwise | Role::Alias) && numel(graph, node) == numel(graph, root)
}

/// The regions, given the root of each node that is computed.
fn collect(graph: &Graph, root_of: &[Option<NodeId>], role: impl Fn(NodeId) -> Role + Copy) -> Vec<Region> {
    let mut members: Vec<Vec<NodeId>> = vec![Vec::new(); graph.len()];
    for (id, root) in graph.ids().zip(root_of) {
        if let Some(root) = root {
            members[root.index()].push(id);
        }
    }
    let mut regions = Vec::new();
    // The region in whose operands a buffer was seen last: a set that needs no clearing.
    let mut seen: Vec<Option<NodeId>> = vec![None; graph.len()];
    for (root, computed) in graph.ids().zip(members) {
        if computed.is_empty() {
            continue;
        }
        let (mut nodes, mut operands) = (computed.clone(), Vec::new());
        for operand in computed.iter().flat_map(|id| &graph.node(*id).operands) {
            let read = read(graph, role(root), *operand, role);
            nodes.extend(read.through);
            let Some(buffer) = read.buffer else { continue };
            // Only programs take each buffer once; other kernels take one per operand of their node.
            let once = role(root) == Role::Elementwise;
            let inside = root_of[buffer.index()] == Some(root);
            let known = once && seen[buffer.index()] == Some(root);
            if !inside && !known {
                seen[buffer.index()] = Some(root);
                operands.push(buffer);
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        regions.push(Region { root, nodes, operands });
    }
    regions
}
