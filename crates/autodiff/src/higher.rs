//! Second derivatives and whole Jacobians, composed of [`grad`](crate::grad), [`vjp`](crate::vjp) and [`vmap`].

use pullback_graph::op::Iota;
use pullback_graph::{Expr, Shape};

use crate::error::{GradError, expect_type};
use crate::forward::pushforward;
use crate::reverse::{GradOptions, gradients, pullback};
use crate::vmap::vmap;

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
/// Reverse mode, for all elements of `output` at once: [`vmap`] of the pullback over unit cotangents. Nodes appended: a
/// constant times the active nodes, however many rows there are. Sizes may be symbols.
///
/// # Errors
/// As [`grad`](crate::grad), and [`GradError::Batch`] when an op on the path has no rule for a leading axis.
#[track_caller]
pub fn jacobian<'g>(output: Expr<'g>, variable: Expr<'g>) -> Result<Expr<'g>, GradError> {
    let (of, by) = (output.ty(), variable.ty());
    if of.rank() == 0 {
        return Ok(gradients(output, &[variable], &GradOptions::inner())?[0]);
    }
    if !of.dtype.is_float() {
        return Err(GradError::not_differentiable(output));
    }
    let rows =
        vmap([units(output)], |[unit]| pullback(&[output], &[unit], &[variable], &GradOptions::inner()))?;
    Ok(rows[0].reshape(of.shape.iter().chain(by.shape.iter()).cloned().collect::<Shape>()))
}

/// The [`jacobian`], by forward mode: [`vmap`] of [`jvp`](crate::jvp) over unit tangents. Cheaper to run where `variable`
/// has fewer elements than `output`.
///
/// # Errors
/// As [`jacobian`].
#[track_caller]
pub fn jacobian_forward<'g>(output: Expr<'g>, variable: Expr<'g>) -> Result<Expr<'g>, GradError> {
    let (of, by) = (output.ty(), variable.ty());
    if !by.dtype.is_float() {
        return Err(GradError::not_differentiable(variable));
    }
    let columns = vmap([units(variable)], |[unit]| pushforward(output, &[variable], &[unit]))?;
    // The axis of columns comes first, and belongs last.
    let order: Vec<usize> = (1..=of.rank()).chain([0]).collect();
    Ok(columns.permute(order).reshape(of.shape.iter().chain(by.shape.iter()).cloned().collect::<Shape>()))
}

/// The Hessian of a scalar in `variable`: a tensor of shape `variable.shape ++ variable.shape`.
///
/// # Errors
/// As [`jacobian`].
#[track_caller]
pub fn hessian<'g>(loss: Expr<'g>, variable: Expr<'g>) -> Result<Expr<'g>, GradError> {
    let first = gradients(loss, &[variable], &GradOptions::inner())?;
    jacobian(first[0], variable)
}

/// For each element of `like`, a tensor of its type that is 1 there and 0 elsewhere, stacked along a leading axis.
#[track_caller]
fn units(like: Expr<'_>) -> Expr<'_> {
    let (builder, ty) = (like.builder(), like.ty());
    let count = ty.shape.numel();
    let place = |axis| {
        let op = Iota { shape: [count.clone(), count.clone()].into(), axis };
        builder.push(op, &[]).expect("a square has two axes")
    };
    let units = place(0).eq(place(1)).cast(ty.dtype);
    units.reshape(std::iter::once(count).chain(ty.shape.iter().cloned()).collect::<Shape>())
}
