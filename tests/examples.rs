//! Every example's training, on 1, 2, 3 and 8 threads: the same bits; and its graph, as text and as a file, there and back.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(unreachable_pub, reason = "examples are programs of their own, whose functions this one calls")]

use std::time::Duration;

use pullback::exec::Options;
use pullback::graph::GraphFile;
use pullback::graph::op::Registry;
use pullback::train::Model;
use pullback::{Error, Graph, Session, Tensor};

#[path = "../examples/activations.rs"]
mod activations;
#[path = "../examples/classifier.rs"]
mod classifier;
#[path = "../examples/custom_op.rs"]
mod custom_op;
#[path = "../examples/digits.rs"]
mod digits;
#[path = "../examples/first_gradient.rs"]
mod first_gradient;
#[path = "../examples/higher_order.rs"]
mod higher_order;
#[path = "../examples/parallel_network.rs"]
mod parallel_network;
#[path = "../examples/regularized.rs"]
mod regularized;
#[path = "../examples/training_step.rs"]
mod training_step;
#[path = "../examples/xor.rs"]
mod xor;

/// Options that send every step to as many threads, however small it is.
fn spread(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

/// The parameters that training ends with do not depend on the number of threads.
fn same_bits_for_all_threads(train: impl Fn(Options) -> Result<Vec<(String, Tensor)>, Error>) {
    let one = train(spread(1)).unwrap();
    assert!(!one.is_empty());
    for threads in [2, 3, 8] {
        assert_eq!(train(spread(threads)).unwrap(), one, "{threads} threads");
    }
}

fn round_trips(graph: &Graph) {
    round_trips_with(graph, &Registry::new());
}

fn round_trips_with(graph: &Graph, registry: &Registry) {
    let text = graph.to_string();
    let again = Graph::parse(&text, registry).unwrap();
    assert_eq!(again, *graph);
    assert_eq!(again.to_string(), text);
    let json = GraphFile::of(graph).to_json();
    let again = GraphFile::from_json(&json).unwrap().graph(registry).unwrap();
    assert_eq!(again, *graph);
    assert_eq!(GraphFile::of(&again).to_json(), json);
}

fn check(train: fn(Options) -> Result<Model, Error>) {
    let model = train(Options::default()).unwrap();
    let graph = model.training_step().unwrap().graph();
    round_trips(graph);
    for id in graph.ids() {
        let source = graph.source(id).expect("every node has a line");
        assert!(source.file.contains("examples/"), "{id} is not the user's: {source}");
    }
    same_bits_for_all_threads(|options| Ok(train(options)?.parameters()?));
}

/// The outputs of a graph do not depend on the number of threads either.
fn runs_the_same(graph: &Graph, feeds: &[(&str, Tensor)]) {
    same_bits_for_all_threads(|options| {
        let out = Session::with(graph, options)?.run(feeds.iter().cloned())?;
        Ok(out.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    });
}

#[test]
fn first_gradient_example() {
    let graph = first_gradient::graph().unwrap();
    round_trips(&graph);
    runs_the_same(&graph, &[("x", Tensor::random([8, 3], 0)), ("w", Tensor::ones([3, 2]))]);
}

#[test]
fn higher_order_example() {
    let graph = higher_order::graph().unwrap();
    round_trips(&graph);
    runs_the_same(&graph, &[("p", Tensor::of([2], [-1.2, 1.0])), ("v", Tensor::of([2], [1.0, 0.5]))]);
}

#[test]
fn custom_op_example() {
    let (graph, registry) = custom_op::graph().unwrap();
    round_trips_with(&graph, &registry);
    runs_the_same(&graph, &[("x", Tensor::of([4], [-2.0, -0.5, 0.5, 2.0]))]);
}

#[test]
fn xor_example() {
    check(xor::train);
}

#[test]
fn parallel_network_example() {
    check(parallel_network::train);
}

#[test]
fn classifier_example() {
    check(classifier::train);
}

#[test]
fn regularized_example() {
    check(regularized::train);
}

#[test]
fn activations_example() {
    check(activations::train);
}

#[test]
fn digits_example() {
    check(digits::train);
}

#[test]
fn training_step_example() {
    for optimizer in ["sgd", "momentum", "rmsprop", "adam"] {
        round_trips(&training_step::train_with(optimizer, Options::default()).unwrap().0);
        same_bits_for_all_threads(|options| Ok(training_step::train_with(optimizer, options)?.1));
    }
}
