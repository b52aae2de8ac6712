//! Invariants 3 and 10: the same program gives the same bits, run after run, whatever the number of threads and the schedule.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use pullback::exec::Options;
use pullback::graph::op::{Choices, Distribution, Random, TriangularSolve};
use pullback::graph::{GraphSpec, generate, interpret};
use pullback::{Builder, DType, Graph, Session, Tensor};

/// Options that send every step to as many threads, however small it is.
fn spread(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

/// All outputs of a run.
fn outputs(graph: &Graph, options: Options, feeds: &[(Arc<str>, Tensor)]) -> Vec<Tensor> {
    let mut session = Session::with(graph, options).unwrap();
    let out = session.run(feeds.iter().cloned()).unwrap();
    out.iter().map(|(_, tensor)| tensor.clone()).collect()
}

fn same(left: &[Tensor], right: &[Tensor]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.bits_eq(b))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_give_the_same_bits_for_every_number_of_threads(stream in prop::collection::vec(any::<u32>(), 0..400)) {
        let mut choices = Choices::new(stream);
        let generated = generate(&mut choices, &GraphSpec::default());
        let (graph, feeds) = (generated.graph, generated.feeds);
        let one = outputs(&graph, spread(1), &feeds);
        for threads in [2, 3, 8] {
            prop_assert!(same(&one, &outputs(&graph, spread(threads), &feeds)), "{threads} threads\n{graph}");
        }
        let mut session = Session::with(&graph, spread(2)).unwrap();
        for _ in 0..3 {
            let again: Vec<Tensor> =
                session.run(feeds.iter().cloned()).unwrap().iter().map(|(_, tensor)| tensor.clone()).collect();
            prop_assert!(same(&one, &again), "a plan that is used again\n{graph}");
        }
    }
}

#[test]
fn large_steps_are_cut_the_same_way_for_every_number_of_threads() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [512, 300]);
    let w = b.input("w", DType::F32, [300, 257]);
    let h = x.dot(w).tanh();
    let graph = b
        .finish([
            ("sum", h.sum()),
            ("columns", h.sum_over(0)),
            ("group_totals", (h * 2.0).exp().sum_over(0)),
            ("row_totals", (h - h.logsumexp(-1).expand_dims(-1)).square().sum_over(1).sum()),
            ("rows", h.softmax(-1).max_over(1)),
            ("picked", h.gather(x.argmax(1), 0)),
            ("segments", h.segment_sum(x.argmax(1), 300)),
        ])
        .unwrap();
    let feeds = [("x".into(), Tensor::random([512, 300], 1)), ("w".into(), Tensor::random([300, 257], 2))];
    let one = outputs(&graph, spread(1), &feeds);
    for threads in [2, 3, 8] {
        assert!(same(&one, &outputs(&graph, spread(threads), &feeds)), "{threads} threads");
    }
}

#[test]
fn factors_of_matrices_are_the_same_for_every_number_of_threads() {
    let b = Builder::new();
    let (x, y) = (b.input("x", DType::F32, [5, 65, 65]), b.input("y", DType::F32, [5, 65, 9]));
    let small = b.input("small", DType::F64, [300, 4, 4]);
    let outputs_of = [
        ("factor", (x.matmul(x.t()) + x.ones_like()).cholesky()),
        ("solved", x.solve(y)),
        ("triangle", x.triangular_solve(y, TriangularSolve::upper().transposed())),
        ("det", small.det()),
        ("log", x.logdet()),
        ("inverse", small.inverse()),
    ];
    let graph = b.finish(outputs_of).unwrap();
    let regular = |sizes: [usize; 3], seed| {
        let (n, noise) = (sizes[1], Tensor::random(sizes, seed).to_f64_vec());
        Tensor::from_fn(&sizes, |at| noise[at] as f32 + if at / n % n == at % n { n as f32 } else { 0.0 })
    };
    let feeds = [
        ("x".into(), regular([5, 65, 65], 1)),
        ("y".into(), Tensor::random([5, 65, 9], 2)),
        ("small".into(), regular([300, 4, 4], 3).cast(DType::F64)),
    ];
    let one = outputs(&graph, spread(1), &feeds);
    for threads in [2, 3] {
        assert!(same(&one, &outputs(&graph, spread(threads), &feeds)), "{threads} threads");
    }
}

#[test]
fn random_numbers_are_a_function_of_the_key() {
    let b = Builder::new();
    let key = b.input("key", DType::I64, ());
    let shape = || [1000].into();
    let op =
        |stream| Random { distribution: Distribution::Normal, stream, dtype: DType::F32, shape: shape() };
    let graph = b.finish([("a", key.apply(op(1))), ("b", key.apply(op(2)))]).unwrap();
    let run = |key: i64, threads| outputs(&graph, spread(threads), &[("key".into(), Tensor::scalar(key))]);
    assert!(same(&run(5, 1), &run(5, 3)));
    assert!(!run(5, 1)[0].bits_eq(&run(6, 1)[0]), "another key");
    assert!(!run(5, 1)[0].bits_eq(&run(5, 1)[1]), "another stream");
    let feed = Tensor::scalar(5_i64);
    let truth = interpret(&graph, [("key", &feed)]).unwrap();
    assert!(run(5, 1)[0].bits_eq(truth.output("a").unwrap()));
}
