//! What training and evaluation share: a network applied to one input, and how good its answer is.

use std::panic::Location;
use std::sync::Arc;

use pullback_graph::{Expr, TensorType};

use crate::context::Context;
use crate::error::NnError;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::module::Module;
use crate::names::{INPUT, TARGET};

/// A network's answer, with the loss and the metrics by name.
pub(super) struct Judged<'g> {
    pub(super) prediction: Expr<'g>,
    pub(super) loss: Expr<'g>,
    pub(super) reports: Vec<(Arc<str>, Expr<'g>)>,
}

/// Checks that network, loss and metrics take an input and a target of these types.
pub(super) fn expect(
    module: &(impl Module + ?Sized),
    loss: &(impl Loss + ?Sized),
    metrics: &[&dyn Metric],
    input: &TensorType,
    target: &TensorType,
) -> Result<(), NnError> {
    let output = module.output_type(input)?;
    loss.check(&output, target)?;
    metrics.iter().try_for_each(|metric| metric.check(&output, target))
}

/// Appends inputs, network, loss and metrics. The nodes that no layer makes carry the line `at`.
pub(super) fn judge<'g>(
    cx: &Context<'g>,
    at: &'static Location<'static>,
    module: &(impl Module + ?Sized),
    loss: &(impl Loss + ?Sized),
    metrics: &[&dyn Metric],
    input: &TensorType,
    target: &TensorType,
) -> Judged<'g> {
    let builder = cx.builder();
    let (x, t) = builder.at_line(at, || {
        let x = builder.input(INPUT, input.dtype, &input.shape);
        (x, builder.input(TARGET, target.dtype, &target.shape))
    });
    let prediction = builder.scope("forward", || module.forward(cx, x));
    let loss = builder.derived("loss", at, || loss.loss(prediction, t));
    Judged { prediction, loss, reports: report(metrics, prediction, t, at) }
}

/// The values of metrics by name, in a box if there are any.
fn report<'g>(
    metrics: &[&dyn Metric],
    prediction: Expr<'g>,
    target: Expr<'g>,
    at: &'static Location<'static>,
) -> Vec<(Arc<str>, Expr<'g>)> {
    if metrics.is_empty() {
        return Vec::new();
    }
    let values =
        || metrics.iter().map(|metric| (metric.name().into(), metric.value(prediction, target))).collect();
    prediction.builder().derived("metrics", at, values)
}
