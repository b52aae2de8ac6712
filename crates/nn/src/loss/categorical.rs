//! Cross-entropies between classes, of which one is right.

use std::panic::Location;

use pullback_graph::{DType, Dim, Expr, Shape, TensorType};

use crate::error::{NnError, within};
use crate::loss::traits::{Loss, expect, expect_float, expect_same_shape};

/// Where probabilities are cut off before their logarithm, so that a confident mistake costs about 16 and not infinity.
pub(super) const SMALLEST: f64 = 1e-7;

/// `-log p(label)` for whole-numbered labels.
///
/// Prediction: `[…, classes]`. Target: labels `[…]` of type i64, each in `0..classes`; one that is not is an error of the
/// run that names the label, the number of classes and the node. Result of `elements`: `[…]`.
///
/// From logits, the gradient is `softmax(logits) - one_hot(label)`, finite for all finite logits.
///
/// ```
/// use pullback_graph::{Builder, DType::{F32, I64}, Tensor, interpret, sym};
/// use pullback_nn::cross_entropy;
/// let b = Builder::new();
/// let logits = b.input("logits", F32, [sym("batch"), 3.into()]);
/// let labels = b.input("labels", I64, [sym("batch")]);
/// let graph = b.finish([("loss", cross_entropy(logits, labels))])?;
/// let sure = Tensor::of([1, 3], [0.0_f32, 500.0, 0.0]);
/// let loss = |label: i64| interpret(&graph, [("logits", &sure), ("labels", &Tensor::of([1], [label]))]);
/// assert_eq!(loss(1)?.output("loss")?.item(), Some(0.0));
/// assert_eq!(loss(0)?.output("loss")?.item(), Some(500.0));
/// assert!(loss(3).unwrap_err().to_string().contains("index 3 is out of range for an axis of size 3"));
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
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
    /// others, and 0 if there are none.
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

    /// Which labels count, if some may not.
    #[track_caller]
    fn counted<'g>(self, labels: Expr<'g>) -> Option<Expr<'g>> {
        self.ignored.map(|ignored| labels.ne(ignored as f64))
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "sparse_categorical_crossentropy"
    }

    fn check(&self, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
        within(self.name(), "the label smoothing", self.label_smoothing, 0.0, 1.0)?;
        expect_labels(self.name(), prediction, target)
    }

    fn elements<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        let counted = self.counted(target);
        let labels = counted.map_or(target, |counted| counted.select(target, target.zeros_like()));
        let log_probabilities = log_probabilities(prediction, self.logits);
        let mut losses = -log_probabilities.gather_along(labels.expand_dims(-1), -1).squeeze(-1);
        if self.label_smoothing > 0.0 {
            losses = losses * (1.0 - self.label_smoothing)
                - log_probabilities.mean_over(-1) * self.label_smoothing;
        }
        counted.map_or(losses, |counted| counted.select(losses, 0.0))
    }

    fn loss<'g>(&self, prediction: Expr<'g>, target: Expr<'g>) -> Expr<'g> {
        expect(self, prediction, target);
        prediction.builder().derived(self.name(), Location::caller(), || {
            let losses = self.elements(prediction, target);
            match self.counted(target) {
                None => losses.mean(),
                Some(counted) => losses.sum() / counted.cast(losses.dtype()).sum().maximum(1.0),
            }
        })
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
        expect_classes(self.name(), prediction)?;
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
        let mut target = target.cast(prediction.dtype());
        if self.label_smoothing > 0.0 {
            let classes = target.size_like(target.shape()[target.rank() - 1].clone());
            target = target * (1.0 - self.label_smoothing) + target.full_like(self.label_smoothing) / classes;
        }
        -(target * log_probabilities).sum_over(-1)
    }
}

/// The [cross-entropy](SparseCategoricalCrossentropy) of logits `[…, classes]` and labels `[…]`, averaged: a scalar.
///
/// # Panics
/// When the shapes do not fit, or the types are not floating point and i64.
#[must_use]
#[track_caller]
pub fn cross_entropy<'g>(logits: Expr<'g>, labels: Expr<'g>) -> Expr<'g> {
    SparseCategoricalCrossentropy::from_logits().loss(logits, labels)
}

/// `log p` of every class.
#[track_caller]
fn log_probabilities(prediction: Expr<'_>, logits: bool) -> Expr<'_> {
    if logits { prediction.log_softmax(-1) } else { prediction.maximum(SMALLEST).log() }
}

/// A last axis of at least one class.
fn expect_classes(by: &str, prediction: &TensorType) -> Result<(), NnError> {
    expect_float(by, prediction)?;
    match prediction.shape.last() {
        None | Some(Dim::Known(0)) => {
            Err(NnError::input(by, format!("takes predictions […, classes], got {prediction}")))
        }
        Some(_) => Ok(()),
    }
}

/// One label per row of predictions.
pub(crate) fn expect_labels(by: &str, prediction: &TensorType, target: &TensorType) -> Result<(), NnError> {
    expect_classes(by, prediction)?;
    let rows: Shape = prediction.shape[..prediction.rank() - 1].iter().cloned().collect();
    if target.shape != rows {
        let message = format!("one label per row of predictions: got {prediction} and {target}");
        let error = NnError::input(by, message);
        return Err(match target.shape == prediction.shape {
            true => error.help("targets with one probability per class go to the categorical cross-entropy"),
            false => error.help("labels have the shape of the predictions without the last axis"),
        });
    }
    match target.dtype {
        DType::I64 => Ok(()),
        _ => Err(NnError::input(by, format!("labels are whole numbers of type i64, got {target}"))
            .help("convert with `cast(DType::I64)`")),
    }
}
