//! Gradients of elementwise ops, primitive and derived, where formulas break down: infinities, zeros, joints, tails.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::slopes::{close, gradient, slopes};
use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_autodiff::grad;
use pullback_graph::DType::{Bool, F32, F64};
use pullback_graph::{Builder, Tensor, interpret};

const INF: f64 = f64::INFINITY;

#[test]
fn lengths_have_slopes_wherever_they_are_numbers() {
    close(&slopes(3e300, 4e300, |a, b| a.hypot(b)), &[0.6, 0.8]);
    close(&slopes(3e-300, -4e-300, |a, b| a.hypot(b)), &[0.6, -0.8]);
    close(&slopes(0.0, 0.0, |a, b| a.hypot(b)), &[0.0, 0.0]);
    // An infinite cotangent is stopped at the origin.
    close(&slopes(0.0, 0.0, |a, b| a.hypot(b).sqrt()), &[0.0, 0.0]);
    // ∂²/∂a² is b² / length³.
    let second = slopes(3.0, 4.0, |a, b| grad(a.hypot(b), [a]).unwrap()[0]);
    close(&second, &[16.0 / 125.0, -12.0 / 125.0]);
}

#[test]
fn sums_of_exponentials_share_the_gradient() {
    let op = |a, b| slopes(a, b, |a, b| a.logaddexp(b));
    close(&op(-INF, -INF), &[0.5, 0.5]);
    close(&op(INF, INF), &[0.5, 0.5]);
    close(&op(-INF, 2.0), &[0.0, 1.0]);
    close(&op(INF, 2.0), &[1.0, 0.0]);
    close(&op(INF, -INF), &[1.0, 0.0]);
    close(&op(800.0, -800.0), &[1.0, 0.0]);
    // The second derivative of equal operands is a quarter.
    close(&slopes(0.5, 0.5, |a, b| grad(a.logaddexp(b), [a]).unwrap()[0]), &[0.25, -0.25]);
}

#[test]
fn nothing_times_a_logarithm_has_slopes() {
    let op = |a, b| slopes(a, b, |a, b| a.xlogy(b));
    close(&op(0.0, 0.0), &[0.0, 0.0]);
    close(&op(0.0, 2.0), &[2.0_f64.ln(), 0.0]);
    close(&op(3.0, 2.0), &[2.0_f64.ln(), 1.5]);
    close(&op(2.0, 0.0), &[-INF, INF]);
    // The mixed derivative at a = 0 is 1/b.
    close(&slopes(0.0, 2.0, |a, b| grad(a.xlogy(b), [b]).unwrap()[0]), &[0.5, 0.0]);
    close(&slopes(0.0, -1.0, |a, b| a.xlog1py(b)), &[0.0, 0.0]);
    close(&slopes(2.0, 1e-10, |a, b| a.xlog1py(b)), &[1e-10_f64.ln_1p(), 2.0 / (1.0 + 1e-10)]);
}

#[test]
fn a_remainder_counts_how_often_the_divisor_fits() {
    let op = |a, b| slopes(a, b, |a, b| a.remainder(b));
    close(&op(1.0, 0.1), &[1.0, -9.0]);
    close(&op(-5.5, 2.0), &[1.0, 3.0]);
    close(&op(5.5, -2.0), &[1.0, 3.0]);
    close(&op(3.0, INF), &[1.0, 0.0]);
    close(&op(-3.0, INF), &[1.0, 1.0]);
}

#[test]
fn special_functions_are_differentiated_to_high_orders() {
    for x in [0.3, 1.461_632, 4.0, 30.0, -0.4, -3.6] {
        let report = check_gradients(|[x]| x.lgamma(), [f64_in([]).value(Tensor::scalar(x))]);
        report.assert();
        assert!(report.skipped.is_empty(), "{x}: {report}");
    }
    // d³/dx³ lgamma at 2 is ψ₂(2) = 2 - 2 ζ(3).
    let third = |x: f64| {
        gradient(&[x], |x| {
            let [first] = grad(x.lgamma().sum(), [x]).unwrap();
            grad(first.sum(), [x]).unwrap()[0]
        })
    };
    close(&third(2.0), &[2.0 - 2.0 * 1.202_056_903_159_594_3]);
    for x in [-0.95, 1e-8, 0.7] {
        check_gradients(|[x]| x.erfinv(), [f64_in([]).value(Tensor::scalar(x))]).assert();
    }
    assert_eq!(gradient(&[1.0, -1.0], |x| x.erfinv()), [INF, INF]);
    close(&gradient(&[3.0], |x| x.exp2()), &[8.0 * std::f64::consts::LN_2]);
    close(&gradient(&[4.0], |x| x.log2()), &[0.25 / std::f64::consts::LN_2]);
    close(&gradient(&[4.0], |x| x.log10()), &[0.25 / std::f64::consts::LN_10]);
}

#[test]
fn the_angle_of_a_huge_slope_has_one_in_single_precision() {
    let b = Builder::new();
    let x = b.input("x", F32, [3]);
    let [dx] = grad((x.atan() * 1e30).sum(), [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let x = Tensor::vector([1e20_f32, -4e25, 3.0]);
    let got = interpret(&graph, [("x", &x)]).unwrap().output("dx").unwrap().to_f64_vec();
    for (got, want) in got.iter().zip([1e-10, 6.25e-22, 1e29]) {
        assert!((got / want - 1.0).abs() < 1e-6, "{got:e} is not {want:e}");
    }
    close(&gradient(&[1e200], |x| x.atan() * 1e300), &[1e-100]);
}

#[test]
fn shrinking_functions_are_flat_up_to_their_bounds() {
    let x = [-2.0, -0.5, 0.2, 0.5, 1.5];
    close(&gradient(&x, |x| x.soft_shrink(0.5)), &[1.0, 0.0, 0.0, 0.0, 1.0]);
    close(&gradient(&x, |x| x.hard_shrink(0.5)), &[1.0, 0.0, 0.0, 0.0, 1.0]);
    close(&gradient(&x, |x| x.threshold(0.5, 7.0)), &[0.0, 0.0, 0.0, 0.0, 1.0]);
    close(&gradient(&[0.0, 40.0], |x| x.tanhshrink()), &[0.0, 1.0]);
}

#[test]
fn limits_on_one_side_let_infinite_elements_pass() {
    close(&gradient(&[-1.0, 0.0, 2.0, INF], |x| x.clamp_min(0.0)), &[0.0, 0.0, 1.0, 1.0]);
    close(&gradient(&[-INF, 0.5, 1.0, 2.0], |x| x.clamp_max(1.0)), &[1.0, 1.0, 0.0, 0.0]);
    close(&gradient(&[-INF, 0.5], |x| x.clamp(-INF, INF)), &[1.0, 1.0]);
}

#[test]
fn activations_with_parameters_have_the_slopes_of_their_formulas() {
    close(&gradient(&[-1.0, 0.0, 2.0], |x| x.celu(0.5)), &[(-2.0_f64).exp(), 1.0, 1.0]);
    close(&gradient(&[-1e4, 0.0, 1e4], |x| x.softplus_beta(2.5)), &[0.0, 0.5, 1.0]);
    close(&gradient(&[0.3, -0.7, 0.0, 2.0], |x| x.glu(0)), &{
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let slope = |x: f64| sigmoid(x) * sigmoid(-x);
        [sigmoid(0.0), sigmoid(2.0), 0.3 * slope(0.0), -0.7 * slope(2.0)]
    });
    // Infinite arguments of the branch not taken leave no NaN behind.
    close(&slopes(INF, 0.0, |x, w| x.prelu(w)), &[1.0, 0.0]);
    close(&slopes(-2.0, 0.25, |x, w| x.prelu(w)), &[0.25, -2.0]);
    close(&slopes(0.0, 0.25, |x, w| x.prelu(w)), &[0.25, 0.0]);
    // Far out a quotient's slope is the difference of two nearly equal numbers.
    close(
        &gradient(&[1e10, -1e10, INF], |x| x.softsign()),
        &[(1.0 + 1e10_f64).powi(-2), (1.0 + 1e10_f64).powi(-2), 0.0],
    );
    close(&gradient(&[1e200, -1e200], |x| x.gelu_tanh()), &[1.0, 0.0]);
    for (name, x) in [("near", 0.3), ("far", -3.0)] {
        let specs = [f64_in([]).value(Tensor::scalar(x))];
        let report = check_gradients(|[x]| x.celu(0.7) + x.softplus_beta(3.0) + x.softsign(), specs);
        assert!(report.is_ok() && report.skipped.is_empty(), "{name}: {report}");
    }
}

#[test]
fn one_minus_an_exponential_has_a_logarithm_on_both_sides() {
    for x in [-1e-10, -0.5, -0.7, -2.0, -50.0, -800.0] {
        let want = f64::exp(x) / f64::exp_m1(x);
        close(&gradient(&[x], |x| x.log1mexp()), &[want]);
    }
    close(&gradient(&[0.0], |x| x.log1mexp()), &[-INF]);
}

#[test]
fn what_is_filled_in_gets_no_gradient() {
    let b = Builder::new();
    let (x, mask) = (b.input("x", F64, [2, 2]), b.input("mask", Bool, [2]));
    let [dx] = grad(x.log().masked_fill(mask, 1.0).sum(), [x]).unwrap();
    let [da, dw] = grad(x.lerp(x * 3.0, 0.25).sum() + x.lerp(2.0, x).sum(), [x, x]).unwrap();
    let graph = b.finish([("dx", dx), ("da", da), ("dw", dw)]).unwrap();
    let x = Tensor::of([2, 2], [0.0, 2.0, -1.0, 4.0]);
    let values = interpret(&graph, [("x", &x), ("mask", &Tensor::vector([true, false]))]).unwrap();
    let dx = values.output("dx").unwrap().to_f64_vec();
    assert!(dx[1] == 0.5 && dx[3] == 0.25, "{dx:?}");
    // d/dx of x + (2x)/4 and of x + x (2 - x).
    close(&values.output("da").unwrap().to_f64_vec(), &[4.5, 0.5, 6.5, -3.5]);
}
