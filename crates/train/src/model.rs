//! A model: a network with what it takes to train, judge and use it.

use std::path::Path;
use std::time::Instant;

use pullback_exec::{Options, Outputs, Record, Trace};
use pullback_graph::{Tensor, TensorType};
use pullback_nn::{INPUT, LEARNING_RATE, LOSS, PREDICTION, TARGET, TrainingStep};

use crate::data::{Dataset, Order};
use crate::error::TrainError;
use crate::evaluation::Evaluation;
use crate::fit::{Fit, Validation};
use crate::history::{Epoch, History, Stopped};
use crate::inspect::Inspection;
use crate::means::Means;
use crate::metrics::ConfusionMatrix;
use crate::model_summary::ModelSummary;
use crate::pace::{Pace, check_rate};
use crate::programs::{Programs, Recipe, batch_type};
use crate::progress::{EpochProgress, Progress};
use crate::stopping::Stopping;
use crate::weights;

/// How many samples are evaluated at a time.
const EVALUATION_BATCH: usize = 256;

/// A network that can be trained, evaluated and used. Made by [`Compile::compile`](crate::Compile::compile).
///
/// Its graphs are built when the first data show the shapes, or by [`build`](Model::build).
///
/// ```
/// use pullback_nn::{Accuracy, Adam, Dense, Relu, Sequential, SparseCategoricalCrossentropy};
/// use pullback_train::{Compile, Fit, data::digits};
///
/// let (train, test) = digits().split(1347)?;
/// let mut model = Sequential::new([Dense::new(16).activation(Relu).into(), Dense::new(10).into()])
///     .compile(Adam::new(3e-3), SparseCategoricalCrossentropy::from_logits(), [Accuracy])?;
/// model.fit(&train, Fit::epochs(10).batch_size(64).seed(0).quiet())?;
/// assert!(model.evaluate(&test)?.get("accuracy").is_some_and(|accuracy| accuracy > 0.7));
/// # Ok::<(), pullback_train::TrainError>(())
/// ```
#[derive(Debug)]
pub struct Model {
    recipe: Recipe,
    options: Options,
    programs: Option<Programs>,
}

impl Model {
    pub(crate) fn new(recipe: Recipe) -> Self {
        Model { recipe, options: Options::default(), programs: None }
    }

    /// How sessions run: threads, pool, checks. Takes effect when the model is built.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        Model { options, ..self }
    }

    /// Builds the graphs for samples like those of `data`, and the first parameters from `seed`; [`fit`](Model::fit) does
    /// so by itself. A model that is built keeps its parameters.
    ///
    /// # Errors
    /// [`TrainError::Nn`] when network, loss or metrics do not take such data, [`TrainError::Type`] when the model was built
    /// for others.
    pub fn build(&mut self, data: &Dataset, seed: u64) -> Result<(), TrainError> {
        if let Some(programs) = &self.programs {
            return programs.expect(data);
        }
        let (input, target) = (batch_type(data.inputs()), batch_type(data.targets()));
        self.programs = Some(Programs::build(&self.recipe, input, target, seed, &self.options)?);
        Ok(())
    }

    fn built(&self) -> Result<&Programs, TrainError> {
        self.programs.as_ref().ok_or(TrainError::NotBuilt)
    }

    fn built_mut(&mut self) -> Result<&mut Programs, TrainError> {
        self.programs.as_mut().ok_or(TrainError::NotBuilt)
    }

    /// Layers, shapes and parameters for samples of these sizes, and what predicting a batch costs: known before anything
    /// runs. Samples are f32 until the model is [built](Model::build); from then on they are what it was built for, and the
    /// cost of a training step is known too.
    ///
    /// # Errors
    /// [`TrainError::Nn`] when the network does not take such samples, [`TrainError::Type`] when the model was built for
    /// others.
    pub fn summary(&self, sample: &[usize], batch: usize) -> Result<ModelSummary, TrainError> {
        ModelSummary::of(&self.recipe, self.programs.as_ref(), sample, batch, &self.options)
    }

    /// Trains on `data`. A model that was trained before goes on from where it is: with its parameters, with what the
    /// optimizer keeps, and with the number of its next epoch. So 2 epochs and then 3 more are 5, to the bit, if data and
    /// settings are the same.
    ///
    /// The reported loss and metrics of an epoch are means over its samples, each as the parameters were when it came.
    ///
    /// # Errors
    /// As [`build`](Model::build); [`TrainError::Setting`] when a setting has no meaning; [`TrainError::Diverged`] when the
    /// loss is NaN or infinite; [`TrainError::Exec`] when a run fails, such as on a label out of range. The model is then as it
    /// was before the call.
    pub fn fit(&mut self, data: &Dataset, fit: Fit<'_>) -> Result<History, TrainError> {
        fit.check()?;
        let held_back;
        let (train, validation) = match fit.validation {
            Validation::None => (data, None),
            Validation::Set(set) => (data, Some(set)),
            Validation::Fraction(fraction) => {
                held_back = data.validation_split(fraction)?;
                (&held_back.0, Some(&held_back.1))
            }
        };
        let before = self.programs.as_ref().map(|programs| (programs.epochs, programs.state()));
        let ended = self.train(train, validation, &fit);
        if ended.is_err() {
            match before {
                Some((epochs, state)) => {
                    let programs = self.built_mut()?;
                    programs.epochs = epochs;
                    programs.set_state(state)?;
                }
                None => self.programs = None,
            }
        }
        ended
    }

    fn train(
        &mut self,
        train: &Dataset,
        validation: Option<&Dataset>,
        fit: &Fit<'_>,
    ) -> Result<History, TrainError> {
        self.build(train, fit.seed)?;
        let programs = self.built()?;
        if let Some(validation) = validation {
            programs.expect(validation)?;
        }
        let names = programs.value_names();
        let mut stopping = Stopping::new(fit, &names, validation.is_some())?;
        let mut pace = Pace::new(fit.schedule.as_ref(), programs.steps_taken());
        let mut progress = Progress::new(fit.progress);
        let last = programs.epochs.saturating_add(fit.epochs);
        let mut history = History { epochs: Vec::new(), stopped: Stopped::Epochs };
        for number in programs.epochs + 1..=last {
            let begun = Instant::now();
            let mut bar = progress.epoch(number, last, train.len());
            let mut values = self.epoch(number, train, fit, &names, &mut pace, &mut bar)?;
            if let Some(validation) = validation {
                let found = self.evaluate(validation)?.values;
                values.extend(found.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
            }
            bar.finish(&values.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>());
            let epoch = Epoch { number, values, elapsed: begun.elapsed() };
            let verdict = stopping.after(&epoch);
            history.epochs.push(epoch);
            if let Some(stopped) = verdict {
                history.stopped = stopped;
                break;
            }
        }
        Ok(history)
    }

    /// One pass over the data.
    fn epoch(
        &mut self,
        number: usize,
        train: &Dataset,
        fit: &Fit<'_>,
        names: &[String],
        pace: &mut Pace<'_>,
        bar: &mut EpochProgress<'_>,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let order = match fit.shuffle {
            true => Order::Shuffled { seed: fit.seed, epoch: number as u64 },
            false => Order::Stored,
        };
        let programs = self.built_mut()?;
        let mut means = Means::new(names);
        for (at, batch) in train.batches(fit.batch_size, order)?.enumerate() {
            if let Some(rate) = pace.next()? {
                programs.set_value(LEARNING_RATE, Tensor::scalar(rate))?;
            }
            let outputs = programs.train(&batch)?;
            let loss = scalar(&outputs, LOSS);
            if !loss.is_finite() {
                return Err(TrainError::Diverged { loss, epoch: number, batch: at + 1 });
            }
            means.add(batch.len(), |name| scalar(&outputs, name));
            bar.advance(batch.len(), means.values());
        }
        programs.epochs = number;
        Ok(means.to_vec())
    }

    /// Loss and metrics on `data`, as means over its samples. Dropout drops nothing, and nothing changes.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training, [`TrainError::Type`] when the model was built for other data.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, TrainError> {
        let programs = self.built_mut()?;
        programs.expect(data)?;
        let names = programs.value_names();
        let mut means = Means::new(&names);
        programs.evaluate(data, EVALUATION_BATCH, |count, outputs| {
            means.add(count, |name| scalar(outputs, name));
            Ok(())
        })?;
        Ok(Evaluation { values: means.to_vec() })
    }

    /// The network's answer to each sample of `inputs`, of which there may be any number: they are taken
    /// 256 at a time.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training, [`TrainError::Type`] when the model was built for other inputs.
    pub fn predict(&mut self, inputs: &Tensor) -> Result<Tensor, TrainError> {
        let programs = self.built_mut()?;
        programs.expect_inputs(inputs)?;
        programs.predict(inputs, EVALUATION_BATCH)
    }

    /// Counts predicted against true classes; the network has one output per class.
    ///
    /// # Errors
    /// As [`evaluate`](Model::evaluate); [`TrainError::Data`] when the targets are not labels.
    pub fn confusion_matrix(&mut self, data: &Dataset) -> Result<ConfusionMatrix, TrainError> {
        let programs = self.built_mut()?;
        programs.expect(data)?;
        let mut predicted = Vec::with_capacity(data.len());
        let mut classes = 0;
        programs.evaluate(data, EVALUATION_BATCH, |_, outputs| {
            let prediction = &outputs[PREDICTION];
            classes = prediction.sizes().last().copied().unwrap_or(0);
            predicted.extend_from_slice(prediction.argmax(-1)?.values::<i64>());
            Ok(())
        })?;
        Ok(ConfusionMatrix::of(data.targets(), &Tensor::vector(predicted), classes)?)
    }

    /// Rehearses one training step on `batch` with everything that `record` asks for written down. The model itself stays
    /// as it is.
    ///
    /// # Errors
    /// As [`evaluate`](Model::evaluate).
    pub fn inspect(&self, batch: &Dataset, record: Record) -> Result<Inspection, TrainError> {
        let programs = self.built()?;
        programs.expect(batch)?;
        let mut session = programs.rehearsal(self.options.clone())?;
        let state = session.states();
        let data = || [(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())];
        session.record(record);
        // Twice, so that what is recorded is a step with its threads awake, not the start of a session.
        session.run(data())?;
        for (name, value) in state {
            session.set_state(&name, value)?;
        }
        session.run(data())?;
        let trace: Option<Trace> = session.last_run().trace().cloned();
        Ok(Inspection::new(&programs.step, session.last_run(), trace))
    }

    /// The training step as a graph, once the model is built.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training.
    pub fn training_step(&self) -> Result<&TrainingStep, TrainError> {
        Ok(&self.built()?.step)
    }

    /// The parameters by path, in the order in which layers made them.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training.
    pub fn parameters(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let programs = self.built()?;
        let parameters = programs.step.parameters().iter();
        let value = |name: &str| programs.value(name).expect("a session holds every parameter");
        Ok(parameters.map(|spec| (spec.path.to_string(), value(&spec.path))).collect())
    }

    /// The number of epochs trained in the model's life.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.programs.as_ref().map_or(0, |programs| programs.epochs)
    }

    /// The learning rate of the next step.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training.
    pub fn learning_rate(&self) -> Result<f64, TrainError> {
        let rate = self.built()?.value(LEARNING_RATE).expect("every step has a learning rate");
        Ok(rate.item().expect("a learning rate is a scalar"))
    }

    /// Sets the learning rate of the steps to come, without planning anew; a [schedule](Fit::schedule) sets its own.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when it is negative or not finite, [`TrainError::NotBuilt`] before any training.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<(), TrainError> {
        let rate = check_rate(rate)?;
        self.built_mut()?.set_value(LEARNING_RATE, Tensor::scalar(rate))
    }

    /// Writes the parameters as safetensors. The file is replaced whole or not at all.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training, [`TrainError::Weights`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let parameters = self.parameters()?;
        Ok(weights::save(path, parameters.iter().map(|(name, value)| (name.as_str(), value)))?)
    }

    /// Reads the parameters from a safetensors file; all of them or none. What the optimizer keeps stays as it is.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before [`build`](Model::build) or training; [`TrainError::Weights`] when the file cannot be
    /// read, or a tensor is missing, misshapen or not a parameter.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let programs = self.built_mut()?;
        let expected: Vec<(String, TensorType)> =
            programs.step.parameters().iter().map(|spec| (spec.path.to_string(), spec.ty.clone())).collect();
        let tensors = weights::load(path)?.fit(expected.iter().map(|(name, ty)| (name.as_str(), ty)))?;
        for ((name, _), tensor) in expected.iter().zip(tensors) {
            programs.set_value(name, tensor)?;
        }
        Ok(())
    }
}

/// A value of a batch.
fn scalar(outputs: &Outputs, name: &str) -> f64 {
    outputs[name].item().expect("losses and metrics are scalars")
}
