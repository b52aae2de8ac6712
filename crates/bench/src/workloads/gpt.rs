//! W6: a small transformer that predicts the next token.

use pullback::graph::AttentionOptions;
use pullback::nn::{AdamW, Reduction, cross_entropy};
use pullback::{Error, Expr, Tensor};

use crate::inputs::{Named, fan, integers, uniform};
use crate::workloads::workload::Workload;

/// The sizes of the transformer.
#[derive(Clone, Copy, Debug)]
pub struct Gpt {
    /// The number of tokens there are.
    pub tokens: usize,
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

impl Default for Gpt {
    /// The sizes that other engines were measured with.
    fn default() -> Self {
        Gpt { tokens: 96, length: 128, width: 256, heads: 4, layers: 4, batch: 8 }
    }
}

/// What layer normalization divides by is at least the root of this.
const EPS: f64 = 1e-5;
/// The parameters of a layer.
const OF_LAYER: usize = 12;

/// Training of a transformer with layer normalization before attention and before the dense part, by AdamW.
///
/// # Errors
/// When the step cannot be built.
pub fn gpt(sizes: Gpt) -> Result<Workload, Error> {
    let Gpt { tokens, length, width, layers, batch, .. } = sizes;
    let mut parameters = vec![
        ("tok".to_string(), uniform("W6/tok", &[tokens, width], 0.05)),
        ("pos".to_string(), uniform("W6/pos", &[length, width], 0.05)),
    ];
    for layer in 0..layers {
        parameters.extend(norm(&format!("l{layer}_ln1"), width));
        parameters.extend(dense(layer, "qkv", width, 3 * width));
        parameters.extend(dense(layer, "o", width, width));
        parameters.extend(norm(&format!("l{layer}_ln2"), width));
        parameters.extend(dense(layer, "fc", width, 4 * width));
        parameters.extend(dense(layer, "pr", 4 * width, width));
    }
    parameters.extend(norm("lnf", width));
    parameters.push(("head".to_string(), uniform("W6/head", &[width, tokens], fan(width))));
    let data = vec![
        ("x".to_string(), integers("W6/x", &[batch, length], tokens as u64)),
        ("y".to_string(), integers("W6/y", &[batch, length], tokens as u64)),
    ];
    Workload::training(parameters, data, AdamW::new(1e-3), |p, data| {
        let embedded = p[0].embedding(data[0], None) + p[1];
        let (blocks, end) = p[2..].split_at(OF_LAYER * layers);
        let x = blocks.chunks(OF_LAYER).fold(embedded, |x, p| block(x, p, sizes));
        let logits = normalized(x, &end[..2]).dot(end[2]);
        cross_entropy(
            logits.reshape([batch * length, tokens]),
            data[1].reshape([batch * length]),
            Reduction::Mean,
        )
    })
}

/// One layer: attention and a dense part, each of the normalized input and added to it.
fn block<'g>(x: Expr<'g>, p: &[Expr<'g>], sizes: Gpt) -> Expr<'g> {
    let parts = (normalized(x, &p[..2]).dot(p[2]) + p[3]).chunks(3, -1);
    let [q, k, v] = [0, 1, 2].map(|at| parts[at].split_heads(sizes.heads));
    let mixed = q.attention(k, v, &AttentionOptions::default().causal(true)).merge_heads();
    let x = x + (mixed.dot(p[4]) + p[5]);
    let hidden = (normalized(x, &p[6..8]).dot(p[8]) + p[9]).gelu_tanh();
    x + (hidden.dot(p[10]) + p[11])
}

fn normalized<'g>(x: Expr<'g>, p: &[Expr<'g>]) -> Expr<'g> {
    x.layer_norm(1, Some(p[0]), Some(p[1]), EPS)
}

fn norm(name: &str, width: usize) -> [Named; 2] {
    [
        (format!("{name}g"), Tensor::full(&[width], 1.0_f32)),
        (format!("{name}b"), Tensor::full(&[width], 0.0_f32)),
    ]
}

fn dense(layer: usize, name: &str, inputs: usize, outputs: usize) -> [Named; 2] {
    let weight = uniform(&format!("W6/{layer}/{name}w"), &[inputs, outputs], fan(inputs));
    [(format!("l{layer}_{name}w"), weight), (format!("l{layer}_{name}b"), Tensor::full(&[outputs], 0.0_f32))]
}
