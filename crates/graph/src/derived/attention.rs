//! Attention.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::shape::Shape;

/// How [attention](Expr::attention) weighs.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionOptions<'g> {
    /// Which keys a query may attend to: truth values that broadcast to `[…, queries, keys]`.
    pub mask: Option<Expr<'g>>,
    /// Whether query `i` attends to keys `0..=i` only.
    pub causal: bool,
    /// What products of queries and keys are multiplied by; `1/√depth` if it is not given.
    pub scale: Option<f64>,
}

impl<'g> AttentionOptions<'g> {
    /// Lets queries attend where `mask` holds.
    #[must_use]
    pub fn mask(self, mask: Expr<'g>) -> Self {
        AttentionOptions { mask: Some(mask), ..self }
    }

    /// Lets query `i` attend to keys `0..=i` only.
    #[must_use]
    pub fn causal(self, causal: bool) -> Self {
        AttentionOptions { causal, ..self }
    }

    /// Multiplies products of queries and keys by `scale`.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        AttentionOptions { scale: Some(scale), ..self }
    }
}

impl<'g> Expr<'g> {
    /// `softmax(scale · q · kᵀ) · v`: for each of these queries `[…, L, D]`, the mean of values `[…, S, E]` weighed by how well
    /// their keys `[…, S, D]` fit (Vaswani et al., "Attention is all you need", 2017). The axes before the last two broadcast.
    ///
    /// A query that may attend to no key gives 0, with gradient 0.
    ///
    /// ```
    /// use pullback_graph::{AttentionOptions, Builder, DType::F32};
    /// let b = Builder::new();
    /// let (q, k) = (b.input("q", F32, [2, 8, 5, 16]), b.input("k", F32, [2, 8, 7, 16]));
    /// let y = q.attention(k, k, &AttentionOptions::default().causal(true));
    /// assert_eq!(y.ty().to_string(), "f32[2, 8, 5, 16]");
    /// ```
    ///
    /// # Panics
    /// When a side has fewer than two axes, sizes do not fit, the elements are not of one float type, or the mask is not of
    /// type bool or does not broadcast.
    #[must_use]
    #[track_caller]
    pub fn attention(self, keys: Expr<'g>, values: Expr<'g>, options: &AttentionOptions<'g>) -> Expr<'g> {
        let ranks = [self.rank(), keys.rank(), values.rank()];
        let last = |expr: Expr<'g>, from_end: usize| expr.shape()[expr.rank() - from_end].clone();
        let fits = ranks.iter().all(|rank| *rank >= 2)
            && last(self, 1) == last(keys, 1)
            && last(keys, 2) == last(values, 2);
        if !fits {
            let types = [self.ty(), keys.ty(), values.ty()];
            let message = format!(
                "takes […, L, D], […, S, D] and […, S, E], got {}, {} and {}",
                types[0], types[1], types[2]
            );
            self.refuse("attention", Violation::new("C2", message), &[keys, values]);
        }
        self.builder().derived("attention", Location::caller(), || {
            let scaled = match options.scale {
                Some(scale) => self * scale,
                None => self * self.size_like(last(self, 1)).maximum(1.0).rsqrt(),
            };
            let scores = scaled.matmul(keys.t());
            let causal = options.causal.then(|| scores.positions(-2).ge(scores.positions(-1)));
            let mask = match (options.mask, causal) {
                (Some(mask), Some(causal)) => Some(mask.and(causal)),
                (mask, causal) => mask.or(causal),
            };
            let weights = match mask {
                None => scores.softmax(-1),
                Some(mask) => {
                    let Some(common) = scores.shape().broadcast(&mask.shape()) else {
                        let message = format!("the mask {} does not fit {}", mask.ty(), scores.ty());
                        self.refuse("attention", Violation::new("C3", message), &[mask])
                    };
                    scores.broadcast_to(&common).masked_softmax(mask.broadcast_to(&common), -1)
                }
            };
            weights.matmul(values)
        })
    }

    /// The last axis cut into `heads` parts, in order, which become an axis of their own: `[…, L, D]` becomes
    /// `[…, heads, L, D / heads]`.
    ///
    /// # Panics
    /// When there are fewer than two axes, or the heads do not divide the last one.
    #[must_use]
    #[track_caller]
    pub fn split_heads(self, heads: usize) -> Expr<'g> {
        let (rank, shape) = (self.rank(), self.shape());
        let depth = shape.last().filter(|_| rank >= 2).and_then(|size| size.exact_div(&Dim::Known(heads)));
        let Some(depth) = depth else {
            let message = format!("{heads} heads do not divide the last axis of {}", self.ty());
            self.refuse("split_heads", Violation::new("C2", message), &[])
        };
        self.builder().derived("split_heads", Location::caller(), || {
            let cut: Shape = shape[..rank - 1].iter().cloned().chain([heads.into(), depth]).collect();
            self.reshape(cut).move_axis(-2, -3)
        })
    }

    /// Undoes [`split_heads`](Expr::split_heads): `[…, heads, L, E]` becomes `[…, L, heads · E]`.
    ///
    /// # Panics
    /// When there are fewer than three axes.
    #[must_use]
    #[track_caller]
    pub fn merge_heads(self) -> Expr<'g> {
        let rank = self.rank();
        if rank < 3 {
            let message = format!("takes […, heads, L, E], got {}", self.ty());
            self.refuse("merge_heads", Violation::new("C2", message), &[]);
        }
        self.builder().derived("merge_heads", Location::caller(), || self.move_axis(-3, -2).flatten(rank - 2))
    }
}
