//! Ancestors and transitive reduction against the full closure.

use std::time::{Duration, Instant};

use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::DiGraph;
use petgraph::visit::{IntoNeighbors, NodeIndexable};
use proptest::prelude::*;

use crate::plan::id::StepId;
use crate::plan::reach::Reach;
use crate::plan::tests::strategy::{closure, step_graphs};

/// What `Reach` says of every pair inside its rows, and the edges it keeps.
fn run(graph: &[Vec<StepId>], window: usize) -> (Vec<Vec<bool>>, Vec<Vec<StepId>>) {
    let mut reach = Reach::with_window(graph.len(), window);
    let mut kept = Vec::new();
    let mut answers = Vec::new();
    for row in graph {
        let step = reach.open(row);
        answers.push((0..step.index()).map(|other| reach.is_ancestor(StepId::new(other), step)).collect());
        let mut row = row.clone();
        reach.reduce(step, &mut row);
        kept.push(row);
    }
    (answers, kept)
}

proptest! {
    #[test]
    fn a_window_as_long_as_the_graph_gives_the_closure(graph in step_graphs(200)) {
        let truth = closure(&graph);
        let (answers, kept) = run(&graph, 1 << 12);
        for (at, row) in answers.iter().enumerate() {
            prop_assert_eq!(&row[..], &truth[at][..at]);
        }
        prop_assert_eq!(closure(&kept), truth);
    }

    #[test]
    fn a_short_window_is_exact_inside_and_never_wrong_outside(graph in step_graphs(400)) {
        let truth = closure(&graph);
        let (answers, kept) = run(&graph, 64);
        for (at, row) in answers.iter().enumerate() {
            for (other, answer) in row.iter().enumerate() {
                // Rows are cut at whole words of 64 steps.
                if at / 64 == other / 64 {
                    prop_assert_eq!(*answer, truth[at][other]);
                } else {
                    prop_assert!(!answer || truth[at][other]);
                }
            }
        }
        prop_assert_eq!(closure(&kept), truth);
    }

    #[test]
    fn the_reduction_is_petgraphs(graph in step_graphs(60)) {
        let mut dag = DiGraph::<(), ()>::new();
        let nodes: Vec<_> = graph.iter().map(|_| dag.add_node(())).collect();
        for (at, row) in graph.iter().enumerate() {
            for predecessor in row {
                dag.add_edge(nodes[predecessor.index()], nodes[at], ());
            }
        }
        let sorted: Vec<_> = dag.node_indices().collect();
        let (list, _) = dag_to_toposorted_adjacency_list::<_, u32>(&dag, &sorted);
        let (reduced, _) = dag_transitive_reduction_closure(&list);
        let mut expected = vec![Vec::new(); graph.len()];
        for from in 0..reduced.node_bound() {
            for to in reduced.neighbors(from as u32) {
                expected[to as usize].push(StepId::new(from));
            }
        }
        prop_assert_eq!(run(&graph, 1 << 12).1, expected);
    }
}

#[test]
fn linking_a_step_later_is_as_good_as_an_edge() {
    let id = StepId::new;
    let mut reach = Reach::any_order(4);
    reach.open(&[]);
    reach.open(&[id(0)]);
    reach.open(&[]);
    let last = reach.open(&[id(2)]);
    assert!(!reach.is_ancestor(id(0), last));
    reach.link(last, id(1));
    assert!(reach.is_ancestor(id(0), last) && reach.is_ancestor(id(1), last));
}

#[test]
fn long_chains_and_wide_graphs_are_linear() {
    let start = Instant::now();
    let mut reach = Reach::any_order(1_000_000);
    for at in 0..1_000_000_usize {
        reach.open(&(at > 0).then(|| StepId::new(at - 1)).into_iter().collect::<Vec<_>>());
    }
    assert!(reach.is_ancestor(StepId::new(0), StepId::new(999_999)));
    let mut reach = Reach::any_order(200_000);
    for at in 0..200_000_usize {
        reach.open(&(at >= 1000).then(|| StepId::new(at - 1000)).into_iter().collect::<Vec<_>>());
    }
    assert!(reach.is_ancestor(StepId::new(195_999), StepId::new(199_999)));
    // Generous: a quadratic algorithm would take hours.
    assert!(start.elapsed() < Duration::from_secs(20));
}
