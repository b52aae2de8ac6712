//! Metrics: what a step reports beside the loss, computed in the graph.
//!
//! Each is the mean over the examples of a batch, so batches of different sizes are averaged by their sizes.

use std::fmt;
use std::panic::Location;

use pullback_graph::{Expr, TensorType};

use crate::error::{NnError, accept};
use crate::loss::{Loss, MeanAbsoluteError, MeanSquaredError, expect_labels, expect_same_shape};

/// A number to watch. It is not differentiated.
pub trait Metric: fmt::Debug + Send + Sync {
    /// The name under which a step reports it.
    fn name(&self) -> String;

    /// Checks that predictions and targets of these types go together.
    ///
    /// # Errors
    /// [`NnError`] that says what is expected.
    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError>;

    /// The mean over a batch: a scalar of the predictions' element type.
    ///
    /// # Panics
    /// When [`check`](Metric::check) fails.
    #[track_caller]
    fn value<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g>;
}

impl<M: Metric + ?Sized> Metric for Box<M> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        (**self).check(prediction, target)
    }

    fn value<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        (**self).value(prediction, target)
    }
}

/// The part of the rows whose largest prediction is at the right class; of equal ones, the first counts.
///
/// Prediction: `[…, classes]`, logits or probabilities. Target: labels `[…]` of type i64, or `[…, classes]`, one-hot or a
/// distribution. A label outside of the classes is never right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy;

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        match prediction.rank() == target.rank() && prediction.rank() > 0 {
            true => expect_same_shape("accuracy", prediction, target),
            false => expect_labels("accuracy", prediction, target, -1).map(drop),
        }
    }

    fn value<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        accept(self.check(&prediction.ty(), &target.ty()));
        prediction.builder().derived("accuracy", Location::caller(), || {
            let labels = if target.rank() == prediction.rank() { target.argmax(-1) } else { target };
            prediction.argmax(-1).eq(labels).cast(prediction.dtype()).mean()
        })
    }
}

/// The part of the elements that lie on the right side of a threshold: above it where the target is above ½.
///
/// Prediction and target: one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryAccuracy {
    threshold: f64,
}

impl BinaryAccuracy {
    /// Yes is a score above 0.
    #[must_use]
    pub fn from_logits() -> Self {
        BinaryAccuracy::at(0.0)
    }

    /// Yes is a probability above ½.
    #[must_use]
    pub fn from_probabilities() -> Self {
        BinaryAccuracy::at(0.5)
    }

    /// Yes is a prediction above `threshold`.
    #[must_use]
    pub fn at(threshold: f64) -> Self {
        BinaryAccuracy { threshold }
    }
}

impl Metric for BinaryAccuracy {
    fn name(&self) -> String {
        "binary_accuracy".into()
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        expect_same_shape("binary_accuracy", prediction, target)
    }

    fn value<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        accept(self.check(&prediction.ty(), &target.ty()));
        prediction.builder().derived("binary_accuracy", Location::caller(), || {
            let truth = target.cast(prediction.dtype()).gt(0.5);
            prediction.gt(self.threshold).xor(truth).not().cast(prediction.dtype()).mean()
        })
    }
}

/// Losses that are worth watching under their own name.
macro_rules! loss_metrics {
    ($($Loss:ident),*) => {
        $(impl Metric for $Loss {
            fn name(&self) -> String {
                Loss::name(self).into()
            }

            fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
                Loss::check(self, prediction, target)
            }

            fn value<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
                self.loss(prediction, target)
            }
        })*
    };
}

loss_metrics!(MeanSquaredError, MeanAbsoluteError);

/// The [accuracy](Accuracy) of a batch, a scalar.
///
/// # Panics
/// When the shapes do not fit.
#[must_use]
#[track_caller]
pub fn accuracy<'g>(prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
    Accuracy.value(prediction, target)
}

/// The part of the elements on the right side of `threshold` ([`BinaryAccuracy`]), a scalar.
///
/// # Panics
/// When the shapes differ.
#[must_use]
#[track_caller]
pub fn binary_accuracy<'g>(prediction: Expr<'g>, target: Expr<'g>, threshold: f64) -> Expr<'g> {
    BinaryAccuracy::at(threshold).value(prediction, target)
}
