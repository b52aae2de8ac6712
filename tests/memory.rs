//! The peak that a plan states is what a session then holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod counting;

use std::time::Duration;

use counting::{Alone, Counting};
use pullback::Session;
use pullback::exec::{Options, compile};
use pullback::graph::Bindings;
use pullback_bench::workloads::{Gpt, Workload, cnn, gpt, mlp, row_norm};

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a session has asked for after two steps, less its workers' own buffers, and the peak that its plan states.
fn held_and_stated(alone: &Alone, workload: &Workload, options: &Options) -> (isize, isize) {
    let plan = compile(&workload.graph, &Bindings::new(), options).unwrap();
    let feeds = || workload.feeds.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let (session, counted) = alone.count(|| {
        let mut session = Session::with(&workload.graph, options.clone()).unwrap();
        for (name, value) in &workload.start {
            session.set_state(name, value.clone()).unwrap();
        }
        session.run(feeds()).unwrap();
        session.run(feeds()).unwrap();
        session
    });
    (counted.bytes - session.scratch_bytes() as isize, plan.peak_bytes() as isize)
}

/// Two sizes of a model: the books that are kept over their plans are nearly the same.
fn pairs() -> [(&'static str, [Workload; 2]); 4] {
    let sizes = |batch| Gpt { tokens: 16, length: 8, width: 16, heads: 2, layers: 2, batch };
    [
        ("perceptron", [256, 1024].map(|batch| mlp("W1", &[20, 32, 32, 10], batch).unwrap())),
        ("convolutions", [2, 3].map(|batch| cnn(batch).unwrap())),
        ("transformer", [8, 24].map(|batch| gpt(sizes(batch)).unwrap())),
        ("normalized rows", [64, 256].map(|columns| row_norm(256, columns).unwrap())),
    ]
}

/// By how many bytes the books of two sizes may differ: an entry more of some lists.
const BOOKS: isize = 4096;

#[test]
fn a_session_holds_what_its_plan_says() {
    let alone = Alone::new();
    for (name, pair) in pairs() {
        for (threads, in_place) in [(1, true), (1, false), (2, true)] {
            let options = Options::default().threads(threads).update_in_place(in_place);
            let options = options.pool(alone.helper()).inline_below(Duration::ZERO);
            let options = options.linger(Duration::from_secs(600));
            let [small, large] = pair.each_ref().map(|workload| held_and_stated(&alone, workload, &options));
            assert!(small.0 >= small.1 && large.0 >= large.1, "{name} holds less than it says");
            let (held, stated) = (large.0 - small.0, large.1 - small.1);
            assert!(stated > 32 * BOOKS, "{name}: {stated} bytes tell nothing");
            let off = (held - stated).abs();
            assert!(
                off <= BOOKS,
                "{name}, {threads} threads, in place: {in_place}: {stated} stated, {held} held"
            );
        }
    }
}
