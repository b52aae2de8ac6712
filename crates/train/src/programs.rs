//! What a model consists of once the shapes of its data are known: a session for training, and one each for evaluation and
//! prediction, which are fed the training session's state.

use std::panic::Location;
use std::sync::Arc;

use pullback_exec::{Options, Outputs, Session};
use pullback_graph::{Dim, Tensor, TensorType, sym};
use pullback_nn::{EvaluationGraph, Layer, Loss, Metric, Optimizer, TrainingStep};
use pullback_nn::{INPUT, LOSS, PREDICTION, STEP, TARGET};

use crate::data::rows::{concatenate, slice};
use crate::data::{Dataset, Order};
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
    /// The line that compiled the model: that of the nodes which no layer makes.
    pub(crate) at: &'static Location<'static>,
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
    /// The number of epochs trained in the model's life.
    pub(crate) epochs: usize,
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
        let Recipe { network, optimizer, loss, metrics, at } = recipe;
        let metrics: Vec<&dyn Metric> = metrics.iter().map(|metric| &**metric).collect();
        let step = TrainingStep::new_at(at, &**network, &**loss, &**optimizer, &metrics, &input, &target)?;
        let evaluation = EvaluationGraph::new_at(at, &**network, &**loss, &metrics, &input, &target)?;
        let prediction = EvaluationGraph::prediction_at(at, &**network, &input)?;
        let mut training = Session::with(step.graph(), options.clone())?;
        for (name, value) in step.initial_state(seed) {
            training.set_state(&name, value)?;
        }
        let (evaluation, prediction) = (Fed::new(evaluation, options)?, Fed::new(prediction, options)?);
        Ok(Programs { input, target, step, epochs: 0, training, evaluation, prediction })
    }

    /// `loss` and the metrics' names.
    pub(crate) fn value_names(&self) -> Vec<String> {
        std::iter::once(LOSS)
            .chain(self.step.reports().iter().map(|name| &**name))
            .map(String::from)
            .collect()
    }

    /// Checks that samples are of the type that the graphs were built for.
    pub(crate) fn expect_inputs(&self, inputs: &Tensor) -> Result<(), TrainError> {
        expect("inputs", &self.input, inputs)
    }

    /// Checks that samples and targets are of the types that the graphs were built for.
    pub(crate) fn expect(&self, data: &Dataset) -> Result<(), TrainError> {
        self.expect_inputs(data.inputs())?;
        expect("targets", &self.target, data.targets())
    }

    /// All that training changes: parameters, what the optimizer keeps, the random key.
    pub(crate) fn state(&self) -> Vec<(Arc<str>, Tensor)> {
        self.training.states()
    }

    /// Goes back to a state.
    pub(crate) fn set_state(&mut self, state: Vec<(Arc<str>, Tensor)>) -> Result<(), TrainError> {
        state.into_iter().try_for_each(|(name, value)| self.set_value(&name, value))
    }

    /// The number of steps taken in the model's life.
    pub(crate) fn steps_taken(&self) -> u64 {
        self.value(STEP).and_then(|step| step.item()).unwrap_or(0.0) as u64
    }

    /// One step of training on a batch.
    pub(crate) fn train(&mut self, batch: &Dataset) -> Result<Outputs, TrainError> {
        Ok(self.training.run([(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())])?)
    }

    /// A session of its own on the training step, with the state that training has reached.
    pub(crate) fn rehearsal(&self, options: Options) -> Result<Session, TrainError> {
        let mut session = Session::with(self.step.graph(), options)?;
        for (name, value) in self.state() {
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
        mut each: impl FnMut(usize, &Outputs) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let state = self.state_for(&self.evaluation.graph);
        for batch in data.batches(batch_size, Order::Stored)? {
            let feeds = [(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())];
            let state = state.iter().map(|(name, value)| (&**name, value.clone()));
            each(batch.len(), &self.evaluation.session.run(feeds.into_iter().chain(state))?)?;
        }
        Ok(())
    }

    /// The network's answer, for `batch_size` samples at a time.
    pub(crate) fn predict(&mut self, inputs: &Tensor, batch_size: usize) -> Result<Tensor, TrainError> {
        let state = self.state_for(&self.prediction.graph);
        let session = &mut self.prediction.session;
        let mut answer = |inputs: Tensor| -> Result<Tensor, TrainError> {
            let state = state.iter().map(|(name, value)| (&**name, value.clone()));
            let outputs = session.run(std::iter::once((INPUT, inputs)).chain(state))?;
            Ok(outputs[PREDICTION].clone())
        };
        let samples = inputs.sizes()[0];
        if samples <= batch_size {
            return answer(inputs.clone());
        }
        let mut parts = Vec::with_capacity(samples.div_ceil(batch_size));
        for first in (0..samples).step_by(batch_size) {
            let rows = first..(first + batch_size).min(samples);
            let part = answer(slice(inputs, rows.clone()))?;
            if part.sizes().first() != Some(&rows.len()) {
                // A network of the user's own whose answer is about the batch, not about each sample.
                return answer(inputs.clone());
            }
            parts.push(part);
        }
        Ok(concatenate(&parts))
    }
}

fn expect(what: &'static str, expected: &TensorType, samples: &Tensor) -> Result<(), TrainError> {
    let got = if samples.sizes().is_empty() { samples.ty() } else { batch_type(samples) };
    match got == *expected {
        true => Ok(()),
        false => Err(TrainError::Type { what, expected: expected.clone(), got: samples.ty() }),
    }
}
