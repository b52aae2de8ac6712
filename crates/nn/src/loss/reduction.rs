//! How the losses of elements become the loss of a batch.

use pullback_graph::Expr;

/// What becomes of the losses of single elements or examples.
///
/// ```
/// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
/// use pullback_nn::{Reduction, mse};
/// let b = Builder::new();
/// let [x, t] = ["x", "t"].map(|name| b.input(name, F64, [2, 2]));
/// let graph = b.finish([
///     ("mean", mse(x, t, Reduction::Mean)),
///     ("batch", mse(x, t, Reduction::BatchMean)),
/// ])?;
/// let feeds = [("x", &Tensor::of([2, 2], [1.0, 1.0, 3.0, 3.0])), ("t", &Tensor::of([2, 2], [0.0; 4]))];
/// let values = interpret(&graph, feeds)?;
/// assert_eq!(values.output("mean")?.item(), Some(5.0));
/// assert_eq!(values.output("batch")?.item(), Some(10.0));
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// They stay as they are.
    None,
    /// Their mean; NaN if there are none. Losses with weights are divided by the sum of the weights.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum, divided by the size of the first axis; a scalar has none.
    BatchMean,
}

impl Reduction {
    /// The losses put together: a scalar, but for [`None`](Reduction::None).
    ///
    /// # Panics
    /// When the losses are not of floating point, or a scalar that has no batch to divide by.
    #[must_use]
    #[track_caller]
    pub fn apply<'g>(self, losses: Expr<'g>) -> Expr<'g> {
        match self {
            Reduction::None => losses,
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::BatchMean => losses.mean_over(0).sum(),
        }
    }

    /// As [`apply`](Reduction::apply) for losses that contain `weights` as factors already: their mean is over the weights,
    /// and `empty` where these come to 0.
    #[track_caller]
    pub(super) fn apply_weighted<'g>(
        self,
        losses: Expr<'g>,
        weights: Option<Expr<'g>>,
        empty: f64,
    ) -> Expr<'g> {
        let (Reduction::Mean, Some(weights)) = (self, weights) else { return self.apply(losses) };
        let total = weights.sum();
        // Selected before the quotient: nothing counts then, and 0 is the gradient whatever `empty` is.
        let none = total.eq(0.0);
        none.select(total.full_like(empty), losses.sum() / none.select(total.ones_like(), total))
    }
}

/// `weight · value`, and 0 where an infinite value has no weight.
#[track_caller]
pub(super) fn weighted<'g>(weight: Expr<'g>, value: Expr<'g>) -> Expr<'g> {
    // Selected before the product: 0 · ∞ would be NaN, in the value and in the slope.
    let void = weight.eq(0.0).and(value.is_infinite());
    weight * void.select(value.zeros_like(), value)
}
