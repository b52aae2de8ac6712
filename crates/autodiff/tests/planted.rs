//! Wrong rules are found, located and shrunk; right ones are not failed for their kinks.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{Elementwise, ForgetfulBias};
use pullback_autodiff::check::{CheckOptions, CheckReport, Claim, check_gradient};
use pullback_graph::DType::{F32, F64};
use pullback_graph::op::{Custom, Registry};
use pullback_graph::{Builder, Op, Tensor, sym};

/// The op in the middle of a small network, checked; and the line that applies it.
fn in_a_network(op: &Custom) -> (CheckReport, u32) {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [4, 3]), b.input("w", F64, [3, 2]));
    let hidden = x.dot(w).tanh();
    let (planted, line) = (hidden.apply(op.clone()), line!());
    let graph = b.finish([("loss", (planted * planted).sin().mean())]).unwrap();
    let (x, w) = (Tensor::random([4, 3], 1).cast(F64), Tensor::random([3, 2], 2).cast(F64));
    let feeds = [("x", &x), ("w", &w)];
    (check_gradient(&graph, "loss", &["x", "w"], &feeds, &CheckOptions::default()).unwrap(), line)
}

/// Whether the report blames the op at that line, with a minimal graph.
#[track_caller]
fn assert_blames((report, line): &(CheckReport, u32), op: &Custom) {
    assert!(!report.is_ok(), "the planted rule was not found");
    let culprit = report.culprit.as_ref().expect("a culprit");
    assert_eq!(culprit.place.op, format!("{op:?}"), "{report}");
    let source = culprit.place.at.as_ref().expect("a line");
    assert!(source.file.ends_with("planted.rs") && source.line == *line, "{report}");
    let minimal = report.minimal.as_ref().expect("a minimal graph");
    assert!(minimal.case.graph.len() <= 3, "{report}");
    assert!(minimal.case.graph.nodes().iter().any(|node| node.op == Op::from(op.clone())), "{report}");
    assert!(!minimal.case.check(&CheckOptions::default()).unwrap().is_ok(), "the minimal graph fails too");
}

#[test]
fn a_wrong_sign_is_found() {
    let op = Elementwise::named("cosine", f64::cos, |x, cotangent| cotangent * x.sin());
    assert_blames(&in_a_network(&op), &op);
}

#[test]
fn a_missing_factor_is_found() {
    let op = Elementwise::named("squared", |x| x * x, |x, cotangent| cotangent * x);
    assert_blames(&in_a_network(&op), &op);
}

#[test]
#[allow(clippy::approx_constant, reason = "that is the mistake")]
fn a_constant_with_six_digits_is_found() {
    let op = Elementwise::named("erf_six", erf, |x, cotangent| cotangent * (-(x * x)).exp() * 1.128_379);
    assert_blames(&in_a_network(&op), &op);
}

/// The function whose derivative is `2/√π e^(-x²)`, by its series.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = 0.0;
    for n in 0..60 {
        sum += term / f64::from(2 * n + 1);
        term *= -x * x / f64::from(n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn one_wrong_branch_is_found() {
    let op = Elementwise::named(
        "leaky",
        |x| if x > 0.0 { x } else { 0.1 * x },
        |x, cotangent| x.gt(0.0).select(cotangent, cotangent.zeros_like()),
    );
    assert_blames(&in_a_network(&op), &op);
}

#[test]
fn a_wrong_second_order_is_found() {
    // The slope is right, but what it depends on is hidden from the next order.
    let op = Elementwise::named("exp_once", f64::exp, |x, cotangent| cotangent * x.exp().stop_gradient());
    let report = in_a_network(&op);
    assert!(report.0.failures.iter().all(|failure| failure.order == 2), "{}", report.0);
    assert_blames(&report, &op);
}

#[test]
fn a_rule_that_is_not_linear_in_the_cotangent_is_found() {
    let op = Elementwise::named("sized", |x| 2.0 * x, |_, cotangent| cotangent.abs() * 2.0);
    let report = in_a_network(&op);
    assert!(
        report.0.failures.iter().any(|failure| matches!(failure.claim, Claim::Linear { .. })),
        "{}",
        report.0
    );
    assert_blames(&report, &op);
    let op = Elementwise::named("shifted", |x| 2.0 * x, |_, cotangent| cotangent * 2.0 + 1.0);
    let report = in_a_network(&op);
    assert!(
        report.0.failures.iter().any(|failure| matches!(failure.claim, Claim::Zero { .. })),
        "{}",
        report.0
    );
    assert_blames(&report, &op);
}

#[test]
fn a_forgotten_broadcast_sum_is_found() {
    let op = Registry::new().add("forgetful_bias", ForgetfulBias).unwrap();
    let b = Builder::new();
    let (x, bias) = (b.input("x", F32, [sym("batch"), 3.into()]), b.input("bias", F32, [3]));
    let (biased, line) = (x.sin().apply_to(op.clone(), &[bias]), line!());
    let graph = b.finish([("y", biased.exp())]).unwrap();
    let (x, bias) = (Tensor::random([7, 3], 1), Tensor::random([3], 2));
    let options = CheckOptions::default();
    let report =
        check_gradient(&graph, "y", &["x", "bias"], &[("x", &x), ("bias", &bias)], &options).unwrap();
    let report = (report, line);
    assert_blames(&report, &op);
    // A forgotten sum over one row is no mistake, so two rows are the smallest batch.
    let case = &report.0.minimal.unwrap().case;
    assert!(case.feeds.iter().any(|(_, value)| value.sizes() == [2, 3]), "{case:?}");
}

#[test]
fn a_right_rule_passes() {
    let op = Elementwise::named(
        "swish",
        |x| x / (1.0 + (-x).exp()),
        |x, cotangent| {
            let s = x.sigmoid();
            cotangent * (s + x * s * (1.0 - s))
        },
    );
    let (report, _) = in_a_network(&op);
    report.assert();
    assert!(report.skipped.is_empty() && report.compared > 60, "{report}");
}
