//! From a network to a model: the optimizer, the loss and the metrics it is trained with.

use pullback_nn::{Layer, Loss, Metric, Module, Optimizer};

use crate::error::TrainError;
use crate::model::Model;

/// Networks that can be made into a [`Model`]: all of them.
pub trait Compile: Module + Sized + 'static {
    /// A model that trains this network with `optimizer` to make `loss` small, and watches `metrics`: `()`, an array of one
    /// kind of metric such as `[Accuracy]`, or a `Vec<Box<dyn Metric>>`.
    ///
    /// # Errors
    /// [`TrainError::Nn`] when a number of the optimizer has no meaning.
    fn compile(
        self,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoMetrics,
    ) -> Result<Model, TrainError> {
        optimizer.check()?;
        Ok(Model::new(Layer::from(self), Box::new(optimizer), Box::new(loss), metrics.into_metrics()))
    }
}

impl<M: Module + 'static> Compile for M {}

/// What may be given as a list of metrics.
pub trait IntoMetrics {
    /// The list.
    fn into_metrics(self) -> Vec<Box<dyn Metric>>;
}

impl IntoMetrics for () {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        Vec::new()
    }
}

impl<M: Metric + 'static, const N: usize> IntoMetrics for [M; N] {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        self.into_iter().map(|metric| Box::new(metric) as Box<dyn Metric>).collect()
    }
}

impl<M: Metric + 'static> IntoMetrics for Vec<M> {
    fn into_metrics(self) -> Vec<Box<dyn Metric>> {
        self.into_iter().map(|metric| Box::new(metric) as Box<dyn Metric>).collect()
    }
}
