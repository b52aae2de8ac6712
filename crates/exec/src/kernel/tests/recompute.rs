//! Graphs in which readers compute again what is not worth keeping, against the graphs as they were.

use pullback_graph::op::Choices;
use pullback_graph::{Builder, DType, Graph, Tensor};

use super::fusion::{fused, grow};
use super::{ORDERS, assert_close, run_regions};
use rustc_hash::FxHashSet;

use crate::kernel::regions::recompute::{recompute, recompute_from};
use crate::kernel::{Kernel, Region};

/// Runs the graph node by node, and the rewritten one fused, and compares the outputs' bits.
fn check(graph: &Graph, rewritten: &Graph, feeds: &[Tensor], what: &str) {
    let single: Vec<Region> = graph.ids().map(|id| Region::single(graph, id)).collect();
    let expected = run_regions(graph, &single, feeds, ORDERS[0]);
    let got = run_regions(rewritten, &fused(rewritten), feeds, ORDERS[0]);
    for (ours, theirs) in rewritten.outputs().iter().zip(graph.outputs()) {
        let (got, expected) = (&got[ours.node.index()], &expected[theirs.node.index()]);
        assert_close(got.as_ref().unwrap(), expected.as_ref().unwrap(), None, what);
    }
}

/// The elements that programs and products write for others, outputs of the graph included.
fn written(graph: &Graph) -> usize {
    let numel = |id: &pullback_graph::NodeId| graph.ty(*id).shape.known_numel().unwrap();
    let steps = fused(graph).into_iter().filter(|region| !region.operands.is_empty());
    let steps = steps.filter(|region| Kernel::lower(graph, region).alias().is_none());
    steps.flat_map(|region| region.outputs).map(|id| numel(&id)).sum()
}

#[test]
fn one_value_is_kept_where_many_follow_from_it() {
    let b = Builder::new();
    let [x, w] = ["x", "w"].map(|name| b.input(name, DType::F32, [64, 64]));
    let bias = b.input("bias", DType::F32, [64]);
    let u = x.dot(w) + bias;
    let (s, c) = (u.sin(), u.cos());
    let both = s * c;
    let y = both.dot(w);
    // What comes later reads all three of them.
    let back = y.dot(w) * s + c * both;
    let graph = b.finish([("back", back)]).unwrap();
    let rewritten = recompute_from(&graph, &FxHashSet::default(), 1).expect("three values follow from one");
    let size = 64 * 64;
    // Products, and what the first of them becomes for the second.
    assert_eq!((written(&graph), written(&rewritten)), (5 * size, 4 * size));
    let feeds = [Tensor::random([64, 64], 1), Tensor::random([64, 64], 2), Tensor::random([64], 3)];
    check(&graph, &rewritten, &feeds, "a chain with a gradient");
    assert!(recompute(&graph, &FxHashSet::default()).is_none(), "what is small stays in a cache");
}

#[test]
fn what_costs_more_to_compute_than_to_keep_is_kept() {
    let b = Builder::new();
    let [x, w] = ["x", "w"].map(|name| b.input(name, DType::F32, [64, 64]));
    let long = (0..20).fold(x, |y, _| y.sin());
    let graph = b.finish([("back", long.dot(w) * long)]).unwrap();
    assert!(recompute_from(&graph, &FxHashSet::default(), 1).is_none(), "twenty functions for one value");
    let b = Builder::new();
    let [x, w] = ["x", "w"].map(|name| b.input(name, DType::F32, [64, 64]));
    let s = x.sin();
    let graph = b.finish([("s", s), ("back", s.dot(w) * s)]).unwrap();
    assert!(recompute_from(&graph, &FxHashSet::default(), 1).is_none(), "an output is written anyway");
    let b = Builder::new();
    let [x, w] = ["x", "w"].map(|name| b.input(name, DType::F32, [64, 64]));
    let s = x.sin();
    let graph = b.finish([("back", s.dot(w) * s)]).unwrap();
    assert!(recompute_from(&graph, &FxHashSet::default(), 1).is_none(), "a product reads it anyway");
}

#[test]
fn random_graphs_have_the_same_bits_with_values_computed_again() {
    let mut changed = 0;
    for seed in 0..300 {
        let mut choices = Choices::seeded(seed);
        let b = Builder::new();
        let (pool, feeds) = grow(&b, &mut choices, 10 + seed as usize % 40);
        let of = |at: usize| pool[pool.len() - 1 - at];
        let graph = b.finish([("last", of(0)), ("before", of(1)), ("other", of(3))]).unwrap();
        if let Some(rewritten) = recompute_from(&graph, &FxHashSet::default(), 1) {
            changed += 1;
            assert!(written(&rewritten) <= written(&graph), "seed {seed}");
            check(&graph, &rewritten, &feeds, &format!("seed {seed}"));
        }
    }
    assert!(changed > 10, "{changed} graphs had a value to compute again");
}
