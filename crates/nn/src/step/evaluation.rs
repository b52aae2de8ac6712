//! Evaluation and prediction as graphs.

use std::panic::Location;
use std::sync::Arc;

use pullback_graph::{Builder, Expr, Graph, TensorType};

use crate::context::{Context, Mode};
use crate::error::NnError;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::module::Module;
use crate::names::{INPUT, LOSS, PREDICTION};
use crate::spec::{ParameterSpec, StateSpec};
use crate::step::judge::{Judged, expect, judge};
use crate::step::training::with_penalties;

/// A network in evaluation mode as one graph. Parameters and state have the names that they have in the
/// [`TrainingStep`](crate::TrainingStep) of the same network, whose values it is fed; it changes none of them.
///
/// ```
/// use pullback_graph::{DType::F32, TensorType, sym};
/// use pullback_nn::{Dense, Dropout, EvaluationGraph, Relu, Sequential};
/// let mlp = Sequential::new([Dense::new(8).activation(Relu).into(), Dropout::new(0.5).into(), Dense::new(3).into()]);
/// let predict = EvaluationGraph::prediction(&mlp, &TensorType::new(F32, [sym("batch"), 4.into()]))?;
/// let names: Vec<_> = predict.parameters().iter().map(|spec| spec.path.to_string()).collect();
/// assert_eq!(names, ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]);
/// # Ok::<(), pullback_nn::NnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EvaluationGraph {
    graph: Graph,
    parameters: Vec<ParameterSpec>,
    states: Vec<StateSpec>,
}

impl EvaluationGraph {
    /// The graph of what `build` answers: outputs by name.
    ///
    /// # Errors
    /// [`NnError`] when two outputs have one name.
    ///
    /// # Panics
    /// Where `build` does.
    pub fn build<F>(build: F) -> Result<EvaluationGraph, NnError>
    where
        F: for<'g> FnOnce(&Context<'g>) -> Vec<(Arc<str>, Expr<'g>)>,
    {
        let builder = Builder::new();
        let cx = Context::new(&builder, Mode::Evaluation);
        let outputs = builder.scope("forward", || build(&cx));
        EvaluationGraph::finish(&cx, outputs)
    }

    /// The answer of a network to `input`: one output, `prediction`.
    ///
    /// # Errors
    /// As [`Module::output_type`].
    #[track_caller]
    pub fn prediction(
        module: &(impl Module + ?Sized),
        input: &TensorType,
    ) -> Result<EvaluationGraph, NnError> {
        EvaluationGraph::prediction_at(Location::caller(), module, input)
    }

    /// The same, with the line `at` for the input: for programs that build graphs on a user's behalf.
    ///
    /// # Errors
    /// As [`Module::output_type`].
    pub fn prediction_at(
        at: &'static Location<'static>,
        module: &(impl Module + ?Sized),
        input: &TensorType,
    ) -> Result<EvaluationGraph, NnError> {
        module.output_type(input)?;
        let builder = Builder::new();
        let cx = Context::for_input(&builder, Mode::Evaluation, input);
        let x = builder.at_line(at, || builder.input(INPUT, input.dtype, &input.shape));
        let prediction = builder.scope("forward", || module.forward(&cx, x));
        EvaluationGraph::finish(&cx, vec![(PREDICTION.into(), prediction)])
    }

    /// How good a network is: the outputs `loss`, penalties included as in training, each metric by name, and
    /// `prediction`.
    ///
    /// # Errors
    /// [`NnError`] when the module, the loss or a metric does not take what it is given, or two have one name.
    #[track_caller]
    pub fn new(
        module: &(impl Module + ?Sized),
        loss: &(impl Loss + ?Sized),
        metrics: &[&dyn Metric],
        input: &TensorType,
        target: &TensorType,
    ) -> Result<EvaluationGraph, NnError> {
        EvaluationGraph::new_at(Location::caller(), module, loss, metrics, input, target)
    }

    /// The same, with the line `at` for the nodes that no layer makes: for programs that build graphs on a user's behalf.
    ///
    /// # Errors
    /// As [`new`](EvaluationGraph::new).
    pub fn new_at(
        at: &'static Location<'static>,
        module: &(impl Module + ?Sized),
        loss: &(impl Loss + ?Sized),
        metrics: &[&dyn Metric],
        input: &TensorType,
        target: &TensorType,
    ) -> Result<EvaluationGraph, NnError> {
        expect(module, loss, metrics, input, target)?;
        let builder = Builder::new();
        let cx = Context::for_input(&builder, Mode::Evaluation, input);
        let Judged { prediction, loss, reports } = judge(&cx, at, module, loss, metrics, input, target);
        let mut outputs = vec![(LOSS.into(), with_penalties(&cx, loss, at))];
        outputs.extend(reports);
        outputs.push((PREDICTION.into(), prediction));
        EvaluationGraph::finish(&cx, outputs)
    }

    fn finish<'g>(cx: &Context<'g>, outputs: Vec<(Arc<str>, Expr<'g>)>) -> Result<EvaluationGraph, NnError> {
        Ok(EvaluationGraph {
            graph: cx.builder().finish(outputs)?,
            parameters: cx.parameters(),
            states: cx.states(),
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

    /// State of the layers' own.
    #[must_use]
    pub fn states(&self) -> &[StateSpec] {
        &self.states
    }

    /// The names of all inputs that are not data: what to feed of a training state.
    pub fn state_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parameters.iter().map(|spec| &spec.path).chain(self.states.iter().map(|spec| &spec.name))
    }
}
