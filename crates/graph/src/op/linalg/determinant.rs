//! Determinants, their signs and logarithms.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::linalg::matrix::{
    Elimination, Stack, expect_float, expect_square, identity_like, per_matrix, rounded, sample_matrices,
};
use crate::op::linalg::{Cofactor, Solve};
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// What is told of a determinant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeterminantForm {
    /// The determinant itself.
    Value,
    /// `log |det|`, which does not overflow: -∞ for a singular matrix.
    LogAbs,
    /// -1, 0 or 1.
    Sign,
}

/// `result[…] = det A`, or its sign or the logarithm of its absolute value; 1 for a matrix without elements.
///
/// Operands: A, `[…, n, n]`.
/// Constraints: C1 one operand; C2 of square matrices; C3 of a float type.
/// Gradient: `ȳ` times the [cofactors](Cofactor) of A, also where A is singular. Of the logarithm: `ȳ · A⁻ᵀ`, where a
/// singular matrix is an error of the run. Of the sign: none, it is piecewise constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Determinant {
    /// What is told of it.
    pub form: DeterminantForm,
}

impl Determinant {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let form = [DeterminantForm::Value, DeterminantForm::LogAbs, DeterminantForm::Sign][choices.below(3)];
        Sample { op: Determinant { form }.into(), operands: vec![sample_matrices(choices)] }
    }

    fn value(self, elimination: &Elimination) -> f64 {
        let pivots = elimination.pivots();
        let exchanges = if elimination.is_odd { -1.0 } else { 1.0 };
        match self.form {
            DeterminantForm::Value => pivots.fold(exchanges, |product, pivot| product * pivot),
            DeterminantForm::LogAbs => pivots.fold(0.0, |sum, pivot| sum + pivot.abs().ln()),
            DeterminantForm::Sign => pivots.fold(exchanges, |sign, pivot| {
                let own = if pivot == 0.0 || pivot.is_nan() { pivot } else { pivot.signum() };
                sign * own
            }),
        }
    }
}

impl OpRules for Determinant {
    fn name(&self) -> Cow<'static, str> {
        match self.form {
            DeterminantForm::Value => "determinant",
            DeterminantForm::LogAbs => "log_abs_determinant",
            DeterminantForm::Sign => "sign_of_determinant",
        }
        .into()
    }

    fn class(&self) -> OpClass {
        OpClass::Opaque
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        expect_square(operand)?;
        expect_float(operand)?;
        Ok(operand.with_shape(operand.shape.without(|axis| axis + 2 >= operand.rank())))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let stack = Stack::of(operands[0]);
        let value = |at: usize| self.value(&Elimination::of(stack.matrix(at), stack.rows()));
        let values: Vec<f64> = (0..stack.len()).map(value).collect();
        rounded(result.dtype, &known(result)?, &values)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let matrix = at.operands[0];
        match self.form {
            DeterminantForm::Value => at.first(|| per_matrix(at.cotangent) * matrix.apply(Cofactor)),
            DeterminantForm::LogAbs => at.first(|| {
                let inverse = matrix.t().apply_to(Solve, &[identity_like(matrix)]);
                per_matrix(at.cotangent) * inverse
            }),
            DeterminantForm::Sign => Partials::from_iter([Partial::Flat]),
        }
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
