//! Special functions and remainders: known answers to full precision, poles, infinities, both precisions.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(clippy::excessive_precision, reason = "answers as they were computed")]

use pullback_graph::DType::{F32, F64};
use pullback_graph::op::Polygamma;
use pullback_graph::{Builder, Expr, OpRules, Tensor, interpret};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// `op` of these numbers.
fn of(values: &[f64], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let graph = b.finish([("y", op(b.input("x", F64, [values.len()])))]).unwrap();
    interpret(&graph, [("x", &Tensor::vector(values))]).unwrap().output("y").unwrap().to_f64_vec()
}

/// `op` of these pairs.
fn of_pairs(pairs: &[(f64, f64)], op: impl for<'g> Fn(Expr<'g>, Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let y = op(b.input("a", F64, [pairs.len()]), b.input("b", F64, [pairs.len()]));
    let graph = b.finish([("y", y)]).unwrap();
    let (left, right): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let feeds = [("a", &Tensor::vector(left)), ("b", &Tensor::vector(right))];
    interpret(&graph, feeds).unwrap().output("y").unwrap().to_f64_vec()
}

/// Equal to so many units in the last place; NaN equals NaN.
#[track_caller]
fn near(got: &[f64], want: &[f64], ulps: f64) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= ulps * f64::EPSILON * want.abs(), "{got:e} is not {want:e}");
    }
}

#[test]
fn the_inverse_of_the_error_function_is_right_to_the_last_digit() {
    let x = [0.3, -0.5, 0.999, 1.0 - f64::EPSILON / 2.0, 1e-10, 5e-324];
    let want = [
        0.2724627147267543,
        -0.4769362762044699,
        2.3267537655135246,
        5.8635847487551676,
        8.862269254527581e-11,
        5e-324,
    ];
    near(&of(&x, |x| x.erfinv()), &want, 2.0);
    near(&of(&[1.0, -1.0, 1.5, -INF, NAN], |x| x.erfinv()), &[INF, -INF, NAN, NAN, NAN], 0.0);
    assert!(of(&[-0.0], |x| x.erfinv())[0].is_sign_negative());
    let back: Vec<f64> = (-9..=9).map(|i| f64::from(i) / 10.0).collect();
    near(&of(&back, |x| x.erfinv().erf()), &back, 4.0);
}

#[test]
fn the_gamma_functions_logarithm_and_its_derivatives_are_right() {
    let x = [0.5, 10.0, -0.5, 100.5, 3.0, 0.0, -1.0, INF];
    let want = [
        0.5723649429247001,
        12.801827480081469,
        1.2655121234846454,
        361.4355404677776,
        std::f64::consts::LN_2,
        INF,
        INF,
        INF,
    ];
    near(&of(&x, |x| x.lgamma()), &want, 4.0);
    for (order, x, want) in [
        (0, 1.0, -0.5772156649015329),
        (0, 0.1, -10.423754940411076),
        (0, -1.5, 0.7031566406452432),
        (0, 1e6, 13.815510057964191),
        (0, -1000.25, 10.050097693066705),
        (1, 1.0, 1.6449340668482264),
        (1, -2.3, 14.725912160961292),
        (2, 0.5, -16.82879664423432),
        (3, 7.25, 0.0064330375979401565),
        (5, 2.0, 2.081167438133897),
        (10, 3.0, -21.43660662871299),
        (40, 1.5, -4.919301571242758e+40),
    ] {
        near(&of(&[x], |x| x.polygamma(order)), &[want], 40.0);
    }
    near(&of(&[2.5], |x| x.digamma()), &of(&[2.5], |x| x.polygamma(0)), 0.0);
}

#[test]
fn poles_are_as_documented() {
    let x = [0.0, -0.0, -1.0, -2.0, -INF, INF, NAN];
    near(&of(&x, |x| x.digamma()), &[-INF, INF, NAN, NAN, NAN, INF, NAN], 0.0);
    near(&of(&x, |x| x.polygamma(1)), &[INF, INF, INF, INF, NAN, 0.0, NAN], 0.0);
    near(&of(&x, |x| x.polygamma(2)), &[-INF, INF, NAN, NAN, NAN, 0.0, NAN], 0.0);
}

#[test]
fn an_order_whose_factorials_overflow_is_refused() {
    let (b, ty) = (Builder::new(), Tensor::vector([1.0]).ty());
    let violation = Polygamma { order: 101 }.infer(&[&ty]).unwrap_err();
    assert_eq!((violation.constraint, &*violation.message), ("C3", "order 101 is above 100"));
    assert_eq!(b.input("x", F32, [2]).polygamma(100).ty().to_string(), "f32[2]");
}

#[test]
fn logarithms_and_powers_to_other_bases_are_exact_where_they_can_be() {
    near(&of(&[1.0, 8.0, 0.25, 0.0, -1.0], |x| x.log2()), &[0.0, 3.0, -2.0, -INF, NAN], 0.0);
    near(&of(&[1.0, 1000.0, 1e-3], |x| x.log10()), &[0.0, 3.0, -3.0], 1.0);
    near(&of(&[0.0, 10.0, -1.0, 1e4, -1e4], |x| x.exp2()), &[1.0, 1024.0, 0.5, INF, 0.0], 0.0);
}

#[test]
fn remainders_take_the_sign_of_the_divisor() {
    let pairs = [(5.5, 2.0), (-5.5, 2.0), (5.5, -2.0), (-5.5, -2.0), (-1.0, INF), (1.0, 0.0), (-4.0, 2.0)];
    near(&of_pairs(&pairs, |a, b| a.remainder(b)), &[1.5, 0.5, -0.5, -1.5, INF, NAN, 0.0], 0.0);
    assert!(of_pairs(&[(4.0, -2.0)], |a, b| a.remainder(b))[0].is_sign_negative());
    let b = Builder::new();
    let (x, y) =
        (b.constant(Tensor::vector([5_i64, -5, 5, -5])), b.constant(Tensor::vector([3_i64, 3, -3, -3])));
    let graph = b.finish([("y", x.remainder(y))]).unwrap();
    let none: [(&str, &Tensor); 0] = [];
    let values = interpret(&graph, none).unwrap();
    assert_eq!(*values.output("y").unwrap(), Tensor::vector([2_i64, 1, -1, -2]));
}

#[test]
fn lengths_and_sums_of_exponentials_do_not_overflow() {
    let pairs = [(3.0, 4.0), (3e300, 4e300), (3e-300, -4e-300), (0.0, 0.0), (-INF, NAN)];
    near(&of_pairs(&pairs, |a, b| a.hypot(b)), &[5.0, 5e300, 5e-300, 0.0, INF], 1.0);
    let pairs =
        [(0.0, 0.0), (1000.0, 1000.0), (-INF, -INF), (INF, INF), (-INF, 3.0), (INF, -INF), (NAN, 0.0)];
    let ln2 = std::f64::consts::LN_2;
    near(&of_pairs(&pairs, |a, b| a.logaddexp(b)), &[ln2, 1000.0 + ln2, -INF, INF, 3.0, INF, NAN], 1.0);
}

#[test]
fn nothing_times_a_logarithm_is_nothing() {
    let pairs = [(0.0, 0.0), (0.0, INF), (0.0, -1.0), (0.0, NAN), (2.0, 0.0), (2.0, 1.0), (-1.0, 0.0)];
    near(&of_pairs(&pairs, |a, b| a.xlogy(b)), &[0.0, 0.0, 0.0, NAN, -INF, 0.0, INF], 0.0);
    let pairs = [(0.0, -1.0), (0.0, NAN), (2.0, -1.0), (3.0, 1e-20)];
    near(&of_pairs(&pairs, |a, b| a.xlog1py(b)), &[0.0, NAN, -INF, 3e-20], 1.0);
}

#[test]
fn single_precision_is_rounded_from_the_same_numbers() {
    let b = Builder::new();
    let x = b.input("x", F32, [3]);
    let outputs = [("erfinv", x.erfinv()), ("lgamma", x.lgamma()), ("trigamma", x.polygamma(1))];
    let graph = b.finish(outputs).unwrap();
    let x = Tensor::vector([0.25_f32, 0.5, 0.75]);
    let values = interpret(&graph, [("x", &x)]).unwrap();
    let doubles = [0.25, 0.5, 0.75];
    for (name, want) in [
        ("erfinv", of(&doubles, |x| x.erfinv())),
        ("lgamma", of(&doubles, |x| x.lgamma())),
        ("trigamma", of(&doubles, |x| x.polygamma(1))),
    ] {
        let want: Vec<f32> = want.iter().map(|want| *want as f32).collect();
        assert_eq!(*values.output(name).unwrap(), Tensor::vector(want), "{name}");
    }
}
