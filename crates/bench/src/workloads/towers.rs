//! W4: independent towers of dense layers that meet at the end. What can run side by side should.

use pullback::Error;
use pullback::nn::{Reduction, Sgd, cross_entropy};

use crate::inputs::{fan, integers, uniform};
use crate::workloads::workload::Workload;

const DEPTH: usize = 4;
const CLASSES: usize = 10;

/// Training of `towers` towers of four layers of `width` with tanh, each on a batch of its own, concatenated for one dense
/// layer; gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn towers(towers: usize, width: usize, batch: usize) -> Result<Workload, Error> {
    let mut parameters = Vec::new();
    for tower in 0..towers {
        for layer in 1..=DEPTH {
            for (kind, sizes) in [("w", &[width, width][..]), ("b", &[width])] {
                let value = uniform(&format!("W4/t{tower}/{kind}{layer}"), sizes, fan(width));
                parameters.push((format!("t{tower}_{kind}{layer}"), value));
            }
        }
    }
    let joined = towers * width;
    parameters.push(("wh".to_string(), uniform("W4/wh", &[joined, CLASSES], fan(joined))));
    parameters.push(("bh".to_string(), uniform("W4/bh", &[CLASSES], fan(joined))));
    let data = vec![
        ("x".to_string(), uniform("W4/x", &[towers, batch, width], 1.0)),
        ("y".to_string(), integers("W4/y", &[batch], CLASSES as u64)),
    ];
    Workload::training(parameters, data, Sgd::new(0.05), |parameters, data| {
        let (layers, head) = parameters.split_at(2 * DEPTH * towers);
        let ends: Vec<_> = layers
            .chunks(2 * DEPTH)
            .enumerate()
            .map(|(tower, layers)| {
                let x = data[0].slice(0, tower..tower + 1).squeeze(0);
                layers.chunks(2).fold(x, |x, layer| (x.dot(layer[0]) + layer[1]).tanh())
            })
            .collect();
        let logits = ends[0].concat(&ends[1..], 1).dot(head[0]) + head[1];
        cross_entropy(logits, data[1], Reduction::Mean)
    })
}
