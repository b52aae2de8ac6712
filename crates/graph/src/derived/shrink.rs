//! Functions that are 0, or a fixed value, around 0.

use std::panic::Location;

use crate::expr::Expr;

impl<'g> Expr<'g> {
    /// `x - tanh(x)`.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn tanhshrink(self) -> Expr<'g> {
        self.builder().derived("tanhshrink", Location::caller(), || self - self.tanh())
    }

    /// `x` moved towards 0 by `by`, and 0 where it is nearer than that; the derivative at `±by` is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn soft_shrink(self, by: f64) -> Expr<'g> {
        self.builder().derived("soft_shrink", Location::caller(), || {
            self.abs().le(by).select(self.zeros_like(), self - self.sign() * by)
        })
    }

    /// `x` where `|x|` is above `bound`, else 0; the derivative at `±bound` is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_shrink(self, bound: f64) -> Expr<'g> {
        self.builder().derived("hard_shrink", Location::caller(), || {
            self.abs().le(bound).select(self.zeros_like(), self)
        })
    }

    /// `x` where it is above `bound`, else `value`; the derivative at `bound` is 0.
    ///
    /// # Panics
    /// When the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, bound: f64, value: f64) -> Expr<'g> {
        self.builder()
            .derived("threshold", Location::caller(), || self.le(bound).select(self.full_like(value), self))
    }
}
