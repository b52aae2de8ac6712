//! Ops along one axis through a session: positions of the largest, running combinations, recurrences, sorting, pools.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pullback::exec::Options;
use pullback::graph::{Order, PoolOptions};
use pullback::{Builder, DType::F32, Expr, Session, Tensor, grad};

type Operation = Box<dyn for<'g> Fn(Expr<'g>) -> Expr<'g>>;

fn lanes(c: &mut Criterion) {
    let mut group = c.benchmark_group("lanes");
    group.sample_size(10).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    let images = [64, 16, 28, 28];
    let cases: [(&str, &[usize], Operation); 23] = [
        ("argmax of the middle axis", &[64, 16, 25, 196], Box::new(|x| x.argmax(2))),
        ("argmax of the last axis", &[256, 4096], Box::new(|x| x.argmax(1))),
        ("argmax of short rows", &[40_000, 10], Box::new(|x| x.argmax(1))),
        ("running sums of the last axis", &[256, 4096], Box::new(|x| x.cumsum(1))),
        ("running sums of the first axis", &[256, 4096], Box::new(|x| x.cumsum(0))),
        ("running maxima of the last axis", &[256, 4096], Box::new(|x| x.cummax(1))),
        ("running maxima of the first axis", &[256, 4096], Box::new(|x| x.cummax(0))),
        ("running logsumexp of the last axis", &[256, 4096], Box::new(|x| x.logcumsumexp(1))),
        ("linear recurrence", &[64, 1024, 64], Box::new(|x| x.linear_scan(x, 1))),
        ("argsort", &[1000, 1000], Box::new(|x| x.argsort(1, Order::Ascending))),
        ("argsort of the first axis", &[1000, 1000], Box::new(|x| x.argsort(0, Order::Descending))),
        ("argsort of short rows", &[10_000, 32], Box::new(|x| x.argsort(1, Order::Ascending))),
        ("ten largest of each row", &[1000, 1000], Box::new(|x| x.top_k(10, 1, Order::Descending).0)),
        ("medians of the last axis", &[1000, 999], Box::new(|x| x.median_over([1]))),
        ("sums of short rows", &[100_000, 8], Box::new(|x| x.sum_over([1]))),
        ("sums of few elements apart", &[1000, 28, 2, 28, 2], Box::new(|x| x.sum_over([2, 4]))),
        ("short rows joined in turn", &[100_000, 1], Box::new(|x| x.concat(&[-x], 1))),
        ("every other column moved apart", &[1000, 500], Box::new(moved_apart)),
        ("products of the last axis", &[256, 4096], Box::new(|x| x.prod_over([1]))),
        ("products of the first axis", &[256, 4096], Box::new(|x| x.prod_over([0]))),
        ("any of the last axis", &[256, 4096], Box::new(|x| x.is_nan().any_over([1]))),
        ("max pool 2x2", &images, Box::new(|x| x.max_pool(&PoolOptions::new([2, 2])))),
        (
            "max pool 2x2, gradient",
            &images,
            Box::new(|x| {
                let [dx] =
                    grad(x.max_pool(&PoolOptions::new([2, 2])).square().sum(), [x]).expect("a gradient");
                dx
            }),
        ),
    ];
    for (name, sizes, op) in cases {
        let x = Tensor::random([sizes.iter().product()], 1).reshape(sizes).expect("as many elements");
        let b = Builder::new();
        let graph = b.finish([("y", op(b.input("x", F32, sizes.to_vec())))]).expect("a graph");
        let mut session = Session::with(&graph, Options::default().threads(1)).expect("a session");
        group.bench_function(name, |bench| {
            bench.iter(|| session.run([("x", x.clone())]).expect("a run"));
        });
    }
    group.finish();
}

/// The columns, each with a zero behind it.
fn moved_apart(x: Expr<'_>) -> Expr<'_> {
    let wide = x.concat(&[x], 1);
    let [gradient] = grad((wide.slice_step(1, None, None, 2) * x).sum(), [wide]).expect("a gradient");
    gradient
}

criterion_group!(benches, lanes);
criterion_main!(benches);
