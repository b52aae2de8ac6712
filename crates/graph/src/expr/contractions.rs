//! Products that sum over axes.

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::DotGeneral;
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// The product that contracts the last axis of this tensor with the second to last of `other` (its only one, if it
    /// is a vector), as `numpy.dot`. The remaining axes of both are joined: `[…, k] · [k, n] = […, n]`.
    ///
    /// # Panics
    /// When a side is a scalar, the contracted sizes differ, or no side is of a float type.
    #[must_use]
    #[track_caller]
    pub fn dot(self, other: Expr<'g>) -> Expr<'g> {
        let (left, right) = (self.rank(), other.rank());
        if left == 0 || right == 0 {
            let message = format!("takes […, k] and [k] or […, k, n], got {} and {}", self.ty(), other.ty());
            self.refuse("dot", Violation::new("C2", message).help("`*` multiplies by a number"), &[other]);
        }
        let (a, b) = self.promoted_with(other);
        a.apply_to(DotGeneral::new([], [], [left - 1], [right.saturating_sub(2)]), &[b])
    }

    /// The matrix product of stacks of matrices, by NumPy's rules: the last two axes multiply, the axes before them
    /// broadcast; a vector on the left is a row, on the right a column, and that axis is left out of the result. A product
    /// over no elements is 0.
    ///
    /// # Panics
    /// When a side is a scalar, the contracted sizes differ, the stacks do not broadcast, or no side is of a float type.
    #[must_use]
    #[track_caller]
    pub fn matmul(self, other: Expr<'g>) -> Expr<'g> {
        let (left, right) = (self.rank(), other.rank());
        if left == 0 || right == 0 {
            let message = format!("takes tensors of at least one axis, got {} and {}", self.ty(), other.ty());
            self.refuse("matmul", Violation::new("C2", message), &[other]);
        }
        if right <= 2 {
            return self.dot(other);
        }
        let (a, b) = self.promoted_with(other);
        a.matmul_stacks(b)
    }

    /// The matrix product with a stack of one type.
    #[track_caller]
    fn matmul_stacks(self, other: Expr<'g>) -> Expr<'g> {
        let (left, right) = (self.rank(), other.rank());
        if left == 1 {
            return self.expand_dims(0).matmul(other).squeeze(-2);
        }
        let stack = |expr: Expr<'g>| expr.shape().iter().take(expr.rank() - 2).cloned().collect::<Shape>();
        let (own, others) = (stack(self), stack(other));
        let Some(common) = own.broadcast(&others) else {
            let message = format!("stacks of matrices do not broadcast: {} and {}", self.ty(), other.ty());
            self.refuse("matmul", Violation::new("C2", message), &[other])
        };
        // One matrix for a whole stack is not repeated: the stack's axes are free ones of the other side.
        if others.iter().all(Dim::is_one) {
            let matrix: Shape = other.shape().iter().skip(right - 2).cloned().collect();
            let product = self.dot(other.reshape(matrix));
            let matrix = product.shape();
            return product.reshape(common.iter().chain(&matrix[left - 2..]).cloned().collect::<Shape>());
        }
        if own.iter().all(Dim::is_one) {
            let matrix: Shape = self.shape().iter().skip(left - 2).cloned().collect();
            let product = self.reshape(matrix).apply_to(DotGeneral::new([], [], [1], [right - 2]), &[other]);
            let order: Vec<usize> = (1..right - 1).chain([0, right - 1]).collect();
            let product = product.permute(order);
            let matrix = product.shape();
            return product.reshape(common.iter().chain(&matrix[right - 2..]).cloned().collect::<Shape>());
        }
        let (a, b) = (self.broadcast_stack(&common), other.broadcast_stack(&common));
        let rank = a.rank();
        let batch: Vec<usize> = (0..rank - 2).collect();
        a.apply_to(DotGeneral::new(batch.clone(), batch, [rank - 1], [rank - 2]), &[b])
    }

    /// `x · weightᵀ + bias`, for a weight `[out, in]` and a bias `[out]`: `[…, in]` becomes `[…, out]`.
    ///
    /// # Panics
    /// When the sizes or the element types do not fit.
    #[must_use]
    #[track_caller]
    pub fn linear(self, weight: Expr<'g>, bias: Option<Expr<'g>>) -> Expr<'g> {
        let rank = self.rank();
        let bias_fits = |bias: &Expr<'g>| bias.rank() == 1 && weight.shape().first() == bias.shape().first();
        if rank == 0 || weight.rank() != 2 || !bias.iter().all(bias_fits) {
            let others: Vec<Expr<'g>> = std::iter::once(weight).chain(bias).collect();
            let message = format!("takes […, in], a weight [out, in] and a bias [out], got {}", self.ty());
            self.refuse("linear", Violation::new("C2", message), &others);
        }
        let (inputs, own) = (self.shape(), weight.shape());
        if inputs[rank - 1] != own[1] {
            let message =
                format!("takes […, in] and a weight [out, in], got {} and {}", self.ty(), weight.ty());
            let help = match inputs[rank - 1] == own[0] {
                true => "a weight is [out, in]: turn one that is [in, out] with `t`, or multiply by `dot`",
                false => "the last axes of both have one size",
            };
            self.refuse("linear", Violation::new("C5", message).help(help), &[weight]);
        }
        let product = self.apply_to(DotGeneral::new([], [], [rank - 1], [1]), &[weight]);
        bias.map_or(product, |bias| product + bias)
    }

    /// The product of every element with every element of `other`: `[…a] ⊗ […b] = […a, …b]`.
    ///
    /// # Panics
    /// When both are of type bool.
    #[must_use]
    #[track_caller]
    pub fn outer(self, other: Expr<'g>) -> Expr<'g> {
        let ones = std::iter::repeat_n(Dim::Known(1), other.rank());
        let column = self.reshape(self.shape().iter().cloned().chain(ones).collect::<Shape>());
        column * other
    }

    /// This stack of matrices repeated to a stack of shape `common`.
    #[track_caller]
    pub(crate) fn broadcast_stack(self, common: &Shape) -> Expr<'g> {
        let own = self.shape();
        self.broadcast_to(common.iter().chain(&own[own.rank() - 2..]).cloned().collect::<Shape>())
    }
}
