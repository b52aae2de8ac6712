//! Tensors that are used more than once, on both sides of an op or by a thousand others, and constants as variables.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_autodiff::grad;
use pullback_graph::DType::F64;
use pullback_graph::{Builder, Expr, Graph, Tensor, interpret, pass};

fn value(graph: &Graph, feeds: &[(&str, Tensor)]) -> Tensor {
    let values = interpret(graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
    values.output("dx").unwrap().clone()
}

/// The gradient of `Σ f(x)` at `x`.
fn gradient(x: &Tensor, f: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Tensor {
    let b = Builder::new();
    let input = b.input("x", F64, x.shape());
    let [dx] = grad(f(input).sum(), [input]).unwrap();
    value(&b.finish([("dx", dx)]).unwrap(), &[("x", x.clone())])
}

#[test]
fn a_tensor_on_both_sides_gets_the_sum_of_both_gradients() {
    let x = Tensor::of([2, 2], [1.0, 2.0, 3.0, 4.0]);
    let expect = |name: &str, f: for<'g> fn(Expr<'g>) -> Expr<'g>, expected: [f64; 4]| {
        assert_eq!(gradient(&x, f), Tensor::of([2, 2], expected), "{name}");
    };
    expect("x + x", |x| x + x, [2.0; 4]);
    expect("x * x", |x| x * x, [2.0, 4.0, 6.0, 8.0]);
    expect("x - x", |x| x - x, [0.0; 4]);
    expect("x / x", |x| x / x, [0.0; 4]);
    expect("maximum", |x| x.maximum(x), [1.0; 4]);
    // The sums of row j and of column i.
    expect("x · x", |x| x.matmul(x), [3.0 + 4.0, 7.0 + 4.0, 3.0 + 6.0, 7.0 + 6.0]);
    expect("x · xᵀ", |x| x.matmul(x.t()), [8.0, 12.0, 8.0, 12.0]);
    expect("xᵀ · x", |x| x.t().matmul(x), [6.0, 6.0, 14.0, 14.0]);
    expect("x beside x", |x| x.concat(&[x, x], 0), [3.0; 4]);
}

#[test]
fn a_thousand_consumers_all_count() {
    let x = Tensor::of([1], [2.0]);
    let gradient =
        gradient(&x, |x| (1..=1000).map(|k| x * f64::from(k)).reduce(|sum, term| sum + term).unwrap());
    assert_eq!(gradient, Tensor::of([1], [500_500.0]));
}

/// 2⁶⁰ paths, which nobody may walk one by one.
#[test]
fn diamonds_on_diamonds_are_swept_once() {
    let x = Tensor::of([1], [1.0]);
    let gradient = gradient(&x, |x| (0..60).fold(x, |x, _| x + x));
    assert_eq!(gradient, Tensor::of([1], [60.0_f64.exp2()]));
}

#[test]
fn constants_are_variables_when_asked_and_stay_so_when_the_graph_is_simplified() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    let literal = b.full(F64, (), 3.0);
    let constant = b.constant(Tensor::of([2], [5.0, 7.0]));
    // All of this could be folded but for x.
    let loss = (x * literal.square() * constant.exp().log()).sum();
    let [of_literal, of_constant] = grad(loss, [literal, constant]).unwrap();
    let feeds = [("x", Tensor::of([2], [1.0, 10.0]))];
    for (gradient, expected) in
        [(of_literal, Tensor::scalar(2.0 * 3.0 * 75.0)), (of_constant, Tensor::of([2], [9.0, 90.0]))]
    {
        let graph = b.finish([("dx", gradient)]).unwrap();
        let plain = value(&graph, &feeds);
        assert!(plain.max_abs_diff(&expected) < 1e-9, "{plain}");
        assert_eq!(value(&pass::optimize(&graph), &feeds), plain);
    }
}
