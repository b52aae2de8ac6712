//! Linear algebra beyond its primitives. The last two axes are the matrix, the axes before them count matrices.

use std::panic::Location;

use crate::error::Violation;
use crate::expr::Expr;
use crate::op::linalg::{Part, identity_like, part};
use crate::op::{Cholesky, Determinant, DeterminantForm, Solve, TriangularSolve};
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// `X` with `A · X = b`, for this stack of square matrices `A`, `[…, n, n]`. A vector `b` of shape `[n]` gives vectors
    /// `[…, n]`; else `b` is `[…, n, k]`, with a column per right-hand side, and the axes before the matrices broadcast.
    ///
    /// A singular matrix is an error when the graph runs.
    ///
    /// # Panics
    /// When the matrices are not square, the shapes do not fit, or the elements are not of one float type.
    #[must_use]
    #[track_caller]
    pub fn solve(self, b: Expr<'g>) -> Expr<'g> {
        self.builder().derived("solve", Location::caller(), || {
            self.with_right_hand_side("solve", b, |matrix, right| matrix.apply_to(Solve, &[right]))
        })
    }

    /// [`solve`](Expr::solve) with one triangle of this stack of matrices, such as a [Cholesky](Expr::cholesky) factor:
    /// `l.triangular_solve(b, TriangularSolve::lower())`. The other triangle is not read. `X · M = B` is the transpose of
    /// `Mᵀ · Xᵀ = Bᵀ`.
    ///
    /// A zero on the diagonal is an error when the graph runs.
    ///
    /// # Panics
    /// As [`solve`](Expr::solve).
    #[must_use]
    #[track_caller]
    pub fn triangular_solve(self, b: Expr<'g>, options: TriangularSolve) -> Expr<'g> {
        self.builder().derived("triangular_solve", Location::caller(), || {
            let name = "triangular_solve";
            self.with_right_hand_side(name, b, |matrix, right| matrix.apply_to(options, &[right]))
        })
    }

    /// The inverse of each matrix. A singular one is an error when the graph runs.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn inverse(self) -> Expr<'g> {
        self.expect_square("inverse");
        self.builder().derived("inverse", Location::caller(), || self.apply_to(Solve, &[identity_like(self)]))
    }

    /// The determinant of each matrix: `[…, n, n]` becomes `[…]`. The gradient exists for singular matrices too.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn det(self) -> Expr<'g> {
        self.apply(Determinant { form: DeterminantForm::Value })
    }

    /// The sign of the determinant of each matrix, and the logarithm of its absolute value, which does not overflow: 0 and -∞
    /// for a singular matrix, where the gradient is an error when the graph runs. No gradient passes through the sign.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn slogdet(self) -> (Expr<'g>, Expr<'g>) {
        let told = |form| self.apply(Determinant { form });
        (told(DeterminantForm::Sign), told(DeterminantForm::LogAbs))
    }

    /// The logarithm of the determinant of each matrix: -∞ where it is 0, NaN where it is negative.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn logdet(self) -> Expr<'g> {
        self.builder().derived("logdet", Location::caller(), || {
            let (sign, log) = self.slogdet();
            sign.lt(0.0).select(log.full_like(f64::NAN), log)
        })
    }

    /// The lower triangular `L` with `L · Lᵀ = A`, for each matrix. Of a matrix that is not symmetric, that of its symmetric
    /// part; the gradient is symmetric. One that is not positive definite is an error when the graph runs.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn cholesky(self) -> Expr<'g> {
        self.apply(Cholesky)
    }

    /// The sum of the diagonal of each matrix: `[…, n, n]` becomes `[…]`. The matrices need not be square.
    ///
    /// # Panics
    /// When there are fewer than two axes, or the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn trace(self) -> Expr<'g> {
        self.builder().derived("trace", Location::caller(), || part(self, Part::Diagonal).sum_over([-2, -1]))
    }

    /// The `power`-th power of each matrix, by repeated squaring; the inverse's for a negative one.
    ///
    /// # Panics
    /// When the matrices are not square, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn matrix_power(self, power: i32) -> Expr<'g> {
        self.expect_square("matrix_power");
        self.builder().derived("matrix_power", Location::caller(), || {
            let mut square = if power < 0 { self.inverse() } else { self };
            let (mut rest, mut product) = (power.unsigned_abs(), None);
            while rest > 0 {
                if rest % 2 == 1 {
                    product = Some(product.map_or(square, |product: Expr<'g>| product.matmul(square)));
                }
                rest /= 2;
                if rest > 0 {
                    square = square.matmul(square);
                }
            }
            product.unwrap_or_else(|| identity_like(self))
        })
    }

    #[track_caller]
    fn expect_square(self, op: &str) {
        let (rank, shape) = (self.rank(), self.shape());
        if rank < 2 || shape[rank - 2] != shape[rank - 1] || !self.dtype().is_float() {
            let message = format!("takes square matrices […, n, n] of floats, got {}", self.ty());
            self.refuse(op, Violation::new("C2", message), &[]);
        }
    }

    /// Applies `rule` to this stack and the right-hand sides, both repeated to one stack.
    #[track_caller]
    fn with_right_hand_side(
        self,
        op: &str,
        b: Expr<'g>,
        rule: impl FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>,
    ) -> Expr<'g> {
        self.expect_square(op);
        let (own, is_vector) = (self.shape(), b.rank() == 1);
        let right = if is_vector { b.expand_dims(-1) } else { b };
        let rank = right.rank();
        let stack = |shape: &Shape| shape.iter().take(shape.rank() - 2).cloned().collect::<Shape>();
        let common = (rank >= 2).then(|| stack(&own).broadcast(&stack(&right.shape()))).flatten();
        let Some(common) = common else {
            let message = format!("{} does not fit the matrices {}", b.ty(), self.ty());
            self.refuse(op, Violation::new("C4", message).help("takes [n] or […, n, k]"), &[b])
        };
        let solved = rule(self.broadcast_stack(&common), right.broadcast_stack(&common));
        if is_vector { solved.squeeze(-1) } else { solved }
    }
}
