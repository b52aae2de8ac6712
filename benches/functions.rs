//! Elementwise functions through a session, beside the interpreter's, which are the system's.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pullback::exec::Options;
use pullback::graph::op::{BinaryOp, Real, UnaryOp};
use pullback::{Builder, Expr, Session, Tensor};

/// Fits the first-level cache together with the results, and outweighs the call of a session.
const LEN: usize = 4096;

fn session<T: Real>(op: impl for<'g> Fn(Expr<'g>, Expr<'g>) -> Expr<'g>) -> Session {
    let b = Builder::new();
    let (x, y) = (b.input("x", T::DTYPE, [LEN]), b.input("y", T::DTYPE, [LEN]));
    let graph = b.finish([("z", op(x, y))]).expect("a graph");
    Session::with(&graph, Options::default().threads(1)).expect("a session")
}

fn functions<T: Real>(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("functions of {}", T::DTYPE));
    group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    group.throughput(Throughput::Elements(LEN as u64));
    // Between 0 and 1, where every function has a value.
    let [x, y] = [1, 2].map(|seed| {
        let numbers = Tensor::random([LEN], seed).to_f64_vec();
        Tensor::from_fn(&[LEN], |i| T::from_f64(numbers[i].abs()))
    });
    let (left, right, mut out) = (x.values::<T>(), y.values::<T>(), vec![T::default(); LEN]);
    let unary = UnaryOp::ALL.iter().map(|op| (op.name_static(), session::<T>(|x, _| x.apply(*op))));
    let binary =
        BinaryOp::ALL.iter().map(|op| (op.name_static(), session::<T>(|x, y| x.apply_to(*op, &[y]))));
    for (name, mut session) in unary.chain(binary) {
        group.bench_function(name, |bench| {
            bench.iter(|| session.run([("x", x.clone()), ("y", y.clone())]).expect("a run"));
        });
    }
    for op in UnaryOp::ALL {
        group.bench_function(format!("{}, interpreter", op.name_static()), |bench| {
            bench.iter(|| op.map(left, &mut out));
        });
    }
    for op in BinaryOp::ALL {
        group.bench_function(format!("{}, interpreter", op.name_static()), |bench| {
            bench.iter(|| op.map(left, right, &mut out));
        });
    }
    group.finish();
}

criterion_group!(benches, functions::<f32>, functions::<f64>);
criterion_main!(benches);
