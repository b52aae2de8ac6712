//! Normalizations: mean 0 and variance 1, or length 1, along some axes.
//!
//! Variances are taken of centered elements, so that a large mean costs no digits. Where all elements are equal, `eps` keeps
//! values and all derivatives finite. Derivatives of every order follow from the sums that these are made of.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::{Axes, Expr};
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// `(x - mean) / √(variance + eps) · weight + bias`, with the mean and the population's variance of the `trailing` last
    /// axes, whose shape weight and bias have (Ba et al., "Layer normalization", 2016).
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F32};
    /// let b = Builder::new();
    /// let (x, w) = (b.input("x", F32, [8, 5, 16]), b.input("w", F32, [16]));
    /// assert_eq!(x.layer_norm(1, Some(w), None, 1e-5).ty(), x.ty());
    /// ```
    ///
    /// # Panics
    /// When there are fewer axes, the elements are not floats, or weight or bias do not have those axes.
    #[must_use]
    #[track_caller]
    pub fn layer_norm(
        self,
        trailing: usize,
        weight: Option<Expr<'g>>,
        bias: Option<Expr<'g>>,
        eps: f64,
    ) -> Expr<'g> {
        let axes = self.trailing("layer_norm", trailing, &[weight, bias]);
        self.builder()
            .derived("layer_norm", Location::caller(), || scaled(self.standardized(axes, eps), weight, bias))
    }

    /// `x / √(mean of x² + eps) · weight`, with the mean of the `trailing` last axes, whose shape the weight has (Zhang and
    /// Sennrich, "Root mean square layer normalization", 2019).
    ///
    /// # Panics
    /// When there are fewer axes, the elements are not floats, or the weight does not have those axes.
    #[must_use]
    #[track_caller]
    pub fn rms_norm(self, trailing: usize, weight: Option<Expr<'g>>, eps: f64) -> Expr<'g> {
        let axes = self.trailing("rms_norm", trailing, &[weight]);
        self.builder().derived("rms_norm", Location::caller(), || {
            let mean = self.square().mean_over(axes.clone());
            scaled(self * (mean + eps).rsqrt().keep_dims(self, axes), weight, None)
        })
    }

    /// Channels, which are axis 1, in `groups` of neighbours; every example's group has mean 0 and variance 1, and is then
    /// scaled and shifted per channel (Wu and He, "Group normalization", 2018).
    ///
    /// # Panics
    /// When there are fewer than two axes, the groups do not divide the channels, the elements are not floats, or weight or
    /// bias are not one number per channel.
    #[must_use]
    #[track_caller]
    pub fn group_norm(
        self,
        groups: usize,
        weight: Option<Expr<'g>>,
        bias: Option<Expr<'g>>,
        eps: f64,
    ) -> Expr<'g> {
        self.expect_channels("group_norm", 2, &[weight, bias]);
        let shape = self.shape();
        let Some(size) = shape[1].exact_div(&Dim::Known(groups)) else {
            let message = format!("{groups} groups do not divide the {} channels of {}", shape[1], self.ty());
            self.refuse("group_norm", Violation::new("C4", message), &[])
        };
        self.builder().derived("group_norm", Location::caller(), || {
            let parts = [shape[0].clone(), Dim::Known(groups), size];
            let grouped = self.reshape(parts.iter().chain(&shape[2..]).cloned().collect::<Shape>());
            let axes: Vec<usize> = (2..grouped.rank()).collect();
            let standard = grouped.standardized(axes.into(), eps).reshape(&shape);
            scaled(standard, self.per_channel(weight), self.per_channel(bias))
        })
    }

    /// Every example's channel has mean 0 and variance 1, and is then scaled and shifted per channel; channels are axis 1
    /// (Ulyanov et al., "Instance normalization", 2016).
    ///
    /// # Panics
    /// When there are fewer than three axes, the elements are not floats, or weight or bias are not one number per channel.
    #[must_use]
    #[track_caller]
    pub fn instance_norm(self, weight: Option<Expr<'g>>, bias: Option<Expr<'g>>, eps: f64) -> Expr<'g> {
        self.expect_channels("instance_norm", 3, &[weight, bias]);
        self.builder().derived("instance_norm", Location::caller(), || {
            let axes: Vec<usize> = (2..self.rank()).collect();
            scaled(self.standardized(axes.into(), eps), self.per_channel(weight), self.per_channel(bias))
        })
    }

    /// Every channel, which is axis 1, has mean 0 and variance 1 in this batch, and is then scaled and shifted (Ioffe and
    /// Szegedy, "Batch normalization", 2015).
    ///
    /// Returns the result, the new running mean and the new running variance: `(1 - momentum) · running + momentum · batch`,
    /// with the unbiased estimate of the variance, which for a single element per channel is taken as 0. No gradient passes
    /// through the running values.
    ///
    /// # Panics
    /// When there are fewer than two axes, the elements are not floats, or weight, bias or a running value are not one number
    /// per channel.
    #[must_use]
    #[track_caller]
    pub fn batch_norm_train(
        self,
        weight: Option<Expr<'g>>,
        bias: Option<Expr<'g>>,
        running: (Expr<'g>, Expr<'g>),
        momentum: f64,
        eps: f64,
    ) -> (Expr<'g>, Expr<'g>, Expr<'g>) {
        self.expect_channels("batch_norm_train", 2, &[weight, bias, Some(running.0), Some(running.1)]);
        self.builder().derived("batch_norm_train", Location::caller(), || {
            let shape = self.shape();
            let positions: Vec<usize> = (0..self.rank()).filter(|axis| *axis != 1).collect();
            let count = positions.iter().map(|axis| &shape[*axis]).product::<Dim>();
            let axes = Axes::from(positions);
            let mean = self.mean_over(axes.clone());
            let centered = self - mean.keep_dims(self, axes.clone());
            let variance = centered.square().mean_over(axes.clone());
            let standard = centered * (variance + eps).rsqrt().keep_dims(self, axes);
            let output = scaled(standard, self.per_channel(weight), self.per_channel(bias));

            let count = self.size_like(count);
            let unbiased = variance * (count / (count - 1.0).maximum(1.0));
            let updated = |old: Expr<'g>, new: Expr<'g>| {
                old.stop_gradient() * (1.0 - momentum) + new.stop_gradient() * momentum
            };
            (output, updated(running.0, mean), updated(running.1, unbiased))
        })
    }

    /// [Batch normalization](Expr::batch_norm_train) by a mean and a variance that are given, one number per channel.
    ///
    /// # Panics
    /// As [`batch_norm_train`](Expr::batch_norm_train).
    #[must_use]
    #[track_caller]
    pub fn batch_norm_eval(
        self,
        weight: Option<Expr<'g>>,
        bias: Option<Expr<'g>>,
        running: (Expr<'g>, Expr<'g>),
        eps: f64,
    ) -> Expr<'g> {
        self.expect_channels("batch_norm_eval", 2, &[weight, bias, Some(running.0), Some(running.1)]);
        self.builder().derived("batch_norm_eval", Location::caller(), || {
            let column = |x: Expr<'g>| self.as_channels(x);
            let standard = (self - column(running.0)) * column((running.1 + eps).rsqrt());
            scaled(standard, self.per_channel(weight), self.per_channel(bias))
        })
    }

    /// `x / max(|x|, eps)` with the Euclidean length along `axes`. The length of a zero vector counts as constant, so its
    /// gradient is `ȳ / eps`.
    ///
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn l2_normalize(self, axes: impl Into<Axes>, eps: f64) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("l2_normalize", Location::caller(), || {
            let length = self.norm_over(axes.clone());
            // Selected, not limited: where the bound holds, no gradient passes through the length.
            let bounded = length.gt(eps).select(length, eps);
            self / bounded.keep_dims(self, axes)
        })
    }

    /// The cosine of the angle between vectors along `axis`: `Σ a·b / (max(|a|, eps) · max(|b|, eps))`. Both sides broadcast to
    /// one shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast, there is no such axis, or the elements are not of one float type.
    #[must_use]
    #[track_caller]
    pub fn cosine_similarity(self, other: Expr<'g>, axis: i64, eps: f64) -> Expr<'g> {
        self.builder().derived("cosine_similarity", Location::caller(), || {
            let Some(common) = self.shape().broadcast(&other.shape()) else {
                let message = format!("shapes do not broadcast: {} and {}", self.ty(), other.ty());
                self.refuse("cosine_similarity", Violation::new("C2", message), &[other])
            };
            let (a, b) = (self.broadcast_to(&common), other.broadcast_to(&common));
            (a.l2_normalize(axis, eps) * b.l2_normalize(axis, eps)).sum_over(axis)
        })
    }

    /// Mean 0 and variance 1 along `axes`, up to `eps`.
    fn standardized(self, axes: Axes, eps: f64) -> Expr<'g> {
        let centered = self - self.mean_over(axes.clone()).keep_dims(self, axes.clone());
        let variance = centered.square().mean_over(axes.clone());
        centered * (variance + eps).rsqrt().keep_dims(self, axes)
    }

    /// The last axes, `count` of them; `parameters` must have their shape.
    #[track_caller]
    fn trailing(self, op: &str, count: usize, parameters: &[Option<Expr<'g>>]) -> Axes {
        let (rank, shape) = (self.rank(), self.shape());
        let Some(first) = rank.checked_sub(count) else {
            let message = format!("{} has fewer than {count} axes", self.ty());
            self.refuse(op, Violation::new("C2", message), &[])
        };
        let own: Shape = shape[first..].iter().cloned().collect();
        if let Some(other) = parameters.iter().flatten().find(|parameter| parameter.shape() != own) {
            let message =
                format!("weight and bias have the shape of the last axes, {own}, got {}", other.ty());
            self.refuse(op, Violation::new("C3", message), &[*other]);
        }
        Axes::from((first..rank).collect::<Vec<usize>>())
    }

    /// At least `rank` axes, and parameters of one number per channel.
    #[track_caller]
    fn expect_channels(self, op: &str, rank: usize, parameters: &[Option<Expr<'g>>]) {
        if self.rank() < rank {
            let message = format!("takes [batch, channels, …] of at least {rank} axes, got {}", self.ty());
            self.refuse(op, Violation::new("C2", message), &[]);
        }
        let own = Shape::from([self.shape()[1].clone()]);
        if let Some(other) = parameters.iter().flatten().find(|parameter| parameter.shape() != own) {
            let message = format!("takes one number per channel, {own}, got {}", other.ty());
            self.refuse(op, Violation::new("C3", message), &[*other]);
        }
    }

    /// One number per channel, in a shape that broadcasts against this tensor.
    fn as_channels(self, numbers: Expr<'g>) -> Expr<'g> {
        let ones = std::iter::repeat_n(Dim::Known(1), self.rank() - 2);
        numbers.reshape(numbers.shape().iter().cloned().chain(ones).collect::<Shape>())
    }

    fn per_channel(self, numbers: Option<Expr<'g>>) -> Option<Expr<'g>> {
        numbers.map(|numbers| self.as_channels(numbers))
    }
}

/// `x · weight + bias`, where they are given.
fn scaled<'g>(x: Expr<'g>, weight: Option<Expr<'g>>, bias: Option<Expr<'g>>) -> Expr<'g> {
    let x = weight.map_or(x, |weight| x * weight);
    bias.map_or(x, |bias| x + bias)
}
