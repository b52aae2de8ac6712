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
            // (1 + tanh u) / 2 is sigmoid(2u), which keeps its digits where 1 + tanh u cancels.
            self * (inner * 2.0).sigmoid()
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

    /// `x · tanh(softplus(x))` (Misra, "Mish: a self regularized non-monotonic activation function", 2020).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn mish(self) -> Expr<'g> {
        self.builder().derived("mish", Location::caller(), || self * self.softplus().tanh())
    }

    /// [`elu`](Expr::elu) with the scale and the slope that keep mean 0 and variance 1 from layer to layer (Klambauer et
    /// al., "Self-normalizing neural networks", 2017); the derivative at 0 is that of the left side.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn selu(self) -> Expr<'g> {
        const ALPHA: f64 = 1.673_263_242_354_377_3;
        const SCALE: f64 = 1.050_700_987_355_480_5;
        self.builder().derived("selu", Location::caller(), || self.elu(ALPHA) * SCALE)
    }

    /// `x / (1 + |x|)`; the derivative at 0 is 1.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn softsign(self) -> Expr<'g> {
        self.builder().derived("softsign", Location::caller(), || self / (self.abs() + 1.0))
    }

    /// `x` limited to -1 … 1; the derivative at both ends is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_tanh(self) -> Expr<'g> {
        self.builder().derived("hard_tanh", Location::caller(), || self.clamp(-1.0, 1.0))
    }

    /// `x` limited to 0 … 6; the derivative at both ends is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn relu6(self) -> Expr<'g> {
        self.builder().derived("relu6", Location::caller(), || self.clamp(0.0, 6.0))
    }

    /// `x/6 + 1/2` limited to 0 … 1; the derivative at both ends, -3 and 3, is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_sigmoid(self) -> Expr<'g> {
        self.builder().derived("hard_sigmoid", Location::caller(), || (self / 6.0 + 0.5).clamp(0.0, 1.0))
    }

    /// `x · hard_sigmoid(x)` (Howard et al., "Searching for MobileNetV3", 2019); the derivative is 0 at -3 and 1 at 3, the
    /// lesser of both sides.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_swish(self) -> Expr<'g> {
        self.builder().derived("hard_swish", Location::caller(), || self * self.hard_sigmoid())
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
