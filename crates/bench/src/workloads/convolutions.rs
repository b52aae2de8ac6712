//! Convolutional classifiers of ten classes: with batch normalization, with pools, and by channel.

use pullback::graph::{ConvOptions, PoolOptions};
use pullback::nn::{Reduction, Sgd, cross_entropy};
use pullback::{Error, Expr, Tensor};

use crate::inputs::{Named, fan, integers, uniform};
use crate::workloads::workload::Workload;

const CLASSES: usize = 10;
const RATE: f64 = 0.1;

/// Training of two convolutions 3×3, of 16 and 32, each with batch normalization and ReLU, the mean over pixels and a dense
/// layer, on `batch` images of `size` × `size`; gradient descent.
///
/// The convolutions have no bias: normalization takes it away.
///
/// # Errors
/// When the step cannot be built.
pub fn batch_norm(batch: usize, size: usize) -> Result<Workload, Error> {
    const TAG: &str = "BATCHNORM";
    let mut parameters = Vec::new();
    for (at, inputs, outputs) in [(1, 3, 16), (2, 16, 32)] {
        parameters.push(kernel(TAG, at, [outputs, inputs, 3, 3]));
        parameters.push((format!("n{at}g"), Tensor::full(&[outputs], 1.0_f32)));
        parameters.push((format!("n{at}b"), Tensor::full(&[outputs], 0.0_f32)));
    }
    parameters.extend(head(TAG, 32));
    Workload::training(parameters, images(TAG, batch, size), Sgd::new(RATE), |p, data| {
        let (blocks, head) = p.split_at(p.len() - 2);
        let features = blocks.chunks(3).fold(data[0], |x, p| {
            // Nobody asks for the running mean and variance.
            let running = (p[1].zeros_like(), p[1].ones_like());
            let y = x.conv(p[0], &ConvOptions::default().padding(1));
            y.batch_norm_train(Some(p[1]), Some(p[2]), running, 0.1, 1e-5).0.relu()
        });
        classified(features.global_avg_pool(), head, data[1])
    })
}

/// Training of four convolutions 3×3, two of 32 and two of 64, with ReLU, a pool after each two, and a dense layer, on `batch`
/// images of `size` × `size`; gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn pooled(batch: usize, size: usize) -> Result<Workload, Error> {
    const TAG: &str = "CONV3";
    let sizes = [[32, 3, 3, 3], [32, 32, 3, 3], [64, 32, 3, 3], [64, 64, 3, 3]];
    let mut parameters = layers(TAG, &sizes);
    parameters.extend(head(TAG, 64 * (size / 4) * (size / 4)));
    Workload::training(parameters, images(TAG, batch, size), Sgd::new(RATE), |p, data| {
        let (blocks, head) = p.split_at(p.len() - 2);
        let features = blocks.chunks(4).fold(data[0], |x, p| {
            let padded = ConvOptions::default().padding(1);
            let y = layer(layer(x, &p[..2], &padded), &p[2..], &padded);
            y.max_pool(&PoolOptions::new([2, 2]))
        });
        classified(features.flatten(1), head, data[1])
    })
}

/// Training of convolutions 1×1 and, by channel, 3×3 in turn, with ReLU, the mean over pixels and a dense layer, on `batch`
/// images of `size` × `size`; gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn separable(batch: usize, size: usize) -> Result<Workload, Error> {
    const TAG: &str = "SEPARABLE";
    let sizes = [[32, 3, 1, 1], [32, 1, 3, 3], [64, 32, 1, 1], [64, 1, 3, 3], [64, 64, 1, 1]];
    let mut parameters = layers(TAG, &sizes);
    parameters.extend(head(TAG, 64));
    Workload::training(parameters, images(TAG, batch, size), Sgd::new(RATE), |p, data| {
        let (kernels, head) = p.split_at(p.len() - 2);
        let features = kernels.chunks(2).zip(&sizes).fold(data[0], |x, (p, sizes)| {
            let every = ConvOptions::default();
            let by_channel = ConvOptions::default().padding(1).groups(sizes[0]);
            layer(x, p, if sizes[2] == 1 { &every } else { &by_channel })
        });
        classified(features.global_avg_pool(), head, data[1])
    })
}

/// A convolution, its bias and ReLU.
fn layer<'g>(x: Expr<'g>, p: &[Expr<'g>], options: &ConvOptions) -> Expr<'g> {
    (x.conv(p[0], options) + p[1].expand_dims(-1).expand_dims(-1)).relu()
}

/// The loss of a dense layer on these features.
fn classified<'g>(features: Expr<'g>, head: &[Expr<'g>], labels: Expr<'g>) -> Expr<'g> {
    cross_entropy(features.dot(head[0]) + head[1], labels, Reduction::Mean)
}

/// Kernels of these sizes, counted from 1, each with its bias.
fn layers(tag: &str, sizes: &[[usize; 4]]) -> Vec<Named> {
    let layers = sizes.iter().zip(1..).flat_map(|(sizes, at)| {
        let [outputs, rest @ ..] = sizes;
        let bias = uniform(&format!("{tag}/c{at}b"), &[*outputs], fan(rest.iter().product()));
        [kernel(tag, at, *sizes), (format!("c{at}b"), bias)]
    });
    layers.collect()
}

fn kernel(tag: &str, at: usize, sizes: [usize; 4]) -> Named {
    let inputs = sizes[1..].iter().product();
    (format!("c{at}w"), uniform(&format!("{tag}/c{at}w"), &sizes, fan(inputs)))
}

fn head(tag: &str, inputs: usize) -> [Named; 2] {
    let scale = fan(inputs);
    [
        ("w".to_string(), uniform(&format!("{tag}/w"), &[inputs, CLASSES], scale)),
        ("b".to_string(), uniform(&format!("{tag}/b"), &[CLASSES], scale)),
    ]
}

fn images(tag: &str, batch: usize, size: usize) -> Vec<Named> {
    vec![
        ("x".to_string(), uniform(&format!("{tag}/x"), &[batch, 3, size, size], 1.0)),
        ("y".to_string(), integers(&format!("{tag}/y"), &[batch], CLASSES as u64)),
    ]
}
