//! Slopes where a formula written down naively overflows, underflows or multiplies zero by infinity.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::slopes::slopes;
use pullback_autodiff::{GradError, grad, jacobian};
use pullback_graph::DType::F64;
use pullback_graph::{Builder, Expr, Tensor, interpret};

#[track_caller]
fn assert_slope(x: f64, expected: f64, function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) {
    let [found, _] = slopes(x, 0.0, |x, _| function(x));
    let close = found == expected || (found - expected).abs() <= 1e-14 * expected.abs();
    assert!(close, "at {x:e}: {found:e}, expected {expected:e}");
}

#[test]
fn inverse_functions_have_slopes_at_huge_arguments() {
    assert_slope(1e200, 1e-200, |x| x.asinh());
    assert_slope(-1e200, 1e-200, |x| x.asinh());
    assert_slope(f64::INFINITY, 0.0, |x| x.asinh());
    assert_slope(3.0, 0.1_f64.sqrt(), |x| x.asinh());
    assert_slope(1e200, 1e-200, |x| x.acosh());
    assert_slope(1e-200, -0.5e300, |x| x.rsqrt());
    assert_slope(f64::INFINITY, 0.0, |x| x.rsqrt());
    assert_slope(1.0, f64::INFINITY, |x| x.asin());
    assert_slope(-1.0, f64::NEG_INFINITY, |x| x.acos());
    // Second derivatives: -x / (x² + 1)^(3/2).
    let second = |x: f64, expected: f64| {
        assert_slope(x, expected, |x| grad(x.asinh(), [x]).unwrap()[0]);
    };
    second(3.0, -3.0 / 10_f64.powf(1.5));
    second(1e100, -1e-200);
    second(-1e100, 1e-200);
}

#[test]
fn the_angle_of_tiny_and_huge_points_has_a_slope() {
    for scale in [1e-200, 1.0, 1e200] {
        let [da, db] = slopes(3.0 * scale, 4.0 * scale, |a, b| a.atan2(b));
        assert!(
            (da * scale - 0.16).abs() < 1e-15 && (db * scale + 0.12).abs() < 1e-15,
            "{scale:e}: {da:e} {db:e}"
        );
    }
    assert_eq!(slopes(0.0, 0.0, |a, b| a.atan2(b)), [0.0, 0.0]);
    // ∂²/∂a² is -2ab / (a² + b²)², and ∂²/∂a∂b is (a² - b²) / (a² + b²)².
    let [daa, dab] = slopes(3.0, 4.0, |a, b| grad(a.atan2(b), [a]).unwrap()[0]);
    assert!((daa + 24.0 / 625.0).abs() < 1e-15 && (dab + 7.0 / 625.0).abs() < 1e-15, "{daa} {dab}");
}

#[test]
fn a_remainder_counts_how_often_the_divisor_fits() {
    // 0.1 is a little more than a tenth: it goes into 1 nine times, though 1 / 0.1 rounds to 10.
    assert_eq!(slopes(1.0, 0.1, |a, b| a % b), [1.0, -9.0]);
    assert_eq!(slopes(-7.5, 2.0, |a, b| a % b), [1.0, 3.0]);
    assert_eq!(slopes(3.0, f64::INFINITY, |a, b| a % b), [1.0, 0.0]);
}

#[test]
fn powers_of_nothing_are_flat() {
    for base in [0.0, -0.0, 1e-310, -1e-310, 2.0] {
        assert_eq!(slopes(base, 0.0, |a, b| a.pow(b))[0], 0.0, "{base:e}");
    }
    // The mixed derivative a^(b-1) · (1 + b log a) is 1/a there.
    assert_eq!(slopes(2.0, 0.0, |a, b| grad(a.pow(b), [a]).unwrap()[0])[1], 0.5);
    assert_eq!(slopes(0.0, 2.0, |a, b| a.pow(b)), [0.0, 0.0]);
    assert_eq!(slopes(0.0, -1.0, |a, b| a.pow(b)), [f64::NEG_INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn an_infinite_cotangent_stops_where_the_gradient_does() {
    assert_eq!(slopes(-1.0, 0.0, |x, zero| x.maximum(zero).sqrt()), [0.0, f64::INFINITY]);
    assert_eq!(slopes(0.0, 1.0, |x, one| x.minimum(one).sqrt()), [f64::INFINITY, 0.0]);
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let [dx] = grad(x.max().sqrt(), [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let at = |values: [f64; 3]| {
        interpret(&graph, [("x", &Tensor::vector(values))]).unwrap().output("dx").unwrap().to_f64_vec()
    };
    assert_eq!(at([-1.0, 0.0, -2.0]), [0.0, f64::INFINITY, 0.0]);
    assert_eq!(at([4.0, 0.0, 4.0]), [0.125, 0.0, 0.125]);
    let nan = at([4.0, f64::NAN, 1.0]);
    assert!(nan[0] == 0.0 && nan[1].is_nan() && nan[2] == 0.0, "{nan:?}");
}

#[test]
fn expressions_of_another_builder_are_refused() {
    let (ours, theirs) = (Builder::new(), Builder::new());
    let (x, y) = (ours.input("x", F64, ()), theirs.input("y", F64, ()));
    assert!(matches!(grad(x * x, [y]), Err(GradError::Foreign { .. })));
}

#[test]
fn a_long_jacobian_takes_time_in_proportion() {
    let b = Builder::new();
    let x = b.input("x", F64, [300]);
    let rows = jacobian(x.sin(), x).unwrap();
    assert_eq!(rows.ty().to_string(), "f64[300, 300]");
}
