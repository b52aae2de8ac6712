//! petgraph's algorithms on the graph itself, against slow obvious ones.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeSet;

use petgraph::algo::dominators::simple_fast;
use petgraph::algo::{dijkstra, has_path_connecting, is_cyclic_directed, toposort};
use petgraph::visit::{
    Dfs, EdgeCount, EdgeRef, IntoEdgeReferences, IntoEdgesDirected, IntoNeighborsDirected,
    IntoNodeReferences, Reversed,
};
use petgraph::{Direction, algo};
use proptest::collection::vec;
use proptest::prelude::*;
use pullback_graph::op::Choices;
use pullback_graph::{Builder, DType, Graph, GraphSpec, NodeId, generate};

fn programs() -> impl Strategy<Value = Graph> {
    vec(any::<u32>(), 0..120)
        .prop_map(|stream| generate(&mut Choices::new(stream), &GraphSpec::default()).graph)
}

/// Everything that depends on `from`, itself included, by the definition.
fn dependents(graph: &Graph, from: NodeId, without: Option<NodeId>) -> BTreeSet<NodeId> {
    let mut reached = BTreeSet::from([from]);
    for id in graph.ids().filter(|id| Some(*id) != without) {
        if graph.node(id).operands.iter().any(|operand| reached.contains(operand)) {
            reached.insert(id);
        }
    }
    if without == Some(from) { BTreeSet::new() } else { reached }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn orders_are_topological(graph in programs()) {
        let order = toposort(&graph, None).expect("graphs are acyclic");
        prop_assert!(!is_cyclic_directed(&graph));
        let place = |id: NodeId| order.iter().position(|other| *other == id).unwrap();
        for edge in graph.edge_references() {
            prop_assert!(place(edge.operand) < place(edge.user));
        }
    }

    #[test]
    fn reachability_is_dependence(graph in programs()) {
        for from in graph.ids() {
            let expected = dependents(&graph, from, None);
            for to in graph.ids() {
                prop_assert_eq!(has_path_connecting(&graph, from, to, None), expected.contains(&to));
                prop_assert_eq!(has_path_connecting(Reversed(&graph), to, from, None), expected.contains(&to));
            }
            let mut found = BTreeSet::new();
            let mut search = Dfs::new(&graph, from);
            while let Some(id) = search.next(&graph) {
                found.insert(id);
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn dominators_cut_all_paths(graph in programs()) {
        let root = NodeId::new(0);
        let found = simple_fast(&graph, root);
        let reached = dependents(&graph, root, None);
        for id in reached.iter().copied().filter(|id| *id != root) {
            let dominators: BTreeSet<_> = found.dominators(id).expect("it is reached").collect();
            for other in reached.iter().copied() {
                let cuts = other == id || !dependents(&graph, root, Some(other)).contains(&id);
                prop_assert_eq!(dominators.contains(&other), cuts, "{} over {}", other, id);
            }
        }
    }

    #[test]
    fn edges_are_operands(graph in programs()) {
        let copy = graph.to_petgraph();
        prop_assert_eq!((copy.node_count(), copy.edge_count()), (graph.len(), graph.edge_count()));
        for (id, node) in graph.node_references() {
            let operands: Vec<NodeId> = graph.neighbors_directed(id, Direction::Incoming).collect();
            prop_assert_eq!(&operands[..], &node.operands[..]);
            let into: Vec<_> = graph.edges_directed(id, Direction::Incoming).map(|edge| *edge.weight()).collect();
            prop_assert_eq!(into, (0..operands.len()).collect::<Vec<_>>());
            let mut from: Vec<_> = graph.edges_directed(id, Direction::Outgoing).map(|edge| (edge.target(), edge.position)).collect();
            let mut naive: Vec<_> = graph.edge_references().filter(|edge| edge.source() == id).map(|edge| (edge.user, edge.position)).collect();
            from.sort();
            naive.sort();
            prop_assert_eq!(from, naive);
        }
        for edge in copy.edge_indices() {
            let (operand, user) = copy.edge_endpoints(edge).unwrap();
            prop_assert_eq!(graph.node(copy[user]).operands[copy[edge]], copy[operand]);
        }
    }
}

#[test]
fn an_operand_used_twice_has_two_edges() {
    let b = Builder::new();
    let x = b.input("x", DType::F64, [2]);
    let graph = b.finish([("y", x * x)]).unwrap();
    let edges: Vec<_> = graph
        .edge_references()
        .map(|edge| (edge.source().index(), edge.target().index(), *edge.weight()))
        .collect();
    assert_eq!(edges, [(0, 1, 0), (0, 1, 1)]);
    assert_eq!(graph.edges_directed(x.id(), Direction::Outgoing).count(), 2);
    assert_eq!(algo::dijkstra(&graph, x.id(), None, |_| 1)[&NodeId::new(1)], 1);
    assert_eq!(dijkstra(Reversed(&graph), NodeId::new(1), None, |_| 1)[&x.id()], 1);
}
