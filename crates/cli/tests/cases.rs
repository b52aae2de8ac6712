//! The catalogue of gradients that are easily wrong: ties, zeros, poles, infinities, masks, empty and repeated things.
//!
//! `data/cases.jsonl` holds them in the form of the reference cases, with values worked out by hand, the reason (`why`), and
//! the case's number in the catalogue. `grads` and `hvp` may differ between the policies for kinks; `refused` is part of the reason why
//! there is no answer. `data/cases_elsewhere.jsonl` names the tests of what is no single operation, and what does not apply.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "reference/judge.rs"]
mod judge;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pullback_cli::reference::{Engine, Options, answer};
use pullback_graph::KinkPolicy;
use serde_json::Value;

use judge::judge;

/// The numbers of the catalogue: kinks, singular points, infinities, shapes, and what is beyond a first derivative.
fn numbers() -> BTreeSet<u64> {
    [1..=17, 20..=45, 50..=61, 70..=89, 90..=104].into_iter().flatten().collect()
}

fn lines(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The case with the gradients that hold under `policy`.
fn under(case: &Value, policy: &str) -> Value {
    let mut case = case.clone();
    for name in ["grads", "hvp"] {
        if case[name].is_object() {
            case[name] = case[name][policy].take();
        }
    }
    case
}

fn judged(case: &Value, answer: &Value, single: bool) -> Result<(), String> {
    match (case["refused"].as_str(), answer["skip"].as_str()) {
        (Some(part), Some(why)) if why.contains(part) => Ok(()),
        (Some(part), Some(why)) => Err(format!("refused without {part:?}: {why}")),
        (Some(_), None) => Err(format!("not refused: {answer}")),
        (None, Some(why)) => Err(format!("skipped: {why}")),
        (None, None) => judge(case, answer, single),
    }
}

#[test]
fn every_case_has_the_gradient_worked_out_by_hand() {
    let mut failures = Vec::new();
    for case in lines("cases.jsonl") {
        let only_double =
            case["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "f64_only"));
        for single in [false, true].into_iter().filter(|single| !(*single && only_double)) {
            for engine in [Engine::default(), Engine::Interpreter] {
                for policy in KinkPolicy::ALL {
                    let case = under(&case, policy.name());
                    let options = Options { single, kinks: policy, engine: engine.clone() };
                    let answer = answer(&case.to_string(), 1, &options);
                    if let Err(why) = judged(&case, &answer, single) {
                        let precision = if single { "f32" } else { "f64" };
                        failures.push(format!("{} ({precision}, {policy}): {why}", case["id"]));
                    }
                }
            }
        }
    }
    failures.dedup();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_number_of_the_catalogue_is_accounted_for() {
    let all = [lines("cases.jsonl"), lines("cases_elsewhere.jsonl")].concat();
    let listed: BTreeSet<u64> = all.iter().map(|case| case["case"].as_u64().unwrap()).collect();
    assert_eq!(listed, numbers());
}

#[test]
fn tests_that_cover_cases_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for case in lines("cases_elsewhere.jsonl") {
        let Some(tests) = case["tests"].as_array() else {
            assert!(case["does_not_apply"].is_string(), "{case}");
            continue;
        };
        for test in tests {
            let (file, name) = test.as_str().unwrap().split_once("::").unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(text.contains(&format!("fn {name}(")), "{case}: there is no test {name} in {file}");
        }
    }
}
