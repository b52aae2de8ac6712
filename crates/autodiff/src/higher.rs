//! Second derivatives and whole Jacobians, composed of [`grad`](crate::grad) and [`vjp`](crate::vjp).

use pullback_graph::{Dim, Expr, Shape};

use crate::error::{GradError, expect_type};
use crate::reverse::{GradOptions, gradients, pullback};

/// The Hessian-vector product: for each variable `i`, `Σ over j of ∂²loss/∂i∂j · vector j`, by reverse over reverse.
///
/// # Errors
/// As [`grad`](crate::grad), and [`GradError::Seed`] when a vector does not have its variable's type.
pub fn hvp<'g, const N: usize>(
    loss: Expr<'g>,
    wrt: [Expr<'g>; N],
    vectors: [Expr<'g>; N],
) -> Result<[Expr<'g>; N], GradError> {
    for (variable, vector) in wrt.iter().zip(&vectors) {
        expect_type("tangent", *variable, *vector)?;
    }
    let options = GradOptions::inner();
    let first = gradients(loss, &wrt, &options)?;
    let found = pullback(&first, &vectors, &wrt, &options)?;
    Ok(std::array::from_fn(|i| found[i]))
}

/// The Jacobian of `output` in `variable`: a tensor of shape `output.shape ++ variable.shape`.
///
/// One pullback per element of `output`: nodes appended grow with their number times the active nodes.
///
/// # Errors
/// As [`grad`](crate::grad), and [`GradError::SymbolicRows`] when the output's sizes are not known.
pub fn jacobian<'g>(output: Expr<'g>, variable: Expr<'g>) -> Result<Expr<'g>, GradError> {
    let (of, by) = (output.ty(), variable.ty());
    let Some(count) = of.shape.numel().known() else {
        return Err(GradError::SymbolicRows { node: output.id(), ty: of, at: output.source() });
    };
    let shape: Shape = of.shape.iter().chain(by.shape.iter()).cloned().collect();
    if count == 0 {
        return Ok(variable.builder().full(by.dtype, shape, 0.0));
    }
    let elements = output.reshape([count]);
    let row_shape: Shape = std::iter::once(Dim::Known(1)).chain(by.shape.iter().cloned()).collect();
    // All elements before the first gradient: a sweep looks at every node that is older than its loss.
    let elements: Vec<Expr<'g>> = (0..count).map(|at| elements.slice(0, at..at + 1).reshape(())).collect();
    let mut rows = Vec::with_capacity(count);
    for element in elements {
        let row = gradients(element, &[variable], &GradOptions::inner())?;
        rows.push(row[0].reshape(&row_shape));
    }
    Ok(rows[0].concat(&rows[1..], 0).reshape(shape))
}

/// The Hessian of a scalar in `variable`: a tensor of shape `variable.shape ++ variable.shape`.
///
/// # Errors
/// As [`jacobian`].
pub fn hessian<'g>(loss: Expr<'g>, variable: Expr<'g>) -> Result<Expr<'g>, GradError> {
    let first = gradients(loss, &[variable], &GradOptions::inner())?;
    jacobian(first[0], variable)
}
