//! Activation functions beyond the elementwise table.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::panic::Location;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::kinks::Kink;
use crate::shape::Shape;

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

    /// `max(x, 0) + min(alpha · (e^(x/alpha) - 1), 0)`, smooth for every `alpha` but 0 (Barron, "Continuously
    /// differentiable exponential linear units", 2017).
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn celu(self, alpha: f64) -> Expr<'g> {
        self.builder().derived("celu", Location::caller(), || {
            let positive = self.gt(0.0);
            let negative = positive.select(self.zeros_like(), self);
            positive.select(self, (negative / alpha).expm1() * alpha)
        })
    }

    /// `x` where it is positive, `w · x` elsewhere, with a slope per channel that is learned: `w` is `[channels]`, along
    /// axis 1 of this tensor, or one number. The derivative at 0 is `w` (He et al., "Delving deep into rectifiers", 2015).
    ///
    /// # Panics
    /// When the elements are not floats, `w` has more than one axis, or its size is neither 1 nor that of axis 1.
    #[must_use]
    #[track_caller]
    pub fn prelu(self, w: Expr<'g>) -> Expr<'g> {
        self.builder().derived("prelu", Location::caller(), || {
            let (shape, own) = (w.shape(), self.shape());
            let one = shape.iter().all(|dim| dim.is_one());
            if shape.rank() > 1 || !(one || own.rank() > 1 && own[1] == shape[0]) {
                let message = format!("the slope {} has neither one element nor one per channel", w.ty());
                self.refuse("prelu", Violation::new("C2", message).help("channels are axis 1"), &[w]);
            }
            let w = match one {
                true => w.reshape(Shape::scalar()),
                // Aligned at the end, so the axes behind the channels have to be there.
                false => w.reshape(
                    shape.iter().cloned().chain((2..own.rank()).map(|_| Dim::Known(1))).collect::<Shape>(),
                ),
            };
            let positive = self.gt(0.0);
            // An infinite x of the branch not taken would make the slope in w 0 · ∞.
            let negative = positive.select(self.zeros_like(), self);
            positive.select(self, negative * w)
        })
    }

    /// `u · sigmoid(v)`, where `u` and `v` are the halves of this tensor along `axis` (Dauphin et al., "Language modeling
    /// with gated convolutional networks", 2017).
    ///
    /// # Panics
    /// When the elements are not floats, there is no such axis, or its size is not known to be even.
    #[must_use]
    #[track_caller]
    pub fn glu(self, axis: i64) -> Expr<'g> {
        self.builder().derived("glu", Location::caller(), || {
            let size = self.shape()[self.axis("glu", axis)].clone();
            let Some(half) = size.known().filter(|size| size.is_multiple_of(2)).map(|size| size / 2) else {
                let message = format!("an axis of size {size} has no halves");
                self.refuse("glu", Violation::new("C3", message), &[])
            };
            self.slice(axis, 0..half) * self.slice(axis, half..2 * half).sigmoid()
        })
    }

    /// `x · Φ(x)` with the normal distribution's Φ, by the complementary error function, which keeps its digits in the
    /// negative tail (Hendrycks and Gimpel, "Gaussian error linear units", 2016). Below -10 in f32, where it is -8e-23, and
    /// below -36 in f64 it is constant: what is nearer to zero would be subnormal soon, and some processors take many times
    /// as long to multiply by that.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn gelu(self) -> Expr<'g> {
        self.builder().derived("gelu", Location::caller(), || {
            let x = self.clamp_min(if self.dtype() == DType::F32 { -10.0 } else { -36.0 });
            x * 0.5 * (x * -FRAC_1_SQRT_2).erfc()
        })
    }

    /// The approximation `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))` of [`gelu`](Expr::gelu), from the same paper. It is
    /// constant below -8 in f32, where it is -3e-21, and below -20 in f64, for the same reason.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn gelu_tanh(self) -> Expr<'g> {
        self.builder().derived("gelu_tanh", Location::caller(), || {
            let far = if self.dtype() == DType::F32 { 8.0 } else { 20.0 };
            let x = self.clamp_min(-far);
            // Above it the sigmoid is 1 to every digit; a cube that overflows would make its slope 0 · ∞.
            let limited = x.clamp_max(far);
            let inner = (limited + limited * limited * limited * 0.044715) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            // (1 + tanh u) / 2 is sigmoid(2u), which keeps its digits where 1 + tanh u cancels.
            x * (inner * 2.0).sigmoid()
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
        self.builder().derived("softsign", Location::caller(), || {
            let size = self.abs();
            let large = size.gt(1.0);
            let moderate = large.select(self.zeros_like(), self);
            // For large x the slope of the quotient is the difference of two nearly equal numbers.
            let tail = self.sign() * (1.0 - (size + 1.0).recip());
            large.select(tail, moderate / (moderate.abs() + 1.0))
        })
    }

    /// `x` limited to -1 … 1; the derivative at both ends is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_tanh(self) -> Expr<'g> {
        self.builder().derived("hard_tanh", Location::caller(), || self.limited(-1.0, 1.0))
    }

    /// `x` limited to `low` … `high`, with derivative 0 at both ends.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_tanh_between(self, low: f64, high: f64) -> Expr<'g> {
        self.builder().derived("hard_tanh", Location::caller(), || self.limited(low, high))
    }

    /// `x` limited to 0 … 6; the derivative at both ends is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn relu6(self) -> Expr<'g> {
        self.builder().derived("relu6", Location::caller(), || self.limited(0.0, 6.0))
    }

    /// `x/6 + 1/2` limited to 0 … 1; the derivative at both ends, -3 and 3, is 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn hard_sigmoid(self) -> Expr<'g> {
        self.builder().derived("hard_sigmoid", Location::caller(), || (self / 6.0 + 0.5).limited(0.0, 1.0))
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

    /// `log(1 + e^(beta · x)) / beta`, without overflow: `relu` with a corner of radius about `1 / beta`.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn softplus_beta(self, beta: f64) -> Expr<'g> {
        self.builder().derived("softplus_beta", Location::caller(), || (self * beta).softplus() / beta)
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

    /// `x` limited to `low` … `high`, with what [`Kink::Joint`] says at both ends.
    #[track_caller]
    fn limited(self, low: f64, high: f64) -> Expr<'g> {
        let kinks = self.builder().kinks();
        let limited = self.clamp(low, high);
        if kinks.at(Kink::Joint) == kinks.at(Kink::Bound) {
            return limited;
        }
        let inside = match kinks.slope(Kink::Joint) {
            1.0 => self.ge(low).and(self.le(high)),
            _ => self.gt(low).and(self.lt(high)),
        };
        inside.select(self, limited.stop_gradient())
    }
}
