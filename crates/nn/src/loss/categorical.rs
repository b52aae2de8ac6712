//! Cross-entropies between classes, as losses to train with.

use std::panic::Location;

use pullback_graph::{DType, Expr, TensorType};

use crate::error::{NnError, within};
use crate::loss::cross_entropy::{CrossEntropyOptions, expect_classes, expect_labels};
use crate::loss::reduction::Reduction;
use crate::loss::traits::{Loss, expect, expect_same_shape};

/// Where probabilities are cut off before their logarithm, so that a confident mistake costs about 16 and not infinity.
pub(super) const SMALLEST: f64 = 1e-7;

/// `-log p(label)` for whole-numbered labels.
///
/// Prediction: `[…, classes]`. Target: labels `[…]` of type i64, each in `0..classes`; one that is not is an error of the
/// run that names the label, the number of classes and the node. Result of `elements`: `[…]`.
///
/// From logits, this is [`cross_entropy`](crate::cross_entropy).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseCategoricalCrossentropy {
    logits: bool,
    ignored: Option<i64>,
    label_smoothing: f64,
}

impl SparseCategoricalCrossentropy {
    /// Over scores of which [softmax](Expr::softmax) would make probabilities.
    #[must_use]
    pub fn from_logits() -> Self {
        SparseCategoricalCrossentropy { logits: true, ignored: None, label_smoothing: 0.0 }
    }

    /// Over probabilities, which are cut off at 1e-7: below, the loss is flat. Prefer
    /// [`from_logits`](SparseCategoricalCrossentropy::from_logits).
    #[must_use]
    pub fn from_probabilities() -> Self {
        SparseCategoricalCrossentropy { logits: false, ignored: None, label_smoothing: 0.0 }
    }

    /// Leaves out the examples with this label, which may lie outside of the classes (padding, say). The mean is over the
    /// others, and 0 if there are none (where [`cross_entropy`](crate::cross_entropy) has NaN): training reports it.
    #[must_use]
    pub fn ignoring(self, label: i64) -> Self {
        SparseCategoricalCrossentropy { ignored: Some(label), ..self }
    }

    /// Takes this part of every label's weight, from 0 to 1, and spreads it evenly over all classes; see
    /// [`CategoricalCrossentropy::label_smoothing`].
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        SparseCategoricalCrossentropy { label_smoothing, ..self }
    }

    /// The loss of a batch in the present box.
    #[track_caller]
    fn apply<'g>(self, prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
        let mut options = CrossEntropyOptions::from(reduction).label_smoothing(self.label_smoothing);
        if let Some(label) = self.ignored {
            options = options.ignoring(label);
        }
        let last = prediction.rank() - 1;
        options.of_labels(log_probabilities(prediction, self.logits), target, last, 0.0)
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "sparse_categorical_crossentropy"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "the label smoothing", self.label_smoothing, 0.0, 1.0)?;
        expect_labels(self.name(), prediction, target, -1).map(drop)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        self.apply(prediction, target, Reduction::None)
    }

    fn reduced<'g>(&self, prediction: Expr<'g>, target: Expr<'g>, reduction: Reduction) -> Expr<'g> {
        expect(self, prediction, target);
        prediction
            .builder()
            .derived(self.name(), Location::caller(), || self.apply(prediction, target, reduction))
    }
}

/// `-Σ target · log p` for targets that are distributions, such as one-hot rows.
///
/// Prediction and target: `[…, classes]`, one shape; the targets of each row should come to 1. Result of `elements`: `[…]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalCrossentropy {
    logits: bool,
    label_smoothing: f64,
}

impl CategoricalCrossentropy {
    /// Over scores of which [softmax](Expr::softmax) would make probabilities.
    #[must_use]
    pub fn from_logits() -> Self {
        CategoricalCrossentropy { logits: true, label_smoothing: 0.0 }
    }

    /// Over probabilities, which are cut off at 1e-7: below, the loss is flat. Prefer
    /// [`from_logits`](CategoricalCrossentropy::from_logits).
    #[must_use]
    pub fn from_probabilities() -> Self {
        CategoricalCrossentropy { logits: false, label_smoothing: 0.0 }
    }

    /// Moves this part of every target, from 0 to 1, evenly to all classes: `target · (1 - s) + s / classes` (Szegedy et
    /// al., "Rethinking the Inception architecture for computer vision", 2016).
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        CategoricalCrossentropy { label_smoothing, ..self }
    }
}

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "the label smoothing", self.label_smoothing, 0.0, 1.0)?;
        expect_classes(self.name(), prediction, -1)?;
        if target.dtype == DType::I64 && target.rank() + 1 == prediction.rank() {
            let message = format!("one probability per class: got {prediction} and labels {target}");
            return Err(NnError::input(self.name(), message)
                .help("whole-numbered labels go to the sparse cross-entropy"));
        }
        expect_same_shape(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let log_probabilities = log_probabilities(prediction, self.logits);
        let options = CrossEntropyOptions::from(Reduction::None).label_smoothing(self.label_smoothing);
        options.of_distributions(log_probabilities, target, prediction.rank() - 1)
    }
}

/// `log p` of every class.
#[track_caller]
fn log_probabilities(prediction: Expr<'_>, logits: bool) -> Expr<'_> {
    if logits { prediction.log_softmax(-1) } else { prediction.maximum(SMALLEST).log() }
}
