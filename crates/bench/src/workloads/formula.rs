//! W7: a formula of elementwise functions, summed; what fusion and vector routines are worth.

use pullback::Error;

use crate::inputs::uniform;
use crate::workloads::workload::Workload;

/// The sum over `count` elements of
/// `tanh(xy + sin x) · exp(-x²) / (1 + y²) + √(|x| + 1) · log(1 + y²) - sigmoid(x - y)`, and its gradients.
///
/// # Errors
/// When there is no gradient.
pub fn formula(count: usize) -> Result<Workload, Error> {
    let variable = |name: &str| (name.to_string(), uniform(&format!("W7/{name}"), &[count], 2.0));
    Workload::gradients(vec![variable("x"), variable("y")], Vec::new(), |variables, _| {
        let (x, y) = (variables[0], variables[1]);
        let first = (x * y + x.sin()).tanh() * (-x * x).exp() / (1.0 + y * y);
        let second = (x.abs() + 1.0).sqrt() * (1.0 + y * y).log();
        (first + second - (x - y).sigmoid()).sum()
    })
}
