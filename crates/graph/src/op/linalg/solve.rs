//! Linear equations.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::linalg::matrix::{
    Elimination, Stack, expect_float, expect_right_hand_side, expect_square, rounded, sample_matrices,
    sample_right_hand_side,
};
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `result[…] = X` with `A · X = B`, by elimination with row exchanges.
///
/// Operands: A, `[…, n, n]`; B, `[…, n, k]`. A singular matrix is an error of the run.
/// Constraints: C1 two operands; C2 the first of square matrices; C3 of a float type; C4 the second of the same type, with as
/// many matrices and rows.
/// Gradient: `B̄ = A⁻ᵀ · X̄`, `Ā = -B̄ · Xᵀ` (Giles, "Collected matrix derivative results for forward and reverse mode
/// algorithmic differentiation", 2008, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Solve;

impl Solve {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let matrices = sample_matrices(choices);
        let right = sample_right_hand_side(&matrices, choices);
        Sample { op: Solve.into(), operands: vec![matrices, right] }
    }
}

impl OpRules for Solve {
    fn name(&self) -> Cow<'static, str> {
        "solve".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Opaque
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_square(operands[0])?;
        expect_float(operands[0])?;
        expect_right_hand_side(operands[0], operands[1])?;
        Ok(operands[1].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (matrices, rights) = (Stack::of(operands[0]), Stack::of(operands[1]));
        let mut values = Vec::with_capacity(operands[1].len());
        for at in 0..matrices.len() {
            let elimination = Elimination::of(matrices.matrix(at), matrices.rows());
            if let Some(row) = elimination.pivots().position(|pivot| pivot == 0.0) {
                return Err(format!("{} is singular: pivot {row} is 0", matrices.name(at)));
            }
            values.extend(elimination.solve(rights.matrix(at), rights.columns()));
        }
        rounded(result.dtype, &known(result)?, &values)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let right = at.operands[0].t().apply_to(Solve, &[at.cotangent]);
        let mut partials = Partials::from_elem(Partial::Stops, 2);
        if at.wants(0) {
            partials[0] = Partial::Flows(-right.matmul(at.result.t()));
        }
        if at.wants(1) {
            partials[1] = Partial::Flows(right);
        }
        partials
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply_to(*self, &[at.spread(1)]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
