//! Linear equations with a triangular matrix.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::linalg::matrix::{
    Part, Stack, expect_float, expect_right_hand_side, expect_square, part, rounded, sample_matrices,
    sample_right_hand_side,
};
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `result[…] = X` with `M · X = B`, where `M` is one triangle of A, or its transpose.
///
/// Operands: A, `[…, n, n]`, of which only the triangle named is read; B, `[…, n, k]`. A zero on the diagonal is an error of
/// the run.
/// Constraints: C1 two operands; C2 the first of square matrices; C3 of a float type; C4 the second of the same type, with as
/// many matrices and rows.
/// Gradient: `B̄ = M⁻ᵀ · X̄`, `M̄ = -B̄ · Xᵀ` in the triangle that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TriangularSolve {
    /// Whether the lower triangle is read, else the upper one.
    pub lower: bool,
    /// Whether the matrix is the transpose of that triangle.
    #[serde(default)]
    pub transpose: bool,
    /// Whether the diagonal is taken as ones and not read.
    #[serde(default)]
    pub unit_diagonal: bool,
}

impl TriangularSolve {
    /// With the lower triangle.
    #[must_use]
    pub fn lower() -> Self {
        TriangularSolve { lower: true, transpose: false, unit_diagonal: false }
    }

    /// With the upper triangle.
    #[must_use]
    pub fn upper() -> Self {
        TriangularSolve { lower: false, ..TriangularSolve::lower() }
    }

    /// With the transpose of what it was.
    #[must_use]
    pub fn transposed(self) -> Self {
        TriangularSolve { transpose: !self.transpose, ..self }
    }

    /// With ones on the diagonal, whatever stands there.
    #[must_use]
    pub fn unit_diagonal(self) -> Self {
        TriangularSolve { unit_diagonal: true, ..self }
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let matrices = sample_matrices(choices);
        let right = sample_right_hand_side(&matrices, choices);
        let mut coin = || choices.below(2) == 1;
        let op = TriangularSolve { lower: coin(), transpose: coin(), unit_diagonal: coin() };
        Sample { op: op.into(), operands: vec![matrices, right] }
    }

    /// The part of the matrix that is read.
    fn part(self) -> Part {
        match (self.lower, self.unit_diagonal) {
            (true, false) => Part::Lower,
            (true, true) => Part::StrictlyLower,
            (false, false) => Part::Upper,
            (false, true) => Part::StrictlyUpper,
        }
    }

    /// Substitution, from the row that has one unknown onwards.
    fn substitute(self, matrix: &[f64], right: &[f64], n: usize, columns: usize) -> Vec<f64> {
        let element = |row: usize, column: usize| {
            if self.transpose { matrix[column * n + row] } else { matrix[row * n + column] }
        };
        let mut x = right.to_vec();
        for step in 0..n {
            let is_forward = self.lower != self.transpose;
            let row = if is_forward { step } else { n - 1 - step };
            let solved = if is_forward { 0..row } else { row + 1..n };
            for column in 0..columns {
                let mut left = x[row * columns + column];
                for k in solved.clone() {
                    left -= element(row, k) * x[k * columns + column];
                }
                x[row * columns + column] = if self.unit_diagonal { left } else { left / element(row, row) };
            }
        }
        x
    }
}

impl OpRules for TriangularSolve {
    fn name(&self) -> Cow<'static, str> {
        "triangular_solve".into()
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
        let n = matrices.rows();
        let mut values = Vec::with_capacity(operands[1].len());
        for at in 0..matrices.len() {
            let (matrix, right) = (matrices.matrix(at), rights.matrix(at));
            let zero = (0..n).find(|row| !self.unit_diagonal && matrix[row * n + row] == 0.0);
            if let Some(row) = zero {
                return Err(format!("{} is singular: its diagonal is 0 in row {row}", matrices.name(at)));
            }
            values.extend(self.substitute(matrix, right, n, rights.columns()));
        }
        rounded(result.dtype, &known(result)?, &values)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let right = at.operands[0].apply_to(self.transposed(), &[at.cotangent]);
        let mut partials = Partials::from_elem(Partial::Stops, 2);
        if at.wants(0) {
            let product = match self.transpose {
                true => at.result.matmul(right.t()),
                false => right.matmul(at.result.t()),
            };
            partials[0] = Partial::Flows(part(-product, self.part()));
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
