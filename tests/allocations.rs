//! Once it has run, a step allocates nothing, on one thread or on two; what a run allocates is what it hands out.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod counting;

use std::time::Duration;

use counting::{Alone, Counting};
use pullback::exec::Options;
use pullback::graph::AttentionOptions;
use pullback::graph::op::{Cofactor, TriangularSolve};
use pullback::{Builder, DType, Session, Tensor};
use pullback_bench::workloads::{Gpt, Workload, cnn, gpt, mlp, scalars, towers};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Attention and a layer, in which products are chained.
fn chained() -> Workload {
    let b = Builder::new();
    let [q, k, v] = ["q", "k", "v"].map(|name| b.input(name, DType::F32, [4, 150, 16]));
    let mixed = q + q.attention(k, v, &AttentionOptions::default().causal(true));
    let y = mixed
        + mixed.matmul(b.input("w", DType::F32, [16, 70])).tanh().matmul(b.input("u", DType::F32, [70, 16]));
    let graph = b.finish([("y", y)]).unwrap();
    let feed = |(name, sizes): (&str, &[usize])| (name.to_string(), Tensor::full(sizes, 0.1_f32));
    let sizes: [(&str, &[usize]); 5] = [
        ("q", &[4, 150, 16]),
        ("k", &[4, 150, 16]),
        ("v", &[4, 150, 16]),
        ("w", &[16, 70]),
        ("u", &[70, 16]),
    ];
    Workload { graph, feeds: sizes.map(feed).into(), start: Vec::new(), building: Duration::ZERO }
}

/// Matrices that are factored, and equations solved with them.
fn factors() -> Workload {
    let b = Builder::new();
    let (x, y) = (b.input("x", DType::F32, [3, 40, 40]), b.input("y", DType::F32, [3, 40, 2]));
    let factor = x.cholesky();
    let half = factor.triangular_solve(y, TriangularSolve::lower());
    let outputs = [("half", half), ("solved", x.solve(y)), ("inverse", x.inverse())];
    let wide = x.cast(DType::F64);
    let cofactors = wide.apply(Cofactor);
    let graph =
        b.finish(outputs.into_iter().chain([("log", wide.logdet()), ("cofactors", cofactors)])).unwrap();
    let x = Tensor::from_fn(&[3, 40, 40], |at| if at / 40 % 40 == at % 40 { 3.0 } else { 0.01_f32 });
    let feeds = [("x".to_string(), x), ("y".to_string(), Tensor::full(&[3, 40, 2], 0.1_f32))];
    Workload { graph, feeds: feeds.into(), start: Vec::new(), building: Duration::ZERO }
}

fn models() -> [(&'static str, Workload); 7] {
    let transformer = Gpt { tokens: 12, length: 8, width: 16, heads: 2, layers: 1, batch: 2 };
    [
        ("perceptron", mlp("W1", &[20, 32, 32, 10], 16).unwrap()),
        ("convolutions", cnn(2).unwrap()),
        ("transformer", gpt(transformer).unwrap()),
        ("scalars", scalars(2_000).unwrap()),
        ("a hundred branches", towers(100, 4, 2).unwrap()),
        ("chained products", chained()),
        ("factors", factors()),
    ]
}

fn session(alone: &Alone, workload: &Workload, options: Options) -> Session {
    // Everything is shared out that can be, and helpers stay: the pool would have to be asked for them again.
    let options = options.pool(alone.helper()).inline_below(Duration::ZERO).linger(Duration::from_secs(600));
    let mut session = Session::with(&workload.graph, options).unwrap();
    for (name, value) in &workload.start {
        session.set_state(name, value.clone()).unwrap();
    }
    session
}

fn feeds(workload: &Workload) -> impl Iterator<Item = (&str, Tensor)> {
    workload.feeds.iter().map(|(name, value)| (name.as_str(), value.clone()))
}

#[test]
fn a_step_allocates_nothing() {
    let alone = Alone::new();
    for (name, workload) in models() {
        for (threads, in_place) in [(1, true), (1, false), (2, true)] {
            let options = Options::default().threads(threads).update_in_place(in_place);
            let mut session = session(&alone, &workload, options);
            let mut outputs = session.run(feeds(&workload)).unwrap();
            let mut calls =
                |steps| alone.count(|| session.run_steps(steps, feeds(&workload)).unwrap()).1.calls;
            calls(1);
            // The list of results, once for all steps.
            assert_eq!((calls(1), calls(50)), (1, 1), "{name} on {threads} threads, in place: {in_place}");
            session.run_into(feeds(&workload), &mut outputs).unwrap();
            for _ in 0..10 {
                let ((), counted) = alone.count(|| session.run_into(feeds(&workload), &mut outputs).unwrap());
                assert_eq!(counted.calls, 0, "{name} on {threads} threads, in place: {in_place}");
            }
        }
    }
}

#[test]
fn a_run_allocates_what_it_hands_out() {
    let alone = Alone::new();
    let (_, workload) = &models()[3];
    let mut session = session(&alone, workload, Options::default().threads(1));
    let results = workload.graph.outputs().len();
    let mut held = vec![session.run(feeds(workload)).unwrap(), session.run(feeds(workload)).unwrap()];
    held.reserve(1);
    let (outputs, counted) = alone.count(|| session.run(feeds(workload)).unwrap());
    // The list, and for each result its elements and their counter of users.
    assert_eq!(counted.calls, 1 + 2 * results);
    drop((outputs, held));
    let (_, counted) = alone.count(|| session.run(feeds(workload)).unwrap());
    assert_eq!(counted.calls, 1, "the memory of results that nobody holds is used again");
}
