//! Softmax and what is built on the sum of exponentials.
//!
//! A sum of exponentials of which the largest is 1 has an ordinary inverse: one division for each sum, and no division for
//! each element.

use std::panic::Location;

use crate::derived::custom_vjp::{CustomSite, with_rule};
use crate::expr::{Axes, Expr};
use crate::kinks::{Kink, Subgradient};

impl<'g> Expr<'g> {
    /// `log Σ e^x` along `axes`, which disappear, without overflow. For no element above -∞ it is -∞, with gradient 0
    /// ([`Kink::Logsumexp`](crate::Kink::Logsumexp)); elements of +∞ make it +∞, and share the gradient evenly.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn logsumexp(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("logsumexp", Location::caller(), || {
            // The elements of +∞ in the end decide alone; until then they are ordinary ones, so that nothing becomes NaN.
            let infinite = self.eq(f64::INFINITY);
            let ordinary = infinite.select(self.zeros_like(), self);
            let largest = ordinary.largest(axes.clone());
            let sum = (ordinary - largest.keep_dims(self, axes.clone())).exp().sum_over(axes.clone());
            let logarithm = match self.builder().kinks().at(Kink::Logsumexp) {
                Subgradient::Formula => sum.log() + largest,
                _ => {
                    let empty = sum.eq(0.0);
                    let log = empty.select(sum.ones_like(), sum).log() + largest;
                    empty.select(sum.full_like(f64::NEG_INFINITY), log)
                }
            };
            // The mean of the infinite elements: +∞, with a slope of one k-th for each of k.
            let count = infinite.cast(self.dtype()).sum_over(axes.clone());
            let any = count.gt(0.0).and(sum.is_nan().not());
            let mean = infinite.select(self, 0.0).sum_over(axes) / any.select(count, count.ones_like());
            any.select(mean, logarithm)
        })
    }

    /// `y = e^x / Σ e^x` along `axis`, without overflow. A row of nothing but -∞ has no softmax: it is NaN.
    ///
    /// The cotangent of `x` is `y · (ȳ - Σ ȳ · y)`.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn softmax(self, axis: i64) -> Expr<'g> {
        self.builder().derived("softmax", Location::caller(), || {
            let exp = (self - self.largest(axis.into()).keep_dims(self, axis)).exp();
            let softmax = exp * exp.sum_over(axis).recip().keep_dims(self, axis);
            with_rule("softmax", [self], softmax, Location::caller(), |at| [slope(at, axis)])
        })
    }

    /// [`softmax`](Expr::softmax) over the elements that `mask` lets through, and 0 for the others, whatever they hold. A
    /// row that is masked altogether is 0, and so is its gradient.
    ///
    /// # Panics
    /// When there is no such axis, the elements are not floats, or `mask` is not of type bool and this shape.
    #[must_use]
    #[track_caller]
    pub fn masked_softmax(self, mask: Expr<'g>, axis: i64) -> Expr<'g> {
        self.builder().derived("masked_softmax", Location::caller(), || {
            let largest = mask.select(self, f64::NEG_INFINITY).largest(axis.into()).keep_dims(self, axis);
            // Selected before and after, and in the slope: what is masked may hold NaN.
            let shifted = mask.select(self - largest, 0.0);
            let exp = mask.select(shifted.exp(), 0.0);
            let sum = exp.sum_over(axis);
            let softmax = exp * sum.eq(0.0).select(sum.ones_like(), sum).recip().keep_dims(self, axis);
            with_rule("masked_softmax", [self, mask], softmax, Location::caller(), |at| {
                let mask = at.operands[1];
                [mask.select(slope(at, axis), 0.0), mask]
            })
        })
    }

    /// `x - log Σ e^x` along `axis`, without overflow. A row of nothing but -∞ has no softmax: it is NaN.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn log_softmax(self, axis: i64) -> Expr<'g> {
        self.builder().derived("log_softmax", Location::caller(), || {
            let shifted = self - self.largest(axis.into()).keep_dims(self, axis);
            shifted - shifted.exp().sum_over(axis).log().keep_dims(self, axis)
        })
    }

    /// The largest finite element along `axes`, as a number that is subtracted and added back: no gradient passes, since
    /// the result does not depend on it. 0 where there is no finite one.
    #[track_caller]
    fn largest(self, axes: Axes) -> Expr<'g> {
        let largest = self.stop_gradient().max_over(axes);
        largest.is_finite().select(largest, largest.zeros_like())
    }
}

/// The cotangent of what a softmax is of: `y · (ȳ - Σ ȳ · y)`.
///
/// It reads the softmax alone. The rule that follows from what the softmax is made of reads its exponentials as well, which
/// would be kept for nothing else: in attention, as many numbers as there are weights.
#[track_caller]
fn slope<'r, const N: usize>(at: CustomSite<'r, N>, axis: i64) -> Expr<'r> {
    let mean = (at.cotangent * at.result).sum_over(axis).keep_dims(at.result, axis);
    at.result * (at.cotangent - mean)
}
