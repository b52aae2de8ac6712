//! W8: layer normalization and softmax of rows: reductions with elementwise work before, between and after.

use pullback::{Error, Tensor};

use crate::inputs::uniform;
use crate::workloads::workload::Workload;

/// The sum of `c · softmax(layer_norm(x) · g + b)` over `rows` rows, and its gradients in `x`, `g` and `b`.
///
/// # Errors
/// When there is no gradient.
pub fn row_norm(rows: usize, columns: usize) -> Result<Workload, Error> {
    let gain = uniform("W8/g", &[columns], 0.1);
    let gain = gain.values::<f32>();
    let variables = vec![
        ("x".to_string(), uniform("W8/x", &[rows, columns], 2.0)),
        ("g".to_string(), Tensor::from_fn(&[columns], |at| 1.0 + gain[at])),
        ("b".to_string(), uniform("W8/b", &[columns], 0.1)),
    ];
    let data = vec![("c".to_string(), uniform("W8/c", &[rows, columns], 1.0))];
    Workload::gradients(variables, data, |v, data| {
        (v[0].layer_norm(1, Some(v[1]), Some(v[2]), 1e-5).softmax(-1) * data[0]).sum()
    })
}
