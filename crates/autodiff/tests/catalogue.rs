//! Every op of the catalogue: its gradient, and the gradient of that, against difference quotients.
//!
//! No op is named here and none is left out: an op that gives no float has nothing continuous to be wrong about.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{Scaled, config};
use proptest::strategy::Strategy;
use proptest::test_runner::{TestCaseError, TestRunner};
use pullback_autodiff::check::strategies::{case_of, op_sample, sample_of};
use pullback_autodiff::check::{Case, CheckOptions, CheckReport};
use pullback_graph::op::Choices;
use pullback_graph::{Builder, Op, OpClass, OpRules, Output};

/// The gradient alone, or that of the gradient as well and a minimal graph if either is wrong.
fn check(case: &Case, order: usize) -> Result<CheckReport, TestCaseError> {
    let output = case.graph.output(&case.output).expect("a sample has an output").node;
    if !case.graph.ty(output).dtype.is_float() {
        return Ok(CheckReport::default());
    }
    let options = CheckOptions { order, draws: 1, elements: 8, shrink: order > 1, ..CheckOptions::default() };
    case.check(&options).map_err(|error| TestCaseError::fail(error.to_string()))
}

/// The case with its op under a name of its own, whose rule is off by a factor.
fn scaled(case: &Case, factor: f64) -> Case {
    let written = Builder::new();
    let mut nodes = Vec::new();
    for node in case.graph.nodes() {
        let operands: Vec<_> = node.operands.iter().map(|operand| nodes[operand.index()]).collect();
        let op = match &node.op {
            Op::Input(_) => node.op.clone(),
            op => Scaled::custom(op, factor).into(),
        };
        nodes.push(written.push(op, &operands).unwrap());
    }
    let graph = written.finish([Output::new("out", nodes[nodes.len() - 1].id())]).unwrap();
    Case { graph, ..case.clone() }
}

#[test]
fn every_op_has_the_gradient_of_its_values() {
    for (name, _) in Op::catalogue() {
        let result = TestRunner::new(config(192, "catalogue")).run(&sample_of(name), |case| {
            let report = check(&case, 2)?;
            report.prop_assert()?;
            // Samples are drawn away from kinks.
            let says_much = report.skipped.len() * 4 <= report.compared;
            if says_much {
                Ok(())
            } else {
                Err(TestCaseError::fail(format!("too much is skipped: {report}")))
            }
        });
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn the_same_rules_pass_as_custom_ops() {
    // A barrier is one by agreement with the oracle; under another name its rule is wrong.
    let is_barrier = |case: &Case| {
        case.graph.nodes().iter().any(|node| matches!(node.op, Op::StopGradient(_) | Op::CustomVjp(_)))
    };
    let samples = op_sample().prop_filter("a barrier", move |case| !is_barrier(case));
    let result = TestRunner::new(config(256, "catalogue"))
        .run(&samples, |case| check(&scaled(&case, 1.0), 2)?.prop_assert());
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_rule_that_is_off_by_a_millionth_is_found() {
    for (name, sample) in Op::catalogue() {
        let (mut sloped, mut missed) = (0, 0);
        for seed in 0..8 {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            let case = case_of(&sample, &mut choices);
            // Whether there is a slope to be wrong is what the values say of a rule that answers zero.
            if sample.op.class() == OpClass::Leaf || check(&scaled(&case, 0.0), 1).unwrap().is_ok() {
                continue;
            }
            sloped += 1;
            missed += usize::from(check(&scaled(&case, 1.000_001), 1).unwrap().is_ok());
        }
        assert_eq!(missed, 0, "{name}: of {sloped} samples with a slope");
    }
}
