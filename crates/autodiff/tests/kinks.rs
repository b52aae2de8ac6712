//! At kinks and singular points the checker says what it sees: it skips by name, and fails only what is wrong.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::Elementwise;
use pullback_autodiff::check::{CheckOptions, CheckReport, Why, check_gradient, check_gradients, f64_in};
use pullback_graph::DType::F64;
use pullback_graph::{Builder, Expr, Tensor};

fn at(values: &[f64], function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> CheckReport {
    check_gradients(|[x]| function(x), [f64_in([values.len()]).value(Tensor::vector(values))])
}

/// Whether something was skipped, and all of it for a kink of this op.
#[track_caller]
fn assert_skips(report: &CheckReport, op: &str) {
    report.assert();
    assert!(!report.skipped.is_empty(), "{report}");
    for skipped in &report.skipped {
        assert!(matches!(&skipped.why, Why::Kink(place) if place.op == op), "{report}");
    }
}

#[test]
fn a_point_on_a_kink_is_skipped_by_name() {
    assert_skips(&at(&[0.0], |x| x.relu()), "relu");
    assert_skips(&at(&[1.0, 2.0, -1.0], |x| x.clamp(-1.0, 1.0).square()), "clamp");
    assert_skips(&at(&[2.0], |x| x.floor() * x), "floor");
    // Equal largest elements.
    assert_skips(&at(&[1.0, 3.0, 3.0], |x| (x * x).max()), "reduce_max");
    // The user's own decision.
    assert_skips(&at(&[1.0], |x| x.gt(1.0).select(x * 3.0, x)), "gt");
    // A position that becomes a number.
    assert_skips(&at(&[2.0, 2.0], |x| x.argmax(0).cast(F64) * x.sum()), "argmax");
}

#[test]
fn the_line_of_the_kink_is_shown() {
    let report = at(&[0.0], |x| x.relu());
    let line = line!() - 1;
    let Why::Kink(place) = &report.skipped[0].why else { panic!("{report}") };
    let source = place.at.as_ref().expect("a line");
    assert!(source.file.ends_with("kinks.rs") && source.line == line, "{report}");
    assert!(report.to_string().contains("relu at crates/autodiff/tests/kinks.rs"), "{report}");
}

#[test]
fn beside_a_kink_everything_is_compared() {
    for distance in [0.05, 1e-3, 1e-5] {
        for side in [-1.0, 1.0] {
            let report = at(&[side * distance, 1.0 + side * distance], |x| x.relu() + (x - 1.0).abs() * x);
            report.assert();
            assert!(report.skipped.is_empty(), "{distance}: {report}");
        }
    }
}

#[test]
fn kinks_that_cancel_are_flagged() {
    // The function is x, with slope 1; each relu answers 0 at 0.
    assert_skips(&at(&[0.0], |x| x.relu() - (-x).relu()), "relu");
    // max(x, y) + min(x, y) is x + y; both share the gradient evenly, so nothing is wrong at a tie.
    at(&[0.5], |x| x.maximum(1.0 - x) + x.minimum(1.0 - x)).assert();
    at(&[0.0], |x| x.abs() - x.abs()).assert();
}

#[test]
fn a_rule_without_decisions_may_have_a_corner() {
    // The slope of |x| without a comparison: nothing shows the kink but the values.
    let op = Elementwise::named("absolute", f64::abs, |x, cotangent| cotangent * (x / (x * x).sqrt()));
    at(&[0.5, -2.0], |x| x.apply(op.clone())).assert();
    let beside = at(&[1e-13, 1.0], |x| x.apply(op.clone()) + x);
    beside.assert();
    let corner = beside.skipped.iter().find_map(|skipped| match &skipped.why {
        Why::Corner { below, above } => Some((below.value - above.value).abs()),
        _ => None,
    });
    assert!(corner.is_some_and(|difference| difference > 0.5), "{beside}");
    // At 0 its rule gives 0/0, which no convention allows.
    let there = at(&[0.0], |x| x.apply(op.clone()));
    assert!(!there.is_ok(), "{there}");
}

#[test]
fn a_gradient_that_is_not_finite_where_the_function_is_smooth_fails() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    // The branch not taken is the root of a negative number; zero times its slope is NaN.
    let root = (x - 1.0).sqrt();
    let line = line!() - 1;
    let graph = b.finish([("y", x.lt(1.0).select(x * x, root))]).unwrap();
    let value = Tensor::of([2], [0.5, 3.0]);
    let report = check_gradient(&graph, "y", &["x"], &[("x", &value)], &CheckOptions::default()).unwrap();
    assert!(report.failures.iter().any(|failure| failure.got.is_nan()), "{report}");
    let culprit = report.culprit.as_ref().expect("a culprit");
    assert_eq!(
        (culprit.place.op.as_str(), culprit.place.at.as_ref().map(|at| at.line)),
        ("sqrt", Some(line))
    );
    assert!(report.minimal.as_ref().is_some_and(|minimal| minimal.case.graph.len() <= 6), "{report}");
}

#[test]
fn where_there_is_no_derivative_nothing_is_compared() {
    for report in [at(&[0.0], |x| x.sqrt()), at(&[0.0], |x| x.log()), at(&[1.0], |x| x.acosh())] {
        report.assert();
        assert!(report.skipped.iter().any(|skipped| matches!(skipped.why, Why::Singular)), "{report}");
    }
}

#[test]
fn what_rounding_drowns_is_said_not_to_be_compared() {
    let report = at(&[0.3], |x| (x + 1e12) - 1e12);
    report.assert();
    assert!(report.skipped.iter().any(|skipped| matches!(skipped.why, Why::Imprecise { .. })), "{report}");
}

#[test]
fn barriers_are_constants_to_the_oracle() {
    let report = at(&[0.3, -0.8], |x| x.exp() * x.exp().stop_gradient() + x.stop_gradient().sum());
    report.assert();
    assert!(report.skipped.is_empty(), "{report}");
    // The maximum subtracted for stability: its gradient is not needed, at any order.
    at(&[0.3, -0.8, 1.2], |x| {
        let max = x.max().stop_gradient();
        (x - max).exp().sum().log() + max
    })
    .assert();
}
