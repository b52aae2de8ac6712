//! Spread and length along axes.

use std::panic::Location;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::{Axes, Expr};
use crate::kinks::{Kink, Subgradient};

impl<'g> Expr<'g> {
    /// `Σ (x - mean)² / (n - ddof)` along `axes`, which disappear: the population's variance for `ddof` 0, the unbiased
    /// estimate for 1.
    ///
    /// # Panics
    /// When there is no such axis, the elements are not floats, or there are known to be too few of them. Too few that are
    /// counted only when sizes are bound are an error then.
    #[must_use]
    #[track_caller]
    pub fn var_over(self, axes: impl Into<Axes>, ddof: usize) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("var", Location::caller(), || {
            let freedom = self.degrees_of_freedom("var", axes.clone(), ddof);
            let centered = self - self.mean_over(axes.clone()).keep_dims(self, axes.clone());
            centered.square().sum_over(axes) / freedom
        })
    }

    /// `n - ddof` for the number of elements along `axes`, which must be positive.
    fn degrees_of_freedom(self, op: &str, axes: Axes, ddof: usize) -> Expr<'g> {
        if !self.dtype().is_float() {
            let message = format!("takes floating-point elements, got {}", self.ty());
            self.refuse(op, Violation::new("C3", message).help("convert with `cast`"), &[]);
        }
        let shape = self.shape();
        let positions = self.axes_in_order(op, axes);
        let count = positions.iter().map(|axis| &shape[*axis]).product::<Dim>();
        match count.known() {
            Some(known) if known <= ddof => {
                let message = format!("the variance of {known} elements with ddof {ddof} is not defined");
                self.refuse(op, Violation::new("C3", message), &[]);
            }
            Some(known) => self.size_like(Dim::Known(known - ddof)),
            // A size cannot be negative: written in this way, too few elements are found out when sizes are bound.
            None => self.size_like(count - Dim::Known(ddof.saturating_add(1))) + 1.0,
        }
    }

    /// The root of [`var_over`](Expr::var_over). Where the variance is 0, so is the gradient
    /// ([`Kink::Norm`](crate::Kink::Norm)).
    ///
    /// # Panics
    /// As [`var_over`](Expr::var_over).
    #[must_use]
    #[track_caller]
    pub fn std_over(self, axes: impl Into<Axes>, ddof: usize) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("std", Location::caller(), || {
            let freedom = self.degrees_of_freedom("std", axes.clone(), ddof);
            // A spread does not depend on where it is measured from: from an element itself, equal ones have none at all,
            // where their mean would be rounded.
            let origin = self.stop_gradient().max_over(axes.clone()).keep_dims(self, axes.clone());
            let from_origin = self - origin;
            let centered = from_origin - from_origin.mean_over(axes.clone()).keep_dims(self, axes.clone());
            centered.norm_over(axes) / freedom.sqrt()
        })
    }

    /// The Euclidean norm `√Σ x²` along `axes`, which disappear, without overflow or underflow of the squares. The gradient
    /// of a zero vector is 0 ([`Kink::Norm`](crate::Kink::Norm)).
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn norm_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("norm", Location::caller(), || {
            let scale = self.square_scale(axes.clone());
            let scaled = self / scale.keep_dims(self, axes.clone());
            scaled.square().sum_over(axes).flat_sqrt() * scale
        })
    }

    /// The Euclidean norm of all elements.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn norm(self) -> Expr<'g> {
        self.norm_over(Axes::All)
    }

    /// Numbers, one per lane along `axes`, by which elements may be divided so that their squares stay in the range of
    /// numbers: the largest magnitude of the lane where that is extreme, else 1. No gradient passes: results that divide and
    /// multiply by it do not depend on it.
    #[track_caller]
    pub(crate) fn square_scale(self, axes: Axes) -> Expr<'g> {
        // Far enough from the square roots of the largest and of the smallest number to add up many squares.
        let (tiny, huge) = if self.dtype() == DType::F32 { (1e-15, 1e15) } else { (1e-140, 1e140) };
        let largest = self.stop_gradient().abs().largest_or_zero(axes);
        let extreme =
            largest.lt(tiny).and(largest.gt(0.0)).or(largest.gt(huge).and(largest.lt(f64::INFINITY)));
        extreme.select(largest, largest.ones_like())
    }

    /// The square root of numbers that are sums of squares: where one is 0 the gradient is 0, the least of the subgradients,
    /// unless [`Kink::Norm`] says otherwise.
    pub(crate) fn flat_sqrt(self) -> Expr<'g> {
        if self.builder().kinks().at(Kink::Norm) == Subgradient::Formula {
            return self.sqrt();
        }
        let zero = self.eq(0.0);
        zero.select(self.zeros_like(), zero.select(self.ones_like(), self).sqrt())
    }
}
