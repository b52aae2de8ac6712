//! Single ops through a session, beside the same work by ndarray or by a loop.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pullback::exec::Options;
use pullback::graph::ConvOptions;
use pullback::graph::op::{Distribution, Random, TriangularSolve};
use pullback::{Builder, DType, DType::F32, Expr, Session, Tensor};

/// A session on one expression of two tensors.
fn session<const N: usize>(
    sizes: [[usize; N]; 2],
    op: impl for<'g> Fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> Session {
    let b = Builder::new();
    let (x, y) = (b.input("x", F32, sizes[0]), b.input("y", F32, sizes[1]));
    let graph = b.finish([("z", op(x, y))]).expect("a graph");
    Session::with(&graph, Options::default().threads(1)).expect("a session")
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernels");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));

    let sizes = [[512, 1024], [512, 1024]];
    let (x, y) = (Tensor::random(sizes[0], 1), Tensor::random(sizes[1], 2));
    group.throughput(Throughput::Elements(512 * 1024));
    let mut fused = session(sizes, |x, y| (x * y + x) * 0.5 - y);
    group.bench_function("four elementwise ops, 512x1024", |bench| {
        bench.iter(|| fused.run([("x", x.clone()), ("y", y.clone())]).expect("a run"));
    });
    let (left, right) = (x.view::<f32>(), y.view::<f32>());
    group.bench_function("four elementwise ops, 512x1024, ndarray", |bench| {
        bench.iter(|| (&left * &right + &left) * 0.5 - &right);
    });
    let mut sum = session(sizes, |x, _| x.sum());
    group.bench_function("sum, 512x1024", |bench| {
        bench.iter(|| sum.run([("x", x.clone()), ("y", y.clone())]).expect("a run"));
    });
    group.bench_function("sum, 512x1024, ndarray", |bench| bench.iter(|| left.sum()));

    let sizes = [[64, 16, 14, 14], [32, 16, 5, 5]];
    let (x, w) = (Tensor::random(sizes[0], 1), Tensor::random(sizes[1], 2));
    group.throughput(Throughput::Elements(2 * 64 * 32 * 400 * 100));
    let mut conv = session(sizes, |x, w| x.conv(w, &ConvOptions::default()));
    group.bench_function("conv 64x16x14x14, 32 kernels of 5x5", |bench| {
        bench.iter(|| conv.run([("x", x.clone()), ("y", w.clone())]).expect("a run"));
    });
    group.finish();
}

/// Products of networks' shapes, as they come forward and, with one operand transposed, in gradients.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("products");
    group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    let shapes = [
        (256, 784, 1024),
        (256, 1024, 1024),
        (1024, 256, 1024),
        (784, 256, 1024),
        (64, 256, 256),
        (128, 784, 64),
        (32, 784, 64),
        (64, 64, 64),
        (16, 64, 64),
        (256, 1024, 10),
        (20_000, 100, 1),
        (1, 2048, 2048),
    ];
    for (m, k, n) in shapes {
        for (name, turned_left, turned_right) in
            [("NN", false, false), ("TN", true, false), ("NT", false, true)]
        {
            let sizes =
                [if turned_left { [k, m] } else { [m, k] }, if turned_right { [n, k] } else { [k, n] }];
            let (x, y) = (Tensor::random(sizes[0], 1), Tensor::random(sizes[1], 2));
            group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
            let mut dot = session(sizes, |x, y| {
                let left = if turned_left { x.t() } else { x };
                left.dot(if turned_right { y.t() } else { y })
            });
            group.bench_function(format!("{m}x{k}x{n} {name}"), |bench| {
                bench.iter(|| dot.run([("x", x.clone()), ("y", y.clone())]).expect("a run"));
            });
            let left = x.view::<f32>().into_dimensionality::<ndarray::Ix2>().expect("a matrix");
            let left = if turned_left { left.reversed_axes() } else { left };
            let right = y.view::<f32>().into_dimensionality::<ndarray::Ix2>().expect("a matrix");
            let right = if turned_right { right.reversed_axes() } else { right };
            group.bench_function(format!("{m}x{k}x{n} {name}, ndarray"), |bench| {
                bench.iter(|| left.dot(&right));
            });
        }
    }
    group.finish();
}

/// Rows taken and added up by ids in no order, as those of edges and of words are.
fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookups");
    group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    for (count, rows, width) in [(60_000, 10_000, 64), (60_000, 10_000, 16), (6_400, 20_000, 128)] {
        let b = Builder::new();
        let ids = b.input("ids", DType::I64, [count]);
        let updates = b.input("updates", F32, [count, width]);
        let table = b.input("table", F32, [rows, width]);
        let graphs = [
            ("summed", b.finish([("z", updates.segment_sum(ids, rows))])),
            ("taken", b.finish([("z", table.gather(ids, 0))])),
        ];
        let place = |at: usize| ((at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % rows;
        let ids = Tensor::from_fn(&[count], |at| place(at) as i64);
        let (updates, table) = (Tensor::random([count, width], 1), Tensor::random([rows, width], 2));
        group.throughput(Throughput::Elements((count * width) as u64));
        for (name, graph) in graphs {
            let options = Options::default().threads(1);
            let mut session = Session::with(&graph.expect("a graph"), options).expect("a session");
            group.bench_function(format!("{count} rows of {width} {name}, of {rows}"), |bench| {
                let feeds = || [("ids", ids.clone()), ("updates", updates.clone()), ("table", table.clone())];
                bench.iter(|| session.run(feeds()).expect("a run"));
            });
        }
        let (places, elements) = (ids.values::<i64>(), updates.values::<f32>());
        group.bench_function(format!("{count} rows of {width} summed, of {rows}, a loop"), |bench| {
            bench.iter(|| {
                let mut sums = vec![0.0_f32; rows * width];
                for (place, row) in places.iter().zip(elements.chunks_exact(width)) {
                    let sums = &mut sums[*place as usize * width..][..width];
                    sums.iter_mut().zip(row).for_each(|(sum, element)| *sum += element);
                }
                sums
            });
        });
    }
    group.finish();
}

/// Factors of matrices and equations solved with them, beside the loops of textbooks.
fn linear_algebra(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear algebra");
    group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    for (count, n) in [(1000, 4), (64, 16), (1, 100), (1, 400)] {
        let b = Builder::new();
        let (x, y) = (b.input("x", DType::F64, [count, n, n]), b.input("y", DType::F64, [count, n, n]));
        let lower = TriangularSolve::lower();
        let graphs = [
            ("factored", b.finish([("z", x.cholesky())])),
            ("solved", b.finish([("z", x.solve(y))])),
            ("solved as triangles", b.finish([("z", x.triangular_solve(y, lower))])),
            ("inverted", b.finish([("z", x.inverse())])),
            ("with logarithms of determinants", b.finish([("z", x.logdet())])),
        ];
        let element = |at: usize| {
            let (row, column) = (at / n % n, at % n);
            let distance = row as f64 - column as f64;
            if row == column { 2.0 } else { 1.0 / (1.0 + distance * distance) }
        };
        let x = Tensor::from_fn(&[count, n, n], element);
        let y = Tensor::from_fn(&[count, n, n], |at| (at * 7919 % 2003) as f64 / 1000.0 - 1.0);
        for (name, graph) in graphs {
            let options = Options::default().threads(1);
            let mut session = Session::with(&graph.expect("a graph"), options).expect("a session");
            group.bench_function(format!("{count} of {n}x{n} {name}"), |bench| {
                bench.iter(|| session.run([("x", x.clone()), ("y", y.clone())]).expect("a run"));
            });
        }
        let matrices = x.values::<f64>();
        group.bench_function(format!("{count} of {n}x{n} factored, a loop"), |bench| {
            bench.iter(|| {
                let mut factors = matrices.to_vec();
                for matrix in factors.chunks_exact_mut(n * n) {
                    for row in 0..n {
                        for column in 0..=row {
                            let known = (0..column).map(|k| matrix[row * n + k] * matrix[column * n + k]);
                            let left = matrix[row * n + column] - known.sum::<f64>();
                            let is_diagonal = row == column;
                            matrix[row * n + column] =
                                if is_diagonal { left.sqrt() } else { left / matrix[column * n + column] };
                        }
                    }
                }
                factors
            });
        });
    }
    group.finish();
}

/// Random numbers, beside a loop over single ones.
fn draws(c: &mut Criterion) {
    const COUNT: usize = 1 << 20;
    let mut group = c.benchmark_group("draws");
    group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, distribution, dtype) in [
        ("uniform f32", Distribution::Uniform, F32),
        ("uniform f64", Distribution::Uniform, DType::F64),
        ("normal f32", Distribution::Normal, F32),
        ("normal f64", Distribution::Normal, DType::F64),
    ] {
        let op = Random { distribution, stream: 1, dtype, shape: [COUNT].into() };
        let b = Builder::new();
        let key = b.input("key", DType::I64, ());
        let graph = b.finish([("z", key.apply(op.clone()))]).expect("a graph");
        let mut session = Session::with(&graph, Options::default().threads(1)).expect("a session");
        group.bench_function(name, |bench| {
            bench.iter(|| session.run([("key", Tensor::scalar(3_i64))]).expect("a run"));
        });
        group.bench_function(format!("{name}, a loop"), |bench| {
            bench.iter(|| (0..COUNT).map(|at| op.draw(3, at)).collect::<Vec<f64>>());
        });
    }
    // A draw each, for as many keys.
    let b = Builder::new();
    let keys = b.input("keys", DType::I64, [100_000]);
    let op = Random { distribution: Distribution::Normal, stream: 1, dtype: F32, shape: ().into() };
    let graph = b.finish([("z", keys.apply(op))]).expect("a graph");
    let mut session = Session::with(&graph, Options::default().threads(1)).expect("a session");
    let keys = Tensor::from_fn(&[100_000], |at| at as i64);
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("one for each of 100,000 keys", |bench| {
        bench.iter(|| session.run([("keys", keys.clone())]).expect("a run"));
    });
    group.finish();
}

criterion_group!(benches, kernels, products, lookups, linear_algebra, draws);
criterion_main!(benches);
