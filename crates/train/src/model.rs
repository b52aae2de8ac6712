//! A model: a network with what it takes to train, judge and use it.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use pullback_exec::{Options, Record, Trace};
use pullback_graph::{Tensor, TensorType};
use pullback_nn::{INPUT, LEARNING_RATE, LOSS, PREDICTION, TARGET};
use pullback_nn::{Layer, Loss, Metric, Optimizer, TrainingStep};

use crate::data::{Dataset, Order};
use crate::error::TrainError;
use crate::fit::{Fit, Validation};
use crate::history::{Epoch, History, Stopped};
use crate::inspect::Inspection;
use crate::metrics::ConfusionMatrix;
use crate::model_summary::ModelSummary;
use crate::programs::{Programs, Recipe, batch_type};
use crate::progress::Progress;
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
/// model.fit(&train, Fit::epochs(2).batch_size(64).seed(0).quiet())?;
/// assert!(model.evaluate(&test)?.get("accuracy").is_some_and(|accuracy| accuracy > 0.5));
/// # Ok::<(), pullback_train::TrainError>(())
/// ```
#[derive(Debug)]
pub struct Model {
    recipe: Recipe,
    options: Options,
    programs: Option<Programs>,
}

impl Model {
    pub(crate) fn new(
        network: Layer,
        optimizer: Box<dyn Optimizer>,
        loss: Box<dyn Loss>,
        metrics: Vec<Box<dyn Metric>>,
    ) -> Self {
        let recipe = Recipe { network, optimizer, loss, metrics };
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
            programs.expect("inputs", data.inputs())?;
            return programs.expect("targets", data.targets());
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

    /// Layers, shapes and parameters for f32 samples of these sizes, and what a batch costs: known before anything runs.
    ///
    /// # Errors
    /// [`TrainError::Nn`] when the network does not take such samples.
    pub fn summary(&self, sample: &[usize], batch: usize) -> Result<ModelSummary, TrainError> {
        ModelSummary::of(&self.recipe, self.programs.as_ref(), sample, batch, &self.options)
    }

    /// Trains on `data`. Training goes on from the parameters that the model has.
    ///
    /// The reported loss and metrics of an epoch are means over its samples, each as the parameters were when it came.
    ///
    /// # Errors
    /// As [`build`](Model::build); [`TrainError::Setting`] when a setting has no meaning; [`TrainError::Diverged`] when the
    /// loss is NaN; [`TrainError::Exec`] when a run fails, such as on a label out of range.
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
        self.build(train, fit.seed)?;
        let mut progress = Progress::new(fit.progress);
        let mut epochs = Vec::new();
        for number in 1..=fit.epochs {
            epochs.push(self.epoch(number, train, validation, &fit, &mut progress)?);
            if let Some(stopped) = fit.verdict(&epochs)? {
                return Ok(History { epochs, stopped });
            }
        }
        Ok(History { epochs, stopped: Stopped::Epochs })
    }

    /// One pass over the data, and the validation after it.
    fn epoch(
        &mut self,
        number: usize,
        train: &Dataset,
        validation: Option<&Dataset>,
        fit: &Fit<'_>,
        progress: &mut Progress,
    ) -> Result<Epoch, TrainError> {
        let begun = Instant::now();
        let order = match fit.shuffle {
            true => Order::Shuffled { seed: fit.seed, epoch: number as u64 },
            false => Order::Stored,
        };
        let programs = self.built_mut()?;
        let names: Vec<String> = value_names(&programs.step).map(String::from).collect();
        let mut means = Means::new(&names);
        let mut bar = progress.epoch(number, fit.epochs, train.len());
        for (at, batch) in train.batches(fit.batch_size, order)?.enumerate() {
            let outputs = programs.train(&batch)?;
            means.add(batch.len(), |name| outputs[name].item().unwrap_or(f64::NAN));
            let loss = outputs[LOSS].item().unwrap_or(f64::NAN);
            if loss.is_nan() {
                return Err(TrainError::Diverged { loss, epoch: number, batch: at + 1 });
            }
            bar.advance(batch.len(), &means.values());
        }
        let mut values: Vec<(String, f64)> =
            means.values().into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        if let Some(validation) = validation {
            let found = self.evaluate(validation)?;
            values.extend(found.values.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        let shown: Vec<(&str, f64)> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        bar.finish(&shown);
        Ok(Epoch { number, values, elapsed: begun.elapsed() })
    }

    /// Loss and metrics on `data`, as means over its samples. Dropout drops nothing, and nothing changes.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training, [`TrainError::Type`] when the model was built for other data.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, TrainError> {
        let programs = self.built_mut()?;
        programs.expect("inputs", data.inputs())?;
        programs.expect("targets", data.targets())?;
        let names: Vec<String> = value_names(&programs.step).map(String::from).collect();
        let mut means = Means::new(&names);
        programs.evaluate(data, EVALUATION_BATCH, |count, outputs| {
            means.add(count, |name| outputs[name].item().unwrap_or(f64::NAN));
        })?;
        Ok(Evaluation {
            values: means.values().into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
        })
    }

    /// The network's answer to each sample of `inputs`, as one batch.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training, [`TrainError::Type`] when the model was built for other inputs.
    pub fn predict(&mut self, inputs: &Tensor) -> Result<Tensor, TrainError> {
        let programs = self.built_mut()?;
        programs.expect("inputs", inputs)?;
        programs.predict(inputs)
    }

    /// Counts predicted against true classes; the network has one output per class.
    ///
    /// # Errors
    /// As [`evaluate`](Model::evaluate); [`TrainError::Data`] when the targets are not labels.
    pub fn confusion_matrix(&mut self, data: &Dataset) -> Result<ConfusionMatrix, TrainError> {
        let programs = self.built_mut()?;
        programs.expect("inputs", data.inputs())?;
        programs.expect("targets", data.targets())?;
        let mut predicted = Vec::with_capacity(data.len());
        let mut classes = 0;
        let mut failed = None;
        programs.evaluate(data, EVALUATION_BATCH, |_, outputs| {
            let prediction = &outputs[PREDICTION];
            classes = prediction.sizes().last().copied().unwrap_or(0);
            match prediction.argmax(-1) {
                Ok(labels) => predicted.extend_from_slice(labels.values::<i64>()),
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(ConfusionMatrix::of(data.targets(), &Tensor::vector(predicted), classes)?)
    }

    /// Rehearses one training step on `batch` with everything that `record` asks for written down. The model itself stays
    /// as it is.
    ///
    /// # Errors
    /// As [`evaluate`](Model::evaluate).
    pub fn inspect(&mut self, batch: &Dataset, record: Record) -> Result<Inspection, TrainError> {
        self.build(batch, 0)?;
        let programs = self.built()?;
        let mut session = programs.rehearsal(self.options.clone())?;
        let state = session.states();
        let data = || [(INPUT, batch.inputs().clone()), (TARGET, batch.targets().clone())];
        // Once without recording, so that what is recorded is a step with its threads awake, not the start of a session.
        session.run(data())?;
        for (name, value) in state {
            session.set_state(&name, value)?;
        }
        session.record(record);
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

    /// The learning rate of the next step. A change takes effect at once, without planning anew.
    ///
    /// # Errors
    /// [`TrainError::NotBuilt`] before any training.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<(), TrainError> {
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

/// `loss` and the metrics' names.
fn value_names(step: &TrainingStep) -> impl Iterator<Item = &str> {
    std::iter::once(LOSS).chain(step.reports().iter().map(|name| &**name))
}

/// Means over samples, from means over batches.
struct Means<'n> {
    names: &'n [String],
    sums: Vec<f64>,
    count: usize,
}

impl<'n> Means<'n> {
    fn new(names: &'n [String]) -> Self {
        Means { names, sums: vec![0.0; names.len()], count: 0 }
    }

    fn add(&mut self, count: usize, value: impl Fn(&str) -> f64) {
        for (sum, name) in self.sums.iter_mut().zip(self.names) {
            *sum += value(name) * count as f64;
        }
        self.count += count;
    }

    fn values(&self) -> Vec<(&'n str, f64)> {
        let mean = |sum: &f64| sum / self.count as f64;
        self.names.iter().map(String::as_str).zip(self.sums.iter().map(mean)).collect()
    }
}

/// Loss and metrics on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    values: Vec<(String, f64)>,
}

impl Evaluation {
    /// The loss, penalties included.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.get(LOSS).unwrap_or(f64::NAN)
    }

    /// The value of `loss` or of a metric.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// Loss and metrics by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} {value:.4}", if at > 0 { "  " } else { "" })?;
        }
        Ok(())
    }
}
