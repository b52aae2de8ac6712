//! Gradients at points, and whether they are near enough.

use pullback_autodiff::{Disconnected, GradOptions, grad, gradients};
use pullback_graph::DType::F64;
use pullback_graph::{Builder, Expr, Tensor, interpret};

/// The gradient of the sum of `op(x)`.
#[track_caller]
pub(crate) fn gradient(values: &[f64], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let x = b.input("x", F64, [values.len()]);
    let [dx] = grad(op(x).sum(), [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    interpret(&graph, [("x", &Tensor::vector(values))]).unwrap().output("dx").unwrap().to_f64_vec()
}

/// The gradients of `op(a, b)` in both, at one point; 0 in what it does not depend on.
#[track_caller]
pub(crate) fn slopes(a: f64, b: f64, op: impl for<'g> Fn(Expr<'g>, Expr<'g>) -> Expr<'g>) -> [f64; 2] {
    let builder = Builder::new();
    let (x, y) = (builder.input("a", F64, ()), builder.input("b", F64, ()));
    let options = GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() };
    let found = gradients(op(x, y), &[x, y], &options).unwrap();
    let graph = builder.finish([("da", found[0]), ("db", found[1])]).unwrap();
    let values = interpret(&graph, [("a", &Tensor::scalar(a)), ("b", &Tensor::scalar(b))]).unwrap();
    ["da", "db"].map(|name| values.output(name).unwrap().item().unwrap())
}

/// Asserts that the numbers agree to `1e-13` of their size; NaN agrees with NaN.
#[track_caller]
pub(crate) fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= 1e-13 * want.abs(), "{at}: {got:e} is not {want:e}");
    }
}
