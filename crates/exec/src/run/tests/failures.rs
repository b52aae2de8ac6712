//! What goes wrong comes back as an error with its place, and the session can go on.

use std::time::{Duration, Instant};

use pullback_graph::DType::{F32, I64};
use pullback_graph::{Builder, FeedError, Graph, Output, Tensor, sym};

use crate::run::tests::support::{Act, op};
use crate::{CancelToken, ExecError, Options, Session};

fn parallel(threads: usize) -> Options {
    Options::default().threads(threads).inline_below(Duration::ZERO)
}

/// State that is updated early, and a step that fails late if `x` is negative.
fn late_failure(act: Act) -> Graph {
    let b = Builder::new();
    let x = b.input("x", F32, [4]);
    let count = b.state("count", F32, [4]);
    let next = count + 1.0;
    let picky = (x * next).apply(op("picky", act)).named("here");
    b.finish([Output::from(("next", next)).updating(count), ("y", picky + 1.0).into()])
        .expect("a valid graph")
}

fn negative() -> [(&'static str, Tensor); 1] {
    [("x", Tensor::full(&[4], -1.0_f32))]
}

fn positive() -> [(&'static str, Tensor); 1] {
    [("x", Tensor::ones([4]))]
}

#[test]
fn errors_and_panics_name_the_node_and_the_line() {
    for threads in [1, 2] {
        for panics in [false, true] {
            let act = if panics { Act::PanicIfNegative("too cold") } else { Act::FailIfNegative("too cold") };
            let graph = late_failure(act);
            let mut session =
                Session::with(&graph, parallel(threads).update_in_place(false)).expect("it can be planned");
            session.set_state("count", Tensor::zeros([4])).expect("it is state");
            let error = session.run(negative()).expect_err("it fails");
            assert_eq!(matches!(error, ExecError::Panic { .. }), panics, "{error:?}");
            let text = error.to_string();
            for part in ["picky at %", "\"here\"", "too cold", "\n  --> ", "failures.rs:"] {
                assert!(text.contains(part), "{part:?} is missing in {text}");
            }
            assert!(error.source_line().is_some());
            // State is as before, and the session works.
            assert_eq!(session.state("count"), Some(Tensor::zeros([4])));
            let outputs = session.run(positive()).expect("it runs");
            assert_eq!(outputs["y"], Tensor::full(&[4], 2.0_f32));
            assert_eq!(session.state("count"), Some(Tensor::ones([4])));
        }
    }
}

#[test]
fn state_updated_in_place_is_told_when_a_run_fails() {
    let graph = late_failure(Act::FailIfNegative("too cold"));
    let mut session = Session::with(&graph, parallel(1)).expect("it can be planned");
    session.set_state("count", Tensor::zeros([4])).expect("it is state");
    session.run(negative()).expect_err("it fails");
    let error = session.run(positive()).expect_err("the state cannot be trusted");
    assert!(matches!(&error, ExecError::Torn { states } if **states == ["count".into()]), "{error}");
    assert!(error.to_string().contains("\"count\""));
    session.set_state("count", Tensor::zeros([4])).expect("it is state");
    session.run(positive()).expect("it runs again");
    assert_eq!(session.state("count"), Some(Tensor::ones([4])));
    // Feeding it is as good.
    session.run(negative()).expect_err("it fails");
    let [x] = positive();
    session.run([x, ("count", Tensor::zeros([4]))]).expect("it runs again");
}

#[test]
fn indices_out_of_range_are_errors() {
    let b = Builder::new();
    let table = b.input("table", F32, [5, 2]);
    let rows = b.input("rows", I64, [sym("n")]);
    let graph = b.finish([("picked", table.gather(rows, 0))]).expect("a valid graph");
    let mut session = Session::new(&graph).expect("it can be planned");
    let mut run = |rows: Tensor| session.run([("table", Tensor::ones([5, 2])), ("rows", rows)]);
    assert!(run(Tensor::vector([0_i64, 4])).is_ok());
    let error = run(Tensor::vector([0_i64, 5, 1])).expect_err("5 is out of range");
    assert!(matches!(error, ExecError::Kernel { .. }), "{error}");
    assert!(error.to_string().contains("failures.rs:"), "{error}");
    assert!(run(Tensor::vector([0_i64, 4])).is_ok());
}

#[test]
fn whole_numbers_divided_by_zero_are_errors() {
    for shape in [vec![], vec![3]] {
        let b = Builder::new();
        let [x, y] = ["x", "y"].map(|name| b.input(name, I64, shape.as_slice()));
        let graph = b.finish([("quotient", x / y + 1)]).expect("a valid graph");
        let mut session = Session::new(&graph).expect("it can be planned");
        let feeds = |y: i64| [("x", Tensor::full(&shape, 7_i64)), ("y", Tensor::full(&shape, y))];
        assert!(session.run(feeds(0)).expect_err("it fails").to_string().contains("divided by zero"));
        assert_eq!(session.run(feeds(2)).expect("it runs")["quotient"], Tensor::full(&shape, 4_i64));
    }
}

#[test]
fn feeds_that_do_not_fit_are_refused() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("n"), 2.into()]);
    let y = b.input("y", F32, [sym("n")]);
    let s = b.state("s", F32, [2]);
    let graph = b
        .finish([Output::from(("next", s + 1.0)).updating(s), ("z", (x * s).sum() + y.sum()).into()])
        .expect("a valid graph");
    let mut session = Session::new(&graph).expect("it can be planned");
    let x = |n: usize| ("x", Tensor::full(&[n, 2], 1.0_f32));
    let y = |n: usize| ("y", Tensor::full(&[n], 1.0_f32));
    let feed_error = |error: ExecError| match error {
        ExecError::Feed(error) => *error,
        other => panic!("{other}"),
    };
    // Before the state is set, then after each good run.
    let missing = session.run([x(3), y(3)]).map_err(feed_error).expect_err("s has no value");
    let message = missing.to_string();
    assert!(matches!(missing, FeedError::Missing { name, updated: true, .. } if &*name == "s"), "{message}");
    assert!(message.contains("so it is state: set it once by `Session::set_state`, or feed it"), "{message}");
    session.set_state("s", Tensor::zeros([2])).expect("it is state");
    for _ in 0..2 {
        session.run([x(3), y(3)]).expect("it runs");
        let mut refused =
            |feeds: Vec<(&str, Tensor)>| session.run(feeds).map_err(feed_error).expect_err("it must not fit");
        assert!(
            matches!(refused(vec![x(3)]), FeedError::Missing { name, updated: false, .. } if &*name == "y")
        );
        assert!(matches!(refused(vec![x(3), y(3), ("w", Tensor::zeros([1]))]), FeedError::Unknown { .. }));
        assert!(matches!(refused(vec![x(3), y(3), y(3)]), FeedError::Twice { .. }));
        assert!(matches!(refused(vec![x(3), y(4)]), FeedError::SymbolConflict { .. }));
        assert!(matches!(refused(vec![x(3), ("y", Tensor::of([3], [1_i64, 2, 3]))]), FeedError::Type { .. }));
        assert!(matches!(refused(vec![y(3), ("x", Tensor::zeros([3]))]), FeedError::Type { .. }));
        assert!(matches!(refused(vec![x(3), y(3), ("s", Tensor::zeros([3]))]), FeedError::Type { .. }));
    }
    let error = session.set_state("x", Tensor::zeros([2])).expect_err("no output updates x");
    assert!(matches!(error, ExecError::State { .. }), "{error}");
    assert!(error.to_string().starts_with("there is no state \"x\"; the state is \"s\"\n"), "{error}");
    assert!(
        matches!(session.set_state("s", Tensor::zeros([3])), Err(ExecError::Feed(error)) if matches!(*error, FeedError::Type { .. }))
    );
    assert_eq!(session.state("s"), Some(Tensor::full(&[2], 2.0_f32)));
}

#[test]
fn runs_can_be_cancelled_and_have_deadlines() {
    let b = Builder::new();
    let mut y = b.input("x", F32, [2]);
    for at in 0..200 {
        y = y.apply(op("nap", Act::Sleep(Duration::from_millis(5)))) + f64::from(at);
    }
    let graph = b.finish([("y", y)]).expect("a valid graph");
    for threads in [1, 2] {
        let mut session = Session::with(&graph, parallel(threads)).expect("it can be planned");
        let token = CancelToken::new();
        let other = token.clone();
        let start = Instant::now();
        let watcher = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(40));
            other.cancel();
        });
        let error = session.run_until([("x", Tensor::zeros([2]))], &token).expect_err("it was cancelled");
        assert!(matches!(error, ExecError::Cancelled));
        watcher.join().expect("it does not panic");
        let token = CancelToken::new().with_timeout(Duration::from_millis(30));
        let error = session.run_until([("x", Tensor::zeros([2]))], &token).expect_err("the deadline passed");
        assert!(matches!(error, ExecError::Deadline));
        assert!(start.elapsed() < Duration::from_millis(900), "200 naps of 5 ms were to be cut short");
    }
}

#[test]
fn values_that_are_not_finite_are_found_when_asked_for() {
    let b = Builder::new();
    let x = b.input("x", F32, [3]);
    let graph = b.finish([("y", x.log().sum().named("sum of logs"))]).expect("a valid graph");
    let feeds = || [("x", Tensor::of([3], [1.0_f32, 0.0, 2.0]))];
    let mut quiet = Session::new(&graph).expect("it can be planned");
    assert_eq!(quiet.run(feeds()).expect("it runs")["y"].item(), Some(f64::NEG_INFINITY));
    let mut strict = Session::with(&graph, Options::default().check_finite(true)).expect("it can be planned");
    let error = strict.run(feeds()).expect_err("a logarithm of zero");
    assert!(matches!(error, ExecError::NonFinite { .. }), "{error}");
    assert!(error.to_string().contains("infinite"), "{error}");
}

#[test]
#[should_panic(expected = "there is no output \"z\"; the outputs are \"y\"")]
fn asking_for_an_output_that_is_not_there_lists_those_that_are() {
    let b = Builder::new();
    let graph = b.finish([("y", b.full(F32, (), 1.0))]).expect("a valid graph");
    let outputs = Session::new(&graph).and_then(|mut session| session.run::<&str>([])).expect("it runs");
    let _ = &outputs["z"];
}

/// What the message of `outputs[name]` says.
fn asked(outputs: &crate::Outputs, name: &str) -> String {
    let panic = std::panic::catch_unwind(|| outputs[name].clone()).expect_err("there is no such output");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn an_output_that_updates_state_is_named_as_state() {
    let b = Builder::new();
    let w = b.parameter("w", F32, [2]);
    let next = Output::from(("next", w + 1.0)).updating(w);
    let run = |outputs: Vec<Output>| {
        let graph = b.finish(outputs).expect("a valid graph");
        let mut session = Session::new(&graph).expect("it can be planned");
        session.run([("w", Tensor::zeros([2]))]).expect("it runs")
    };
    let outputs = run(vec![next.clone()]);
    assert_eq!(
        asked(&outputs, "next"),
        "output \"next\" updates state and is not among the results: read it by `session.state(\"w\")`"
    );
    assert_eq!(
        asked(&outputs, "w"),
        "there is no output \"w\", it is state: read it by `session.state(\"w\")`"
    );
    assert_eq!(asked(&outputs, "y"), "there is no output \"y\"; all outputs update state");
    let outputs = run(vec![next, ("sum", w.sum()).into()]);
    assert_eq!(
        asked(&outputs, "next"),
        "output \"next\" updates state and is not among the results: read it by `session.state(\"w\")`; \
         the outputs are \"sum\""
    );
    let mut session =
        Session::new(&b.finish([("sum", w.sum())]).expect("a valid graph")).expect("it can be planned");
    let error = session.set_state("w", Tensor::zeros([2])).expect_err("nothing updates w");
    assert_eq!(
        error.to_string(),
        "there is no state \"w\"; no output of the graph updates an input\
         \n  = help: an input is state if an output updates it, as `Output::updating` says"
    );
}

#[test]
fn a_graph_with_unknown_sizes_cannot_be_planned() {
    let b = Builder::new();
    let graph = b.finish([("y", b.input("x", F32, [sym("n")]).exp())]).expect("a valid graph");
    let error = crate::plan(&graph, &crate::PlanOptions::default()).expect_err("n is not known");
    assert!(matches!(error, ExecError::Unbound { .. }) && error.to_string().contains("f32[n]"), "{error}");
}
