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
    let cases: [(&str, &[usize], Operation); 16] = [
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

criterion_group!(benches, lanes);
criterion_main!(benches);
