//! What a model consists of once the shapes of its data are known: a session for training, and one each for evaluation and
//! prediction, which are fed the training session's state.

use std::sync::Arc;

use pullback_exec::{Options, Outputs, Session};
use pullback_graph::{Dim, Tensor, TensorType, sym};
use pullback_nn::{EvaluationGraph, Layer, Loss, Metric, Optimizer, TrainingStep};
use pullback_nn::{INPUT, PREDICTION, TARGET};

use crate::data::Dataset;
use crate::error::TrainError;

/// The type of a batch of such samples: any number of them.
pub(crate) fn batch_type(samples: &Tensor) -> TensorType {
    let sizes = samples.sizes()[1..].iter().map(|size| Dim::Known(*size));
    let shape: Vec<Dim> = std::iter::once(sym("batch")).chain(sizes).collect();
    TensorType::new(samples.dtype(), shape)
}

/// The recipe of a model.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) network: Layer,
    pub(crate) optimizer: Box<dyn Optimizer>,
    pub(crate) loss: Box<dyn Loss>,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
}

/// A graph that is fed parameters along with data.
#[derive(Debug)]
struct Fed {
    graph: EvaluationGraph,
    session: Session,
}

impl Fed {
    fn new(graph: EvaluationGraph, options: &Options) -> Result<Fed, TrainError> {
        let session = Session::with(graph.graph(), options.clone())?;
        Ok(Fed { graph, session })
    }
}

/// The graphs and sessions of a model.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) input: TensorType,
    pub(crate) target: TensorType,
    pub(crate) step: TrainingStep,
    training: Session,
    evaluation: Fed,
    prediction: Fed,
}

impl Programs {
    /// Builds all graphs for samples of these types, and the first parameters.
    pub(crate) fn build(
        recipe: &Recipe,
        input: TensorType,
        target: TensorType,
        seed: u64,
        options: &Options,
    ) -> Result<Programs, TrainError> {
        let Recipe { network, optimizer, loss, metrics } = recipe;
        let metrics: Vec<&dyn Metric> = metrics.iter().map(|metric| &**metric).collect();
        let step = TrainingStep::new(&**network, &**loss, &**optimizer, &metrics, &input, &target)?;
        let evaluation = EvaluationGraph::new(&**network, &**loss, &metrics, &input, &target)?;
        let prediction = EvaluationGraph::prediction(&**network, &input)?;
        let mut training = Session::with(step.graph(), options.clone())?;
        for (name, value) in step.initial_state(seed) {
            training.set_state(&name, value)?;
        }
        let (evaluation, prediction) = (Fed::new(evaluation, options)?, Fed::new(prediction, options)?);
        Ok(Programs { input, target, step, training, evaluation, prediction })
    }

    /// Checks that samples are of the types that the graphs were built for.
    pub(crate) fn expect(&self, what: &'static str, samples: &Tensor) -> Result<(), TrainError> {
        let expected = if what == "inputs" { &self.input } else { &self.target };
        let got = if samples.sizes().is_empty() { samples.ty() } else { batch_type(samples) };
        match got == *expected {
            true => Ok(()),
            false => Err(TrainError::Type { what, expected: expected.clone(), got: samples.ty() }),
        }
    }

    /// One step of training on a batch.
    pub(crate) fn train(&mut self, batch: &Dataset) -> Result<Outputs, TrainError> {
        Ok(self.training.run([(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())])?)
    }

    /// A session of its own on the training step, with the state that training has reached.
    pub(crate) fn rehearsal(&self, options: Options) -> Result<Session, TrainError> {
        let mut session = Session::with(self.step.graph(), options)?;
        for (name, value) in self.training.states() {
            session.set_state(&name, value)?;
        }
        Ok(session)
    }

    /// The values that evaluation and prediction are fed beside data.
    fn state_for(&self, graph: &EvaluationGraph) -> Vec<(Arc<str>, Tensor)> {
        graph.state_names().filter_map(|name| Some((name.clone(), self.value(name)?))).collect()
    }

    /// The value of a parameter or of other state.
    pub(crate) fn value(&self, name: &str) -> Option<Tensor> {
        self.training.state(name)
    }

    /// Replaces a parameter or other state.
    pub(crate) fn set_value(&mut self, name: &str, value: Tensor) -> Result<(), TrainError> {
        Ok(self.training.set_state(name, value)?)
    }

    /// Loss, metrics and prediction for each batch, without changing anything.
    pub(crate) fn evaluate(
        &mut self,
        data: &Dataset,
        batch_size: usize,
        mut each: impl FnMut(usize, &Outputs),
    ) -> Result<(), TrainError> {
        let state = self.state_for(&self.evaluation.graph);
        for batch in data.batches(batch_size, crate::data::Order::Stored)? {
            let feeds = [(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())];
            let state = state.iter().map(|(name, value)| (&**name, value.clone()));
            each(batch.len(), &self.evaluation.session.run(feeds.into_iter().chain(state))?);
        }
        Ok(())
    }

    /// The network's answer.
    pub(crate) fn predict(&mut self, inputs: &Tensor) -> Result<Tensor, TrainError> {
        let state = self.state_for(&self.prediction.graph);
        let feeds = std::iter::once((INPUT, inputs.clone()));
        let state = state.iter().map(|(name, value)| (&**name, value.clone()));
        let outputs = self.prediction.session.run(feeds.chain(state))?;
        Ok(outputs[PREDICTION].clone())
    }
}
