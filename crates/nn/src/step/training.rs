//! One step of training as one graph.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use pullback_autodiff::{GradOptions, gradients};
use pullback_graph::{Builder, Expr, Graph, Output, Tensor, TensorType};

use crate::context::{Context, Mode};
use crate::error::NnError;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::module::Module;
use crate::names::LOSS;
use crate::optim::Optimizer;
use crate::spec::{ParameterSpec, StateSpec};
use crate::step::judge::{Judged, expect, judge};
use crate::step::update::update;

/// What a step minimizes, how, and what it reports: the answer of the closure of [`TrainingStep::build`].
pub struct Step<'g> {
    loss: Expr<'g>,
    optimizer: Box<dyn Optimizer>,
    reports: Vec<(Arc<str>, Expr<'g>)>,
    at: &'static Location<'static>,
}

impl<'g> Step<'g> {
    /// Minimizes `loss`, a scalar, and the [penalties](Context::penalties), which are added to it.
    #[must_use]
    #[track_caller]
    pub fn minimize(loss: Expr<'g>, optimizer: impl Optimizer + 'static) -> Self {
        Step { loss, optimizer: Box::new(optimizer), reports: Vec::new(), at: Location::caller() }
    }

    /// Makes `value` an output called `name`. Values are those before the update.
    #[must_use]
    pub fn report(mut self, name: &str, value: Expr<'g>) -> Self {
        self.reports.push((name.into(), value));
        self
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { loss, optimizer, reports, at: _ } = self;
        f.debug_struct("Step")
            .field("loss", loss)
            .field("optimizer", optimizer)
            .field("reports", reports)
            .finish()
    }
}

/// A step of training as one graph: forward, loss, gradients, update.
///
/// Its inputs are the data, the parameters, and state: what the optimizer keeps, the step count, the learning rate, the
/// random key. Its outputs are `loss`, the reports, and for every parameter and state its next value, under the name of
/// the input that it [updates](Output::updates). Each parameter is updated in a box of its own,
/// `update/<path>`; the boxes share nothing but the scalars of the step, so they can run at the same time.
///
/// ```
/// use pullback_graph::{DType::{F32, I64}, Tensor, interpret, sym};
/// use pullback_nn::{Adam, Dense, Module, Optimizer, Reduction, Relu, Sequential, Step, TrainingStep, accuracy, cross_entropy};
///
/// let mlp = Sequential::new([Dense::new(8).activation(Relu).into(), Dense::new(3).into()]);
/// let step = TrainingStep::build(|cx| {
///     let x = cx.input("x", F32, [sym("batch"), 4.into()]);
///     let t = cx.input("t", I64, [sym("batch")]);
///     let logits = mlp.forward(cx, x);
///     Step::minimize(cross_entropy(logits, t, Reduction::Mean), Adam::new(1e-3).clip_norm(1.0)).report("accuracy", accuracy(logits, t))
/// })?;
///
/// let mut feeds = step.initial_state(42);
/// feeds.push(("x".into(), Tensor::random([5, 4], 0)));
/// feeds.push(("t".into(), Tensor::of([5], [0_i64, 1, 2, 1, 0])));
/// let values = interpret(step.graph(), feeds.iter().map(|(name, value)| (name, value)))?;
/// assert!(values.output("loss")?.item().is_some_and(|loss| loss > 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingStep {
    graph: Graph,
    parameters: Vec<ParameterSpec>,
    states: Vec<StateSpec>,
    reports: Vec<Arc<str>>,
}

impl TrainingStep {
    /// The step that `build` describes. Parameters are of type f32 unless layers say otherwise, as
    /// [`Dense`](crate::Dense) does by its input.
    ///
    /// # Errors
    /// [`NnError`]: there are no parameters, the loss is no scalar or does not depend on one of them, the optimizer's
    /// numbers have no meaning, or two outputs have one name.
    ///
    /// # Panics
    /// Where `build` does: layers and losses show the line of what does not fit.
    pub fn build<F>(build: F) -> Result<TrainingStep, NnError>
    where
        F: for<'g> FnOnce(&Context<'g>) -> Step<'g>,
    {
        let builder = Builder::new();
        let cx = Context::new(&builder, Mode::Training);
        let step = builder.scope("forward", || build(&cx));
        TrainingStep::finish(&cx, step.loss, &*step.optimizer, step.reports, step.at)
    }

    /// The step of a network with one input, called `input`, and one target, called `target`. Parameters have the input's
    /// element type, or f32 if that is not of floating point.
    ///
    /// # Errors
    /// As [`build`](TrainingStep::build), and [`NnError`] when the module, the loss or a metric does not take what it is
    /// given.
    #[track_caller]
    pub fn new(
        module: &(impl Module + ?Sized),
        loss: &(impl Loss + ?Sized),
        optimizer: &(impl Optimizer + ?Sized),
        metrics: &[&dyn Metric],
        input: &TensorType,
        target: &TensorType,
    ) -> Result<TrainingStep, NnError> {
        TrainingStep::new_at(Location::caller(), module, loss, optimizer, metrics, input, target)
    }

    /// The same, with the line `at` for the nodes that no layer makes: for programs that build steps on a user's behalf.
    ///
    /// # Errors
    /// As [`new`](TrainingStep::new).
    pub fn new_at(
        at: &'static Location<'static>,
        module: &(impl Module + ?Sized),
        loss: &(impl Loss + ?Sized),
        optimizer: &(impl Optimizer + ?Sized),
        metrics: &[&dyn Metric],
        input: &TensorType,
        target: &TensorType,
    ) -> Result<TrainingStep, NnError> {
        expect(module, loss, metrics, input, target)?;
        let builder = Builder::new();
        let cx = Context::for_input(&builder, Mode::Training, input);
        let Judged { loss: value, reports, .. } = judge(&cx, at, module, loss, metrics, input, target);
        TrainingStep::finish(&cx, value, optimizer, reports, at)
    }

    /// Gradients and update, and all outputs.
    fn finish<'g>(
        cx: &Context<'g>,
        loss: Expr<'g>,
        optimizer: &(impl Optimizer + ?Sized),
        reports: Vec<(Arc<str>, Expr<'g>)>,
        at: &'static Location<'static>,
    ) -> Result<TrainingStep, NnError> {
        let parameters: Vec<Expr<'g>> =
            cx.read(|tables| tables.parameters.iter().map(|(_, input)| *input).collect());
        if parameters.is_empty() {
            return Err(NnError::NoParameters);
        }
        optimizer.check()?;
        let loss = with_penalties(cx, loss, at);
        let gradients = gradients(loss, &parameters, &GradOptions::default())?;
        let next = cx.builder().derived("update", at, || update(cx, optimizer, gradients));

        let mut outputs = vec![Output::new(LOSS, loss.id())];
        outputs.extend(reports.iter().map(|(name, value)| Output::new(name.clone(), value.id())));
        cx.read(|tables| {
            let parameters =
                tables.parameters.iter().zip(next).map(|((spec, input), next)| (&spec.path, *input, next));
            // State that a step leaves as it is has itself as its next value: whoever runs the step keeps it.
            let states = tables
                .states
                .iter()
                .map(|held| (&held.spec.name, held.input, held.next.unwrap_or(held.input)));
            let updates = parameters.chain(states);
            outputs.extend(
                updates.map(|(name, input, next)| Output::new(name.clone(), next.id()).updating(input)),
            );
        });
        Ok(TrainingStep {
            graph: cx.builder().finish(outputs)?,
            parameters: cx.parameters(),
            states: cx.states(),
            reports: reports.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The parameters, in the order in which layers made them.
    #[must_use]
    pub fn parameters(&self) -> &[ParameterSpec] {
        &self.parameters
    }

    /// State that is not trained: layers' own, then the optimizer's.
    #[must_use]
    pub fn states(&self) -> &[StateSpec] {
        &self.states
    }

    /// The names of the outputs beside `loss` and the updates.
    #[must_use]
    pub fn reports(&self) -> &[Arc<str>] {
        &self.reports
    }

    /// The first value of every input that is not data, by name: parameters, then states. The same for the same seed.
    #[must_use]
    pub fn initial_state(&self, seed: u64) -> Vec<(Arc<str>, Tensor)> {
        let parameters = self.parameters.iter().map(|spec| (spec.path.clone(), spec.initial(seed)));
        let states = self.states.iter().map(|spec| (spec.name.clone(), spec.initial(seed)));
        parameters.chain(states).collect()
    }
}

/// The loss and everything that is added to it, summed in the order of the parameters.
pub(super) fn with_penalties<'g>(
    cx: &Context<'g>,
    loss: Expr<'g>,
    at: &'static Location<'static>,
) -> Expr<'g> {
    if !cx.has_penalties() {
        return loss;
    }
    cx.builder().derived("penalties", at, || {
        cx.penalties().into_iter().fold(loss, |sum, penalty| sum + penalty.cast(sum.dtype()))
    })
}
