//! Sessions against the interpreter, on several numbers of threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pullback_graph::DType::{F32, I64};
use pullback_graph::{Bindings, Builder, Graph, Output, Tensor, sym};

use crate::run::tests::support::{Act, assert_as_interpreted, op};
use crate::{Options, Record, Session, Update};

/// Layers side by side, joined at the end, with a step of descent: work for several threads.
fn towers(count: usize) -> Graph {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 32.into()]);
    let mut outputs: Vec<Output> = Vec::new();
    let mut total = b.full(F32, (), 0.0);
    for at in 0..count {
        let w = b.parameter(&format!("w{at}"), F32, [32, 32]);
        let hidden = x.dot(w).tanh();
        let loss = hidden.square().sum();
        let slope = hidden * 2.0 * (1.0 - hidden.square());
        let next = w - x.permute([1, 0]).dot(slope) * 0.001;
        outputs.push(Output::from((format!("next_w{at}"), next)).updating(w));
        outputs.push((format!("hidden{at}"), hidden.reshape([sym("batch") * 32.into()])).into());
        total = total + loss;
    }
    outputs.push(("loss", total).into());
    b.finish(outputs).expect("a valid graph")
}

fn parallel(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

fn state_feeds(graph: &Graph, session: &Session, x: &Tensor) -> Vec<(String, Tensor)> {
    let states = session.states().into_iter().map(|(name, value)| (name.to_string(), value));
    let feeds: Vec<_> = states.chain([("x".to_string(), x.clone())]).collect();
    assert_eq!(feeds.len(), graph.inputs().len());
    feeds
}

fn with_weights(graph: &Graph, options: Options, count: usize) -> Session {
    let mut session = Session::with(graph, options).expect("it can be planned");
    for at in 0..count {
        session.set_state(&format!("w{at}"), Tensor::random([32, 32], at as u64)).expect("it is state");
    }
    session
}

#[test]
fn results_and_state_are_those_of_the_interpreter() {
    let graph = towers(3);
    for threads in [1, 2] {
        let mut session = with_weights(&graph, parallel(threads), 3);
        for step in 0..4 {
            let x = Tensor::random([64 + step % 2 * 8, 32], 7 + step as u64);
            let feeds = state_feeds(&graph, &session, &x);
            let feeds: Vec<(&str, Tensor)> =
                feeds.iter().map(|(name, value)| (&**name, value.clone())).collect();
            let outputs = session.run([("x", x.clone())]).expect("it runs");
            assert_as_interpreted(&graph, &feeds, &outputs);
            let values =
                pullback_graph::interpret(&graph, feeds.iter().map(|(n, t)| (*n, t))).expect("it can be");
            for at in 0..3 {
                let expected = values.output(&format!("next_w{at}")).expect("it is there");
                let state = session.state(&format!("w{at}")).expect("it was set");
                assert!(state.max_abs_diff(expected) < 1e-5);
            }
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_threads_nor_on_copying() {
    let graph = towers(4);
    let run = |options: Options| {
        let mut session = with_weights(&graph, options, 4);
        let mut bits: Vec<Tensor> = Vec::new();
        for step in 0..3 {
            let outputs = session.run([("x", Tensor::random([200, 32], step))]).expect("it runs");
            bits.extend(outputs.into_iter().map(|(_, tensor)| tensor));
        }
        bits.extend(session.states().into_iter().map(|(_, tensor)| tensor));
        bits
    };
    let alone = run(parallel(1));
    for options in
        [parallel(2), parallel(3), parallel(8), parallel(2).update_in_place(false), parallel(1).passes(false)]
    {
        let name = format!("{options:?}");
        for (tensor, expected) in run(options).iter().zip(&alone) {
            assert!(tensor.bits_eq(expected), "{name}");
        }
    }
    let pool =
        Arc::new(rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads can be started"));
    assert!(
        run(Options::default().pool(pool).inline_below(Duration::ZERO))
            .iter()
            .zip(&alone)
            .all(|(a, b)| a.bits_eq(b))
    );
}

#[test]
fn plans_are_kept_per_binding_and_the_oldest_makes_room() {
    let graph = towers(1);
    let mut session = with_weights(&graph, parallel(2).plans_kept(2), 1);
    for batch in [4, 8, 4, 12, 8, 4] {
        let outputs = session.run([("x", Tensor::ones([batch, 32]))]).expect("it runs");
        assert_eq!(outputs["hidden0"].sizes(), [batch * 32]);
    }
    let plan = session.plan_for(&Bindings::from([("batch".into(), 5)])).expect("it can be planned");
    assert_eq!(
        plan.graph().output("hidden0").map(|output| plan.graph().ty(output.node).to_string()),
        Some("f32[160]".into())
    );
    assert!(session.plan_for(&Bindings::new()).is_err());
}

#[test]
fn independent_branches_run_side_by_side() {
    let b = Builder::new();
    let x = b.input("x", F32, [4]);
    let slow = op("slow", Act::Sleep(Duration::from_millis(30)));
    let graph =
        b.finish([("left", x.apply(slow.clone())), ("right", (x + x).apply(slow))]).expect("a valid graph");
    let mut session = Session::with(&graph, parallel(2)).expect("it can be planned");
    session.record(Record::trace());
    session.run([("x", Tensor::ones([4]))]).expect("it runs");
    let trace = session.last_run().trace().expect("it was recorded");
    let slow: Vec<_> = trace.events().iter().filter(|event| event.end - event.start > 20_000_000).collect();
    assert_eq!(slow.len(), 2, "{:?}", trace.events());
    assert!(slow[0].start < slow[1].end && slow[1].start < slow[0].end, "one after the other: {slow:?}");
    assert_ne!(slow[0].worker, slow[1].worker);
    let json = trace.to_chrome_json();
    let events = json["traceEvents"].as_array().expect("a list");
    assert!(
        events.iter().any(|event| event["args"]["op"] == "slow" && event["dur"].as_f64() > Some(20_000.0))
    );
    assert!(
        events
            .iter()
            .all(|event| event["args"]["source"].as_str().is_some_and(|at| at.contains("sessions.rs")))
    );
}

#[test]
fn statistics_cover_every_node_and_change_nothing() {
    let graph = towers(2);
    let mut session = with_weights(&graph, parallel(2), 2);
    let mut twin = with_weights(&graph, parallel(2), 2);
    let x = Tensor::random([16, 32], 3);
    let feeds = state_feeds(&graph, &session, &x);
    session.record(Record::stats());
    let recorded = session.run([("x", x.clone())]).expect("it runs");
    let plain = twin.run([("x", x)]).expect("it runs");
    // Every node on its own may round in another way than nodes fused into one kernel.
    assert!(recorded.iter().zip(plain.iter()).all(|((_, a), (_, b))| a.max_abs_diff(b) <= 1e-3));
    assert!(twin.last_run().stats().is_none() && twin.last_run().trace().is_none());

    let stats = session.last_run().stats().expect("they were recorded");
    assert_eq!(stats.len(), graph.len());
    let values = pullback_graph::interpret(&graph, feeds.iter().map(|(name, value)| (name, value)))
        .expect("it can be");
    for (id, stats) in graph.ids().zip(stats) {
        let stats = stats.as_ref().expect("every node has a value");
        let expected = values.node(id).to_f64_vec();
        let mean = expected.iter().sum::<f64>() / expected.len() as f64;
        assert_eq!(stats.count, expected.len() as u64, "{id}");
        assert!((stats.mean - mean).abs() < 1e-4, "{id}: {stats:?}, expected {mean}");
        assert!((stats.max - expected.iter().copied().fold(f64::MIN, f64::max)).abs() < 1e-4);
        assert_eq!((stats.nan, stats.inf), (0, 0));
    }
    // Training goes on from where the recorded run left it.
    session.record(Record::off());
    assert!(session.states().iter().zip(twin.states()).all(|((_, a), (_, b))| a.max_abs_diff(&b) <= 1e-5));
}

#[test]
fn state_may_be_fed_swapped_kept_and_read_by_results() {
    let b = Builder::new();
    let (p, q, r) = (b.state("p", F32, [2]), b.state("q", F32, [2]), b.state("r", I64, [1]));
    let graph = b
        .finish([
            Output::from(("next_p", q)).updating(p),
            Output::from(("next_q", p.reshape([2]))).updating(q),
            Output::from(("next_r", r)).updating(r),
            Output::from(("sum", p + q)),
            Output::from(("old_p", p.reshape([1, 2]))),
            Output::from(("three", b.full(F32, [3], 3.0))),
            Output::from(("two", b.full(F32, [2], 3.0))),
        ])
        .expect("a valid graph");
    let mut session = Session::new(&graph).expect("it can be planned");
    let two = |a: f32, b: f32| Tensor::of([2], [a, b]);
    session.set_state("q", two(3.0, 4.0)).expect("it is state");
    assert_eq!(session.state("p"), None);
    let outputs =
        session.run([("p", two(1.0, 2.0)), ("r", Tensor::of([1], [9_i64]))]).expect("all state has a value");
    assert_eq!(outputs["sum"], two(4.0, 6.0));
    assert_eq!(outputs["old_p"], Tensor::of([1, 2], [1.0_f32, 2.0]));
    assert_eq!((outputs["three"].sizes(), outputs["two"].sizes()), (&[3][..], &[2][..]));
    assert_eq!(session.state("p"), Some(two(3.0, 4.0)));
    assert_eq!(session.state("q"), Some(two(1.0, 2.0)));
    assert_eq!(session.state("r"), Some(Tensor::of([1], [9_i64])));
    let plan = session.plan_for(&Bindings::new()).expect("it is there");
    let updates: Vec<_> = plan.states().iter().map(|state| state.update).collect();
    assert!(matches!(updates[..], [Update::Copy(_), Update::Copy(_), Update::Keep]));
}

#[test]
fn results_that_are_kept_are_not_overwritten() {
    let b = Builder::new();
    let x = b.input("x", F32, [8]);
    let graph = b.finish([("y", x.exp()), ("x", x)]).expect("a valid graph");
    let mut session = Session::new(&graph).expect("it can be planned");
    let first = session.run([("x", Tensor::zeros([8]))]).expect("it runs");
    let second = session.run([("x", Tensor::ones([8]))]).expect("it runs");
    assert_eq!(first["y"], Tensor::ones([8]));
    assert_eq!(first["x"], Tensor::zeros([8]));
    assert!(second["y"].values::<f32>().iter().all(|value| *value > 2.7));
}

#[test]
fn a_million_nodes_plan_and_run_in_linear_time() {
    let chain = |nodes: usize| {
        let b = Builder::new();
        let mut y = b.input("x", F32, ());
        let one = b.full(F32, (), 1.0);
        for at in 0..nodes / 2 {
            // A product that fusion cannot swallow whole.
            y = if at % 2 == 0 { (y + one).tanh() } else { (y * one).sin() };
        }
        b.finish([("y", y)]).expect("a valid graph")
    };
    let time = |nodes: usize, record: Record| {
        let graph = chain(nodes);
        let start = Instant::now();
        let mut session = Session::with(&graph, parallel(2)).expect("it can be planned");
        session.record(record);
        let planned = start.elapsed();
        let outputs = session.run([("x", Tensor::scalar(0.5_f32))]).expect("it runs");
        assert!(outputs["y"].item().is_some_and(f64::is_finite));
        drop(session);
        (planned, start.elapsed())
    };
    for record in [Record::off(), Record::stats()] {
        let (_, small) = time(100_000, record);
        let (planned, large) = time(1_000_000, record);
        println!(
            "{record:?}: 100,000 nodes {small:?}; 1,000,000 nodes {large:?}, of which planning {planned:?}"
        );
        assert!(
            large < small * 40 + Duration::from_secs(2),
            "{small:?} for 100,000 nodes, {large:?} for 1,000,000"
        );
    }
}

#[test]
fn sessions_and_results_may_go_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
    is_send::<crate::Outputs>();
    is_send::<crate::ExecError>();
    is_send::<crate::Plan>();
}

#[test]
fn many_steps_at_once_are_as_many_runs() {
    let graph = towers(2);
    let x = Tensor::random([16, 32], 3);
    for options in [parallel(1), parallel(2), parallel(2).update_in_place(false)] {
        let mut one_by_one = with_weights(&graph, options.clone(), 2);
        let mut at_once = with_weights(&graph, options, 2);
        let mut expected = None;
        for _ in 0..5 {
            expected = Some(one_by_one.run([("x", x.clone())]).expect("it runs"));
        }
        let got = at_once.run_steps(5, [("x", x.clone())]).expect("it runs");
        assert!(got["loss"].bits_eq(&expected.expect("it ran")["loss"]));
        for ((name, expected), (_, got)) in one_by_one.states().into_iter().zip(at_once.states()) {
            assert!(got.bits_eq(&expected), "{name}");
        }
    }
}
