//! Invariant 9: the interpreter defines truth, and what sessions do agrees with it, with and without passes and fusion.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use proptest::prelude::*;
use pullback::exec::{Options, Record};
use pullback::graph::op::Choices;
use pullback::graph::{GraphSpec, NodeStats, generate, interpret};
use pullback::{DType, Session, Tensor};

/// Whether two values agree: exactly for whole numbers and truth values, to rounding for sums in another fixed order.
fn agree(got: &Tensor, want: &Tensor) -> bool {
    if got.ty() != want.ty() {
        return false;
    }
    let tolerance = match want.dtype() {
        DType::F32 => 1e-4,
        DType::F64 => 1e-9,
        DType::I64 | DType::Bool => 0.0,
    };
    got.to_f64_vec().iter().zip(want.to_f64_vec()).all(|(got, want)| {
        *got == want
            || (got.is_nan() && want.is_nan())
            || (got - want).abs() <= tolerance * (1.0 + want.abs())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sessions_agree_with_the_interpreter(stream in prop::collection::vec(any::<u32>(), 0..400)) {
        let generated = generate(&mut Choices::new(stream), &GraphSpec::default());
        let (graph, feeds) = (generated.graph, generated.feeds);
        let truth = interpret(&graph, feeds.iter().map(|(name, value)| (&**name, value))).unwrap();
        for passes in [false, true] {
            let mut session = Session::with(&graph, Options::default().passes(passes)).unwrap();
            let out = session.run(feeds.iter().cloned()).unwrap();
            for (name, want) in truth.outputs() {
                prop_assert!(agree(&out[name], want), "{name} with passes {passes}: {} is not {want}\n{graph}", out[name]);
            }
        }
    }

    #[test]
    fn recorded_runs_see_the_value_of_every_node(stream in prop::collection::vec(any::<u32>(), 0..200)) {
        let generated = generate(&mut Choices::new(stream), &GraphSpec::default());
        let (graph, feeds) = (generated.graph, generated.feeds);
        let truth = interpret(&graph, feeds.iter().map(|(name, value)| (&**name, value))).unwrap();
        let mut session = Session::new(&graph).unwrap();
        session.record(Record::stats());
        session.run(feeds.iter().cloned()).unwrap();
        let stats = session.last_run().stats().expect("they were recorded");
        for id in graph.ids() {
            let (got, want) = (stats[id.index()].as_ref().expect("a value"), NodeStats::of(truth.node(id)));
            prop_assert_eq!((got.count, got.nan), (want.count, want.nan), "{}", id);
            let close = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + b.abs());
            prop_assert!(close(got.max, want.max) && close(got.norm, want.norm), "{}: {:?} is not {:?}", id, got, want);
        }
    }
}
