//! Every op of the catalogue: its gradient, and the gradient of that, against difference quotients.

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use pullback_autodiff::check::strategies::sample_of;
use pullback_autodiff::check::{Case, CheckOptions, CheckReport};
use pullback_graph::{Op, OpRules};

/// Samples per op; `PROPTEST_CASES` raises it.
fn config(cases: u32) -> Config {
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/catalogue.txt");
    Config { cases, failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))), ..default }
}

fn check(case: &Case) -> Result<CheckReport, TestCaseError> {
    let output = case.graph.output(&case.output).expect("a sample has an output").node;
    if !case.graph.ty(output).dtype.is_float() {
        // Nothing continuous comes out: there is no gradient to be wrong.
        return Ok(CheckReport::default());
    }
    let options = CheckOptions { draws: 1, elements: 8, ..CheckOptions::default() };
    let report = case.check(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    report.prop_assert()?;
    Ok(report)
}

#[test]
fn every_op_has_the_gradient_of_its_values() {
    let mut failed = 0;
    for (name, _) in Op::catalogue().into_iter().filter(|(n,_)| ["maximum","minimum","asin","tanh"].contains(n)) {
        let stats = std::cell::RefCell::new((0, 0, 0.0_f64));
        let start = std::time::Instant::now();
        let mut runner = TestRunner::new(config(12));
        let result = runner.run(&sample_of(name), |case| {
            let report = check(&case)?;
            let mut s = stats.borrow_mut();
            for k in &report.skipped { println!("   {k}"); } if report.closest > 0.5 && name != "maximum" && name != "minimum" { println!("close {} {:?}", report.closest, case); }
 s.0 += report.compared; s.1 += report.skipped.len(); s.2 = s.2.max(report.closest);
            Ok(())
        });
        println!("{name} {:?} {:?}", stats.borrow(), start.elapsed());
        if let Err(error) = result {
            failed += 1;
            println!("FAILED {name}: {error}");
        }
    }
    assert_eq!(failed, 0);
}
