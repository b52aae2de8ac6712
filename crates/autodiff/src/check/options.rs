//! What is checked, and how much of it.

/// How to check a gradient. There is no tolerance: it follows from the error estimates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// The highest order checked: 1 for gradients, 2 for the gradients of gradients as well.
    pub order: usize,
    /// How many random directions, each with a cotangent of its own.
    pub draws: usize,
    /// How many elements of each input are checked one by one; of larger inputs so many are picked.
    pub elements: usize,
    /// What directions, cotangents and picked elements are drawn from.
    pub seed: u64,
    /// Whether a failing graph is shrunk to a minimal one.
    pub shrink: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions { order: 2, draws: 2, elements: 32, seed: 0, shrink: true }
    }
}
