//! Cofactors: the derivative of the determinant, which exists for singular matrices too.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Expr;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::linalg::matrix::{
    Part, Stack, expect_float, expect_square, identity_like, part, per_matrix, rounded, sample_matrices,
};
use crate::op::linalg::{Determinant, DeterminantForm};
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `result[…, i, j] = ∂det A / ∂A[…, i, j]`: `(-1)^(i+j)` times the determinant of A without row i and column j. For a regular
/// matrix that is `det A · A⁻ᵀ`; of a matrix of rank n - 1 it has rank 1, below that it is 0.
///
/// Operands: A, `[…, n, n]`.
/// Constraints: C1 one operand; C2 of square matrices; C3 of a float type.
/// Gradient: the second derivative of the determinant applied to `C̄`. Far from singular it is `(⟨C̄, C⟩ · C - C · C̄ᵀ · C) /
/// det A`; near singular, and for small matrices, it is the derivative of the adjugate by the method of Faddeev and
/// LeVerrier, a polynomial in A. Matrices above 16 × 16 that are singular have no second derivative here: it is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cofactor;

/// Matrices up to this size have the polynomial alone, which is exact to rounding.
const SMALL: usize = 3;
/// The polynomial's terms grow with the size; above this they say nothing.
const LARGE: usize = 16;
/// A matrix is near singular where the cosine between it and its cofactors, `n · det / (|A| · |C|)`, is below this.
const NEAR_SINGULAR: f64 = 1e-5;

impl Cofactor {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        Sample { op: Cofactor.into(), operands: vec![sample_matrices(choices)] }
    }
}

impl OpRules for Cofactor {
    fn name(&self) -> Cow<'static, str> {
        "cofactor".into()
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
        let values: Vec<f64> =
            (0..stack.len()).flat_map(|at| cofactors(stack.matrix(at), stack.rows())).collect();
        rounded(result.dtype, &known(result)?, &values)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let (matrix, cofactors, along) = (at.operands[0], at.result, at.cotangent);
        let n = matrix.shape()[matrix.rank() - 1].known();
        match n {
            // The only cofactor of a number is 1.
            Some(0 | 1) => Partials::from_iter([Partial::Flat]),
            Some(n) if n <= SMALL => at.first(|| by_polynomial(matrix, along, n)),
            Some(n) if n <= LARGE => at.first(|| {
                let (determinant, is_regular) = regularity(matrix, cofactors);
                let divisor = is_regular.select(determinant, 1.0);
                let quotient = by_division(cofactors, along, divisor);
                per_matrix(is_regular).select(quotient, by_polynomial(matrix, along, n))
            }),
            _ => at.first(|| {
                let determinant = matrix.apply(Determinant { form: DeterminantForm::Value });
                by_division(cofactors, along, determinant)
            }),
        }
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// The determinant, and whether it is far from 0, measured by the sizes of the matrix and its cofactors.
fn regularity<'g>(matrix: Expr<'g>, cofactors: Expr<'g>) -> (Expr<'g>, Expr<'g>) {
    let determinant = matrix.apply(Determinant { form: DeterminantForm::Value });
    let size = |x: Expr<'g>| x.stop_gradient().square().sum_over([-2, -1]).sqrt();
    let n = matrix.size_like(matrix.shape()[matrix.rank() - 1].clone());
    let threshold = size(matrix) * size(cofactors) * NEAR_SINGULAR / n;
    (determinant, determinant.stop_gradient().abs().gt(threshold))
}

/// `(⟨C̄, C⟩ · C - C · C̄ᵀ · C) / det`.
fn by_division<'g>(cofactors: Expr<'g>, along: Expr<'g>, determinant: Expr<'g>) -> Expr<'g> {
    let inner = (along * cofactors).sum_over([-2, -1]);
    let product = cofactors.matmul(along.t()).matmul(cofactors);
    (per_matrix(inner) * cofactors - product) / per_matrix(determinant)
}

/// The derivative of the cofactors along a direction: the method of Faddeev and LeVerrier (Householder, "The theory of
/// matrices in numerical analysis", 1964, section 6.7), `M₁ = I`, `Mₖ₊₁ = A·Mₖ - tr(A·Mₖ)/k · I`, `adj A = (-1)ⁿ⁻¹ Mₙ`,
/// differentiated.
fn by_polynomial<'g>(matrix: Expr<'g>, along: Expr<'g>, n: usize) -> Expr<'g> {
    let identity = identity_like(matrix);
    let scaled_trace = |x: Expr<'g>, k: usize| {
        let trace = part(x, Part::Diagonal).sum_over([-2, -1]);
        per_matrix(trace / k as f64) * identity
    };
    let (mut term, mut slope) = (identity, matrix.zeros_like());
    for k in 1..n {
        let product = matrix.matmul(term);
        let moved = along.matmul(term) + matrix.matmul(slope);
        (term, slope) = (product - scaled_trace(product, k), moved - scaled_trace(moved, k));
    }
    if n.is_multiple_of(2) { -slope.t() } else { slope.t() }
}

/// The cofactors of one matrix by elimination with row and column exchanges, `P·A·Q = L·U`: those of a product are the product
/// of the cofactors, and those of `U` need no division by its last pivot, the one that is 0 for rank n - 1. With both
/// exchanges an earlier pivot is 0 only if all that is left is, for a rank below n - 1, and then all cofactors are 0.
fn cofactors(matrix: &[f64], n: usize) -> Vec<f64> {
    if n == 0 {
        return Vec::new();
    }
    let Some(Factors { lower_upper, rows, columns, is_odd }) = eliminate(matrix, n) else {
        return vec![0.0; n * n];
    };
    let upper = |row: usize, column: usize| lower_upper[row * n + column];
    // U = [U₁ u; 0 d], of adjugate |U₁| · [d·U₁⁻¹ -U₁⁻¹·u; 0 1].
    let (last, head) = (upper(n - 1, n - 1), n - 1);
    let determinant = (0..head).fold(if is_odd { -1.0 } else { 1.0 }, |product, k| product * upper(k, k));
    let mut adjugate = vec![0.0; n * n];
    adjugate[n * n - 1] = determinant;
    for column in 0..n {
        for row in (0..head.min(column + 1)).rev() {
            let wanted = match column == head {
                true => -determinant * upper(row, head),
                false if row == column => determinant * last,
                false => 0.0,
            };
            let known: f64 = (row + 1..head).map(|k| upper(row, k) * adjugate[k * n + column]).sum();
            adjugate[row * n + column] = (wanted - known) / upper(row, row);
        }
    }
    // Times L⁻¹ from the right, last column first.
    for column in (0..n).rev() {
        for k in column + 1..n {
            for row in 0..n {
                adjugate[row * n + column] -= adjugate[row * n + k] * lower_upper[k * n + column];
            }
        }
    }
    let mut cofactors = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            cofactors[rows[i] * n + columns[j]] = adjugate[j * n + i];
        }
    }
    cofactors
}

/// `P·A·Q = L·U`, `L` below the diagonal.
struct Factors {
    lower_upper: Vec<f64>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    is_odd: bool,
}

/// `None` where two or more pivots are 0.
fn eliminate(matrix: &[f64], n: usize) -> Option<Factors> {
    let mut a = matrix.to_vec();
    let (mut rows, mut columns): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (0..n).collect());
    let mut is_odd = false;
    for k in 0..n - 1 {
        let size = |a: &[f64], (row, column): (usize, usize)| {
            let size = a[row * n + column].abs();
            // A NaN is taken as soon as it is met, so that it reaches the result.
            if size.is_nan() { f64::INFINITY } else { size }
        };
        let mut pivot = (k, k);
        for row in k..n {
            for column in k..n {
                if size(&a, (row, column)) > size(&a, pivot) {
                    pivot = (row, column);
                }
            }
        }
        if a[pivot.0 * n + pivot.1] == 0.0 {
            return None;
        }
        (0..n).for_each(|column| a.swap(k * n + column, pivot.0 * n + column));
        (0..n).for_each(|row| a.swap(row * n + k, row * n + pivot.1));
        rows.swap(k, pivot.0);
        columns.swap(k, pivot.1);
        is_odd ^= (pivot.0 != k) != (pivot.1 != k);
        for row in k + 1..n {
            let factor = a[row * n + k] / a[k * n + k];
            a[row * n + k] = factor;
            for column in k + 1..n {
                a[row * n + column] -= factor * a[k * n + column];
            }
        }
    }
    Some(Factors { lower_upper: a, rows, columns, is_odd })
}
