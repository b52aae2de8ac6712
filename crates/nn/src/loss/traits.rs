//! What a loss is, and the checks that losses share.

use std::fmt;
use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept};
use crate::loss::reduction::Reduction;

/// A measure of how far predictions are from targets, to be made small.
pub trait Loss: fmt::Debug + Send + Sync {
    /// The name in messages, such as `mean_squared_error`.
    fn name(&self) -> &'static str;

    /// Checks that predictions and targets of these types go together, and that the loss's own numbers have meaning.
    ///
    /// # Errors
    /// [`NnError`] that says what is expected.
    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError>;

    /// The loss of each element or example, not yet averaged.
    ///
    /// # Panics
    /// When [`check`](Loss::check) fails.
    #[track_caller]
    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g>;

    /// The loss of a batch: [`elements`](Loss::elements) put together by `reduction`, in a box that has the loss's name.
    ///
    /// # Panics
    /// When [`check`](Loss::check) fails.
    #[track_caller]
    fn reduced<'g>(&self, prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
        accept(self.check(&prediction.ty(), &target.ty()));
        prediction
            .builder()
            .derived(self.name(), Location::caller(), || reduction.apply(self.elements(prediction, target)))
    }

    /// The loss that training makes small: a scalar, the [mean](Reduction::Mean). NaN for an empty batch.
    ///
    /// # Panics
    /// When [`check`](Loss::check) fails.
    #[track_caller]
    fn loss<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        self.reduced(prediction, target, Reduction::Mean)
    }
}

impl<L: Loss + ?Sized> Loss for Box<L> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        (**self).check(prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        (**self).elements(prediction, target)
    }

    fn reduced<'g>(&self, prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
        (**self).reduced(prediction, target, reduction)
    }

    fn loss<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        (**self).loss(prediction, target)
    }
}

/// Stops at the caller's line unless the loss takes the two.
#[track_caller]
pub(super) fn expect(loss: &impl Loss, prediction: Expr<'_>, target: Expr<'_>) {
    accept(loss.check(&prediction.ty(), &target.ty()));
}

/// Predictions of floating point.
pub(crate) fn expect_float(by: &str, prediction: &TensorType) -> Result<(), NnError> {
    match prediction.dtype.is_float() {
        true => Ok(()),
        false => Err(NnError::input(by, format!("takes floating-point predictions, got {prediction}"))),
    }
}

/// Operands of one shape, of which the first is of floating point.
pub(super) fn expect_one_shape<'g>(by: &str, operands: &[Expr<'g>]) -> Result<(), NnError> {
    let types: Vec<TensorType> = operands.iter().map(|operand| operand.ty()).collect();
    types[1..].iter().try_for_each(|other| expect_same_shape(by, &types[0], other))
}

/// One target per element. Shapes that would broadcast are refused: `[n]` against `[n, 1]` makes `n²` differences.
pub(crate) fn expect_same_shape(
    by: &str,
    prediction: &TensorType,
    target: &TensorType,
) -> Result<(), NnError> {
    expect_float(by, prediction)?;
    if prediction.shape == target.shape {
        return Ok(());
    }
    let message = format!("one target per prediction: got {prediction} and {target}");
    let error = NnError::input(by, message);
    match prediction.rank().abs_diff(target.rank()) {
        1 => Err(error.help("`expand_dims(-1)` or `squeeze(-1)` makes [n, 1] of [n] and back")),
        _ => Err(error),
    }
}
