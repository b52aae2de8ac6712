//! What holds for the gradients of any program.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use pullback_autodiff::check::strategies::{check_graph, random_graph};
use pullback_graph::GraphSpec;

/// Programs per property; `PROPTEST_CASES` raises it.
fn config(cases: u32) -> ProptestConfig {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/random_graphs.txt");
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..default
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn gradients_are_right(case in random_graph(GraphSpec::default())) {
        let report = check_graph(&case);
        println!("{} {} {}", report.compared, report.skipped.len(), report.closest);
        for s in &report.skipped { println!("  {s}"); }
        report.prop_assert()?;
    }

    #[test]
    fn gradients_of_smooth_programs_are_right(
        case in random_graph(GraphSpec { smooth_only: true, ..GraphSpec::default() })
    ) {
        check_graph(&case).prop_assert()?;
    }
}
