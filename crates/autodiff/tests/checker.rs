//! How the checker is used: names, types, closures, reports.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::Elementwise;
use pullback_autodiff::check::{
    Case, CheckError, CheckOptions, CheckReport, Minimal, check_gradient, check_gradients, f32_in, f64_in,
};
use pullback_graph::DType::{F32, F64, I64};
use pullback_graph::op::{Cast, Distribution, Random, Registry};
use pullback_graph::{Builder, Graph, Tensor, sym};

#[test]
fn closures_of_several_inputs_and_any_output() {
    check_gradients(|[x, w]| x.dot(w).tanh().sum(), [f64_in([4, 3]), f64_in([3, 2])]).assert();
    check_gradients(|[x, w]| x.dot(w), [f32_in([4, 3]), f32_in([3, 2])]).assert();
    check_gradients(
        |[a, b, c, d]| a * b + c / d,
        [f64_in([2]), f64_in([2]), f64_in([]), f64_in([2]).between(1.0, 2.0)],
    )
    .assert();
    // Whole numbers are fed, not differentiated.
    let indices = f64_in([0]).value(Tensor::vector([2_i64, 0, 2]));
    check_gradients(|[x, at]| x.gather(at, 0).square(), [f64_in([3, 2]), indices]).assert();
    // Nothing in, nothing out.
    check_gradients(|[x]| x.exp(), [f64_in([0, 3])]).assert();
}

#[test]
fn names_and_types_are_checked() {
    let b = Builder::new();
    let (x, n) = (b.input("x", F64, [2]), b.input("n", I64, [2]));
    let graph = b.finish([("y", x.sin()), ("m", n)]).unwrap();
    let feeds = [("x", &Tensor::of([2], [0.5, 1.0])), ("n", &Tensor::of([2], [1_i64, 2]))];
    let options = CheckOptions::default();
    let error = |output, wrt: &[&str]| check_gradient(&graph, output, wrt, &feeds, &options).unwrap_err();
    assert_eq!(error("z", &["x"]).to_string(), "there is no output \"z\"; the outputs are \"y\", \"m\"");
    assert_eq!(error("y", &["w"]).to_string(), "there is no input \"w\"; the inputs are \"x\", \"n\"");
    assert!(matches!(error("m", &["x"]), CheckError::NotFloat { kind: "output", .. }));
    assert!(matches!(error("y", &["n"]), CheckError::NotFloat { kind: "input", .. }));
    let error = check_gradient(&graph, "y", &["x"], &feeds[..1], &options).unwrap_err();
    assert!(matches!(error, CheckError::Graph(_)), "{error}");
    check_gradient(&graph, "y", &["x"], &feeds, &options).unwrap().assert();
}

#[test]
fn single_precision_is_checked_in_double() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 3.into()]);
    let mask = Random { distribution: Distribution::Uniform, stream: 1, dtype: F32, shape: x.shape() };
    let key = b.input("key", I64, ());
    let noise = b.push(mask, &[key]).unwrap();
    let kept = noise.gt(0.3).select(x, 0.0) * (1.0 / 0.7);
    let y = kept.pad([(0, 0), (1, 1)], 0.5).cast(F64).apply(Cast { dtype: F32 }).tanh().mean();
    let graph = b.finish([("y", y)]).unwrap();
    let feeds = [("x", &Tensor::random([5, 3], 3)), ("key", &Tensor::scalar(7_i64))];
    let report = check_gradient(&graph, "y", &["x"], &feeds, &CheckOptions::default()).unwrap();
    report.assert();
    // In single precision no quotient has this many digits.
    assert!(report.skipped.is_empty() && report.compared > 60, "{report}");
}

#[test]
fn an_input_without_influence_has_gradient_zero() {
    let b = Builder::new();
    let (x, y) = (b.input("x", F64, [2]), b.input("y", F64, [3]));
    let graph = b.finish([("z", x.exp() + (y.floor() * 0.0).sum().stop_gradient())]).unwrap();
    let feeds = [("x", &Tensor::of([2], [0.5, 1.0])), ("y", &Tensor::of([3], [0.5, 1.5, -2.5]))];
    check_gradient(&graph, "z", &["x", "y"], &feeds, &CheckOptions::default()).unwrap().assert();
}

#[test]
fn more_elements_than_are_checked_are_picked() {
    let few = CheckOptions { elements: 3, draws: 1, order: 1, ..CheckOptions::default() };
    let b = Builder::new();
    let x = b.input("x", F64, [40]);
    let graph = b.finish([("y", (x * x).sum())]).unwrap();
    let value = Tensor::random([40], 5).cast(F64);
    let report = check_gradient(&graph, "y", &["x"], &[("x", &value)], &few).unwrap();
    // A direction, forward mode, three elements, and for each element linearity and zero.
    assert_eq!(report.compared, 1 + 1 + 3 + 40 + 40, "{report}");
}

/// An op with half the slope it should have.
fn halved_sine() -> Elementwise {
    Elementwise { value: f64::sin, rule: |x, cotangent| cotangent * x.cos() * 0.5 }
}

/// The check of a network with that op.
fn failing() -> CheckReport {
    let op = Registry::new().add("halved_sine", halved_sine()).unwrap();
    check_gradients(move |[x]| x.apply(op.clone()).exp().sum(), [f64_in([2, 2])])
}

#[test]
fn a_failure_reads_well() {
    let report = failing();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("gradient check failed: ") && lines[0].ends_with(" comparisons do not hold"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("first wrong op: %1 halved_sine at crates/autodiff/tests/checker.rs:"),
        "{text}"
    );
    assert_eq!(lines[2], "  = its gradient is wrong", "{text}");
    assert!(
        lines[3].contains("(order 1): expected ") && lines[3].contains(" times the tolerance "),
        "{text}"
    );
    assert!(text.contains("fn the_gradient_of_halved_sine_is_right() {"), "{text}");
    assert!(text.contains("registry.add(\"halved_sine\", "), "{text}");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| report.assert())).unwrap_err();
    assert_eq!(panicked.downcast_ref::<String>(), Some(&text));
}

#[test]
fn what_is_pasted_fails_as_the_original_does() {
    let minimal = failing().minimal.expect("it fails");
    let test = minimal.test();
    let text =
        test.split("r##\"").nth(1).and_then(|rest| rest.split("\"##").next()).expect("the graph's text");
    let mut registry = Registry::new();
    assert!(Graph::parse(text, &registry).is_err(), "custom ops must be added first");
    registry.add("halved_sine", halved_sine()).unwrap();
    let graph = Graph::parse(text, &registry).unwrap();
    assert_eq!(graph, minimal.case.graph);
    let again = Case { graph, ..minimal.case }.check(&CheckOptions::default()).unwrap();
    assert!(!again.is_ok());
}

/// What [`Minimal::test`] writes is compiled and run as it is.
#[path = "common/pasted.rs"]
mod pasted;

#[test]
fn what_is_pasted_compiles_and_runs() {
    let b = Builder::new();
    let (x, n) = (b.input("x", F32, [2, 1]), b.input("a \"name\"", I64, [3]));
    let kept = x.gather(n, 0).gt(0.5).select(x.gather(n, 0), -1.5);
    let graph = b.finish([("y", kept.exp())]).unwrap();
    // Lines differ from machine to machine and from edit to edit.
    let graph = Graph::parse(&without_lines(&graph), &Registry::new()).unwrap();
    let feeds = vec![
        ("x".to_string(), Tensor::of([2, 1], [0.1_f32, 1e-9])),
        ("a \"name\"".to_string(), Tensor::vector([1_i64, 0, 1])),
    ];
    let case = Case { graph, output: "y".into(), wrt: vec!["x".into()], feeds };
    let test = Minimal { case }.test();
    assert!(include_str!("common/pasted.rs").ends_with(&test), "{test}");
}

fn without_lines(graph: &Graph) -> String {
    let lines = graph.to_string();
    let lines = lines.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end());
    lines.collect::<Vec<_>>().join("\n")
}
