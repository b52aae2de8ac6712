//! What does not change from run to run is computed once.

use std::time::Duration;

use pullback_graph::DType::F32;
use pullback_graph::{Bindings, Builder, Expr, Graph, Output, Tensor, sym};
use rustc_hash::FxHashSet;

use crate::run::tests::support::{Act, assert_as_interpreted, op};
use crate::{ExecError, Options, Record, Session, StepId};

const WIDTH: usize = 96;

fn parallel(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

/// An input that keeps its value.
fn kept<'b>(b: &'b Builder, name: &str, sizes: &[usize], outputs: &mut Vec<Output>) -> Expr<'b> {
    let state = b.parameter(name, F32, sizes.to_vec());
    outputs.push(Output::from((format!("next_{name}"), state)).updating(state));
    state
}

/// Two layers with transposed weights, the second scaled by its own norm, and a table of positions.
fn inference() -> Graph {
    let b = Builder::new();
    let mut outputs = Vec::new();
    let first = kept(&b, "first", &[WIDTH, 64], &mut outputs);
    let second = kept(&b, "second", &[WIDTH, WIDTH], &mut outputs);
    let x = b.input("x", F32, [sym("batch"), 64.into()]);
    let positions = (b.full(F32, [WIDTH], 0.0).iota_like(0).cast(F32) * 0.1).sin();
    let hidden = (x.dot(first.t()) + positions).tanh();
    let scaled = second / second.square().sum_over([1]).sqrt().expand_dims(1);
    outputs.push(("out", hidden.dot(scaled.t())).into());
    b.finish(outputs).expect("a valid graph")
}

fn feeds(rows: usize, seed: u64) -> [(&'static str, Tensor); 3] {
    let of = |sizes: [usize; 2], seed| Tensor::random(sizes, seed);
    [("first", of([WIDTH, 64], seed)), ("second", of([WIDTH, WIDTH], seed + 1)), ("x", of([rows, 64], 9))]
}

/// Runs with states as they are, and looks at the result.
fn check(session: &mut Session, states: &[(&'static str, Tensor); 3]) -> FxHashSet<StepId> {
    session.record(Record::trace());
    let outputs = session.run([("x", states[2].1.clone())]).expect("it runs");
    assert_as_interpreted(session.graph(), states, &outputs);
    let trace = session.last_run().trace.as_ref().expect("it was recorded");
    trace.events().iter().map(|event| event.step).collect()
}

#[test]
fn what_follows_from_unchanging_state_is_computed_when_that_is_set() {
    let graph = inference();
    for threads in [1, 2, 3] {
        let mut session = Session::with(&graph, parallel(threads)).expect("it can be planned");
        for seed in [1, 2] {
            let of_seed = feeds(300, seed);
            for (name, value) in &of_seed[..2] {
                session.set_state(name, value.clone()).expect("it is state");
            }
            let first = check(&mut session, &of_seed);
            let plan = session.plan_for(&Bindings::from([("batch".into(), 300)])).expect("it was planned");
            let once: FxHashSet<StepId> =
                (0..plan.steps().len()).map(StepId::new).filter(|step| plan.step(*step).is_once()).collect();
            let all = plan.steps().len();
            // Both weights turned, the second one scaled before; positions.
            assert_eq!((once.len(), all), (4, 5), "{plan}");
            assert_eq!(first.len(), all);
            for _ in 0..2 {
                let later = check(&mut session, &of_seed);
                assert!(later.is_disjoint(&once) && later.len() + once.len() == all, "{threads} threads");
            }
        }
    }
}

#[test]
fn every_plan_of_a_session_sees_the_state_that_was_set() {
    let mut session = Session::with(&inference(), parallel(2)).expect("it can be planned");
    let mut outputs = Vec::new();
    for seed in [1, 2, 3] {
        let first = feeds(300, seed);
        for (name, value) in &first[..2] {
            session.set_state(name, value.clone()).expect("it is state");
        }
        for rows in [300, 20, 300, 20] {
            check(&mut session, &feeds(rows, seed));
        }
        // State that is fed is set as well.
        outputs.push(session.run(feeds(300, seed + 7)).expect("it runs")["out"].clone());
        check(&mut session, &feeds(300, seed + 7));
    }
    assert!(outputs.windows(2).all(|two| two[0] != two[1]));
}

#[test]
fn state_that_runs_change_is_read_anew() {
    let b = Builder::new();
    let w = b.parameter("w", F32, [64, 64]);
    let x = b.input("x", F32, [300, 64]);
    let y = x.dot((w * 2.0).t());
    let outputs = [("y", y).into(), Output::from(("next", w + y.sum() * 0.001)).updating(w)];
    let graph = b.finish(outputs).expect("a valid graph");
    for threads in [1, 2] {
        let mut session = Session::with(&graph, parallel(threads)).expect("it can be planned");
        session.set_state("w", Tensor::random([64, 64], 1)).expect("it is state");
        let x = Tensor::random([300, 64], 2);
        for _ in 0..3 {
            let w = session.state("w").expect("it was set");
            let outputs = session.run([("x", x.clone())]).expect("it runs");
            assert_as_interpreted(&graph, &[("w", w), ("x", x.clone())], &outputs);
        }
        assert!(
            session.plan_for(&Bindings::new()).expect("it was").steps().iter().all(|step| !step.is_once())
        );
    }
}

#[test]
fn a_run_that_failed_leaves_nothing_to_be_relied_on() {
    let b = Builder::new();
    let mut outputs = Vec::new();
    let w = kept(&b, "w", &[WIDTH, 64], &mut outputs);
    let x = b.input("x", F32, [300, 64]);
    let checked = x.apply(op("checked", Act::FailIfNegative("negative")));
    outputs.push(("out", checked.dot((w * 2.0).exp().t())).into());
    let graph = b.finish(outputs).expect("a valid graph");
    for threads in [1, 2] {
        let mut session = Session::with(&graph, parallel(threads)).expect("it can be planned");
        let weights = Tensor::random([WIDTH, 64], 1);
        session.set_state("w", weights.clone()).expect("it is state");
        let (good, bad) = (Tensor::full(&[300, 64], 0.5_f32), Tensor::full(&[300, 64], -0.5_f32));
        // Before what is held was ever there, after that, and after other state was set.
        for (value, fails) in
            [(&bad, true), (&good, false), (&bad, true), (&good, false), (&bad, true), (&good, false)]
        {
            let run = session.run([("x", value.clone())]);
            match run {
                Ok(outputs) => {
                    assert_as_interpreted(&graph, &[("w", weights.clone()), ("x", value.clone())], &outputs)
                }
                Err(error) => assert!(fails && matches!(error, ExecError::Kernel { .. }), "{error}"),
            }
        }
        session.run([("x", bad.clone())]).expect_err("it is negative");
        let weights = Tensor::random([WIDTH, 64], 2);
        session.set_state("w", weights.clone()).expect("it is state");
        let outputs = session.run([("x", good.clone())]).expect("it runs");
        assert_as_interpreted(&graph, &[("w", weights), ("x", good)], &outputs);
    }
}

#[test]
fn what_does_not_fit_is_computed_in_every_run() {
    let b = Builder::new();
    let x = b.input("x", F32, [200, 300]);
    let table = (b.full(F32, [300, 200], 0.0).iota_like(0).cast(F32) * 0.1).sin();
    let first = x.dot(table);
    let graph = b.finish([("out", first.dot(first).dot(first.t()))]).expect("a valid graph");
    let plan = |options: Options| {
        let mut session = Session::with(&graph, options).expect("it can be planned");
        let plan = session.plan_for(&Bindings::new()).expect("it was");
        (plan.peak_bytes(), plan.steps().iter().any(|step| step.is_once()))
    };
    let one = || Options::default().threads(1);
    let (ample, holds) = plan(one());
    assert!(holds);
    assert_eq!(plan(one().fit_in(ample)), (ample, true));
    let (tight, holds) = plan(one().fit_in(ample - 1));
    assert!(tight < ample && !holds);
}
