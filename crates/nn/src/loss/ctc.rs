//! Connectionist temporal classification: labels in order, whose places in time are not known.

use std::panic::Location;

use pullback_graph::{DType, Dim, Expr, TensorType};

use crate::error::{NnError, accept};
use crate::loss::cross_entropy::expect_classes;
use crate::loss::reduction::Reduction;

/// What [`ctc`] makes of its scores; made from a [`Reduction`] alone, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtcOptions {
    blank: usize,
    zero_infinity: bool,
    reduction: Reduction,
}

impl Default for CtcOptions {
    /// Class 0 is the blank, impossible labels cost infinity, the mean.
    fn default() -> Self {
        CtcOptions { blank: 0, zero_infinity: false, reduction: Reduction::Mean }
    }
}

impl From<Reduction> for CtcOptions {
    fn from(reduction: Reduction) -> Self {
        CtcOptions::default().reduction(reduction)
    }
}

impl CtcOptions {
    /// The class that stands for no label.
    #[must_use]
    pub fn blank(self, blank: usize) -> Self {
        CtcOptions { blank, ..self }
    }

    /// Lets an example whose labels are impossible cost 0 instead of infinity, such as one with more labels than steps.
    #[must_use]
    pub fn zero_infinity(self) -> Self {
        CtcOptions { zero_infinity: true, ..self }
    }

    /// How the losses of the examples are put together. The mean divides each by the number of its labels first.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        CtcOptions { reduction, ..self }
    }
}

/// The sizes of what is given.
struct Sizes {
    steps: usize,
    labels: usize,
    batch: Dim,
}

impl Sizes {
    /// The sizes, if logits, labels, steps and lengths go together.
    fn of(by: &str, types: [TensorType; 4], blank: usize) -> Result<Self, NnError> {
        let [logits, labels, steps, lengths] = types;
        let class_axis = expect_classes(by, &logits, -1)?;
        if class_axis != 2 {
            return Err(NnError::input(by, format!("takes logits [steps, batch, classes], got {logits}")));
        }
        if logits.shape[2].known().is_some_and(|classes| blank >= classes) {
            let message = format!("the blank is {blank}, and must be a class of {logits}");
            return Err(NnError::setting(by, message));
        }
        let batch = logits.shape[1].clone();
        if labels.dtype != DType::I64 || labels.rank() != 2 || labels.shape[0] != batch {
            return Err(NnError::input(by, format!("takes labels i64[{batch}, labels], got {labels}")));
        }
        let per_example = TensorType::new(DType::I64, [batch.clone()]);
        for ty in [steps, lengths] {
            if ty != per_example {
                return Err(NnError::input(
                    by,
                    format!("takes numbers of steps and labels {per_example}, got {ty}"),
                ));
            }
        }
        match (logits.shape[0].known(), labels.shape[1].known()) {
            (Some(steps), Some(labels)) => Ok(Sizes { steps, labels, batch }),
            _ => {
                let message =
                    format!("the numbers of steps and labels must be known: got {logits} and {labels}");
                Err(NnError::input(by, message).help("bind the symbols, or pad to a fixed size"))
            }
        }
    }
}

/// `-log` of the probability that classes drawn at every step, with repetitions joined and blanks left out, are the labels
/// (Graves et al., "Connectionist temporal classification", 2006).
///
/// | operand | type | holds |
/// |---|---|---|
/// | `logits` | `[steps, batch, classes]`, floating point | scores, or logarithms of probabilities, which [softmax](Expr::softmax) leaves as they are |
/// | `labels` | `[batch, labels]`, i64 | classes other than the blank; those beyond an example's length may be anything |
/// | `steps`, `lengths` | `[batch]`, i64 | how many steps and labels of each example count |
///
/// Result without reduction: `[batch]`. The number of steps and of labels must be known: the recurrence over time is written
/// out into the graph, with logarithms all the way, and differentiated as any other.
/// The gradient in the logits is the softmax minus the expected share of each class at each step, and 0 beyond an example's
/// steps. Labels that no path through the steps can spell cost infinity; their gradient is 0, and does not spoil that of the
/// others.
///
/// A label outside of the classes is an error of the run.
///
/// # Panics
/// When the types or shapes do not fit, or the number of steps or labels is not known.
#[must_use]
#[track_caller]
pub fn ctc<'g>(
    logits: Expr<'g>,
    labels: Expr<'g>,
    steps: Expr<'g>,
    lengths: Expr<'g>,
    options: impl Into<CtcOptions>,
) -> Expr<'g> {
    const NAME: &str = "ctc";
    let options = options.into();
    let sizes = accept(Sizes::of(NAME, [logits, labels, steps, lengths].map(Expr::ty), options.blank));
    logits.builder().derived(NAME, Location::caller(), || {
        let losses = losses(logits, labels, steps, lengths, options.blank, &sizes);
        let impossible = losses.eq(f64::INFINITY);
        let losses =
            if options.zero_infinity { impossible.select(losses.zeros_like(), losses) } else { losses };
        options.reduction.apply(match options.reduction {
            Reduction::Mean => losses / lengths.maximum(1.0).cast(losses.dtype()),
            _ => losses,
        })
    })
}

/// The loss of each example.
#[track_caller]
fn losses<'g>(
    logits: Expr<'g>,
    labels: Expr<'g>,
    steps: Expr<'g>,
    lengths: Expr<'g>,
    blank: usize,
    sizes: &Sizes,
) -> Expr<'g> {
    let positions = 2 * sizes.labels + 1;
    let column = |x: Expr<'g>| x.expand_dims(1);
    let lengths = column(lengths);
    // Position 2i + 1 is label i, the others are blanks; labels that do not count are blanks, too.
    let labels = labels.iota_like(1).lt(lengths).select(labels, labels.full_like(blank as f64));
    let pairs = column(labels).concat(&[column(labels).full_like(blank as f64)], 1).permute([0, 2, 1]);
    let spelled = pairs.reshape([sizes.batch.clone(), Dim::Known(2 * sizes.labels)]);
    let spelled = labels
        .builder()
        .full(DType::I64, [sizes.batch.clone(), Dim::Known(1)], blank as f64)
        .concat(&[spelled], 1);

    // A label may follow another one directly, unless it is the same: then a blank must part the two.
    let skips = spelled.ne(blank as f64).and(spelled.ne(moved(spelled, 2, blank as f64)));
    let everywhere = spelled.expand_dims(0).broadcast_to([
        Dim::Known(sizes.steps),
        sizes.batch.clone(),
        Dim::Known(positions),
    ]);
    let emitted = logits.log_softmax(-1).gather_along(everywhere, 2);

    // paths[s]: the logarithm of the probability of all paths so far that are at position s. Before the first step that is 0
    // at the first blank alone: from there it can stay or go on to the first label.
    let nowhere = emitted.builder().full(emitted.dtype(), spelled.shape(), f64::NEG_INFINITY);
    let place = spelled.iota_like(1);
    let mut paths = place.eq(0.0).select(nowhere.zeros_like(), nowhere);
    for (step, emitted) in emitted.unstack(0).into_iter().enumerate() {
        let stay = paths;
        let next = moved(paths, 1, f64::NEG_INFINITY);
        let skip = skips.select(moved(paths, 2, f64::NEG_INFINITY), f64::NEG_INFINITY);
        let running = column(steps).gt(step as f64);
        paths = running.select(stay.logaddexp(next).logaddexp(skip) + emitted, paths);
    }

    // A path ends at the last label that counts, or at the blank after it.
    let last = lengths + lengths;
    let ends = place.eq(last).or(place.eq(last - 1.0));
    -ends.select(paths, nowhere).logsumexp(1)
}

/// A matrix whose rows are moved by so many places to the right, filled up with a number.
#[track_caller]
fn moved(x: Expr<'_>, by: usize, fill: f64) -> Expr<'_> {
    match x.shape()[1].known() {
        Some(size) if size > by => x.slice(1, 0..size - by).pad([(0, 0), (by, 0)], fill),
        _ => x.full_like(fill),
    }
}
