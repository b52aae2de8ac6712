//! A transformer's encoder: layers that see all tokens, normalized after each part.

use pullback::graph::AttentionOptions;
use pullback::nn::{Reduction, Sgd, mse};
use pullback::{Error, Expr, Tensor};

use crate::inputs::{Named, fan, uniform};
use crate::workloads::workload::Workload;

/// The sizes of the encoder.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// The number of tokens in a sample.
    pub length: usize,
    /// The width of a token's vector.
    pub width: usize,
    /// The number of heads.
    pub heads: usize,
    /// The number of layers.
    pub layers: usize,
    /// The number of samples.
    pub batch: usize,
}

impl Default for Encoder {
    /// The sizes that the losses are known of.
    fn default() -> Self {
        Encoder { length: 256, width: 128, heads: 8, layers: 2, batch: 4 }
    }
}

/// What layer normalization divides by is at least the root of this.
const EPS: f64 = 1e-5;
/// The parameters of a layer.
const OF_LAYER: usize = 12;

/// Training of an encoder with layer normalization after attention and after the dense part: the mean squared error, gradient
/// descent.
///
/// # Errors
/// When the step cannot be built.
pub fn encoder(sizes: Encoder) -> Result<Workload, Error> {
    let Encoder { length, width, layers, batch, .. } = sizes;
    let mut parameters = Vec::new();
    for layer in 1..=layers {
        parameters.extend(dense(layer, "qkv", width, 3 * width));
        parameters.extend(dense(layer, "o", width, width));
        parameters.extend(norm(layer, "ln1", width));
        parameters.extend(dense(layer, "fc", width, 4 * width));
        parameters.extend(dense(layer, "pr", 4 * width, width));
        parameters.extend(norm(layer, "ln2", width));
    }
    let data = ["x", "t"]
        .map(|name| (name.to_string(), uniform(&format!("ENCODER/{name}"), &[batch, length, width], 1.0)));
    Workload::training(parameters, data.into(), Sgd::new(1.0), |p, data| {
        let y = p.chunks(OF_LAYER).fold(data[0], |x, p| block(x, p, sizes.heads));
        mse(y, data[1], Reduction::Mean)
    })
}

/// One layer: attention and a dense part, each added to its input and normalized.
fn block<'g>(x: Expr<'g>, p: &[Expr<'g>], heads: usize) -> Expr<'g> {
    let parts = (x.dot(p[0]) + p[1]).chunks(3, -1);
    let [q, k, v] = [0, 1, 2].map(|at| parts[at].split_heads(heads));
    let mixed = q.attention(k, v, &AttentionOptions::default()).merge_heads();
    let x = (x + (mixed.dot(p[2]) + p[3])).layer_norm(1, Some(p[4]), Some(p[5]), EPS);
    let hidden = (x.dot(p[6]) + p[7]).gelu_tanh();
    (x + (hidden.dot(p[8]) + p[9])).layer_norm(1, Some(p[10]), Some(p[11]), EPS)
}

fn norm(layer: usize, name: &str, width: usize) -> [Named; 2] {
    [
        (format!("l{layer}_{name}g"), Tensor::full(&[width], 1.0_f32)),
        (format!("l{layer}_{name}b"), Tensor::full(&[width], 0.0_f32)),
    ]
}

fn dense(layer: usize, name: &str, inputs: usize, outputs: usize) -> [Named; 2] {
    [("w", &[inputs, outputs][..]), ("b", &[outputs])].map(|(kind, sizes)| {
        let value = uniform(&format!("ENCODER/{layer}/{name}{kind}"), sizes, fan(inputs));
        (format!("l{layer}_{name}{kind}"), value)
    })
}
