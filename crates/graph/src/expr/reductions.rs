//! Methods that combine elements along axes.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{ArgMax, ArgMin, Op, OpRules, Reduce, ReduceKind};

/// A choice of axes: `0`, `-1`, `[0, 2]` or [`Axes::All`]. Negative ones count from the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Every axis.
    All,
    /// These.
    Some(Vec<i64>),
}

impl From<i64> for Axes {
    fn from(axis: i64) -> Self {
        Axes::Some(vec![axis])
    }
}

impl<const N: usize> From<[i64; N]> for Axes {
    fn from(axes: [i64; N]) -> Self {
        Axes::Some(axes.into())
    }
}

impl From<&[i64]> for Axes {
    fn from(axes: &[i64]) -> Self {
        Axes::Some(axes.into())
    }
}

impl From<Vec<usize>> for Axes {
    fn from(axes: Vec<usize>) -> Self {
        Axes::Some(axes.into_iter().map(|axis| axis as i64).collect())
    }
}

impl<'g> Expr<'g> {
    /// The position of an axis that may be counted from the end.
    #[track_caller]
    pub(crate) fn axis(self, op: &str, axis: i64) -> usize {
        let rank = self.rank() as i64;
        let at = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&at) {
            return at as usize;
        }
        let message = format!("axis {axis} is out of range for {}", self.ty());
        self.refuse(op, Violation::new("C2", message).help("axes count from 0, or from -1 at the end"), &[])
    }

    /// The positions of axes, in the order given.
    #[track_caller]
    pub(crate) fn axes_in_order(self, op: &str, axes: Axes) -> Vec<usize> {
        match axes {
            Axes::All => (0..self.rank()).collect(),
            Axes::Some(axes) => {
                let mut positions = Vec::with_capacity(axes.len());
                for axis in axes {
                    positions.push(self.axis(op, axis));
                }
                positions
            }
        }
    }

    #[track_caller]
    fn reduce(self, kind: ReduceKind, axes: Axes) -> Expr<'g> {
        let mut axes = self.axes_in_order("reduce", axes);
        axes.sort_unstable();
        let is_empty = axes.is_empty();
        let op = Op::from(Reduce { kind, axes: axes.into_iter().collect() });
        match op.infer(&[&self.ty()]) {
            // Over no axes every element is combined with nothing.
            Ok(_) if is_empty => self,
            _ => self.apply(op),
        }
    }

    /// Puts axes that a reduction has removed back with size 1, so that the result broadcasts against `like`.
    #[must_use]
    #[track_caller]
    pub fn keep_dims(self, like: Expr<'g>, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = like.axes_in_order("reshape", axes.into());
        let mut shape = like.shape();
        for axis in axes {
            shape = shape.with(axis, Dim::Known(1));
        }
        self.reshape(shape)
    }

    /// The sum of all elements.
    #[must_use]
    #[track_caller]
    pub fn sum(self) -> Expr<'g> {
        self.sum_over(Axes::All)
    }

    /// Sums along `axes`, which disappear.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn sum_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.reduce(ReduceKind::Sum, axes.into())
    }

    /// The product of all elements; 1 if there are none. Its gradient is right at zeros.
    ///
    /// # Panics
    /// When the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn prod(self) -> Expr<'g> {
        self.prod_over(Axes::All)
    }

    /// Products along `axes`, which disappear.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn prod_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.reduce(ReduceKind::Prod, axes.into())
    }

    /// Whether any truth value holds along `axes`, which disappear; false if there are none.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not truth values.
    #[must_use]
    #[track_caller]
    pub fn any_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.expect_truth("any");
        self.reduce(ReduceKind::Max, axes.into())
    }

    /// Whether all truth values hold along `axes`, which disappear; true if there are none.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not truth values.
    #[must_use]
    #[track_caller]
    pub fn all_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.expect_truth("all");
        self.reduce(ReduceKind::Min, axes.into())
    }

    #[track_caller]
    fn expect_truth(self, op: &str) {
        if self.dtype() != DType::Bool {
            let message = format!("takes truth values, got {}", self.ty());
            self.refuse(op, Violation::new("C3", message).help("compare first, as with `ne`"), &[]);
        }
    }

    /// The mean of all elements; NaN if there are none.
    #[must_use]
    #[track_caller]
    pub fn mean(self) -> Expr<'g> {
        self.mean_over(Axes::All)
    }

    /// Means along `axes`, which disappear.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn mean_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        if !self.dtype().is_float() {
            let message = format!("takes floating-point elements, got {}", self.ty());
            self.refuse("mean", Violation::new("C3", message).help("convert with `cast`"), &[]);
        }
        let own = self.shape();
        let positions = self.axes_in_order("reduce", axes.clone());
        let count = positions.iter().map(|axis| &own[*axis]).product::<Dim>();
        let sum = self.sum_over(axes);
        sum / sum.size_like(count)
    }

    /// The largest element; NaN if there is one. Equal ones share the gradient evenly.
    #[must_use]
    #[track_caller]
    pub fn max(self) -> Expr<'g> {
        self.max_over(Axes::All)
    }

    /// The largest elements along `axes`, which disappear.
    ///
    /// # Panics
    /// When there is no such axis, or one of them is known to have no elements.
    #[must_use]
    #[track_caller]
    pub fn max_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.reduce(ReduceKind::Max, axes.into())
    }

    /// The smallest element; NaN if there is one. Equal ones share the gradient evenly.
    #[must_use]
    #[track_caller]
    pub fn min(self) -> Expr<'g> {
        self.min_over(Axes::All)
    }

    /// The smallest elements along `axes`, which disappear.
    ///
    /// # Panics
    /// When there is no such axis, or one of them is known to have no elements.
    #[must_use]
    #[track_caller]
    pub fn min_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        self.reduce(ReduceKind::Min, axes.into())
    }

    /// The positions of the largest elements along `axis` (the first of equal ones), of type i64.
    ///
    /// # Panics
    /// When there is no such axis, or it is known to have no elements.
    #[must_use]
    #[track_caller]
    pub fn argmax(self, axis: i64) -> Expr<'g> {
        let axis = self.axis("argmax", axis);
        self.apply(ArgMax { axis })
    }

    /// The positions of the smallest elements along `axis` (the first of equal ones), of type i64.
    ///
    /// # Panics
    /// When there is no such axis, or it is known to have no elements.
    #[must_use]
    #[track_caller]
    pub fn argmin(self, axis: i64) -> Expr<'g> {
        let axis = self.axis("argmin", axis);
        self.apply(ArgMin { axis })
    }
}
