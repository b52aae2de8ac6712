//! Short formulas with a name, and limits.

use std::f64::consts::LN_2;
use std::panic::Location;

use crate::expr::{Expr, IntoOperand};

impl<'g> Expr<'g> {
    /// `a + w · (b - a)`: `a` for `w = 0`, `b` for `w = 1`. The three broadcast as in NumPy.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn lerp(self, b: impl IntoOperand<'g>, w: impl IntoOperand<'g>) -> Expr<'g> {
        let (b, w) = (b.into_operand(self), w.into_operand(self));
        self.builder().derived("lerp", Location::caller(), || self + w * (b - self))
    }

    /// The elements, at least `low`; see [`clamp`](Expr::clamp) for the gradient at the bound.
    ///
    /// # Panics
    /// When the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn clamp_min(self, low: f64) -> Expr<'g> {
        self.clamp(low, f64::INFINITY)
    }

    /// The elements, at most `high`; see [`clamp`](Expr::clamp) for the gradient at the bound.
    ///
    /// # Panics
    /// When the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn clamp_max(self, high: f64) -> Expr<'g> {
        self.clamp(f64::NEG_INFINITY, high)
    }

    /// `value` where `mask` holds, else this tensor's elements, which get no gradient where they are replaced.
    ///
    /// # Panics
    /// When `mask` is not of type bool, or the shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn masked_fill(self, mask: Expr<'g>, value: impl IntoOperand<'g>) -> Expr<'g> {
        let value = value.into_operand(self);
        self.builder().derived("masked_fill", Location::caller(), || mask.select(value, self))
    }

    /// `log(1 - e^x)` for `x < 0`, without cancellation on either side (Mächler, "Accurately computing log(1 − exp(−|a|))",
    /// 2012).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn log1mexp(self) -> Expr<'g> {
        self.builder().derived("log1mexp", Location::caller(), || {
            let near_zero = self.gt(-LN_2);
            // Each branch gets an argument that is ordinary where it is not taken.
            let near = near_zero.select(self, self.full_like(-LN_2));
            let far = near_zero.select(self.full_like(-LN_2), self);
            near_zero.select((-near.expm1()).log(), (-far.exp()).log1p())
        })
    }
}
