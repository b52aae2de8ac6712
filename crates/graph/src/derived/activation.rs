//! Activation functions beyond the elementwise table.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::panic::Location;

use crate::expr::Expr;

impl<'g> Expr<'g> {
    /// `x` where it is positive, `slope · x` elsewhere; the derivative at 0 is `slope`.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Expr<'g> {
        self.builder().derived("leaky_relu", Location::caller(), || self.gt(0.0).select(self, self * slope))
    }

    /// `x` where it is positive, `alpha · (e^x - 1)` elsewhere; the derivative at 0 is `alpha` (Clevert et al., "Fast and
    /// accurate deep network learning by exponential linear units", 2016).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn elu(self, alpha: f64) -> Expr<'g> {
        self.builder().derived("elu", Location::caller(), || {
            let positive = self.gt(0.0);
            // The branch that is not taken must not overflow, or its gradient would be 0 · ∞.
            let negative = positive.select(self.zeros_like(), self);
            positive.select(self, negative.expm1() * alpha)
        })
    }

    /// `x · Φ(x)` with the normal distribution's Φ, by the complementary error function, which keeps its digits in the
    /// negative tail (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn gelu(self) -> Expr<'g> {
        self.builder().derived("gelu", Location::caller(), || self * 0.5 * (self * -FRAC_1_SQRT_2).erfc())
    }

    /// The approximation `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))` of [`gelu`](Expr::gelu), from the same paper.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn gelu_tanh(self) -> Expr<'g> {
        self.builder().derived("gelu_tanh", Location::caller(), || {
            let inner = (self + self * self * self * 0.044715) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            self * 0.5 * (inner.tanh() + 1.0)
        })
    }

    /// `x · sigmoid(x)`, also called swish (Elfwing et al., 2018).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn silu(self) -> Expr<'g> {
        self.builder().derived("silu", Location::caller(), || self * self.sigmoid())
    }

    /// `log(sigmoid(x))`, without overflow.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn log_sigmoid(self) -> Expr<'g> {
        self.builder().derived("log_sigmoid", Location::caller(), || -(-self).softplus())
    }
}
