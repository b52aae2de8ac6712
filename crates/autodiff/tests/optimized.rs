//! Passes on graphs that hold gradients: the same bits, and links that speak of what they say.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use proptest::collection::vec;
use proptest::prelude::*;
use pullback_autodiff::{Disconnected, GradOptions, gradients};
use pullback_graph::op::Choices;
use pullback_graph::pass::optimize;
use pullback_graph::{
    Builder, DType, Expr, Generated, Graph, GraphSpec, Output, Tensor, generate, interpret,
};

/// The loss of a random program and its gradient in every input of its type.
fn with_gradients(made: &Generated) -> Graph {
    let b = Builder::extending(&made.graph);
    let loss = b.expr(made.graph.outputs()[0].node);
    let inputs = made.graph.inputs().iter().map(|id| b.expr(*id)).filter(|input| input.dtype().is_float());
    let inputs: Vec<Expr<'_>> = inputs.collect();
    let options = GradOptions { disconnected: Disconnected::Zeros, link: true };
    let found = gradients(loss, &inputs, &options).unwrap_or_else(|error| panic!("{error}"));
    let names = found.iter().enumerate().map(|(i, gradient)| Output::new(format!("d{i}"), gradient.id()));
    b.finish(names.chain([Output::new("loss", loss.id())])).unwrap()
}

fn outputs(graph: &Graph, made: &Generated) -> Vec<Tensor> {
    let values = interpret(graph, made.feeds.iter().map(|(name, value)| (name, value))).unwrap();
    values.outputs().map(|(_, value)| value.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn optimized_gradients_have_the_same_bits(stream in vec(any::<u32>(), 0..150), wide in any::<bool>()) {
        let spec = GraphSpec { dtype: if wide { DType::F64 } else { DType::F32 }, ..GraphSpec::default() };
        let made = generate(&mut Choices::new(stream), &spec);
        let graph = with_gradients(&made);
        let optimized = optimize(&graph);
        for (before, after) in outputs(&graph, &made).iter().zip(&outputs(&optimized, &made)) {
            let same = before.bits_eq(after) || before.to_f64_vec().iter().any(|x| x.is_nan());
            prop_assert!(same, "{before}\n{after}\n{graph}\n{optimized}");
        }
        prop_assert!(optimized == optimize(&optimized));
        for id in optimized.ids() {
            prop_assert!(optimized.source(id).is_some(), "{id} has no line");
        }
        for link in optimized.cotangents() {
            prop_assert_eq!(optimized.ty(link.forward), optimized.ty(link.gradient));
        }
    }
}
