//! How a kernel gets at an operand: the buffer that it reads, and what it reads that through.

use pullback_graph::{Graph, NodeId};
use smallvec::SmallVec;

use crate::kernel::products::dot;
use crate::kernel::regions::role::Role;
use crate::kernel::windows::window_arg::windows_of;

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

impl Access {
    /// What holds for a region that reads in both ways.
    pub(crate) fn and(self, other: Access) -> Access {
        match (self, other) {
            (Access::Elements, access) | (access, Access::Elements) => access,
            (Access::Spread(one), Access::Spread(two)) if one == two => self,
            _ => Access::Buffer,
        }
    }
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
        (computed, Role::Broadcast | Role::Part) if computed.is_computed() => {
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
