//! Invariant 11: depth is no limit. Chains of 1,000,000 nodes are built, differentiated, bound, optimised, printed, planned,
//! run and dropped, by loops and not by recursion, in time that grows with the number of nodes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback::DType::F64;
use pullback::graph::op::Registry;
use pullback::graph::{Bindings, pass, verify};
use pullback::{Builder, Graph, Session, Tensor, grad, interpret};

/// `y = f(f(… f(x)))` and `dy/dx`, over `length` nodes that no pass can remove.
fn chain(length: usize) -> Graph {
    let b = Builder::new();
    let x = b.input("x", F64, ());
    let y = (0..length).fold(x, |y, _| y.sin());
    let [dx] = grad(y, [x]).unwrap();
    b.finish([("y", y), ("dx", dx)]).unwrap()
}

/// A thread with the small stack that test runners give, so that recursion would be found out.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_million_nodes_are_built_differentiated_checked_and_rewritten() {
    on_a_small_stack(|| {
        let graph = chain(1_000_000);
        assert!(graph.len() > 2_500_000);
        verify(&graph).unwrap();
        let bound = graph.bind(&Bindings::new()).unwrap();
        let optimized = pass::optimize(&bound);
        assert!(optimized.len() <= graph.len());
    });
}

#[test]
fn a_million_nodes_are_planned_run_and_dropped() {
    on_a_small_stack(|| {
        let b = Builder::new();
        let x = b.input("x", F64, ());
        let y = (0..1_000_000).fold(x, |y, i| if i % 2 == 0 { y * 1.000_001 } else { y - 1e-7 });
        let graph = b.finish([("y", y)]).unwrap();
        let mut session = Session::new(&graph).unwrap();
        let out = session.run([("x", Tensor::scalar(1.0_f64))]).unwrap();
        let expected = interpret(&graph, [("x", &Tensor::scalar(1.0_f64))]).unwrap();
        assert!(out["y"].bits_eq(expected.output("y").unwrap()));
    });
}

#[test]
fn a_hundred_thousand_nodes_are_printed_and_read_back() {
    on_a_small_stack(|| {
        let graph = chain(40_000);
        let text = graph.to_string();
        let again = Graph::parse(&text, &Registry::new()).unwrap();
        assert_eq!(again.to_string(), text);
    });
}
