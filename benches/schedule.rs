//! Independent branches on one thread and on all: the same graph, the sequential run is the twin.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pullback::exec::Options;
use pullback::graph::TensorType;
use pullback::{Builder, DType, Error, Expr, Graph, Session, Tensor};

/// `towers` independent chains of `depth` dense layers of `width`, joined at the end.
fn towers(towers: usize, depth: usize, width: usize, batch: usize) -> Result<Graph, Error> {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [batch, width]);
    let tower = |tower: usize| -> Expr<'_> {
        (0..depth).fold(x, |x, layer| {
            let w = b.input(&format!("w{tower}_{layer}"), DType::F32, [width, width]);
            x.dot(w).tanh()
        })
    };
    let all: Vec<Expr<'_>> = (0..towers).map(tower).collect();
    Ok(b.finish([("y", all[0].concat(&all[1..], 1).sum())])?)
}

/// Values for every input of a graph whose sizes are known.
fn feeds(graph: &Graph) -> Vec<(String, Tensor)> {
    let value = |name: &str, ty: &TensorType, seed: u64| {
        let sizes = ty.shape.known().expect("the graph is bound");
        let len = sizes.iter().product();
        let random = Tensor::random([len], seed).reshape(&sizes).expect("as many elements");
        (name.to_string(), random.cast(ty.dtype))
    };
    let inputs = graph.inputs().iter().enumerate();
    inputs
        .map(|(at, id)| value(graph.label(*id).expect("inputs are named"), graph.ty(*id), at as u64))
        .collect()
}

fn schedule(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = c.benchmark_group("schedule");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (width, batch) in [(16, 16), (64, 64), (256, 64)] {
        let graph = towers(8, 4, width, batch).expect("a graph");
        let feeds = feeds(&graph);
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
