//! A graph as petgraph sees it: `&Graph` implements the `visit` traits, so that petgraph's algorithms run without a copy.
//!
//! Edges go from operand to user, with the position of the operand as weight. An operand used twice by one node has two
//! edges, which only their weights tell apart.
//!
//! ```
//! use petgraph::visit::{Dfs, Reversed};
//! use pullback_graph::{Builder, DType::F32};
//! let b = Builder::new();
//! let x = b.input("x", F32, [3]);
//! let unused = x.exp();
//! let y = x * x;
//! let graph = b.finish([("y", y)])?;
//! // What `y` depends on: against the direction of the edges.
//! let mut seen = Vec::new();
//! let mut search = Dfs::new(Reversed(&graph), y.id());
//! while let Some(id) = search.next(Reversed(&graph)) {
//!     seen.push(id);
//! }
//! assert_eq!(seen, [y.id(), x.id()]);
//! # Ok::<(), pullback_graph::GraphError>(())
//! ```

use std::iter::Copied;
use std::slice::Iter;

use petgraph::Direction;
use petgraph::graph::DiGraph;
use petgraph::visit::{
    Data, EdgeCount, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected,
    IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCompactIndexable,
    NodeCount, NodeIndexable, VisitMap, Visitable,
};

use crate::graph::{Graph, Node};
use crate::id::NodeId;

/// An edge: `user` takes `operand` at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// Where the edge starts.
    pub operand: NodeId,
    /// Where it ends.
    pub user: NodeId,
    /// The operand's position.
    pub position: usize,
}

/// Which nodes a traversal has seen.
#[derive(Clone, Debug)]
pub struct Visited(Vec<bool>);

impl Graph {
    /// A copy as a petgraph graph, whose node indices are the ids' and whose edge weights are operand positions.
    #[must_use]
    pub fn to_petgraph(&self) -> DiGraph<NodeId, usize> {
        let mut copy = DiGraph::with_capacity(self.len(), self.edge_count());
        let indices: Vec<_> = self.ids().map(|id| copy.add_node(id)).collect();
        for edge in self.edge_references() {
            copy.add_edge(indices[edge.operand.index()], indices[edge.user.index()], edge.position);
        }
        copy
    }

    /// The edges into a node, by position.
    fn edges_into(&self, user: NodeId) -> impl Iterator<Item = Edge> + '_ {
        let operands = self.node(user).operands.iter().enumerate();
        operands.map(move |(position, operand)| Edge { operand: *operand, user, position })
    }

    /// The edges out of a node, by user and position.
    fn edges_from(&self, operand: NodeId) -> impl Iterator<Item = Edge> + '_ {
        let users = self.users(operand);
        // A user that takes the operand twice is listed twice in a row, and stands for both edges at once.
        let first = |at: &usize| *at == 0 || users[at - 1] != users[*at];
        let users = (0..users.len()).filter(first).map(|at| users[at]);
        users.flat_map(move |user| self.edges_into(user).filter(move |edge| edge.operand == operand))
    }
}

impl EdgeRef for Edge {
    type NodeId = NodeId;
    type EdgeId = Edge;
    type Weight = usize;

    fn source(&self) -> NodeId {
        self.operand
    }

    fn target(&self) -> NodeId {
        self.user
    }

    fn weight(&self) -> &usize {
        &self.position
    }

    fn id(&self) -> Edge {
        *self
    }
}

impl GraphBase for Graph {
    type NodeId = NodeId;
    type EdgeId = Edge;
}

impl GraphProp for Graph {
    type EdgeType = petgraph::Directed;
}

impl Data for Graph {
    type NodeWeight = Node;
    type EdgeWeight = usize;
}

impl NodeCount for Graph {
    fn node_count(&self) -> usize {
        self.len()
    }
}

impl EdgeCount for Graph {
    fn edge_count(&self) -> usize {
        self.nodes().iter().map(|node| node.operands.len()).sum()
    }
}

impl NodeIndexable for Graph {
    fn node_bound(&self) -> usize {
        self.len()
    }

    fn to_index(&self, id: NodeId) -> usize {
        id.index()
    }

    fn from_index(&self, index: usize) -> NodeId {
        NodeId::new(index)
    }
}

impl NodeCompactIndexable for Graph {}

impl VisitMap<NodeId> for Visited {
    fn visit(&mut self, id: NodeId) -> bool {
        !std::mem::replace(&mut self.0[id.index()], true)
    }

    fn is_visited(&self, id: &NodeId) -> bool {
        self.0[id.index()]
    }

    fn unvisit(&mut self, id: NodeId) -> bool {
        std::mem::replace(&mut self.0[id.index()], false)
    }
}

impl Visitable for Graph {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited(vec![false; self.len()])
    }

    fn reset_map(&self, map: &mut Visited) {
        *map = self.visit_map();
    }
}

impl<'g> IntoNodeIdentifiers for &'g Graph {
    type NodeIdentifiers = Box<dyn Iterator<Item = NodeId> + 'g>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        Box::new(self.ids())
    }
}

impl<'g> IntoNodeReferences for &'g Graph {
    type NodeRef = (NodeId, &'g Node);
    type NodeReferences = Box<dyn Iterator<Item = (NodeId, &'g Node)> + 'g>;

    fn node_references(self) -> Self::NodeReferences {
        Box::new(self.ids().zip(self.nodes()))
    }
}

impl<'g> IntoNeighbors for &'g Graph {
    type Neighbors = Copied<Iter<'g, NodeId>>;

    fn neighbors(self, id: NodeId) -> Self::Neighbors {
        self.users(id).iter().copied()
    }
}

impl<'g> IntoNeighborsDirected for &'g Graph {
    type NeighborsDirected = Copied<Iter<'g, NodeId>>;

    fn neighbors_directed(self, id: NodeId, direction: Direction) -> Self::NeighborsDirected {
        match direction {
            Direction::Outgoing => self.users(id).iter().copied(),
            Direction::Incoming => self.node(id).operands.iter().copied(),
        }
    }
}

impl<'g> IntoEdgeReferences for &'g Graph {
    type EdgeRef = Edge;
    type EdgeReferences = Box<dyn Iterator<Item = Edge> + 'g>;

    fn edge_references(self) -> Self::EdgeReferences {
        Box::new(self.ids().flat_map(|id| self.edges_into(id)))
    }
}

impl<'g> IntoEdges for &'g Graph {
    type Edges = Box<dyn Iterator<Item = Edge> + 'g>;

    fn edges(self, id: NodeId) -> Self::Edges {
        Box::new(self.edges_from(id))
    }
}

impl<'g> IntoEdgesDirected for &'g Graph {
    type EdgesDirected = Box<dyn Iterator<Item = Edge> + 'g>;

    fn edges_directed(self, id: NodeId, direction: Direction) -> Self::EdgesDirected {
        match direction {
            Direction::Outgoing => Box::new(self.edges_from(id)),
            Direction::Incoming => Box::new(self.edges_into(id)),
        }
    }
}
