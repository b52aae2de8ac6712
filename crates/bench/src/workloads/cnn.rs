//! W5: a small convolutional classifier of 28 × 28 images.

use pullback::graph::{ConvOptions, PoolOptions};
use pullback::nn::{Adam, Reduction, cross_entropy};
use pullback::{Error, Expr};

use crate::inputs::{fan, integers, uniform};
use crate::workloads::workload::Workload;

/// Training of conv 5×5×16, pool, conv 5×5×32, pool, dense 128, dense 10, with ReLU, on `batch` images, by Adam.
///
/// # Errors
/// When the step cannot be built.
pub fn cnn(batch: usize) -> Result<Workload, Error> {
    let shapes: [(&str, &[usize], usize); 8] = [
        ("c1w", &[16, 1, 5, 5], 25),
        ("c1b", &[16], 25),
        ("c2w", &[32, 16, 5, 5], 400),
        ("c2b", &[32], 400),
        ("w1", &[1568, 128], 1568),
        ("b1", &[128], 1568),
        ("w2", &[128, 10], 128),
        ("b2", &[10], 128),
    ];
    let parameters = shapes
        .iter()
        .map(|(name, sizes, inputs)| (name.to_string(), uniform(&format!("W5/{name}"), sizes, fan(*inputs))))
        .collect();
    let data = vec![
        ("x".to_string(), uniform("W5/x", &[batch, 1, 28, 28], 1.0)),
        ("y".to_string(), integers("W5/y", &[batch], 10)),
    ];
    Workload::training(parameters, data, Adam::new(1e-3), |p, data| {
        let features = block(block(data[0], p[0], p[1]), p[2], p[3]).flatten(1);
        let hidden = (features.dot(p[4]) + p[5]).relu();
        cross_entropy(hidden.dot(p[6]) + p[7], data[1], Reduction::Mean)
    })
}

/// Convolution that keeps the size, bias, ReLU, and the maximum of every 2 × 2 pixels.
fn block<'g>(x: Expr<'g>, w: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    let bias = b.expand_dims(-1).expand_dims(-1);
    let y = x.conv(w, &ConvOptions::default().padding(2)) + bias;
    y.relu().max_pool(&PoolOptions::new([2, 2]))
}
