//! Forward mode, by transposing the pullback.
//!
//! The pullback `u ↦ Jᵀu` is linear in `u`, so its own pullback is `t ↦ Jt`: the Jacobian-vector product. What it
//! appends depends on neither `u` nor the first pullback's result, which dead-code elimination removes.

use pullback_graph::Expr;

use crate::error::{GradError, expect_type};
use crate::reverse::{GradOptions, pullback};

/// The Jacobian-vector product: the derivative of `output` when each variable moves along its tangent.
///
/// `Σ over variables of ∂output/∂variable · tangent`, a tensor of the output's type.
///
/// # Errors
/// As [`grad`](crate::grad), and [`GradError::Seed`] when a tangent does not have its variable's type.
pub fn jvp<'g, const N: usize>(
    output: Expr<'g>,
    wrt: [Expr<'g>; N],
    tangents: [Expr<'g>; N],
) -> Result<Expr<'g>, GradError> {
    pushforward(output, &wrt, &tangents)
}

/// [`jvp`] for any number of variables.
///
/// # Errors
/// As [`jvp`].
///
/// # Panics
/// When there is not one tangent per variable.
#[track_caller]
pub fn pushforward<'g>(
    output: Expr<'g>,
    wrt: &[Expr<'g>],
    tangents: &[Expr<'g>],
) -> Result<Expr<'g>, GradError> {
    assert_eq!(wrt.len(), tangents.len(), "one tangent per variable");
    for (variable, tangent) in wrt.iter().zip(tangents) {
        expect_type("tangent", *variable, *tangent)?;
    }
    if !output.dtype().is_float() {
        return Err(GradError::not_differentiable(output));
    }
    let options = GradOptions::inner();
    // Any value would do; zeros is the cheapest node.
    let direction = output.zeros_like();
    let transposed = pullback(&[output], &[direction], wrt, &options)?;
    let found = pullback(&transposed, tangents, &[direction], &options)?;
    Ok(found.first().copied().unwrap_or(direction))
}
