//! What the tests of losses share.

use pullback_autodiff::check::{CheckReport, InputSpec, f64_in};
use pullback_autodiff::grad;
use pullback_graph::{Builder, Expr, Tensor, interpret};

/// The value of a loss of fixed operands, and the gradients of its sum in the first `N` of them.
pub fn run<const N: usize>(
    operands: &[Tensor],
    build: impl for<'g> FnOnce(&[Expr<'g>]) -> Expr<'g>,
) -> (Vec<f64>, [Vec<f64>; N]) {
    let b = Builder::new();
    let names: Vec<String> = (0..operands.len()).map(|i| format!("x{i}")).collect();
    let x: Vec<Expr<'_>> =
        names.iter().zip(operands).map(|(name, value)| b.input(name, value.dtype(), value.shape())).collect();
    let loss = build(&x);
    let slopes = grad(loss.sum(), std::array::from_fn::<_, N, _>(|i| x[i])).unwrap();
    let graph = b.finish(["d0", "d1", "d2"].into_iter().zip(slopes).chain([("loss", loss)])).unwrap();
    let values = interpret(&graph, names.iter().map(|name| &**name).zip(operands)).unwrap();
    let read = |name: &str| values.output(name).unwrap().to_f64_vec();
    (read("loss"), std::array::from_fn(|i| read(["d0", "d1", "d2"][i])))
}

/// Asserts that the values agree to `1e-13` of their size.
#[track_caller]
pub fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!(got == want || (got - want).abs() <= 1e-13 * (1.0 + want.abs()), "{got} is not {want}");
    }
}

/// Whole numbers for the checker.
pub fn labels(sizes: &[usize], values: &[i64]) -> InputSpec {
    f64_in([0]).value(Tensor::new(sizes, values.to_vec()).unwrap())
}

/// That a gradient is right, in both orders and in forward mode, and that it was possible to see it.
#[track_caller]
pub fn right(report: &CheckReport) {
    report.assert();
    assert!(report.compared > 0 && report.skipped.len() * 4 < report.compared, "{report}");
}
