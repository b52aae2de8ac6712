//! Nodes that one kernel computes, and how many elements they have.

use pullback_graph::mask::Unread;
use pullback_graph::{Graph, NodeId};
use smallvec::SmallVec;

use crate::kernel::reductions::columns::Columns;
use crate::kernel::regions::narrow::Narrow;
use crate::kernel::regions::read::{Access, read};
use crate::kernel::regions::role::{Role, numel, role};
use crate::kernel::regions::turned::Turned;
use crate::kernel::strip::Strip;

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
    /// How many elements the kernel is asked for at a time, if the [strip](crate::kernel::strip) that it is run in decides that.
    pub(crate) piece: Option<usize>,
    /// The operands of which the kernel is given no more than the rows that it is to compute, for they are made
    /// [on the way](crate::kernel::strip).
    pub(crate) held: SmallVec<[NodeId; 2]>,
    /// The regions that this one is, if it is several that go through the same rows: see [`strip`](crate::kernel::strip).
    pub(crate) strip: Option<Box<Strip>>,
    /// The copy that is read in place of the product's right operand, if that is turned by a step of its own.
    pub(crate) turned: Option<Turned>,
    /// Among which of a worker's panels copies of the product's right operand are kept, if a strip multiplies by it block by block.
    pub(crate) kept: Option<usize>,
    /// Which elements of the region's product nobody reads.
    pub(crate) unread: Option<Unread>,
    /// How far the region's program has to go through rows, if not to their end.
    pub(crate) narrow: Option<Narrow>,
}

/// How many elements the nodes of a region have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All the same number.
    Flat(usize),
    /// `rows · columns` elements, or one per row.
    Rows { rows: usize, columns: usize },
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
    pub(crate) fn starting(role: Role, len: usize) -> Extent {
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
    pub(crate) fn joined(self, role: Role, len: usize, access: Access) -> Option<Extent> {
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
            piece: None,
            held: SmallVec::new(),
            strip: None,
            turned: None,
            kept: None,
            unread: None,
            narrow: None,
        }
    }

    /// The copies that are read in place of operands, each with the place of its operand.
    pub(crate) fn turned(&self) -> SmallVec<[(usize, &Turned); 2]> {
        match &self.strip {
            Some(strip) => strip.turned(),
            None => self.own_turned().into_iter().collect(),
        }
    }

    /// The copy that is read in place of an operand of this region's own product, with the place of that operand.
    pub(crate) fn own_turned(&self) -> Option<(usize, &Turned)> {
        let turned = self.turned.as_ref()?;
        let place = self.operands.iter().position(|operand| *operand == turned.buffer);
        Some((place.expect("a region lists what it reads"), turned))
    }

    /// Whether the kernel stands for `node`.
    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }
}

/// Where operand `at` of the product `node`, which is in a region, is among those of the region.
pub(crate) fn place(graph: &Graph, region: &Region, node: NodeId, at: usize) -> usize {
    let read = read(graph, role(graph, region.root), node, at, |node| role(graph, node));
    let buffer = read.buffer.expect("a product reads buffers");
    let place = region.operands.iter().position(|operand| *operand == buffer);
    place.expect("a region lists what it reads")
}
