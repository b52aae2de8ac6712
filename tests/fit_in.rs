//! Plans that hold at most so many bytes: the same results to the bit, or an error that says how low it can go.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use pullback::exec::{ExecError, Options, Plan, compile};
use pullback::graph::{Bindings, Graph};
use pullback::{Session, Tensor};
use pullback_bench::workloads::{Gpt, Workload, chain, gpt};

/// Two steps of training: the results of the last, and all state.
fn trained(workload: &Workload, options: Options) -> Vec<(String, Tensor)> {
    let mut session = Session::with(&workload.graph, options).unwrap();
    for (name, value) in &workload.start {
        session.set_state(name, value.clone()).unwrap();
    }
    let feeds = workload.feeds.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let outputs = session.run_steps(2, feeds).unwrap();
    let results = outputs.iter().map(|(name, value)| (name.to_string(), value.clone()));
    results.chain(session.states().into_iter().map(|(name, value)| (name.to_string(), value))).collect()
}

fn peak(graph: &Graph, options: &Options) -> Result<usize, ExecError> {
    compile(graph, &Bindings::new(), options).map(|plan| plan.peak_bytes())
}

/// The least peak that is found.
fn least(graph: &Graph, options: &Options) -> usize {
    match peak(graph, &options.clone().fit_in(0)) {
        Err(ExecError::DoesNotFit { budget: 0, least }) => least,
        other => panic!("nothing fits in no bytes, but {other:?}"),
    }
}

fn transformer() -> Workload {
    gpt(Gpt { tokens: 16, length: 32, width: 16, heads: 2, layers: 6, batch: 8 }).unwrap()
}

/// Bytes of state, which no plan can do without.
fn state(workload: &Workload) -> usize {
    workload.start.iter().map(|(_, value)| value.len() * value.dtype().bytes()).sum()
}

#[test]
fn plans_fit_in_what_is_given_and_give_the_same_bits() {
    for (name, workload) in [("chain", chain(64).unwrap()), ("transformer", transformer())] {
        for threads in [1, 2] {
            let options = Options::default().threads(threads).inline_below(Duration::ZERO);
            let (graph, expected) = (&workload.graph, trained(&workload, options.clone()));
            let (all, least) = (peak(graph, &options).unwrap(), least(graph, &options));
            for budget in [least, least + (all - least) / 4, least + (all - least) / 2, all] {
                let options = options.clone().fit_in(budget);
                assert!(
                    peak(graph, &options).unwrap() <= budget,
                    "{name}, {threads} threads, {budget} bytes"
                );
                for ((output, value), (_, expected)) in trained(&workload, options).iter().zip(&expected) {
                    assert!(value.bits_eq(expected), "{name}, {threads} threads, {budget} bytes: {output}");
                }
            }
        }
    }
}

#[test]
fn activations_take_a_fraction_when_they_are_computed_again() {
    let options = Options::default().threads(1);
    for (name, workload, fraction) in [("chain", chain(64).unwrap(), 3), ("transformer", transformer(), 4)] {
        let (graph, state) = (&workload.graph, state(&workload));
        let (all, least) = (peak(graph, &options).unwrap() - state, least(graph, &options) - state);
        assert!(least * fraction <= all, "{name}: {least} of {all} bytes beside the state");
    }
}

#[test]
fn the_weights_of_attention_are_computed_again() {
    let (length, heads, layers) = (512, 2, 4);
    let workload = gpt(Gpt { tokens: 16, length, width: 32, heads, layers, batch: 1 }).unwrap();
    let (graph, options) = (&workload.graph, Options::default().threads(1));
    let weights = 4 * heads * length * length;
    let plan = |options: &Options| compile(graph, &Bindings::new(), options).unwrap();
    let (all, fitting) = (plan(&options), plan(&options.clone().fit_in(least(graph, &options))));
    let large = |plan: &Plan| plan.slots().iter().filter(|slot| slot.bytes >= weights).count();
    // Their slope needs them, and nothing of what they are made of.
    assert!(large(&all) == layers && large(&fitting) <= 1, "{} and {}", large(&all), large(&fitting));
    let rest = all.peak_bytes() - large(&all) * weights;
    assert!(fitting.peak_bytes() < rest + 2 * weights, "{} bytes, rest {rest}", fitting.peak_bytes());
    // Weights that are read once, since they are computed again for the slope, are in memory as rows alone.
    let chained = |plan: &Plan| {
        plan.steps().iter().filter(|step| step.kernel().starts_with("matmul+fused+matmul")).count()
    };
    assert!(chained(&all) == 0 && chained(&fitting) > 0, "{} and {}", chained(&all), chained(&fitting));
}

#[test]
fn an_error_says_how_low_a_plan_can_go() {
    let (workload, options) = (chain(8).unwrap(), Options::default().threads(1));
    let least = least(&workload.graph, &options);
    assert!(peak(&workload.graph, &options.clone().fit_in(least)).is_ok());
    let error = Session::with(&workload.graph, options.fit_in(1000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the plan is to hold at most 1000 bytes, and the least found is {least}")
    );
}
