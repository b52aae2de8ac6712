//! What the ops on matrices share: checks of their operands, elimination, and the matrices that gradients are made of.

use crate::dim::Dim;
use crate::dtype::Element;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::sample::{Choices, Domain, OperandSample};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use crate::{DType, dispatch_float};

/// C2: at least two axes, the last two of one size.
pub(super) fn expect_square(ty: &TensorType) -> Result<(), Violation> {
    let rank = ty.rank();
    if rank < 2 || ty.shape[rank - 2] != ty.shape[rank - 1] {
        let message = format!("takes square matrices […, n, n], got {ty}");
        return Err(Violation::new("C2", message));
    }
    Ok(())
}

/// C3: floating-point elements.
pub(super) fn expect_float(ty: &TensorType) -> Result<(), Violation> {
    if ty.dtype.is_float() {
        return Ok(());
    }
    let message = format!("takes floating-point elements, got {ty}");
    Err(Violation::new("C3", message).help("convert with `cast`"))
}

/// C4 of an op that solves: as many right-hand sides, each with a row per row of its matrix, of one element type.
pub(super) fn expect_right_hand_side(matrix: &TensorType, right: &TensorType) -> Result<(), Violation> {
    let rank = matrix.rank();
    let fits = right.rank() == rank && matrix.shape[..rank - 1] == right.shape[..rank - 1];
    if !fits || matrix.dtype != right.dtype {
        let message =
            format!("the right-hand side of {matrix} is […, n, k] with the same […, n], got {right}");
        return Err(Violation::new("C4", message).help("`Expr::solve` broadcasts stacks and takes vectors"));
    }
    Ok(())
}

/// The matrices of a stack: how many, and the elements of each.
pub(super) struct Stack {
    values: Vec<f64>,
    len: usize,
    rows: usize,
    columns: usize,
}

impl Stack {
    pub(super) fn of(tensor: &Tensor) -> Stack {
        let (stack, matrix) = tensor.sizes().split_at(tensor.sizes().len() - 2);
        let (rows, columns) = (matrix[0], matrix[1]);
        Stack { values: tensor.to_f64_vec(), len: stack.iter().product(), rows, columns }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The elements of matrix `at`, row by row.
    pub(super) fn matrix(&self, at: usize) -> &[f64] {
        let size = self.rows * self.columns;
        &self.values[at * size..(at + 1) * size]
    }

    /// Matrix `at` as messages name it.
    pub(super) fn name(&self, at: usize) -> String {
        if self.len == 1 { "the matrix".into() } else { format!("matrix {at} of the stack") }
    }
}

/// The doubles rounded to the result's type.
pub(super) fn rounded(dtype: DType, sizes: &[usize], values: &[f64]) -> Result<Tensor, String> {
    dispatch_float!(dtype, T => {
        Ok(Tensor::from_fn(sizes, |i| <T as Element>::from_f64(values[i])))
    }, else Err("takes floating-point elements".into()))
}

/// `P · A = L · U` by elimination with row exchanges (Golub and Van Loan, "Matrix computations", algorithm 3.4.1).
pub(super) struct Elimination {
    n: usize,
    /// `L` below the diagonal, `U` on and above it.
    factors: Vec<f64>,
    /// Row `i` of `P · A` is row `rows[i]` of `A`.
    rows: Vec<usize>,
    /// Whether the number of exchanges is odd.
    pub(super) is_odd: bool,
}

impl Elimination {
    pub(super) fn of(matrix: &[f64], n: usize) -> Elimination {
        let (mut factors, mut rows) = (matrix.to_vec(), (0..n).collect::<Vec<usize>>());
        let mut is_odd = false;
        for k in 0..n {
            let mut pivot = k;
            for row in k + 1..n {
                // A NaN is taken as soon as it is met, so that it reaches the result.
                let (new, best) = (factors[row * n + k].abs(), factors[pivot * n + k].abs());
                if new > best || (new.is_nan() && !best.is_nan()) {
                    pivot = row;
                }
            }
            if pivot != k {
                (0..n).for_each(|column| factors.swap(k * n + column, pivot * n + column));
                rows.swap(k, pivot);
                is_odd = !is_odd;
            }
            let divisor = factors[k * n + k];
            if divisor == 0.0 {
                continue;
            }
            for row in k + 1..n {
                let factor = factors[row * n + k] / divisor;
                factors[row * n + k] = factor;
                for column in k + 1..n {
                    factors[row * n + column] -= factor * factors[k * n + column];
                }
            }
        }
        Elimination { n, factors, rows, is_odd }
    }

    /// The diagonal of `U`.
    pub(super) fn pivots(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.n).map(|k| self.factors[k * self.n + k])
    }

    /// `A⁻¹ · right`, where no pivot is 0.
    pub(super) fn solve(&self, right: &[f64], columns: usize) -> Vec<f64> {
        let n = self.n;
        let mut x: Vec<f64> =
            self.rows.iter().flat_map(|row| &right[row * columns..(row + 1) * columns]).copied().collect();
        for row in 0..n {
            for k in 0..row {
                for column in 0..columns {
                    x[row * columns + column] -= self.factors[row * n + k] * x[k * columns + column];
                }
            }
        }
        for row in (0..n).rev() {
            for column in 0..columns {
                let mut sum = x[row * columns + column];
                for k in row + 1..n {
                    sum -= self.factors[row * n + k] * x[k * columns + column];
                }
                x[row * columns + column] = sum / self.factors[row * n + row];
            }
        }
        x
    }
}

/// A part of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Diagonal,
    Lower,
    Upper,
    StrictlyLower,
    StrictlyUpper,
}

/// This part of each matrix, with zeros elsewhere, whatever stands there.
pub(crate) fn part<'g>(matrix: Expr<'g>, part: Part) -> Expr<'g> {
    let (rows, columns) = (matrix.iota_like(-2), matrix.iota_like(-1));
    let inside = match part {
        Part::Diagonal => rows.eq(columns),
        Part::Lower => rows.ge(columns),
        Part::Upper => rows.le(columns),
        Part::StrictlyLower => rows.gt(columns),
        Part::StrictlyUpper => rows.lt(columns),
    };
    inside.select(matrix, 0.0)
}

/// The identity for each matrix of a stack.
pub(crate) fn identity_like(matrix: Expr<'_>) -> Expr<'_> {
    part(matrix.ones_like(), Part::Diagonal)
}

/// A number per matrix, as a stack of matrices of one element that broadcast.
pub(super) fn per_matrix(numbers: Expr<'_>) -> Expr<'_> {
    numbers.expand_dims(-1).expand_dims(-1)
}

/// Sample matrices `[…, n, n]` that are far from singular, `n` up to 4.
pub(super) fn sample_matrices(choices: &mut Choices) -> OperandSample {
    let n = Dim::Known((choices.below(6) + 1) % 6 % 5);
    let stack = (0..choices.below(3)).map(|_| Dim::Known(choices.below(3)));
    let mut shape: Vec<Dim> = stack.collect();
    shape.extend([n.clone(), n]);
    OperandSample { ty: TensorType::new(DType::F64, Shape::from(shape)), domain: Domain::Dominant }
}

/// A right-hand side for these matrices.
pub(super) fn sample_right_hand_side(matrices: &OperandSample, choices: &mut Choices) -> OperandSample {
    let shape = &matrices.ty.shape;
    OperandSample::any(matrices.ty.with_shape(shape.with(shape.rank() - 1, choices.below(4).into())))
}
