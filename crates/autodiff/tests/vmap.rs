//! `vmap`: the stack of what each element gives, whatever is done inside and outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::Elementwise;
use pullback_autodiff::{GradError, grad, hvp, jvp, vmap};
use pullback_graph::DType::{F64, I64};
use pullback_graph::op::Registry;
use pullback_graph::{BatchError, Builder, Expr, Graph, Tensor, interpret, sym};

/// The value of one expression.
fn value(expr: Expr<'_>, feeds: &[(&str, Tensor)]) -> Tensor {
    let graph = expr.builder().finish([("out", expr)]).unwrap();
    let graph = Graph::parse(&graph.to_string(), &Registry::new()).unwrap();
    let values = interpret(&graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
    values.output("out").unwrap().clone()
}

/// `tanh(x · w)² + Σ w`, which is not linear in anything.
fn model<'g>(x: Expr<'g>, w: Expr<'g>) -> Expr<'g> {
    (x * w).sum().tanh().square() + w.square().sum()
}

fn feeds(rows: usize) -> [(&'static str, Tensor); 2] {
    let x = Tensor::from_fn(&[rows, 3], |i| (i as f64 * 0.37).sin());
    [("x", x), ("w", Tensor::of([3], [0.5, -1.0, 0.25]))]
}

/// One row of the feeds of `x`.
fn row(x: &Tensor, at: usize) -> Tensor {
    Tensor::of([3], x.to_f64_vec()[at * 3..at * 3 + 3].to_vec())
}

/// Maps `each` over a symbolic batch, and runs it on every row by itself: the stacks must agree.
fn assert_stacks(each: for<'g> fn(Expr<'g>, Expr<'g>) -> Expr<'g>) {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [sym("batch"), 3.into()]), b.input("w", F64, [3]));
    let all = vmap([x], |[xi]| each(xi, w)).unwrap();
    for rows in [1, 4] {
        let [x, w] = feeds(rows);
        let stacked = value(all, &[x.clone(), w.clone()]);
        let mut expected = Vec::new();
        for at in 0..rows {
            let b = Builder::new();
            let one = each(b.input("x", F64, [3]), b.input("w", F64, [3]));
            expected.extend(value(one, &[("x", row(&x.1, at)), w.clone()]).to_f64_vec());
        }
        let difference =
            stacked.to_f64_vec().iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert_eq!(stacked.len(), expected.len());
        assert!(difference < 1e-12, "{stacked} and {expected:?}");
    }
}

#[test]
fn values_stack() {
    assert_stacks(model);
}

#[test]
fn gradients_inside_are_those_of_each_sample() {
    assert_stacks(|x, w| grad(model(x, w), [w]).unwrap()[0]);
    assert_stacks(|x, w| grad(model(x, w), [x]).unwrap()[0]);
}

#[test]
fn forward_mode_and_second_derivatives_work_inside() {
    // The direction is mapped, the variable is not.
    assert_stacks(|x, w| jvp(model(x, w), [w], [x.sin()]).unwrap());
    assert_stacks(|x, w| hvp(model(x, w), [w], [x]).unwrap()[0]);
    assert_stacks(|x, w| hvp(model(x, w), [x], [w]).unwrap()[0]);
}

#[test]
fn what_comes_out_is_differentiated_like_anything_else() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [sym("batch"), 3.into()]), b.input("w", F64, [3]));
    let mapped = vmap([x], |[xi]| model(xi, w)).unwrap();
    let [dw, dx] = grad(mapped.sum(), [w, x]).unwrap();
    // The batch is the sum of its samples.
    let samples = vmap([x], |[xi]| grad(model(xi, w), [w, xi])).unwrap();
    let difference = (dw - samples[0].sum_over(0)).abs().max() + (dx - samples[1]).abs().max();
    assert!(value(difference, &feeds(5)).item().unwrap() < 1e-12);
    // And a second time: the gradient of a sum of per-sample gradient norms.
    let norms = vmap([x], |[xi]| {
        let [dw] = grad(model(xi, w), [w])?;
        Ok(dw.square().sum())
    });
    let [ddw] = grad(norms.unwrap().sum(), [w]).unwrap();
    assert_eq!(value(ddw, &feeds(4)).sizes(), [3]);
}

#[test]
fn nested_maps_are_outer_products() {
    let b = Builder::new();
    let (x, y) = (b.input("x", F64, [sym("n"), 2.into()]), b.input("y", F64, [sym("m"), 2.into()]));
    let distances = vmap([x], |[xi]| vmap([y], |[yi]| (xi - yi).square().sum())).unwrap();
    assert_eq!(distances.ty().to_string(), "f64[n, m]");
    let feeds = [
        ("x", Tensor::of([2, 2], [0.0, 0.0, 1.0, 1.0])),
        ("y", Tensor::of([3, 2], [1.0, 0.0, 3.0, 4.0, 1.0, 1.0])),
    ];
    assert_eq!(value(distances, &feeds), Tensor::of([2, 3], [1.0, 25.0, 2.0, 1.0, 13.0, 0.0]));
    // Inner inputs that depend on the outer element.
    let nested = vmap([x], |[xi]| vmap([xi], |[e]| e * e.exp())).unwrap();
    assert_eq!(nested.ty().to_string(), "f64[n, 2]");
}

#[test]
fn several_results_of_any_form_come_back_stacked() {
    let b = Builder::new();
    let (x, k) = (b.input("x", F64, [3, 2]), b.input("k", I64, [3]));
    let (sum, [doubled, number], list) =
        vmap([x, k], |[xi, ki]| (xi.sum(), [xi * 2.0, ki.cast(F64)], vec![b.full(F64, [4], 7.0)])).unwrap();
    assert_eq!(sum.ty().to_string(), "f64[3]");
    assert_eq!(doubled.ty().to_string(), "f64[3, 2]");
    assert_eq!(number.ty().to_string(), "f64[3]");
    // What depends on no element is repeated.
    assert_eq!(list[0].ty().to_string(), "f64[3, 4]");
}

#[test]
fn what_depends_on_no_element_is_made_once_and_the_example_leaves_no_trace() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [4, 3]), b.input("w", F64, [3]));
    let mut kept = None;
    let y = vmap([x], |[xi]| {
        let shared = w.exp().named("shared");
        kept = Some(shared);
        b.scope("inner", || (xi * shared).named("product"))
    })
    .unwrap();
    let graph = b.finish([("y", y)]).unwrap();
    let text = graph.to_string();
    assert_eq!(text.matches("exp(").count(), 1, "{text}");
    assert!(text.contains("exp(%1) : f64[3]"), "{text}");
    let names: Vec<_> = graph.ids().filter_map(|id| graph.label(id).map(|label| label.to_string())).collect();
    assert_eq!(names, ["x", "w", "shared", "product"]);
    assert_eq!(graph.scope_path(graph.provenance(y.id()).scope), "vmap/inner");
    for id in graph.ids() {
        assert!(graph.source(id).unwrap().file.ends_with("vmap.rs"), "{text}");
    }
    // A handle to what is shared goes on; one to what is not would name nothing.
    assert_eq!(kept.unwrap().label().as_deref(), Some("shared"));
    let _ = kept.unwrap() + w;
}

#[test]
#[should_panic(expected = "was made for one element of a leading axis")]
fn a_handle_to_one_element_ends_with_the_closure() {
    let b = Builder::new();
    let x = b.input("x", F64, [4, 3]);
    let mut kept = None;
    let _ = vmap([x], |[xi]| *kept.insert(xi.exp())).unwrap();
    let _ = kept.unwrap() + 1.0;
}

#[test]
fn inputs_made_inside_are_inputs_of_the_graph() {
    let b = Builder::new();
    let x = b.input("x", F64, [2, 3]);
    let mut w = None;
    let y = vmap([x], |[xi]| (xi * *w.insert(b.parameter("w", F64, [3]))).sum()).unwrap();
    let [dw] = grad(y.sum(), [w.unwrap()]).unwrap();
    let graph = b.finish([("dw", dw)]).unwrap();
    assert_eq!(graph.inputs().len(), 2);
    assert_eq!(graph.input("w"), Some(w.unwrap().id()));
    assert_eq!(
        value(
            dw,
            &[("x", Tensor::of([2, 3], [1.0, 2.0, 3.0, 10.0, 20.0, 30.0])), ("w", Tensor::of([3], [0.0; 3]))]
        ),
        Tensor::of([3], [11.0, 22.0, 33.0])
    );
}

#[test]
fn gradient_nodes_inside_keep_their_forward_node_and_rule() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [4, 3]), b.input("w", F64, [3]));
    let each = vmap([x], |[xi]| Ok(grad((xi * w).sum().tanh(), [w])?[0])).unwrap();
    let graph = b.finish([("dw", each)]).unwrap();
    let rules: Vec<_> = graph.ids().filter_map(|id| graph.gradient_of(id)).collect();
    assert!(rules.iter().any(|(_, rule)| &***rule == "tanh"));
    for id in graph.ids() {
        if let Some((Some(forward), rule)) = graph.gradient_of(id) {
            assert!(forward < id, "{rule}");
            assert_eq!(graph.source(id), graph.source(forward), "{rule}");
        }
    }
    assert!(!graph.cotangents().is_empty());
    for link in graph.cotangents() {
        assert!(link.forward < link.gradient);
    }
}

#[test]
fn what_cannot_be_mapped_is_said() {
    let b = Builder::new();
    let (x, y, s) = (b.input("x", F64, [4, 3]), b.input("y", F64, [5]), b.input("s", F64, ()));
    let error = vmap([x, y], |[xi, yi]| xi.sum() + yi).unwrap_err();
    assert!(matches!(error, GradError::Batch(BatchError::Sizes { .. })), "{error}");
    assert!(error.to_string().contains("f64[4, 3]") && error.to_string().contains("vmap.rs:"), "{error}");
    let error = vmap([s], |[si]| si).unwrap_err();
    assert!(matches!(error, GradError::Batch(BatchError::NoAxis { .. })), "{error}");
    // An op of the user's without a rule is applied once per element, and their number is not known here.
    let op = Elementwise::named("cubed", |x| x * x * x, |x, ct| ct * x * x * 3.0);
    let rows = b.input("rows", F64, [sym("n"), 3.into()]);
    let error = vmap([rows], |[row]| row.apply(op.clone())).unwrap_err();
    let GradError::Batch(BatchError::NoRule { op: name, at, .. }) = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), at.is_some()), ("cubed", true));
    assert!(error.to_string().contains("cubed has no rule for a leading axis"), "{error}");
    assert!(vmap([x], |[xi]| xi.apply(op)).is_ok());
    // The closure's own errors come through.
    let error = vmap([x], |[xi]| grad(xi, [xi])).unwrap_err();
    assert!(matches!(error, GradError::NotScalar { .. }), "{error}");
}
