//! Every reference case, in double and single precision, by sessions of one and of several threads and by the interpreter.
//!
//! What is not answered yet stands in `reference/exceptions.rs` with the reason; a case that begins to pass must leave it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "reference/exceptions.rs"]
mod exceptions;
#[path = "reference/judge.rs"]
mod judge;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use pullback_cli::reference::{Engine, Options, answer};
use serde_json::Value;

use exceptions::{INEXACT, SKIPPED};
use judge::judge;

const FILES: [&str; 13] = [
    "unary",
    "binary",
    "reduce",
    "shape",
    "linalg",
    "nn",
    "losses",
    "models",
    "second_order",
    "optimizers",
    "training",
    "schedules",
    "metrics",
];

/// What a case must not show to who answers it.
const ANSWERS: [&str; 11] = [
    "outputs",
    "grads",
    "grads_alt",
    "hvp",
    "params",
    "losses",
    "clipped",
    "total_norm",
    "lrs",
    "final",
    "value",
];

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/reference/{file}.jsonl.gz"));
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The case without its answers.
fn question(case: &Value) -> String {
    let mut question = case.clone();
    let is_clip = case["op"] == "clip_grad_norm";
    question
        .as_object_mut()
        .unwrap()
        .retain(|key, _| !ANSWERS.contains(&&**key) || is_clip && key == "grads");
    question.to_string()
}

/// The reason for which the list skips the case.
fn skipped(case: &Value) -> Option<&'static str> {
    let listed = |name: &str| case["id"] == name || case["op"] == name;
    SKIPPED.iter().find(|(name, _)| listed(name)).map(|(_, reason)| *reason)
}

fn has_tag(case: &Value, tag: &str) -> bool {
    case["tags"].as_array().is_some_and(|tags| tags.iter().any(|known| known == tag))
}

/// One thread, several for everything, and none of our executor.
fn engines() -> [(&'static str, Engine); 3] {
    let session = |threads| pullback_exec::Options::default().threads(threads);
    [
        ("one thread", Engine::Session(session(1))),
        ("three threads", Engine::Session(session(3).inline_below(Duration::ZERO))),
        ("interpreter", Engine::Interpreter),
    ]
}

/// Answers and judges all cases of a file; the failures, one a line.
fn failures(file: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for case in cases(file) {
        let (id, question) = (case["id"].as_str().unwrap(), question(&case));
        for single in [false, true].into_iter().filter(|single| !(*single && has_tag(&case, "f64_only"))) {
            let precision = if single { "f32" } else { "f64" };
            let mut fail = |by: &str, why: String| failures.push(format!("{id} ({precision}, {by}): {why}"));
            let answers = engines().map(|(name, engine)| {
                (name, answer(&question, 1, &Options { single, engine, ..Options::default() }))
            });
            for (name, answer) in &answers {
                let tolerant = single || INEXACT.iter().any(|(inexact, _)| *inexact == id);
                match (answer["skip"].as_str(), skipped(&case)) {
                    (Some(_), Some(_)) => {}
                    (Some(why), None) => fail(name, format!("skipped: {why}")),
                    (None, Some(_)) => fail(name, "is answered now: remove it from the list".into()),
                    (None, None) => judge(&case, answer, tolerant).unwrap_or_else(|why| fail(name, why)),
                }
            }
            if answers[0].1 != answers[1].1 {
                fail("three threads", "other bits than with one thread".into());
            }
        }
    }
    failures
}

#[track_caller]
fn assert_passes(file: &str) {
    let failures = failures(file);
    assert!(failures.is_empty(), "{} failures in {file}\n{}", failures.len(), failures.join("\n"));
}

/// One test per file of cases.
macro_rules! reference_tests {
    ($($file:ident),*) => {
        $(#[test]
        fn $file() {
            assert_passes(stringify!($file));
        })*
    };
}

reference_tests!(
    unary,
    binary,
    reduce,
    shape,
    linalg,
    nn,
    losses,
    models,
    second_order,
    optimizers,
    training,
    schedules,
    metrics
);

#[test]
fn every_exception_is_about_a_case() {
    let all: Vec<Value> = FILES.iter().flat_map(|file| cases(file)).collect();
    assert_eq!(all.len(), 603);
    for (name, reason) in SKIPPED.iter().chain(INEXACT) {
        assert!(
            all.iter().any(|case| case["id"] == *name || case["op"] == *name),
            "{name} ({reason}) is no case"
        );
    }
}

#[test]
fn what_is_not_understood_is_skipped_with_the_reason() {
    let skip =
        |line: &str| answer(line, 7, &Options::default())["skip"].as_str().unwrap_or("answered").to_string();
    let x = r#"{"name": "x", "dtype": "f64", "shape": [2], "data": [NaN, -Infinity], "grad": true}"#;
    let case = |op: &str, attrs: &str| {
        format!(r#"{{"id": "a \"NaN\"", "op": "{op}", "attrs": {attrs}, "inputs": [{x}]}}"#)
    };
    assert_eq!(skip(&case("exp", "{}")), "answered");
    assert_eq!(skip(&case("no_such", "{}")), r#"the operation "no_such" is not known"#);
    assert_eq!(skip(&case("exp", r#"{"base": 2}"#)), r#"the attribute "base" is not known"#);
    assert_eq!(skip(&case("pow_scalar", "{}")), r#"the attribute "exponent" is missing"#);
    assert_eq!(
        skip(&case("gelu", r#"{"approximate": "sigmoid"}"#)),
        r#"the attribute "approximate" is "sigmoid", which is not known"#
    );
    assert_eq!(skip(&case("add", "{}")), "takes 2 inputs, got 1");
    assert!(skip(&case("softmax", r#"{"axis": 5}"#)).contains("axis 5 is out of range"));
    assert_eq!(skip(&case("exp", "{}").replace("[2]", "[3]")), "a tensor of shape [3] has 3 elements, got 2");
    assert!(skip(&case("exp", "{}").replace("f64", "f16")).contains("unknown element type \"f16\""));
    assert_eq!(answer("no json", 7, &Options::default())["id"], "line 7");
}
