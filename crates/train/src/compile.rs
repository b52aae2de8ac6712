//! From a network to a model: the optimizer, the loss and the metrics it is trained with.

use std::panic::Location;

use pullback_nn::{Layer, Loss, Metric, Module, Optimizer};

use crate::error::TrainError;
use crate::model::Model;
use crate::programs::Recipe;

/// Networks that can be made into a [`Model`]: all of them.
pub trait Compile: Module + Sized + 'static {
    /// A model that trains this network with `optimizer` to make `loss` small, and watches `metrics`: `()`, an array of one
    /// kind of metric such as `[Accuracy]`, or a `Vec<Box<dyn Metric>>`.
    ///
    /// # Errors
    /// [`TrainError::Nn`] when a number of the optimizer has no meaning.
    #[track_caller]
    fn compile(
        self,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoMetrics,
    ) -> Result<Model, TrainError> {
        optimizer.check()?;
        let recipe = Recipe {
            network: Layer::from(self),
            optimizer: Box::new(optimizer),
            loss: Box::new(loss),
            metrics: metrics.into_metrics(),
            at: Location::caller(),
        };
        Ok(Model::new(recipe))
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
