//! Convolutions of networks' shapes and their two gradients, by multiplications and additions.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pullback::exec::Options;
use pullback::graph::{ConvOptions, PoolOptions};
use pullback::{Builder, DType::F32, Session, Tensor, grad};

/// A convolution: sizes of the tensor and of the kernel, and how it slides.
struct Shape {
    name: &'static str,
    tensor: [usize; 4],
    kernel: [usize; 4],
    options: ConvOptions,
}

fn shapes() -> Vec<Shape> {
    let shape = |name, tensor, kernel, options| Shape { name, tensor, kernel, options };
    let (plain, same) = (ConvOptions::default, || ConvOptions::default().padding(1));
    vec![
        shape("1 to 16, 5x5 of 28x28", [64, 1, 28, 28], [16, 1, 5, 5], plain().padding(2)),
        shape("16 to 32, 5x5 of 14x14", [64, 16, 14, 14], [32, 16, 5, 5], plain().padding(2)),
        shape("3 to 32, 3x3 of 32x32", [16, 3, 32, 32], [32, 3, 3, 3], same()),
        shape("16 to 16, 3x3 of 32x32", [16, 16, 32, 32], [16, 16, 3, 3], same()),
        shape("64 to 64, 3x3 of 32x32", [4, 64, 32, 32], [64, 64, 3, 3], same()),
        shape("128 to 128, 3x3 of 8x8", [16, 128, 8, 8], [128, 128, 3, 3], same()),
        shape("32 to 64, 3x3 of 32x32, stride 2", [16, 32, 32, 32], [64, 32, 3, 3], same().stride(2)),
        shape("3 to 64, 7x7 of 64x64, stride 2", [4, 3, 64, 64], [64, 3, 7, 7], plain().padding(3).stride(2)),
        shape("64 to 128, 1x1 of 16x16", [16, 64, 16, 16], [128, 64, 1, 1], plain()),
        shape("64 to 128, 1x1 of 16x16, stride 2", [16, 64, 16, 16], [128, 64, 1, 1], plain().stride(2)),
        shape(
            "32 to 32, 3x3 of 32x32, dilation 2",
            [8, 32, 32, 32],
            [32, 32, 3, 3],
            plain().padding(2).dilation(2),
        ),
        shape("64 to 64 in 4 groups, 3x3 of 16x16", [16, 64, 16, 16], [64, 16, 3, 3], same().groups(4)),
        shape("64 channels one by one, 3x3 of 32x32", [16, 64, 32, 32], [64, 1, 3, 3], same().groups(64)),
    ]
}

/// A session on the convolution, or on its gradient in one of its operands.
fn session(shape: &Shape, gradient: Option<usize>) -> (Session, Vec<(&'static str, Tensor)>, u64) {
    let b = Builder::new();
    let (x, w) = (b.input("x", F32, shape.tensor), b.input("w", F32, shape.kernel));
    let y = x.conv(w, &shape.options);
    let sizes = y.shape().known().expect("all sizes are known");
    let sizes: [usize; 4] = sizes.as_slice().try_into().expect("as many axes as the tensor");
    let flops = 2 * sizes.iter().product::<usize>() * shape.kernel[1..].iter().product::<usize>();
    let mut feeds = vec![("x", Tensor::random(shape.tensor, 1)), ("w", Tensor::random(shape.kernel, 2))];
    let result = match gradient {
        None => y,
        Some(operand) => {
            let cotangent = b.input("cotangent", F32, sizes);
            feeds.push(("cotangent", Tensor::random(sizes, 3)));
            let [result] = grad((y * cotangent).sum(), [[x, w][operand]]).expect("a gradient");
            result
        }
    };
    let graph = b.finish([("result", result)]).expect("a graph");
    (Session::with(&graph, Options::default().threads(1)).expect("a session"), feeds, flops as u64)
}

fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("convolutions");
    group.measurement_time(Duration::from_millis(500)).warm_up_time(Duration::from_millis(100));
    for shape in shapes() {
        for (name, gradient) in
            [("", None), (", gradient in it", Some(0)), (", gradient in kernels", Some(1))]
        {
            let (mut session, feeds, flops) = session(&shape, gradient);
            group.throughput(Throughput::Elements(flops));
            group.bench_function(format!("{}{name}", shape.name), |bench| {
                bench.iter(|| session.run(feeds.clone()).expect("a run"));
            });
        }
    }
    group.finish();
}

/// Pools, by elements, and their gradients.
fn pools(c: &mut Criterion) {
    let mut group = c.benchmark_group("pools");
    group.measurement_time(Duration::from_millis(500)).warm_up_time(Duration::from_millis(100));
    for (name, options) in [
        ("2x2", PoolOptions::new([2, 2])),
        ("3x3, stride 2, padding 1", PoolOptions::new([3, 3]).stride(2).padding(1)),
    ] {
        for with_gradient in [false, true] {
            let b = Builder::new();
            let sizes = [64, 16, 28, 28];
            let x = b.input("x", F32, sizes);
            let y = x.max_pool(&options);
            let result = match with_gradient {
                false => y,
                true => grad((y * y).sum(), [x]).expect("a gradient")[0],
            };
            let graph = b.finish([("result", result)]).expect("a graph");
            let mut session = Session::with(&graph, Options::default().threads(1)).expect("a session");
            let x = Tensor::random(sizes, 1);
            group.throughput(Throughput::Elements(sizes.iter().product::<usize>() as u64));
            let what = if with_gradient { "gradient" } else { "maxima" };
            group.bench_function(format!("{what} of {name}"), |bench| {
                bench.iter(|| session.run([("x", x.clone())]).expect("a run"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, convolutions, pools);
criterion_main!(benches);
