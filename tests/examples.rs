//! Every example's training, on 1, 2, 3 and 8 threads: the same bits; and its graph, as text and as a file, there and back.

#![allow(unreachable_pub, reason = "examples are programs of their own, whose functions this one calls")]

use std::time::Duration;

use pullback::exec::Options;
use pullback::graph::GraphFile;
use pullback::graph::op::Registry;
use pullback::train::Model;
use pullback::{Error, Graph, Tensor};

#[path = "../examples/activations.rs"]
mod activations;
#[path = "../examples/classifier.rs"]
mod classifier;
#[path = "../examples/digits.rs"]
mod digits;
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
    let registry = Registry::new();
    let text = graph.to_string();
    let again = Graph::parse(&text, &registry).unwrap();
    assert_eq!(again, *graph);
    assert_eq!(again.to_string(), text);
    let json = GraphFile::of(graph).to_json();
    let again = GraphFile::from_json(&json).unwrap().graph(&registry).unwrap();
    assert_eq!(again, *graph);
    assert_eq!(GraphFile::of(&again).to_json(), json);
}

fn check(train: fn(Options) -> Result<Model, Error>) {
    round_trips(train(Options::default()).unwrap().training_step().unwrap().graph());
    same_bits_for_all_threads(|options| Ok(train(options)?.parameters()?));
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
