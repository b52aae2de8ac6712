//! Independent branches on one thread and on all: the same graph, the sequential run is the twin.

mod common;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pullback::exec::{Options, Session};

fn schedule(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = c.benchmark_group("schedule");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (width, batch) in [(16, 16), (64, 64), (256, 64)] {
        let graph = common::towers(8, 4, width, batch).expect("a graph");
        let feeds = common::feeds(&graph);
        for threads in [1, cores] {
            let mut session = Session::with(&graph, Options::default().threads(threads)).expect("a session");
            group.bench_function(
                BenchmarkId::new(format!("8 towers of 4, width {width}"), threads),
                |bench| {
                    bench.iter(|| {
                        let feeds = feeds.iter().map(|(name, value)| (name, value.clone()));
                        session.run(feeds).expect("a run")
                    });
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
