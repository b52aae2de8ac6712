//! What it costs before the first step: building, differentiating, optimizing, planning. All should be linear in nodes.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pullback::exec::{Options, compile};
use pullback::graph::{Bindings, pass};
use pullback::{Builder, DType, Error, Graph, grad};

/// `y = f(f(… f(x)))` over `length` nodes, and its gradient.
fn chain(length: usize) -> Result<Graph, Error> {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [8]);
    let y = (0..length).fold(x, |y, _| y.sin()).sum();
    let [dx] = grad(y, [x])?;
    Ok(b.finish([("dx", dx)])?)
}

fn compile_cost(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    // Three nodes for each sine: its value, its slope, the gradient.
    for length in [333, 3_333, 33_333, 333_333] {
        let graph = chain(length).expect("a chain");
        let nodes = graph.len();
        group.throughput(Throughput::Elements(nodes as u64));
        group.bench_with_input(
            BenchmarkId::new("build and differentiate", nodes),
            &length,
            |bench, length| {
                bench.iter(|| chain(*length).expect("a chain"));
            },
        );
        group.bench_with_input(BenchmarkId::new("optimize", nodes), &graph, |bench, graph| {
            bench.iter(|| pass::optimize(graph));
        });
        group.bench_with_input(BenchmarkId::new("optimize and plan", nodes), &graph, |bench, graph| {
            bench.iter(|| compile(graph, &Bindings::new(), &Options::default()).expect("a plan"));
        });
    }
    group.finish();
}

criterion_group!(benches, compile_cost);
criterion_main!(benches);
