//! Gradients at extremes, at singular points and on kinks: nothing that the values refute.
//!
//! What is right there is a matter of conventions, which other tests hold; the checker fails what no convention allows.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::check::{InputSpec, check_gradients, f64_in};
use pullback_graph::op::{BinaryOp, UnaryOp};
use pullback_graph::{Expr, Tensor};

type Function = for<'g> fn(Expr<'g>) -> Expr<'g>;

const POINTS: [f64; 24] = [
    -1e4,
    -745.0,
    -50.0,
    -6.0,
    -3.0,
    -1.0,
    -1e-3,
    -1e-8,
    -1e-30,
    0.0,
    1e-30,
    1e-8,
    1e-3,
    0.5,
    0.999_999_999,
    1.0,
    1.000_000_001,
    2.0,
    3.0,
    6.0,
    50.0,
    700.0,
    1e4,
    1e15,
];

fn scalar(value: f64) -> InputSpec {
    f64_in([]).value(Tensor::scalar(value))
}

#[test]
fn unary_ops() {
    for op in UnaryOp::ALL {
        for x in POINTS {
            let report = check_gradients(|[x]| x.apply(*op), [scalar(x)]);
            assert!(report.is_ok(), "{op:?} at {x}: {report}");
        }
    }
}

#[test]
fn binary_ops() {
    let points = [-50.0, -2.0, -1.0, -0.5, -1e-8, 0.0, 1e-30, 1e-8, 0.5, 1.0, 2.0, 3.0, 50.0, 1e10];
    for op in BinaryOp::ALL {
        for (a, b) in points.iter().flat_map(|a| points.map(|b| (*a, b))) {
            let report = check_gradients(|[a, b]| a.apply_to(*op, &[b]), [scalar(a), scalar(b)]);
            assert!(report.is_ok(), "{op:?} at {a}, {b}: {report}");
        }
    }
}

#[test]
fn powers_with_a_constant_exponent_are_compared_at_zero() {
    for (base, exponent) in
        [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (0.0, 3.0), (2.0, 0.0), (-2.0, 0.0), (-2.0, 3.0)]
    {
        let report = check_gradients(|[x]| x.pow(exponent), [scalar(base)]);
        assert!(report.is_ok() && report.skipped.is_empty(), "{base}^{exponent}: {report}");
    }
    // The mixed derivative of a^b at b = 0 is 1/a.
    let report = check_gradients(|[a, b]| a.pow(b), [scalar(2.0), scalar(0.0)]);
    assert!(report.is_ok() && report.skipped.is_empty(), "{report}");
}

#[test]
fn activations() {
    let functions: [(&str, Function); 12] = [
        ("leaky_relu", |x| x.leaky_relu(0.1)),
        ("elu", |x| x.elu(0.7)),
        ("gelu", |x| x.gelu()),
        ("gelu_tanh", |x| x.gelu_tanh()),
        ("silu", |x| x.silu()),
        ("mish", |x| x.mish()),
        ("selu", |x| x.selu()),
        ("softsign", |x| x.softsign()),
        ("hard_tanh", |x| x.hard_tanh()),
        ("relu6", |x| x.relu6()),
        ("hard_swish", |x| x.hard_swish()),
        ("log_sigmoid", |x| x.log_sigmoid()),
    ];
    for (name, function) in functions {
        for x in POINTS {
            let report = check_gradients(|[x]| function(x), [scalar(x)]);
            assert!(report.is_ok(), "{name} at {x}: {report}");
        }
    }
}

#[test]
fn functions_of_rows() {
    let functions: [(&str, Function); 9] = [
        ("logsumexp", |x| x.logsumexp(-1)),
        ("softmax", |x| x.softmax(-1)),
        ("log_softmax", |x| x.log_softmax(-1)),
        ("var", |x| x.var_over(-1, 0)),
        ("std", |x| x.std_over(-1, 0)),
        ("norm", |x| x.norm_over(-1)),
        ("max", |x| x.max_over(-1) * x.min_over(-1)),
        ("standardized", |x| {
            let centered = x - x.mean_over(-1).keep_dims(x, -1);
            centered / (centered.square().mean_over(-1) + 1e-5).sqrt().keep_dims(x, -1)
        }),
        ("normalized", |x| x / x.norm_over(-1).keep_dims(x, -1)),
    ];
    let rows: [[f64; 3]; 9] = [
        [0.3, -1.2, 2.0],
        [0.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
        [3.0, -4.0, 0.0],
        [1e-8, 0.0, -1e-8],
        [1e8, 1.0, -1e8],
        [800.0, -800.0, 0.0],
        [700.0, 700.0, 699.0],
        [f64::NEG_INFINITY, 0.5, 0.5],
    ];
    for (name, function) in functions {
        for row in rows {
            let report = check_gradients(|[x]| function(x), [f64_in([3]).value(Tensor::vector(row))]);
            assert!(report.is_ok(), "{name} at {row:?}: {report}");
            assert!(row != rows[0] || report.skipped.is_empty(), "{name} at {row:?}: {report}");
        }
    }
}
