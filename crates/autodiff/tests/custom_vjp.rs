//! Rules of differentiation that users write, and gradients that are scaled, clipped or taken from elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_autodiff::{Disconnected, GradError, GradOptions, grad, gradients, jvp, vmap};
use pullback_graph::DType::{F64, I64};
use pullback_graph::op::Registry;
use pullback_graph::pass::optimize;
use pullback_graph::{Builder, Expr, Graph, GraphFile, Tensor, custom_vjp, interpret, sym};

fn value(expr: Expr<'_>, feeds: &[(&str, Tensor)]) -> Tensor {
    let graph = expr.builder().finish([("out", expr)]).unwrap();
    let values = interpret(&graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
    let found = values.output("out").unwrap().clone();
    // The rule survives texts, files and passes.
    let text = Graph::parse(&graph.to_string(), &Registry::new()).unwrap();
    assert_eq!(text, graph);
    let file = GraphFile::from_json(&GraphFile::of(&graph).to_json()).unwrap();
    assert_eq!(file.graph(&Registry::new()).unwrap(), graph);
    let optimized = interpret(&optimize(&graph), feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
    assert!(optimized.output("out").unwrap().bits_eq(&found));
    found
}

/// `x · w`, with the right rule.
fn product<'g>(x: Expr<'g>, w: Expr<'g>) -> Expr<'g> {
    let made = custom_vjp(
        "product",
        [x, w],
        |[x, w]| x * w,
        |at| {
            let [x, w] = at.operands;
            [at.cotangent * w, at.cotangent * x]
        },
    );
    made.unwrap()
}

#[test]
fn the_rule_counts_and_not_what_the_value_is_made_of() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    let y = custom_vjp("odd", [x], |[x]| x.sin(), |at| [at.cotangent * at.operands[0] + at.result]).unwrap();
    let [dx] = grad((y * 3.0).sum(), [x]).unwrap();
    let feeds = [("x", Tensor::of([2], [0.0, 2.0]))];
    assert_eq!(value(dx, &feeds), Tensor::of([2], [0.0, 6.0 + 2.0_f64.sin()]));
}

#[test]
fn right_rules_pass_the_checker_to_second_order() {
    check_gradients(|[x, w]| (product(x, w) * x).tanh().sum(), [f64_in([3]), f64_in([3])]).assert();
    check_gradients(
        |[x]| {
            // A rule on a rule.
            let square = custom_vjp(
                "square",
                [x],
                |[x]| product(x, x),
                |at| {
                    let [x] = at.operands;
                    [product(at.cotangent, x) * 2.0]
                },
            );
            square.unwrap().sum()
        },
        [f64_in([3])],
    )
    .assert();
}

#[test]
fn forward_mode_transposes_the_rule() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [2]), b.input("w", F64, [2]));
    let dy = jvp(product(x, w), [x, w], [w, x]).unwrap();
    let feeds = [("x", Tensor::of([2], [2.0, 3.0])), ("w", Tensor::of([2], [5.0, 7.0]))];
    assert_eq!(value(dy, &feeds), Tensor::of([2], [29.0, 58.0]));
}

#[test]
fn rules_are_mapped_over_a_leading_axis() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [sym("batch"), 2.into()]), b.input("w", F64, [2]));
    let each = vmap([x], |[xi]| grad(product(xi, w).sum(), [w, xi])).unwrap();
    let [dw] = grad(vmap([x], |[xi]| product(xi, w)).unwrap().sum(), [w]).unwrap();
    let feeds = [("x", Tensor::of([2, 2], [1.0, 2.0, 3.0, 4.0])), ("w", Tensor::of([2], [5.0, 7.0]))];
    assert_eq!(value(each[0], &feeds), feeds[0].1);
    assert_eq!(value(each[1], &feeds), Tensor::of([2, 2], [5.0, 7.0, 5.0, 7.0]));
    assert_eq!(value(dw, &feeds), Tensor::of([2], [4.0, 6.0]));
}

#[test]
fn a_cotangent_of_another_type_is_refused_where_it_is_written() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [2, 3]), b.input("w", F64, [3]));
    let error =
        custom_vjp("scale", [x, w], |[x, w]| x * w, |at| [at.cotangent * at.operands[1], at.cotangent])
            .unwrap_err();
    assert_eq!((error.op.as_str(), error.violation.constraint), ("scale", "C3"));
    assert!(error.to_string().contains("operand 1 is f64[3], and the rule gives it f64[2, 3]"), "{error}");
    assert!(error.at.as_ref().unwrap().file.ends_with("custom_vjp.rs"), "{error}");
}

#[test]
fn files_with_a_rule_that_does_not_fit_are_refused() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [2]), b.input("w", F64, [2]));
    let graph = b.finish([("y", product(x, w))]).unwrap();
    let text = graph.to_string();
    assert!(Graph::parse(&text, &Registry::new()).is_ok());
    let wrong = text.replacen("name=operand_1 kind=data : f64[2]", "name=operand_1 kind=data : f64[3]", 1);
    assert_ne!(text, wrong, "{text}");
    assert!(Graph::parse(&wrong, &Registry::new()).is_err());
}

#[test]
fn an_operand_that_is_no_float_takes_no_cotangent() {
    let b = Builder::new();
    let (x, k) = (b.input("x", F64, [3]), b.input("k", I64, [3]));
    let y = custom_vjp(
        "shift",
        [x, k],
        |[x, k]| x * k.cast(F64),
        |at| {
            let [_, k] = at.operands;
            [at.cotangent * k.cast(F64), k]
        },
    );
    let [dx] = grad(y.unwrap().sum(), [x]).unwrap();
    let feeds = [("x", Tensor::of([3], [0.0; 3])), ("k", Tensor::of([3], [1_i64, 2, 3]))];
    assert_eq!(value(dx, &feeds), Tensor::of([3], [1.0, 2.0, 3.0]));
}

#[test]
fn gradients_are_scaled_and_clipped() {
    let of = |change: for<'g> fn(Expr<'g>) -> Expr<'g>, cotangent: [f64; 2]| {
        let b = Builder::new();
        let (x, c) = (b.input("x", F64, [2]), b.input("c", F64, [2]));
        let [dx] = grad((change(x) * c).sum(), [x]).unwrap();
        let dx = value(dx, &[("x", Tensor::of([2], [1.0, 2.0])), ("c", Tensor::of([2], cotangent))]);
        dx.to_f64_vec()
    };
    assert_eq!(of(|x| x.scale_gradient(-2.0), [3.0, 4.0]), [-6.0, -8.0]);
    assert_eq!(of(|x| x.clip_gradient(1.0), [3.0, -0.5]), [1.0, -0.5]);
    assert_eq!(of(|x| x.clip_gradient_norm(1.0), [3.0, 4.0]), [3.0 * 0.2, 4.0 * 0.2]);
    assert_eq!(of(|x| x.clip_gradient_norm(10.0), [3.0, 4.0]), [3.0, 4.0]);
    assert_eq!(of(|x| x.clip_gradient_norm(1.0), [0.0, 0.0]), [0.0, 0.0]);
}

#[test]
fn forward_mode_passes_tangents_through_clipping() {
    let b = Builder::new();
    let (x, t) = (b.input("x", F64, [2]), b.input("t", F64, [2]));
    let dy = jvp(x.clip_gradient_norm(1e-3).clip_gradient(1e-3), [x], [t]).unwrap();
    let feeds = [("x", Tensor::of([2], [1.0, 2.0])), ("t", Tensor::of([2], [3.0, 4.0]))];
    assert_eq!(value(dy, &feeds), feeds[1].1);
}

#[test]
fn a_value_takes_the_gradient_of_another() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    let y = x.round().with_gradient_of(x.square());
    let [dx] = grad(y.sum(), [x]).unwrap();
    let feeds = [("x", Tensor::of([2], [1.4, -2.6]))];
    assert_eq!(value(y, &feeds), Tensor::of([2], [1.0, -3.0]));
    assert_eq!(value(dx, &feeds), Tensor::of([2], [2.8, -5.2]));
}

#[test]
fn what_blocks_is_told_apart_from_what_is_flat() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    let w = b.input("w", F64, [2]);
    // A variable that the value depends on and the rule does not name is not connected.
    let y = custom_vjp("y", [x], |[x]| x * w, |at| [at.cotangent]).unwrap();
    assert!(matches!(grad(y.sum(), [w]), Err(GradError::Disconnected { .. })));
    // What only orders does not connect.
    let z = x.not_before(&[w]);
    assert!(matches!(grad(z.sum(), [w]), Err(GradError::Disconnected { .. })));
    // Flat behind a rule: connected, with gradient zero; flat before a barrier: not connected.
    let [dx] = grad(product(x.floor(), x.floor()).sum(), [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    assert_eq!(&**graph.gradient_of(dx.id()).unwrap().1, "zero");
    assert!(matches!(grad(x.stop_gradient().floor().sum(), [x]), Err(GradError::Disconnected { .. })));
    assert!(matches!(grad(x.floor().stop_gradient().sum(), [x]), Err(GradError::Disconnected { .. })));
    let options = GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() };
    let found = gradients(y.sum(), &[w], &options).unwrap();
    let graph = b.finish([("dw", found[0])]).unwrap();
    assert_eq!(&**graph.gradient_of(found[0].id()).unwrap().1, "disconnected");
}
