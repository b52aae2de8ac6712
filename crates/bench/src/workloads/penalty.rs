//! A gradient of a gradient: training of a network whose slope is what is trained.

use pullback::nn::Sgd;
use pullback::{Error, grad};

use crate::inputs::uniform;
use crate::workloads::mlp::parameters;
use crate::workloads::workload::Workload;

/// Training of the network `f` of `widths`, with tanh, on `batch` samples: the mean of `(|∂f/∂x| - 1)²`, gradient descent.
///
/// The last layer has no bias: the slope does not depend on it.
///
/// # Errors
/// When the step cannot be built.
pub fn penalty(widths: &[usize], batch: usize) -> Result<Workload, Error> {
    let mut parameters = parameters("PENALTY", widths);
    parameters.pop();
    let data = vec![("x".to_string(), uniform("PENALTY/x", &[batch, widths[0]], 1.0))];
    Workload::training(parameters, data, Sgd::new(0.01), |p, data| {
        let (hidden, last) = p.as_chunks::<2>();
        let f = hidden.iter().fold(data[0], |x, [w, b]| (x.dot(*w) + *b).tanh()).dot(last[0]);
        // Samples do not see each other: the gradient of the sum is that of each.
        let [slope] = grad(f.sum(), [data[0]]).expect("the network reads its input");
        (slope.norm_over(1) - 1.0).square().mean()
    })
}
