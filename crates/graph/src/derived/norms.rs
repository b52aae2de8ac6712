//! Lengths by other norms than the Euclidean one.

use std::panic::Location;

use crate::error::Violation;
use crate::expr::{Axes, Expr};

impl<'g> Expr<'g> {
    /// The p-norm `(Σ |x|^p)^(1/p)` along `axes`, which disappear, without overflow: for `p` ∞ the largest magnitude, for -∞
    /// the smallest, for 0 the number of elements that are not 0.
    ///
    /// Elements of 0 have gradient 0, the least of the subgradients where there are several; equal largest magnitudes share
    /// it evenly. A norm with negative `p` is 0 where an element is, and so is its gradient.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F64, [2]);
    /// let graph = b.finish([("one", x.p_norm_over(1.0, 0)), ("most", x.p_norm_over(f64::INFINITY, 0))])?;
    /// let values = interpret(&graph, [("x", &Tensor::vector([3.0, -4.0]))])?;
    /// assert_eq!(values.output("one")?.item(), Some(7.0));
    /// assert_eq!(values.output("most")?.item(), Some(4.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, `p` is NaN, the elements are not floats, or for infinite and negative `p` there are known
    /// to be none.
    #[must_use]
    #[track_caller]
    pub fn p_norm_over(self, p: f64, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("p_norm", Location::caller(), || {
            if p.is_nan() || !self.dtype().is_float() {
                let message = format!("takes floats and a number p, got {} and {p}", self.ty());
                self.refuse("p_norm", Violation::new("C3", message), &[]);
            }
            match p {
                0.0 => self.sign().abs().sum_over(axes),
                1.0 => self.abs().sum_over(axes),
                2.0 => self.norm_over(axes),
                f64::INFINITY => self.abs().max_over(axes),
                f64::NEG_INFINITY => self.abs().min_over(axes),
                _ => self.scaled_norm(p, axes),
            }
        })
    }

    /// `scale · (Σ |x / scale|^p)^(1/p)`, which does not depend on the scale: that is the magnitude that counts most, so
    /// that no power leaves the range of numbers.
    fn scaled_norm(self, p: f64, axes: Axes) -> Expr<'g> {
        let magnitude = self.abs();
        let fixed = magnitude.stop_gradient();
        let scale = if p > 0.0 { fixed.largest_or_zero(axes.clone()) } else { fixed.min_over(axes.clone()) };
        let is_zero = scale.eq(0.0);
        let usable = scale.is_finite().and(is_zero.not());
        let divisor = usable.select(scale, scale.ones_like());
        // Where an element is 0 the slope of its power may be infinite: it is not computed there.
        let present = magnitude.ne(0.0);
        let ratio = present.select(magnitude, 1.0) / divisor.keep_dims(self, axes.clone());
        let sum = present.select(ratio.pow(p), 0.0).sum_over(axes);
        let root = is_zero.select(sum.ones_like(), sum).pow(1.0 / p) * divisor;
        is_zero.select(root.zeros_like(), root)
    }

    /// The largest of magnitudes, 0 for none of them.
    pub(crate) fn largest_or_zero(self, axes: Axes) -> Expr<'g> {
        let shape = self.shape();
        let positions = self.axes_in_order("norm", axes.clone());
        // A zero more along axes that have, or may turn out to have, no elements.
        let may_be_empty =
            |axis| positions.contains(&axis) && shape[axis].known().is_none_or(|size| size == 0);
        let pads: Vec<(usize, usize)> =
            (0..shape.rank()).map(|axis| (0, may_be_empty(axis).into())).collect();
        let filled = if pads.iter().all(|(_, high)| *high == 0) { self } else { self.pad(pads, 0.0) };
        filled.max_over(axes)
    }
}
