//! Recurrent networks: one layer over a sequence, which every step of it has to wait for.

use pullback::graph::RecurrentWeights;
use pullback::nn::Sgd;
use pullback::{Error, Expr};

use crate::inputs::{Named, fan, uniform};
use crate::workloads::workload::Workload;

/// The rate of descent. A mean over so many numbers has a small gradient: at a lower rate the losses would hardly move, and so
/// say nothing of it.
const RATE: f64 = 10.0;

/// Training of long short-term memory of `width` on `[steps, samples, features]`, with the tensors of workload `tag`: the mean
/// of the squares of all its states, gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn lstm(tag: &str, width: usize, sizes: [usize; 3]) -> Result<Workload, Error> {
    training(tag, 4, width, sizes, |x, zero, weights| x.lstm(zero, zero, weights).0)
}

/// The same of a gated recurrent unit.
///
/// # Errors
/// When the step cannot be built.
pub fn gru(tag: &str, width: usize, sizes: [usize; 3]) -> Result<Workload, Error> {
    training(tag, 3, width, sizes, |x, zero, weights| x.gru(zero, weights).0)
}

/// Training of a layer of so many gates; `states` are those after every step, of the sequence and a state of zeros.
fn training(
    tag: &str,
    gates: usize,
    width: usize,
    sizes: [usize; 3],
    states: impl for<'g> FnOnce(Expr<'g>, Expr<'g>, &RecurrentWeights<'g>) -> Expr<'g>,
) -> Result<Workload, Error> {
    let [_, samples, features] = sizes;
    let parameter = |name: &str, sizes: &[usize], inputs| -> Named {
        (name.to_string(), uniform(&format!("{tag}/{name}"), sizes, fan(inputs)))
    };
    let parameters = vec![
        parameter("wi", &[gates * width, features], features),
        parameter("wh", &[gates * width, width], width),
        parameter("bi", &[gates * width], features),
        parameter("bh", &[gates * width], width),
    ];
    let data = vec![("x".to_string(), uniform(&format!("{tag}/x"), &sizes, 1.0))];
    Workload::training(parameters, data, Sgd::new(RATE), |p, data| {
        let zero = data[0].builder().full(data[0].dtype(), [samples, width], 0.0);
        let weights = RecurrentWeights::new(p[0], p[1]).biases(p[2], p[3]);
        states(data[0], zero, &weights).square().mean()
    })
}
