//! Products that sum over axes.

use crate::error::Violation;
use crate::expr::Expr;
use crate::op::DotGeneral;
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// The product that contracts the last axis of this tensor with the second to last of `other` (its only one, if it
    /// is a vector). The remaining axes of both are joined: `[…, k] · [k, n] = […, n]`.
    ///
    /// # Panics
    /// When the contracted sizes or the element types differ, or `other` has more than two axes (see
    /// [`matmul`](Expr::matmul)).
    #[must_use]
    #[track_caller]
    pub fn dot(self, other: Expr<'g>) -> Expr<'g> {
        let (left, right) = (self.rank(), other.rank());
        if left == 0 || right == 0 || right > 2 {
            let message = format!("takes […, k] and [k] or [k, n], got {} and {}", self.ty(), other.ty());
            self.refuse(
                "dot",
                Violation::new("C2", message).help("`matmul` multiplies stacks of matrices"),
                &[other],
            );
        }
        self.apply_to(DotGeneral::new([], [], [left - 1], [0]), &[other])
    }

    /// The matrix product of stacks of matrices, by NumPy's rules: the last two axes multiply, the axes before them
    /// broadcast; a vector on the left is a row, on the right a column.
    ///
    /// # Panics
    /// When the contracted sizes or the element types differ, or the stacks do not broadcast.
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
        if left == 1 {
            return self.expand_dims(0).matmul(other).squeeze(-2);
        }
        let stack = |expr: Expr<'g>| expr.shape().iter().take(expr.rank() - 2).cloned().collect::<Shape>();
        let Some(common) = stack(self).broadcast(&stack(other)) else {
            let message = format!("stacks of matrices do not broadcast: {} and {}", self.ty(), other.ty());
            self.refuse("matmul", Violation::new("C2", message), &[other])
        };
        let (a, b) = (self.broadcast_stack(&common), other.broadcast_stack(&common));
        let rank = a.rank();
        let batch: Vec<usize> = (0..rank - 2).collect();
        a.apply_to(DotGeneral::new(batch.clone(), batch, [rank - 1], [rank - 2]), &[b])
    }

    /// This stack of matrices repeated to a stack of shape `common`.
    #[track_caller]
    fn broadcast_stack(self, common: &Shape) -> Expr<'g> {
        let own = self.shape();
        self.broadcast_to(common.iter().chain(&own[own.rank() - 2..]).cloned().collect::<Shape>())
    }
}
