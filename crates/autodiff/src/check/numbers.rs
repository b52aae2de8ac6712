//! Sums over tensors.

use pullback_graph::Tensor;

/// `Σ left · right`.
pub(crate) fn dot(left: &Tensor, right: &Tensor) -> f64 {
    left.values::<f64>().iter().zip(right.values::<f64>()).map(|(a, b)| a * b).sum()
}

/// `Σ |left · right|`.
pub(crate) fn dot_sizes(left: &Tensor, right: &Tensor) -> f64 {
    left.values::<f64>().iter().zip(right.values::<f64>()).map(|(a, b)| finite((a * b).abs())).sum()
}

/// `Σ gradient · direction` over all variables, and the sum of the sizes of its terms.
pub(crate) fn contract(gradient: &[Tensor], directions: &[Tensor]) -> (f64, f64) {
    let pairs = || gradient.iter().zip(directions);
    (pairs().map(|(g, d)| dot(g, d)).sum(), pairs().map(|(g, d)| dot_sizes(g, d)).sum())
}

pub(crate) fn scaled(tensor: &Tensor, by: f64) -> Tensor {
    let values = tensor.values::<f64>();
    Tensor::from_fn(tensor.sizes(), |i| by * values[i])
}

/// The number, or 0 in the place of NaN and infinities.
pub(crate) fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

/// The index per axis of element `at`, in row-major order.
pub(crate) fn unravel(mut at: usize, sizes: &[usize]) -> Vec<usize> {
    let mut index = vec![0; sizes.len()];
    for axis in (0..sizes.len()).rev() {
        index[axis] = at % sizes[axis];
        at /= sizes[axis];
    }
    index
}
