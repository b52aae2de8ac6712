//! The workloads by name, at the sizes that other engines were measured with.

use pullback::Error;

use crate::workloads::workload::Workload;
use crate::workloads::{Gpt, chain, cnn, formula, gpt, hessian_vector, mlp, row_norm, scalars, towers, xor};

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

/// All workloads.
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

/// The workload of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    WORKLOADS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}
