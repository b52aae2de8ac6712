//! Checkpoints: the same bits, and nothing kept but what regions read.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_autodiff::{checkpoint, grad, hvp, jvp, vmap};
use pullback_graph::DType::F64;
use pullback_graph::op::Registry;
use pullback_graph::pass::optimize;
use pullback_graph::{Builder, Expr, Graph, Tensor, interpret, sym};

type Layer = for<'g> fn(Expr<'g>, Expr<'g>) -> Expr<'g>;

fn layer<'g>(x: Expr<'g>, w: Expr<'g>) -> Expr<'g> {
    (x * w).tanh().exp().sin() + x
}

/// Four layers; each is a region if asked for.
fn network<'g>(x: Expr<'g>, w: Expr<'g>, regions: bool) -> Expr<'g> {
    (0..4).fold(x, |x, _| if regions { checkpoint("layer", [x], |[x]| layer(x, w)) } else { layer(x, w) })
}

fn feeds() -> [(&'static str, Tensor); 2] {
    [("x", Tensor::of([3], [0.3, -0.2, 0.9])), ("w", Tensor::of([3], [0.5, 1.5, -0.7]))]
}

/// Loss and gradients, or whatever `program` gives, with and without regions, before and after the passes.
fn assert_same(tolerance: f64, program: for<'g> fn(Expr<'g>, Expr<'g>, bool) -> Vec<Expr<'g>>) {
    let run = |regions: bool| {
        let b = Builder::new();
        let (x, w) = (b.input("x", F64, [3]), b.input("w", F64, [3]));
        let outputs = program(x, w, regions).into_iter().enumerate().map(|(at, y)| (at.to_string(), y));
        let graph = b.finish(outputs).unwrap();
        let again = Graph::parse(&graph.to_string(), &Registry::new()).unwrap();
        assert_eq!(again, graph);
        let values = |graph: &Graph| {
            let values = interpret(graph, feeds().iter().map(|(name, value)| (*name, value))).unwrap();
            values.outputs().map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let plain = values(&graph);
        for (before, after) in plain.iter().zip(values(&optimize(&graph))) {
            assert!(before.bits_eq(&after));
        }
        plain
    };
    for (with, without) in run(true).iter().zip(run(false)) {
        let difference = with.max_abs_diff(&without);
        assert!(difference <= tolerance, "{with} and {without}");
    }
}

#[test]
fn values_and_gradients_keep_their_bits() {
    assert_same(0.0, |x, w, regions| {
        let loss = network(x, w, regions).square().sum();
        let [dx, dw] = grad(loss, [x, w]).unwrap();
        vec![loss, dx, dw]
    });
}

#[test]
fn forward_mode_and_second_derivatives_differ_by_rounding_at_most() {
    // The second sweep meets the regions twice, and adds up what it finds there.
    assert_same(1e-14, |x, w, regions| {
        let y = network(x, w, regions);
        vec![jvp(y, [w], [x]).unwrap()]
    });
    assert_same(1e-14, |x, w, regions| hvp(network(x, w, regions).sum(), [x, w], [w, x]).unwrap().to_vec());
}

#[test]
fn regions_nest_and_have_several_results() {
    assert_same(0.0, |x, w, regions| {
        let y = if regions {
            let (a, b) = checkpoint("outer", [x, w], |[x, w]| {
                let h = checkpoint("inner", [x], |[x]| layer(x, w));
                (layer(h, w), h.exp() * 2.0)
            });
            a * b + a
        } else {
            let h = layer(x, w);
            let (a, b) = (layer(h, w), h.exp() * 2.0);
            a * b + a
        };
        let [dx, dw] = grad(y.sum(), [x, w]).unwrap();
        vec![y, dx, dw]
    });
}

#[test]
fn a_region_with_several_results_is_computed_again_once() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let (s, c) = checkpoint("region", [x], |[x]| {
        let inner = x.exp();
        (inner.sin(), inner.cos())
    });
    let [dx] = grad((s * c).sum(), [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let text = graph.to_string();
    assert_eq!(text.matches("= exp(").count(), 2, "{text}");
    assert_eq!(text.matches("= barrier(").count(), 1, "{text}");
    // What is computed again is not merged with what it repeats.
    let text = optimize(&graph).to_string();
    assert_eq!(text.matches("= exp(").count(), 2, "{text}");
    assert_eq!(text.matches("= barrier(").count(), 1, "{text}");
}

#[test]
fn a_variable_inside_of_a_region_is_reached() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let mut inner = None;
    let y = checkpoint("region", [x], |[x]| inner.insert(x.exp()).sin());
    let [dh, dx] = grad(y.sum(), [inner.unwrap(), x]).unwrap();
    let graph = b.finish([("dh", dh), ("dx", dx)]).unwrap();
    let x = Tensor::of([3], [0.1, 0.2, 0.3]);
    let values = interpret(&graph, [("x", &x)]).unwrap();
    for (at, x) in x.to_f64_vec().into_iter().enumerate() {
        let slope = x.exp().cos();
        assert!((values.output("dh").unwrap().to_f64_vec()[at] - slope).abs() < 1e-15);
        assert!((values.output("dx").unwrap().to_f64_vec()[at] - slope * x.exp()).abs() < 1e-15);
    }
}

#[test]
fn regions_are_mapped_over() {
    let each: [Layer; 2] = [|x, w| network(x, w, true), |x, w| network(x, w, false)];
    let found = each.map(|each| {
        let b = Builder::new();
        let (x, w) = (b.input("x", F64, [sym("batch"), 3.into()]), b.input("w", F64, [3]));
        let samples = vmap([x], |[x]| grad(each(x, w).sum(), [w, x])).unwrap();
        let outside = grad(vmap([x], |[x]| each(x, w)).unwrap().sum(), [w, x]).unwrap();
        let outputs = samples.into_iter().chain(outside).enumerate().map(|(at, y)| (at.to_string(), y));
        let graph = b.finish(outputs).unwrap();
        let x = Tensor::of([2, 3], [0.3, -0.2, 0.9, 1.0, 2.0, 3.0]);
        let values = interpret(&graph, [("x", &x), ("w", &feeds()[1].1)]).unwrap();
        values.outputs().map(|(_, value)| value.clone()).collect::<Vec<_>>()
    });
    for (with, without) in found[0].iter().zip(&found[1]) {
        assert!(with.bits_eq(without), "{with} and {without}");
    }
}

#[test]
fn what_is_computed_again_stands_for_its_forward_node() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [3]), b.input("w", F64, [3]));
    let y = network(x, w, true).sum();
    let forward = b.len();
    let [dw] = grad(y, [w]).unwrap();
    let graph = b.finish([("dw", dw)]).unwrap();
    for id in graph.ids().skip(forward) {
        let (of, rule) = graph.gradient_of(id).unwrap();
        assert!(of.unwrap().index() < forward, "{id} by {rule} of {of:?}");
        assert_eq!(graph.source(id), graph.source(of.unwrap()));
    }
}
