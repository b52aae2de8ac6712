//! Whole training steps of multilayer perceptrons: forward, backward, Adam, in place.

mod common;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn train_step(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = c.benchmark_group("train_step");
    group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for (name, widths, batch) in [
        ("784-64-64-10, batch 32", &[784, 64, 64, 10][..], 32),
        ("784-64-64-10, batch 128", &[784, 64, 64, 10], 128),
        ("784-1024-1024-10, batch 256", &[784, 1024, 1024, 10], 256),
    ] {
        for threads in [1, cores] {
            let mut mlp = common::Mlp::new(widths, batch, threads).expect("a network");
            group.bench_function(BenchmarkId::new(name, threads), |bench| bench.iter(|| mlp.step()));
        }
    }
    group.finish();
}

criterion_group!(benches, train_step);
criterion_main!(benches);
