//! Attention and layers of which only rows are ever in memory, against the interpreter; the same bits for every number of
//! threads; and the bytes that they take.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use proptest::prelude::*;
use pullback::exec::{Options, compile};
use pullback::graph::op::Choices;
use pullback::graph::{AttentionOptions, Bindings, Graph};
use pullback::{Builder, DType, Expr, Session, Tensor, grad, interpret};

/// Options that send every step to as many threads, however small it is.
fn spread(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

/// The kernels of a plan.
fn kernels(graph: &Graph) -> Vec<&'static str> {
    let plan = compile(graph, &Bindings::new(), &Options::default()).unwrap();
    plan.steps().iter().map(|step| step.kernel()).collect()
}

fn peak(graph: &Graph, threads: usize) -> usize {
    compile(graph, &Bindings::new(), &spread(threads)).unwrap().peak_bytes()
}

/// What the inputs of a graph are fed with: numbers from -2 to 2, or truth values.
fn feeds(graph: &Graph) -> Vec<(String, Tensor)> {
    let feed = |(id, seed): (&_, u64)| {
        let (ty, name) = (graph.ty(*id), graph.label(*id).unwrap().to_string());
        let sizes = ty.shape.known().unwrap();
        let numbers = Tensor::random([sizes.iter().product()], seed).to_f64_vec();
        let value = match ty.dtype {
            DType::Bool => Tensor::from_fn(&sizes, |at| numbers[at] > -0.6),
            dtype => Tensor::from_fn(&sizes, |at| 2.0 * numbers[at]).cast(dtype),
        };
        (name, value)
    };
    graph.inputs().iter().zip(1..).map(feed).collect()
}

/// The result `y` of a run.
fn result(graph: &Graph, options: Options) -> Tensor {
    let mut session = Session::with(graph, options).unwrap();
    session.run(feeds(graph)).unwrap();
    session.run(feeds(graph)).unwrap()["y"].clone()
}

/// Checks `y`, of which `kept` is only on the way: against the interpreter, and that its bits depend neither on threads nor
/// on whether what is on the way is in memory.
fn check(b: &Builder, y: Expr<'_>, kept: Expr<'_>) {
    let graph = b.finish([("y", y)]).unwrap();
    let got = result(&graph, Options::default().threads(1));
    let (fed, dtype) = (feeds(&graph), got.dtype());
    let truth = interpret(&graph, fed.iter().map(|(name, value)| (name.as_str(), value))).unwrap();
    let tolerance = if dtype == DType::F32 { 1e-4 } else { 1e-11 };
    for (got, want) in got.to_f64_vec().into_iter().zip(truth.output("y").unwrap().to_f64_vec()) {
        assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{got} is not {want}\n{graph}");
    }
    for threads in [2, 3] {
        assert!(got.bits_eq(&result(&graph, spread(threads))), "{threads} threads\n{graph}");
    }
    let kept = b.finish([("y", y), ("kept", kept)]).unwrap();
    assert!(got.bits_eq(&result(&kept, spread(2))), "what is on the way is kept\n{graph}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn attention_agrees_with_the_interpreter(stream in prop::collection::vec(any::<u32>(), 40)) {
        let mut choices = Choices::new(stream);
        let mut one_to = |most: usize| 1 + choices.below(most);
        let (stack, queries, keys, depth, width) = (one_to(5), one_to(300), one_to(300), one_to(20), one_to(20));
        let (dtype, mask, after) = ([DType::F32, DType::F64][one_to(2) - 1], one_to(4), one_to(3));
        let b = Builder::new();
        let q = b.input("q", dtype, [stack, queries, depth]);
        let k = b.input("k", dtype, [stack, keys, depth]);
        let v = b.input("v", dtype, [stack, keys, width]);
        let scores = (q * 0.3).matmul(k.t());
        let weights = match mask {
            1 => scores.softmax(-1),
            2 => scores.masked_softmax(scores.iota_like(-2).ge(scores.iota_like(-1)), -1),
            3 => scores.masked_softmax(b.input("mask", DType::Bool, [queries, keys]).broadcast_to(scores.shape()), -1),
            _ => (scores + b.input("bias", dtype, [stack, 1, keys])).softmax(-1),
        };
        let mixed = weights.matmul(v);
        let y = match after {
            1 => mixed,
            2 => mixed.tanh() + b.input("r", dtype, [stack, queries, width]),
            _ => mixed.softmax(-1),
        };
        check(&b, y, weights);
    }

    #[test]
    fn layers_agree_with_the_interpreter(stream in prop::collection::vec(any::<u32>(), 40)) {
        let mut choices = Choices::new(stream);
        let mut one_to = |most: usize| 1 + choices.below(most);
        let (rows, width, hidden) = (100 + one_to(900), one_to(40), one_to(300));
        let dtype = [DType::F32, DType::F64][one_to(2) - 1];
        let b = Builder::new();
        let x = b.input("x", dtype, [rows, width]);
        let (w, v) = (b.input("w", dtype, [width, hidden]), b.input("v", dtype, [hidden, width]));
        let inner = (x.dot(w) + b.input("bias", dtype, [hidden])).gelu_tanh();
        // The result may be written over what is fed to the first product, but not before that has read it.
        let y = if one_to(2) == 1 { x.tanh() + inner.dot(v) } else { inner.dot(v) };
        check(&b, y, inner);
    }
}

#[test]
fn a_result_over_an_operand_of_the_first_product_is_as_right() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [700, 50]);
    let (w, v) = (b.input("w", DType::F32, [50, 50]), b.input("v", DType::F32, [50, 50]) * 0.05);
    let layers = (0..3).fold(x, |x, _| x + x.dot(w).tanh().dot(v));
    check(&b, layers, x);
    let graph = b.finish([("y", layers)]).unwrap();
    assert_eq!(kernels(&graph)[1..], ["strip"]);
}

/// Attention of 4 heads.
fn attention(length: usize) -> Graph {
    let b = Builder::new();
    let [q, k, v] = ["q", "k", "v"].map(|name| b.input(name, DType::F32, [4, length, 16]));
    let y = q.attention(k, v, &AttentionOptions::default().causal(true));
    b.finish([("y", y)]).unwrap()
}

#[test]
fn the_weights_of_attention_take_no_memory() {
    for threads in [1, 4] {
        for length in [300, 1000] {
            let graph = attention(length);
            let weights = 4 * length * length * 4;
            assert!(4 * peak(&graph, threads) < weights, "{} bytes of {length} rows", peak(&graph, threads));
            let mut session = Session::with(&graph, spread(threads)).unwrap();
            session.run(feeds(&graph)).unwrap();
            assert!(session.scratch_bytes() < threads << 20, "{} bytes", session.scratch_bytes());
        }
    }
}

/// The gradients of attention of 8 heads in its queries, keys and values, side by side; and its weights.
fn differentiated(b: &Builder, length: usize, is_causal: bool) -> [Expr<'_>; 2] {
    let [q, k, v] = ["q", "k", "v"].map(|name| b.input(name, DType::F32, [8, length, 6]));
    let scores = (q * 0.4).matmul(k.t());
    let weights = match is_causal {
        true => scores.masked_softmax(scores.iota_like(-2).ge(scores.iota_like(-1)), -1),
        false => scores.softmax(-1),
    };
    let y = weights.matmul(v);
    let [dq, dk, dv] = grad((y * y).sum(), [q, k, v]).unwrap();
    [dq.concat(&[dk, dv], -1), weights]
}

#[test]
fn gradients_that_go_through_rows_of_weights_are_as_right() {
    for is_causal in [false, true] {
        let b = Builder::new();
        let [y, weights] = differentiated(&b, 300, is_causal);
        let graph = b.finish([("y", y)]).unwrap();
        assert!(kernels(&graph).contains(&"strip"), "{:?}", kernels(&graph));
        check(&b, y, weights);
    }
}

#[test]
fn many_weights_take_none_in_the_gradient_either() {
    let b = Builder::new();
    let length = 1500;
    let [y, _] = differentiated(&b, length, false);
    let graph = b.finish([("y", y)]).unwrap();
    let weights = 8 * length * length * 4;
    assert!(4 * peak(&graph, 2) < weights, "{} bytes", peak(&graph, 2));
}
