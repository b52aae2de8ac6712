//! W11: many thin layers one after the other; what a step costs beside its arithmetic.

use pullback::Error;
use pullback::nn::{Reduction, Sgd, mse};

use crate::inputs::uniform;
use crate::workloads::workload::Workload;

/// Training of `depth` dense layers of 64 with tanh on 16 samples: the mean squared error, gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn chain(depth: usize) -> Result<Workload, Error> {
    const WIDTH: usize = 64;
    const BATCH: usize = 16;
    let scale = (3.0_f64 / WIDTH as f64).sqrt() as f32;
    let parameters = (1..=depth).flat_map(|at| {
        [
            (format!("w{at}"), uniform(&format!("W11/w{at}"), &[WIDTH, WIDTH], scale)),
            (format!("b{at}"), uniform(&format!("W11/b{at}"), &[WIDTH], 0.1)),
        ]
    });
    let data =
        ["x", "t"].map(|name| (name.to_string(), uniform(&format!("W11/{name}"), &[BATCH, WIDTH], 1.0)));
    Workload::training(parameters.collect(), data.to_vec(), Sgd::new(0.01), |parameters, data| {
        let y = parameters.chunks(2).fold(data[0], |x, layer| (x.dot(layer[0]) + layer[1]).tanh());
        mse(y, data[1], Reduction::Mean)
    })
}
