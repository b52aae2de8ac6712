//! Cross-entropies as functions of a graph: over labels or distributions, with weights, smoothing and labels left out.

use std::panic::Location;

use pullback_graph::{DType, Dim, Expr, Shape, TensorType};

use crate::error::{NnError, accept, within};
use crate::loss::reduction::{Reduction, weighted};
use crate::loss::traits::{expect_float, expect_same_shape};

/// What counts how much in a cross-entropy between classes; made from a [`Reduction`] alone, too.
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropyOptions<'g> {
    axis: i64,
    ignored: Option<i64>,
    label_smoothing: f64,
    class_weights: Option<Expr<'g>>,
    reduction: Reduction,
}

impl Default for CrossEntropyOptions<'_> {
    /// Classes on the last axis, all of weight 1, no smoothing, the mean.
    fn default() -> Self {
        CrossEntropyOptions {
            axis: -1,
            ignored: None,
            label_smoothing: 0.0,
            class_weights: None,
            reduction: Reduction::Mean,
        }
    }
}

impl From<Reduction> for CrossEntropyOptions<'_> {
    fn from(reduction: Reduction) -> Self {
        CrossEntropyOptions::default().reduction(reduction)
    }
}

impl<'g> CrossEntropyOptions<'g> {
    /// The axis of the classes: 1 for images `[batch, classes, height, width]`.
    #[must_use]
    pub fn axis(self, axis: i64) -> Self {
        CrossEntropyOptions { axis, ..self }
    }

    /// Leaves out the examples with this label, which may lie outside of the classes (padding, say): their loss and gradient
    /// are 0, and the mean is over the others. If there are no others it is NaN, as any mean over nothing, with gradient 0.
    #[must_use]
    pub fn ignoring(self, label: i64) -> Self {
        CrossEntropyOptions { ignored: Some(label), ..self }
    }

    /// Takes this part of every label's weight, from 0 to 1, and spreads it evenly over all classes (Szegedy et al.,
    /// "Rethinking the Inception architecture for computer vision", 2016).
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        CrossEntropyOptions { label_smoothing, ..self }
    }

    /// How much each class counts, of shape `[classes]`: against rare classes, say. The mean over labels is divided by the
    /// sum of the labels' weights, over distributions by their number.
    #[must_use]
    pub fn class_weights(self, weights: Expr<'g>) -> Self {
        CrossEntropyOptions { class_weights: Some(weights), ..self }
    }

    /// How the losses of the examples are put together.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropyOptions { reduction, ..self }
    }

    /// The class axis from the front, after all that does not concern the targets is checked.
    fn class_axis(&self, by: &str, prediction: &TensorType) -> Result<usize, NnError> {
        within(by, "the label smoothing", self.label_smoothing, 0.0, 1.0)?;
        let axis = expect_classes(by, prediction, self.axis)?;
        let classes = &prediction.shape[axis];
        match self.class_weights.map(Expr::ty) {
            Some(ty) if ty.rank() != 1 || ty.shape[0] != *classes => {
                Err(NnError::input(by, format!("one weight for each of {classes} classes: got {ty}")))
            }
            _ => Ok(axis),
        }
    }

    /// The class weights in the prediction's shape but for sizes 1.
    #[track_caller]
    fn spread_weights(&self, like: Expr<'g>, axis: usize) -> Option<Expr<'g>> {
        self.class_weights.map(|weights| {
            let ones = std::iter::repeat_n(Dim::Known(1), like.rank() - 1 - axis);
            let shape: Shape = weights.shape().iter().cloned().chain(ones).collect();
            weights.cast(like.dtype()).reshape(shape)
        })
    }

    /// The loss of labels under logarithms of probabilities; a mean over nothing is `empty`. The types are checked.
    #[track_caller]
    pub(super) fn of_labels(&self, log_p: Expr<'g>, labels: Expr<'g>, axis: usize, empty: f64) -> Expr<'g> {
        let along = axis as i64;
        let counted = self.ignored.map(|ignored| {
            let ignored = labels.builder().constant(pullback_graph::Tensor::scalar(ignored));
            labels.ne(ignored)
        });
        let labels = counted.map_or(labels, |counted| counted.select(labels, labels.zeros_like()));
        let mut losses = -log_p.gather_along(labels.expand_dims(along), along).squeeze(along);
        let mut weights = self.class_weights.map(|weights| weights.cast(log_p.dtype()).gather(labels, 0));
        if let Some(weights) = weights {
            losses = weighted(weights, losses);
        }
        if self.label_smoothing > 0.0 {
            let log_p = self.spread_weights(log_p, axis).map_or(log_p, |weights| weighted(weights, log_p));
            let spread = log_p.mean_over(along) * -self.label_smoothing;
            losses = match self.label_smoothing < 1.0 {
                true => losses * (1.0 - self.label_smoothing) + spread,
                false => spread,
            };
        }
        if let Some(counted) = counted {
            losses = counted.select(losses, 0.0);
            let ones = weights.unwrap_or_else(|| losses.ones_like());
            weights = Some(counted.select(ones, 0.0));
        }
        self.reduction.apply_weighted(losses, weights, empty)
    }

    /// The loss of distributions under logarithms of probabilities. The types are checked.
    #[track_caller]
    pub(super) fn of_distributions(&self, log_p: Expr<'g>, target: Expr<'g>, axis: usize) -> Expr<'g> {
        let mut target = target.cast(log_p.dtype());
        if self.label_smoothing > 0.0 {
            let classes = target.size_like(target.shape()[axis].clone());
            target = target * (1.0 - self.label_smoothing) + target.full_like(self.label_smoothing) / classes;
        }
        let weights = self.spread_weights(log_p, axis).map_or(target, |weights| weights * target);
        self.reduction.apply(-weighted(weights, log_p).sum_over(axis as i64))
    }
}

/// The cross-entropy `-log softmax(logits)[label]` of labels of type i64: the logits' shape without the axis of the classes,
/// which is the last unless the [options](CrossEntropyOptions) say otherwise.
///
/// The gradient is `softmax(logits) - one_hot(label)`, finite for all finite logits. A label outside of the classes is an
/// error of the run that names it, the number of classes and the node.
///
/// With class weights `w` and smoothing `s`, the loss of an example is
/// `-(1 - s) · w[label] · log p[label] - s · Σ w · log p / classes`.
///
/// ```
/// use pullback_graph::{Builder, DType::{F32, I64}, Tensor, interpret, sym};
/// use pullback_nn::{CrossEntropyOptions, Reduction, cross_entropy};
/// let b = Builder::new();
/// let logits = b.input("logits", F32, [sym("batch"), 3.into()]);
/// let labels = b.input("labels", I64, [sym("batch")]);
/// let graph = b.finish([
///     ("loss", cross_entropy(logits, labels, Reduction::Mean)),
///     ("smooth", cross_entropy(logits, labels, CrossEntropyOptions::default().label_smoothing(0.3))),
/// ])?;
/// let sure = Tensor::of([1, 3], [0.0_f32, 500.0, 0.0]);
/// let run = |label: i64| interpret(&graph, [("logits", &sure), ("labels", &Tensor::of([1], [label]))]);
/// assert_eq!(run(1)?.output("loss")?.item(), Some(0.0));
/// assert_eq!(run(0)?.output("loss")?.item(), Some(500.0));
/// assert!((run(1)?.output("smooth")?.item().unwrap() - 100.0).abs() < 1e-4);
/// assert!(run(3).unwrap_err().to_string().contains("index 3 is out of range for an axis of size 3"));
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
///
/// # Panics
/// When the shapes do not fit, the types are not floating point and i64, or an option has no meaning.
#[must_use]
#[track_caller]
pub fn cross_entropy<'g>(
    logits: Expr<'g>,
    labels: Expr<'g>,
    options: impl Into<CrossEntropyOptions<'g>>,
) -> Expr<'g> {
    const NAME: &str = "cross_entropy";
    let options = options.into();
    let axis = accept(expect_labels_and_options(NAME, logits, labels, &options));
    logits.builder().derived(NAME, Location::caller(), || {
        options.of_labels(logits.log_softmax(axis as i64), labels, axis, f64::NAN)
    })
}

/// [`cross_entropy`] of what are logarithms of probabilities already: the negative log-likelihood `-log p[label]`.
///
/// # Panics
/// As [`cross_entropy`].
#[must_use]
#[track_caller]
pub fn nll<'g>(
    log_probabilities: Expr<'g>,
    labels: Expr<'g>,
    options: impl Into<CrossEntropyOptions<'g>>,
) -> Expr<'g> {
    const NAME: &str = "nll";
    let options = options.into();
    let axis = accept(expect_labels_and_options(NAME, log_probabilities, labels, &options));
    log_probabilities
        .builder()
        .derived(NAME, Location::caller(), || options.of_labels(log_probabilities, labels, axis, f64::NAN))
}

/// The cross-entropy `-Σ target · log softmax(logits)` of targets that are distributions over the classes, of the logits'
/// shape. The mean is over the examples. A class without any target may have probability 0.
///
/// With class weights the terms are `w · target · log p`; smoothing makes `target · (1 - s) + s / classes` of the targets.
///
/// # Panics
/// When the shapes differ, the logits are not of floating point, or an option has no meaning: there is no label to ignore.
#[must_use]
#[track_caller]
pub fn cross_entropy_soft<'g>(
    logits: Expr<'g>,
    target: Expr<'g>,
    options: impl Into<CrossEntropyOptions<'g>>,
) -> Expr<'g> {
    const NAME: &str = "cross_entropy_soft";
    let options = options.into();
    let axis = accept(options.class_axis(NAME, &logits.ty()));
    accept(expect_same_shape(NAME, &logits.ty(), &target.ty()));
    if let Some(label) = options.ignored {
        let message = format!("distributions have no label {label} to ignore");
        accept(Err(NnError::setting(NAME, message)))
    }
    logits.builder().derived(NAME, Location::caller(), || {
        options.of_distributions(logits.log_softmax(axis as i64), target, axis)
    })
}

/// Checks all that a cross-entropy of labels is given, and tells the axis of the classes.
fn expect_labels_and_options(
    by: &str,
    prediction: Expr<'_>,
    labels: Expr<'_>,
    options: &CrossEntropyOptions<'_>,
) -> Result<usize, NnError> {
    options.class_axis(by, &prediction.ty())?;
    expect_labels(by, &prediction.ty(), &labels.ty(), options.axis)
}

/// An axis of at least one class, counted from the front.
pub(super) fn expect_classes(by: &str, prediction: &TensorType, axis: i64) -> Result<usize, NnError> {
    expect_float(by, prediction)?;
    let rank = prediction.rank() as i64;
    let from_front = if axis < 0 { axis + rank } else { axis };
    let position = usize::try_from(from_front).ok().filter(|position| *position < prediction.rank());
    match position.filter(|position| prediction.shape[*position] != Dim::Known(0)) {
        Some(position) => Ok(position),
        None => {
            let shape =
                if axis == -1 { "[…, classes]".into() } else { format!("with classes on axis {axis}") };
            Err(NnError::input(by, format!("takes predictions {shape}, got {prediction}")))
        }
    }
}

/// One label per row of predictions; the axis of the classes, counted from the front.
pub(crate) fn expect_labels(
    by: &str,
    prediction: &TensorType,
    target: &TensorType,
    axis: i64,
) -> Result<usize, NnError> {
    let position = expect_classes(by, prediction, axis)?;
    if target.shape != prediction.shape.without(|axis| axis == position) {
        let message = format!("one label per row of predictions: got {prediction} and {target}");
        let error = NnError::input(by, message);
        return Err(match target.shape == prediction.shape {
            true => error.help("targets with one probability per class go to the categorical cross-entropy"),
            false if axis == -1 => {
                error.help("labels have the shape of the predictions without the last axis")
            }
            false => error.help("labels have the shape of the predictions without the axis of the classes"),
        });
    }
    match target.dtype {
        DType::I64 => Ok(position),
        _ => Err(NnError::input(by, format!("labels are whole numbers of type i64, got {target}"))
            .help("convert with `cast(DType::I64)`")),
    }
}
