//! What it costs before the first step: building, differentiating, optimizing, planning. All should be linear in nodes.

mod common;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pullback::exec::{Options, compile};
use pullback::graph::{Bindings, pass};

fn compile_cost(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for length in [1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(length as u64));
        group.bench_with_input(
            BenchmarkId::new("build and differentiate", length),
            &length,
            |bench, length| {
                bench.iter(|| common::chain(*length).expect("a chain"));
            },
        );
        let graph = common::chain(length).expect("a chain");
        group.bench_with_input(BenchmarkId::new("optimize", length), &graph, |bench, graph| {
            bench.iter(|| pass::optimize(graph));
        });
        group.bench_with_input(BenchmarkId::new("optimize and plan", length), &graph, |bench, graph| {
            bench.iter(|| compile(graph, &Bindings::new(), &Options::default()).expect("a plan"));
        });
    }
    group.finish();
}

criterion_group!(benches, compile_cost);
criterion_main!(benches);
