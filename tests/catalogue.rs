//! What holds for every op of the catalogue, new ones included, without naming any.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback::graph::op::{Choices, Registry, Sample};
use pullback::graph::{Dim, NodeId, Op, OpClass, OpRules, Output, TensorType};
use pullback::{Builder, Expr, Graph, Tensor, interpret};

/// Samples of each op: enough to meet scalars, empty axes and every attribute.
fn samples() -> impl Iterator<Item = (&'static str, Sample, Choices)> {
    Op::catalogue().into_iter().flat_map(|(name, sample)| {
        (0..24).map(move |seed| {
            let mut choices = Choices::seeded(seed);
            (name, sample(name, &mut choices), choices)
        })
    })
}

/// A graph of one application, and values for its inputs.
fn applied(sample: &Sample, choices: &mut Choices) -> (Graph, Vec<(String, Tensor)>) {
    let b = Builder::new();
    let inputs: Vec<(String, Expr<'_>)> = sample
        .operands
        .iter()
        .enumerate()
        .map(|(i, operand)| (format!("x{i}"), b.input(&format!("x{i}"), operand.ty.dtype, &operand.ty.shape)))
        .collect();
    let operands: Vec<Expr<'_>> = inputs.iter().map(|(_, expr)| *expr).collect();
    let result = b.push(sample.op.clone(), &operands).unwrap_or_else(|error| panic!("{error}"));
    let graph = b.finish([("y", result)]).unwrap();
    let values = sample.operands.iter().map(|operand| operand.value(choices));
    let feeds = inputs.iter().map(|(name, _)| name.clone()).zip(values).collect();
    (graph, feeds)
}

#[test]
fn evaluation_gives_what_inference_promises() {
    for (name, sample, mut choices) in samples() {
        if matches!(sample.op, Op::Input(_)) {
            continue;
        }
        let (graph, feeds) = applied(&sample, &mut choices);
        let values = interpret(&graph, feeds.iter().map(|(name, value)| (name.as_str(), value)))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let y = graph.output("y").unwrap().node;
        assert_eq!(values.node(y).ty(), *graph.ty(y), "{name}: {:?}", sample.op);
    }
}

#[test]
fn evaluation_is_pure() {
    for (name, sample, mut choices) in samples() {
        if matches!(sample.op, Op::Input(_)) {
            continue;
        }
        let (graph, feeds) = applied(&sample, &mut choices);
        let run = || interpret(&graph, feeds.iter().map(|(name, value)| (name.as_str(), value))).unwrap();
        assert!(run().output("y").unwrap().bits_eq(run().output("y").unwrap()), "{name}");
    }
}

#[test]
fn elementwise_ops_never_broadcast() {
    for (name, sample, _) in samples().filter(|(_, sample, _)| sample.op.class() == OpClass::Elementwise) {
        if sample.operands.len() < 2 {
            continue;
        }
        // One operand gets an axis more: by NumPy's rule it would broadcast.
        let mut types: Vec<TensorType> = sample.operands.iter().map(|operand| operand.ty.clone()).collect();
        let wider = types[0].shape.iter().cloned();
        types[0] =
            types[0].with_shape(std::iter::once(Dim::Known(1)).chain(wider).collect::<pullback::Shape>());
        let types: Vec<&TensorType> = types.iter().collect();
        let violation = sample.op.infer(&types).expect_err(name);
        assert_eq!(violation.constraint, "C2", "{name}: {}", violation.message);
    }
}

#[test]
fn a_wrong_number_of_operands_is_the_first_constraint() {
    let ty: TensorType = "f64[2, 2]".parse().unwrap();
    for (name, sample, _) in samples() {
        let none = sample.operands.is_empty();
        let types: Vec<&TensorType> = if none { vec![&ty] } else { Vec::new() };
        assert_eq!(sample.op.infer(&types).expect_err(name).constraint, "C1", "{name}");
    }
}

#[test]
fn names_and_attributes_make_the_op_again() {
    let registry = Registry::new();
    for (name, sample, _) in samples() {
        let (text, attributes) = sample.op.to_parts();
        assert_eq!(text, name);
        let again =
            Op::from_parts(&text, attributes.clone(), &registry).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(again, sample.op);
        let mut extra = attributes;
        extra.insert("surprise".into(), 1.into());
        assert!(Op::from_parts(&text, extra, &registry).is_err(), "{name} takes an unknown attribute");
    }
}

#[test]
fn text_and_files_give_every_op_back() {
    let registry = Registry::new();
    for (name, sample, mut choices) in samples() {
        let (graph, _) = applied(&sample, &mut choices);
        let text = graph.to_string();
        let again = Graph::parse(&text, &registry).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        assert_eq!(again, graph, "{name}");
        assert_eq!(again.to_string(), text, "{name}");
    }
}

#[test]
fn the_empty_graph_and_unused_nodes_are_graphs_too() {
    let b = Builder::new();
    let empty = b.finish(Vec::<Output>::new()).unwrap();
    assert_eq!((empty.len(), empty.outputs().len()), (0, 0));
    let x = b.input("x", pullback::DType::F32, [2]);
    let _unused = x.exp();
    let graph = b.finish([("x", x)]).unwrap();
    assert_eq!(graph.users(x.id()), [NodeId::new(1)]);
}
