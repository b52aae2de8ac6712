//! What holds of the passes on random programs: the same bits, the same signature, never more nodes, nothing left to do.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use pullback_graph::op::Choices;
use pullback_graph::pass::{PASSES, optimize};
use pullback_graph::{
    Builder, DType, Element, Expr, Generated, Graph, GraphSpec, NodeId, Op, Tensor, dispatch,
};
use pullback_graph::{generate, interpret, verify};

fn program(stream: Vec<u32>, dtype: DType) -> Generated {
    generate(&mut Choices::new(stream), &GraphSpec { dtype, max_nodes: 40, ..GraphSpec::default() })
}

fn programs() -> impl Strategy<Value = Generated> {
    (vec(any::<u32>(), 0..200), prop_oneof![Just(DType::F64), Just(DType::F32)])
        .prop_map(|(stream, dtype)| program(stream, dtype))
}

fn outputs(graph: &Graph, feeds: &[(std::sync::Arc<str>, Tensor)]) -> Vec<Tensor> {
    let values = interpret(graph, feeds.iter().map(|(name, value)| (name, value))).unwrap();
    values.outputs().map(|(_, value)| value.clone()).collect()
}

/// Equal bits, but any NaN for any other: which payload an operation passes on is not specified.
fn same_bits(left: &Tensor, right: &Tensor) -> bool {
    left.ty() == right.ty()
        && dispatch!(left.dtype(), T => {
            let same = |(a, b): (&T, &T)| a.to_bits64() == b.to_bits64() || (a.to_f64().is_nan() && b.to_f64().is_nan());
            left.values::<T>().iter().zip(right.values::<T>()).all(same)
        })
}

/// Every node of the pool is an output too, so that nothing but merging hides a wrong rule.
fn with_all_outputs(graph: &Graph) -> Graph {
    let all = graph.ids().map(|id| pullback_graph::Output::new(id.to_string(), id));
    graph.with_outputs(all).unwrap()
}

/// Applies each op again, on another builder, with an unused node between.
fn with_dead_nodes(graph: &Graph, at: usize) -> Graph {
    let builder = Builder::new();
    let mut copies: HashMap<NodeId, Expr<'_>> = HashMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        let operands: Vec<Expr<'_>> = node.operands.iter().map(|operand| copies[operand]).collect();
        let copy = builder.push(node.op.clone(), &operands).unwrap();
        if id.index() == at && copy.dtype() != DType::Bool {
            let _dead = copy.sum();
        }
        copies.insert(id, copy);
    }
    builder.finish(graph.outputs().iter().map(|output| (&*output.name, copies[&output.node]))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn optimized_graphs_compute_the_same_bits(made in programs()) {
        for graph in [made.graph.clone(), with_all_outputs(&made.graph)] {
            let optimized = optimize(&graph);
            for (before, after) in outputs(&graph, &made.feeds).iter().zip(&outputs(&optimized, &made.feeds)) {
                prop_assert!(same_bits(before, after), "{before}\n{after}\n{graph}\n{optimized}");
            }
        }
    }

    #[test]
    fn each_pass_alone_computes_the_same_bits(made in programs()) {
        for pass in PASSES {
            let after = pass.run(&made.graph);
            verify(&after).unwrap();
            for (before, after) in outputs(&made.graph, &made.feeds).iter().zip(&outputs(&after, &made.feeds)) {
                prop_assert!(same_bits(before, after), "{pass:?}: {before}\n{after}");
            }
            prop_assert!(after.len() <= made.graph.len());
        }
    }

    #[test]
    fn optimizing_twice_is_optimizing_once(made in programs()) {
        for graph in [made.graph.clone(), with_all_outputs(&made.graph)] {
            let once = optimize(&graph);
            prop_assert!(once == optimize(&once), "{once}\n{}", optimize(&once));
        }
    }

    #[test]
    fn optimized_graphs_keep_signature_and_lines_and_never_grow(made in programs()) {
        let optimized = optimize(&made.graph);
        verify(&optimized).unwrap();
        prop_assert!(optimized.len() <= made.graph.len());
        let inputs = |graph: &Graph| graph.inputs().iter().map(|id| graph.node(*id).op.clone()).collect::<Vec<_>>();
        prop_assert_eq!(inputs(&made.graph), inputs(&optimized));
        let names = |graph: &Graph| graph.outputs().iter().map(|o| (o.name.clone(), graph.ty(o.node).clone())).collect::<Vec<_>>();
        prop_assert_eq!(names(&made.graph), names(&optimized));
        for id in optimized.ids() {
            prop_assert!(optimized.source(id).is_some(), "{id} has no line");
        }
        for id in optimized.ids().filter(|id| !matches!(optimized.node(*id).op, Op::Input(_))) {
            let used = !optimized.users(id).is_empty() || optimized.outputs().iter().any(|output| output.node == id);
            prop_assert!(used, "{id} is dead");
        }
    }

    #[test]
    fn unused_nodes_change_nothing(made in programs(), at in any::<prop::sample::Index>()) {
        let at = at.index(made.graph.len());
        let (with, without) = (with_dead_nodes(&made.graph, at), with_dead_nodes(&made.graph, usize::MAX));
        prop_assert!(optimize(&with) == optimize(&without));
    }
}

#[test]
fn a_million_nodes_are_swept_in_linear_time_and_space() {
    let builder = Builder::new();
    let x = builder.input("x", DType::F32, [3]);
    let mut y = x;
    for _ in 0..200_000 {
        // Six nodes, of which two stay.
        y = (y.reshape([1, 3]).reshape([3]) * 1.0).tanh().neg();
    }
    let graph = builder.finish([("y", y)]).unwrap();
    assert_eq!(graph.len(), 1 + 6 * 200_000);
    assert_eq!(optimize(&graph).len(), 1 + 2 * 200_000);
}
