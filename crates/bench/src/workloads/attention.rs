//! Attention: alone under a causal mask, in training and inference, and with its projections.

use pullback::Error;
use pullback::graph::AttentionOptions;
use pullback::nn::Sgd;

use crate::inputs::{Named, fan, uniform};
use crate::workloads::workload::Workload;

/// The size of a head of attention alone.
const DEPTH: usize = 64;
/// The rate of descent of attention alone: see that of recurrent networks.
const RATE: f64 = 1_000.0;

/// Descent of the mean of squares of causal attention, in its queries, keys and values of `heads` heads and `length` tokens,
/// with the tensors of workload `tag`.
///
/// # Errors
/// When the step cannot be built.
pub fn causal(tag: &str, heads: usize, length: usize) -> Result<Workload, Error> {
    Workload::training(sides(tag, heads, length), Vec::new(), Sgd::new(RATE), |p, _| {
        p[0].attention(p[1], p[2], &AttentionOptions::default().causal(true)).square().mean()
    })
}

/// What causal attention answers.
///
/// # Errors
/// When the graph cannot be built.
pub fn causal_inference(tag: &str, heads: usize, length: usize) -> Result<Workload, Error> {
    Workload::inference(Vec::new(), sides(tag, heads, length), |_, data| {
        data[0].attention(data[1], data[2], &AttentionOptions::default().causal(true))
    })
}

/// Queries, keys and values, large enough for weights that differ.
fn sides(tag: &str, heads: usize, length: usize) -> Vec<Named> {
    let side = |name: &str| uniform(&format!("{tag}/{name}"), &[1, heads, length, DEPTH], 2.0);
    ["q", "k", "v"].map(|name| (name.to_string(), side(name))).into()
}

/// Training of the projections of attention, `heads` heads over `length` tokens of `width`: the mean of the squares of the
/// result, gradient descent.
///
/// # Errors
/// When the step cannot be built.
pub fn projected(width: usize, heads: usize, length: usize) -> Result<Workload, Error> {
    let parameter = |name: &str| uniform(&format!("HEADS/{name}"), &[width, width], fan(width));
    let parameters = ["wq", "wk", "wv", "wo"].map(|name| (name.to_string(), parameter(name)));
    let data = vec![("x".to_string(), uniform("HEADS/x", &[1, length, width], 4.0))];
    Workload::training(parameters.into(), data, Sgd::new(1.0), |p, data| {
        let [q, k, v] = [0, 1, 2].map(|at| data[0].dot(p[at]).split_heads(heads));
        q.attention(k, v, &AttentionOptions::default()).merge_heads().dot(p[3]).square().mean()
    })
}
