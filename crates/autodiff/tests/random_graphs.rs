//! What holds for the gradients of any program.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::config;
use proptest::prelude::*;
use pullback_autodiff::check::Case;
use pullback_autodiff::check::strategies::{check_graph, random_graph};
use pullback_autodiff::{Disconnected, GradOptions, gradients};
use pullback_graph::{Builder, DType, Expr, Graph, GraphSpec, interpret};

/// The case's graph with its gradient in every variable.
fn with_gradient(case: &Case) -> Graph {
    let b = Builder::extending(&case.graph);
    let loss = b.expr(case.graph.output(&case.output).unwrap().node);
    let variables: Vec<Expr<'_>> =
        case.wrt.iter().map(|name| b.expr(case.graph.input(name).unwrap())).collect();
    let options = GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() };
    let found = gradients(loss, &variables, &options).unwrap();
    b.finish(case.wrt.iter().map(String::as_str).zip(found)).unwrap()
}

proptest! {
    #![proptest_config(config(1000, "random_graphs"))]

    #[test]
    fn gradients_are_right(case in random_graph(GraphSpec::default())) {
        check_graph(&case).prop_assert()?;
    }

    #[test]
    fn gradients_of_smooth_programs_are_right(
        case in random_graph(GraphSpec { smooth_only: true, ..GraphSpec::default() })
    ) {
        let report = check_graph(&case);
        report.prop_assert()?;
        prop_assert!(report.skipped.len() * 4 <= report.compared.max(4), "too much is skipped: {}", report);
    }

    #[test]
    fn gradients_of_single_precision_are_right(
        case in random_graph(GraphSpec { dtype: DType::F32, max_nodes: 12, ..GraphSpec::default() })
    ) {
        check_graph(&case).prop_assert()?;
    }

    #[test]
    fn gradients_are_the_same_every_time(case in random_graph(GraphSpec::default())) {
        let (first, second) = (with_gradient(&case), with_gradient(&case));
        prop_assert_eq!(first.to_string(), second.to_string());
        let run = |graph| interpret(graph, case.feeds.iter().map(|(name, value)| (name, value))).unwrap();
        for ((_, first), (_, second)) in run(&first).outputs().zip(run(&second).outputs()) {
            prop_assert!(first.bits_eq(second));
        }
    }

    #[test]
    fn every_gradient_node_has_a_forward_node_and_its_line(case in random_graph(GraphSpec::default())) {
        let graph = with_gradient(&case);
        for id in graph.ids().skip(case.graph.len()) {
            let forward = graph.gradient_of(id).and_then(|(forward, _)| forward);
            let forward = forward.ok_or_else(|| TestCaseError::fail(format!("{id} has no forward node")))?;
            prop_assert!(forward.index() < case.graph.len());
            prop_assert!(graph.source(id).is_some() && graph.source(id) == graph.source(forward));
        }
    }
}
