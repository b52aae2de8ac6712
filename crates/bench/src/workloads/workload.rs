//! What a workload is, and the kinds: a step of training, a loss with its gradients, and an answer without either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pullback::autodiff::{GradOptions, gradients};
use pullback::graph::Output;
use pullback::nn::{Initializer, Optimizer, Step, TrainingStep};
use pullback::{Builder, Error, Expr, Graph, Tensor};

use crate::inputs::Named;

/// A graph to be run again and again.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The program. An output `loss` is checked, and so are all other outputs but state.
    pub graph: Graph,
    /// What is fed to every run.
    pub feeds: Vec<Named>,
    /// The state before the first run.
    pub start: Vec<(Arc<str>, Tensor)>,
    /// What it took to build the graph, gradients and update included.
    pub building: Duration,
}

impl Workload {
    /// A step of training: `loss` of the parameters and the data, its gradients, and the update.
    ///
    /// # Errors
    /// When the step cannot be built.
    pub(crate) fn training(
        parameters: Vec<Named>,
        data: Vec<Named>,
        optimizer: impl Optimizer + 'static,
        loss: impl for<'g> FnOnce(&[Expr<'g>], &[Expr<'g>]) -> Expr<'g>,
    ) -> Result<Workload, Error> {
        let begin = Instant::now();
        let step = TrainingStep::build(|cx| {
            let inputs: Vec<_> =
                data.iter().map(|(name, value)| cx.input(name, value.dtype(), value.shape())).collect();
            let weights: Vec<_> = parameters
                .iter()
                .map(|(name, value)| cx.parameter(name, value.shape(), Initializer::Zeros))
                .collect();
            Step::minimize(loss(&weights, &inputs), optimizer)
        })?;
        let building = begin.elapsed();
        let states = step.states().iter().map(|spec| (spec.name.clone(), spec.initial(0)));
        let start =
            parameters.into_iter().map(|(name, value)| (Arc::from(name), value)).chain(states).collect();
        Ok(Workload { graph: step.graph().clone(), feeds: data, start, building })
    }

    /// A `loss` of the variables and the data, and its gradient in each variable.
    ///
    /// # Errors
    /// When there is no gradient.
    pub(crate) fn gradients(
        variables: Vec<Named>,
        data: Vec<Named>,
        loss: impl for<'g> FnOnce(&[Expr<'g>], &[Expr<'g>]) -> Expr<'g>,
    ) -> Result<Workload, Error> {
        let begin = Instant::now();
        let builder = Builder::new();
        let wrt = declare(&builder, &variables);
        let loss = loss(&wrt, &declare(&builder, &data));
        let found = gradients(loss, &wrt, &GradOptions::default())?;
        let named = variables.iter().zip(found).map(|((name, _), gradient)| (format!("d{name}"), gradient));
        let graph = builder.finish(std::iter::once(("loss".to_string(), loss)).chain(named))?;
        Ok(Workload::pure(graph, [variables, data].concat(), begin.elapsed()))
    }

    /// What a network that is not trained any more answers: `y`, and the mean of its squares as `loss`. No run changes the
    /// parameters.
    ///
    /// # Errors
    /// When the graph cannot be built.
    pub(crate) fn inference(
        parameters: Vec<Named>,
        data: Vec<Named>,
        answer: impl for<'g> FnOnce(&[Expr<'g>], &[Expr<'g>]) -> Expr<'g>,
    ) -> Result<Workload, Error> {
        let begin = Instant::now();
        let builder = Builder::new();
        let weights: Vec<_> = parameters
            .iter()
            .map(|(name, value)| builder.parameter(name, value.dtype(), value.shape()))
            .collect();
        let y = answer(&weights, &declare(&builder, &data));
        let results = [("loss", y.square().mean()), ("y", y)].map(Output::from);
        let kept = parameters.iter().zip(&weights);
        let kept = kept.map(|((name, _), weight)| Output::new(name.as_str(), weight.id()).updating(*weight));
        let graph = builder.finish(results.into_iter().chain(kept))?;
        let start = parameters.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        Ok(Workload { graph, feeds: data, start, building: begin.elapsed() })
    }

    /// A graph without state.
    pub(crate) fn pure(graph: Graph, feeds: Vec<Named>, building: Duration) -> Workload {
        Workload { graph, feeds, start: Vec::new(), building }
    }
}

/// An input for each of these tensors.
pub(crate) fn declare<'g>(builder: &'g Builder, tensors: &[Named]) -> Vec<Expr<'g>> {
    tensors.iter().map(|(name, value)| builder.input(name, value.dtype(), value.shape())).collect()
}
