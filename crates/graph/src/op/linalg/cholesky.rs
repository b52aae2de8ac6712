//! The factor of a symmetric positive definite matrix.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::linalg::TriangularSolve;
use crate::op::linalg::matrix::{Part, Stack, expect_float, expect_square, part, rounded, sample_matrices};
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `result[…] = L`, lower triangular with a positive diagonal, where `L · Lᵀ` is the symmetric part `(A + Aᵀ)/2` of each
/// matrix.
///
/// Operands: A, `[…, n, n]`. A matrix that is not positive definite is an error of the run.
/// Constraints: C1 one operand; C2 of square matrices; C3 of a float type.
/// Gradient: the symmetric part of `L⁻ᵀ · Φ(Lᵀ · L̄) · L⁻¹`, where Φ takes the lower triangle and halves its diagonal
/// (Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cholesky;

impl Cholesky {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        Sample { op: Cholesky.into(), operands: vec![sample_matrices(choices)] }
    }
}

impl OpRules for Cholesky {
    fn name(&self) -> Cow<'static, str> {
        "cholesky".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Opaque
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        expect_square(operands[0])?;
        expect_float(operands[0])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let stack = Stack::of(operands[0]);
        let mut values = Vec::with_capacity(operands[0].len());
        for at in 0..stack.len() {
            let factor = factor(stack.matrix(at), stack.rows()).map_err(|(row, pivot)| {
                format!(
                    "{} is not positive definite: row {row} leaves {pivot} under the root",
                    stack.name(at)
                )
            })?;
            values.extend(factor);
        }
        rounded(result.dtype, &known(result)?, &values)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let factor = at.result;
            let product = factor.t().matmul(at.cotangent);
            let halved = part(product, Part::Lower) - part(product, Part::Diagonal) * 0.5;
            let behind = |right: Expr<'g>| factor.apply_to(TriangularSolve::lower().transposed(), &[right]);
            let cotangent = behind(behind(halved).t());
            (cotangent + cotangent.t()) * 0.5
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// Row by row (Golub and Van Loan, "Matrix computations", section 4.2); the row and the number whose root does not exist.
fn factor(matrix: &[f64], n: usize) -> Result<Vec<f64>, (usize, f64)> {
    let mut factor = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let mut sum = 0.5 * (matrix[row * n + column] + matrix[column * n + row]);
            for k in 0..column {
                sum -= factor[row * n + k] * factor[column * n + k];
            }
            factor[row * n + column] = if column < row {
                sum / factor[column * n + column]
            } else if sum <= 0.0 {
                return Err((row, sum));
            } else {
                sum.sqrt()
            };
        }
    }
    Ok(factor)
}
