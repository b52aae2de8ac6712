//! Dense layers with ReLU between them, beside the classifiers: an autoencoder, and a deep stack in training and inference.

use pullback::Error;
use pullback::nn::{Reduction, Sgd, mse};

use crate::inputs::{Named, uniform};
use crate::workloads::mlp::{layers, parameters};
use crate::workloads::workload::Workload;

/// Training of `widths[0]-widths[1]-…` to give back its input, `batch` samples: the mean squared error, gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn autoencoder(widths: &[usize], batch: usize) -> Result<Workload, Error> {
    let data = vec![("x".to_string(), uniform("AUTOENCODER/x", &[batch, widths[0]], 1.0))];
    Workload::training(parameters("AUTOENCODER", widths), data, Sgd::new(10.0), |p, data| {
        mse(layers(p, data[0]), data[0], Reduction::Mean)
    })
}

/// Training of `depth` layers of `width` on `batch` samples: the mean of the squares of the last one's results, gradient
/// descent.
///
/// # Errors
/// When the step cannot be built.
pub fn stack(width: usize, depth: usize, batch: usize) -> Result<Workload, Error> {
    let (parameters, data) = tensors(width, depth, batch);
    Workload::training(parameters, data, Sgd::new(3.0), |p, data| layers(p, data[0]).square().mean())
}

/// What the same layers answer.
///
/// # Errors
/// When the graph cannot be built.
pub fn stack_inference(width: usize, depth: usize, batch: usize) -> Result<Workload, Error> {
    let (parameters, data) = tensors(width, depth, batch);
    Workload::inference(parameters, data, |p, data| layers(p, data[0]))
}

fn tensors(width: usize, depth: usize, batch: usize) -> (Vec<Named>, Vec<Named>) {
    let data = vec![("x".to_string(), uniform("DENSE512/x", &[batch, width], 1.0))];
    (parameters("DENSE512", &vec![width; depth + 1]), data)
}
