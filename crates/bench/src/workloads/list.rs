//! The workloads and the models by name, at the sizes that other engines were measured with.

use pullback::Error;

use crate::workloads::workload::Workload;
use crate::workloads::{
    Encoder, Gpt, autoencoder, batch_norm, causal, causal_inference, chain, cnn, encoder, formula, gpt, gru,
    hessian_vector, lstm, mlp, penalty, pooled, projected, row_norm, scalars, separable, stack,
    stack_inference, towers, xor,
};

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name, such as `W1b32`.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Makes the inputs and the graph.
    pub build: fn() -> Result<Workload, Error>,
}

const fn row(name: &'static str, what: &'static str, build: fn() -> Result<Workload, Error>) -> Row {
    Row { name, what, build }
}

/// W1 to W11.
pub const WORKLOADS: [Row; 14] = [
    row("W1b32", "MLP 784-64-64-10, Adam, batch 32", || mlp("W1", &[784, 64, 64, 10], 32)),
    row("W1b128", "the same, batch 128", || mlp("W1", &[784, 64, 64, 10], 128)),
    row("W2", "MLP 784-1024-1024-10, Adam, batch 256", || mlp("W2", &[784, 1024, 1024, 10], 256)),
    row("W3", "XOR 2-4-1, SGD, batch 4", xor),
    row("W4", "8 towers of 4 dense 256, SGD, batch 64", || towers(8, 256, 64)),
    row("W5", "conv 5×5×16 and 5×5×32, dense 128, Adam, batch 64", || cnn(64)),
    row("W6", "transformer, 4 layers of 256, 8 × 128 tokens, AdamW", || gpt(Gpt::default())),
    row("W7", "elementwise formula of 1,048,576 elements, gradients", || formula(1 << 20)),
    row("W8", "softmax of layer norm, 4096 × 1024, gradients", || row_norm(4096, 1024)),
    row("W9n1000", "random graph of 1,000 scalar operations, gradients", || scalars(1_000)),
    row("W9n10000", "10,000 of them", || scalars(10_000)),
    row("W9n100000", "100,000 of them", || scalars(100_000)),
    row("W10", "Hessian of W1b128's loss times a vector", || hessian_vector("W1", [784, 64, 64, 10], 128)),
    row("W11", "200 dense layers of 64, SGD, batch 16", || chain(200)),
];

/// Models of other kinds. All that are trained are so by plain gradient descent.
pub const MODELS: [Row; 16] = [
    row("LSTM128", "LSTM of 128, 32 steps, 32 samples of 64", || lstm("LSTM128", 128, [32, 32, 64])),
    row("LSTM256", "LSTM of 256, 50 steps, 64 samples of 128", || lstm("LSTM256", 256, [50, 64, 128])),
    row("GRU64", "GRU of 64, 20 steps, 16 samples of 32", || gru("GRU64", 64, [20, 16, 32])),
    row("AUTOENCODER", "784-256-32-256-784, batch 128", || autoencoder(&[784, 256, 32, 256, 784], 128)),
    row("DENSE512", "6 dense 512, batch 8", || stack(512, 6, 8)),
    row("DENSE512INF", "the same in inference, batch 64", || stack_inference(512, 6, 64)),
    row("PENALTY", "gradient penalty of 64-128-128-1, batch 128", || penalty(&[64, 128, 128, 1], 128)),
    row("BATCHNORM", "conv 3×3, 16 and 32 with batch norm, 32 images of 32 × 32", || batch_norm(32, 32)),
    row("CONV3", "conv 3×3, two of 32 and two of 64, pools, 32 images of 32 × 32", || pooled(32, 32)),
    row("SEPARABLE", "conv 1×1 and 3×3 by channel, 16 images of 64 × 64", || separable(16, 64)),
    row("CAUSAL256", "causal attention, 16 heads of 256 × 64", || causal("CAUSAL256", 16, 256)),
    row("CAUSAL512", "causal attention, 16 heads of 512 × 64", || causal("CAUSAL512", 16, 512)),
    row("CAUSAL1024", "causal attention, 8 heads of 1024 × 64", || causal("CAUSAL1024", 8, 1024)),
    row("CAUSALINF", "the same in inference, 16 heads", || causal_inference("CAUSALINF", 16, 1024)),
    row("HEADS", "attention and its projections, 32 heads of 512 × 32", || projected(1024, 32, 512)),
    row("ENCODER", "encoder, 2 layers of 128, 4 × 256 tokens", || encoder(Encoder::default())),
];

/// The workload or model of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    WORKLOADS.iter().chain(&MODELS).find(|row| row.name.eq_ignore_ascii_case(name))
}
