//! W3: the smallest network there is, which learns exclusive or.

use pullback::nn::{Reduction, Sgd, mse};
use pullback::{Error, Tensor};

use crate::inputs::uniform;
use crate::workloads::workload::Workload;

/// Training of 2-4-1 with tanh and sigmoid, the mean squared error and gradient descent, on all four samples.
///
/// # Errors
/// When the step cannot be built.
pub fn xor() -> Result<Workload, Error> {
    let shapes: [(&str, &[usize]); 4] = [("w1", &[2, 4]), ("b1", &[4]), ("w2", &[4, 1]), ("b2", &[1])];
    let parameters = shapes
        .iter()
        .map(|(name, sizes)| (name.to_string(), uniform(&format!("W3/{name}"), sizes, 1.0)))
        .collect();
    let data = vec![
        ("x".to_string(), Tensor::of([4, 2], [0.0_f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])),
        ("t".to_string(), Tensor::of([4, 1], [0.0_f32, 1.0, 1.0, 0.0])),
    ];
    Workload::training(parameters, data, Sgd::new(0.1), |p, data| {
        let hidden = (data[0].dot(p[0]) + p[1]).tanh();
        mse((hidden.dot(p[2]) + p[3]).sigmoid(), data[1], Reduction::Mean)
    })
}
