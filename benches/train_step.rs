//! A step of each workload of `crates/bench`, on one thread and on two; of two of them, twins written by hand: a loop over
//! elements, and products and maps of ndarray.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array2, Axis};
use pullback_bench::Runner;
use pullback_bench::inputs::uniform;
use pullback_bench::workloads::WORKLOADS;

fn steps(c: &mut Criterion) {
    for row in WORKLOADS {
        let mut group = c.benchmark_group(row.name);
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        let workload = (row.build)().expect("a graph");
        for threads in [1, 2] {
            let mut runner = Runner::new(&workload, threads).expect("a plan");
            group.bench_function(format!("{threads} thread(s)"), |bench| {
                bench.iter(|| runner.step().expect("a step"));
            });
        }
        let first = Runner::new(&workload, 1).and_then(|mut runner| runner.step()).expect("a step");
        let loss = first["loss"].item().expect("a loss is one number");
        let agree =
            |twin: f32| assert!((f64::from(twin) - loss).abs() <= 1e-3 * loss.abs(), "{twin}, {loss}");
        match row.name {
            "W7" => {
                let mut formula = Formula::new(1 << 20);
                agree(formula.step());
                group.bench_function("a loop with the system's functions", |bench| {
                    bench.iter(|| formula.step())
                });
            }
            "W11" => {
                let mut chain = Chain::new(200);
                agree(chain.step());
                group.bench_function("ndarray", |bench| bench.iter(|| chain.step()));
            }
            _ => {}
        }
        group.finish();
    }
}

/// W7 in one pass: the sum and both gradients.
struct Formula {
    x: Vec<f32>,
    y: Vec<f32>,
    slopes: [Vec<f32>; 2],
}

impl Formula {
    fn new(count: usize) -> Formula {
        let variable = |name| uniform(name, &[count], 2.0).values::<f32>().to_vec();
        let slopes = [vec![0.0; count], vec![0.0; count]];
        Formula { x: variable("W7/x"), y: variable("W7/y"), slopes }
    }

    fn step(&mut self) -> f32 {
        let [by_x, by_y] = &mut self.slopes;
        let mut sum = 0.0_f64;
        for (((x, y), by_x), by_y) in self.x.iter().zip(&self.y).zip(by_x).zip(by_y) {
            let (x, y) = (*x, *y);
            let (bell, spread) = ((-x * x).exp(), 1.0 + y * y);
            let wave = (x * y + x.sin()).tanh();
            let (root, log) = ((x.abs() + 1.0).sqrt(), spread.ln());
            let sigmoid = 1.0 / (1.0 + (y - x).exp());
            let (slope, flat) = ((1.0 - wave * wave) * bell / spread, sigmoid * (1.0 - sigmoid));
            sum += f64::from(wave * bell / spread + root * log - sigmoid);
            let sign = if x == 0.0 { 0.0 } else { x.signum() };
            *by_x = slope * (y + x.cos()) - 2.0 * x * wave * bell / spread + sign / (2.0 * root) * log - flat;
            *by_y = slope * x - wave * bell * 2.0 * y / (spread * spread) + root * 2.0 * y / spread + flat;
        }
        sum as f32
    }
}

/// W11: dense layers of 64 with tanh, the mean squared error, gradient descent.
struct Chain {
    weights: Vec<Array2<f32>>,
    biases: Vec<Array1<f32>>,
    x: Array2<f32>,
    t: Array2<f32>,
}

impl Chain {
    fn new(depth: usize) -> Chain {
        let values =
            |name: &str, sizes: &[usize], scale| uniform(name, sizes, scale).values::<f32>().to_vec();
        let matrix = |name: &str, rows, scale| {
            Array2::from_shape_vec((rows, 64), values(name, &[rows, 64], scale)).expect("so many numbers")
        };
        let scale = (3.0_f32 / 64.0).sqrt();
        Chain {
            weights: (1..=depth).map(|at| matrix(&format!("W11/w{at}"), 64, scale)).collect(),
            biases: (1..=depth).map(|at| values(&format!("W11/b{at}"), &[64], 0.1).into()).collect(),
            x: matrix("W11/x", 16, 1.0),
            t: matrix("W11/t", 16, 1.0),
        }
    }

    fn step(&mut self) -> f32 {
        let mut layers = vec![self.x.clone()];
        for (weight, bias) in self.weights.iter().zip(&self.biases) {
            let next = (layers[layers.len() - 1].dot(weight) + bias).mapv_into(f32::tanh);
            layers.push(next);
        }
        let count = self.t.len() as f32;
        let off = &layers[self.weights.len()] - &self.t;
        let loss = off.iter().map(|x| x * x).sum::<f32>() / count;
        let mut cotangent = off * (2.0 / count);
        for at in (0..self.weights.len()).rev() {
            cotangent.zip_mut_with(&layers[at + 1], |slope, y| *slope *= 1.0 - y * y);
            let (by_weight, by_bias) = (layers[at].t().dot(&cotangent), cotangent.sum_axis(Axis(0)));
            cotangent = cotangent.dot(&self.weights[at].t());
            self.weights[at].scaled_add(-0.01, &by_weight);
            self.biases[at].scaled_add(-0.01, &by_bias);
        }
        loss
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
