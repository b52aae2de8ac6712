//! What a model is made of and what a batch costs, before anything runs.

use std::fmt;

use pullback_exec::{Options, compile};
use pullback_graph::{Bindings, DType, Dim, Graph, TensorType, sym, units};
use pullback_nn::{EvaluationGraph, Summary};

use crate::error::TrainError;
use crate::programs::{Programs, Recipe};

/// Layers, shapes and parameters, and what one batch costs. `Display` prints it all.
#[derive(Clone, Debug)]
pub struct ModelSummary {
    /// The layers and parameters.
    pub layers: Summary,
    /// The number of samples that the costs are for.
    pub batch: usize,
    /// What predicting a batch costs.
    pub prediction: BatchCost,
    /// What a training step on a batch costs, if the model is built: only then the targets' shape is known.
    pub training: Option<BatchCost>,
}

/// What a batch costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchCost {
    /// Floating-point operations; one for each element of an elementwise result, two for each product that is added up.
    pub flops: u64,
    /// The memory that a session holds to run it: buffers, results, constants, and in training the parameters and what the
    /// optimizer keeps. What is fed is the caller's and does not count: the data, and in prediction the parameters too.
    pub peak_bytes: usize,
}

impl ModelSummary {
    pub(crate) fn of(
        recipe: &Recipe,
        programs: Option<&Programs>,
        sample: &[usize],
        batch: usize,
        options: &Options,
    ) -> Result<ModelSummary, TrainError> {
        let sizes = sample.iter().map(|size| Dim::Known(*size));
        let dtype = programs.map_or(DType::F32, |programs| programs.input.dtype);
        let input = TensorType::new(dtype, std::iter::once(sym("batch")).chain(sizes).collect::<Vec<Dim>>());
        if let Some(built) = programs.map(|programs| &programs.input)
            && *built != input
        {
            return Err(TrainError::Type { what: "inputs", expected: built.clone(), got: input });
        }
        let prediction = EvaluationGraph::prediction(&*recipe.network, &input)?;
        Ok(ModelSummary {
            layers: Summary::of(&*recipe.network, &input)?,
            batch,
            prediction: BatchCost::of(prediction.graph(), batch, options)?,
            training: programs
                .map(|programs| BatchCost::of(programs.step.graph(), batch, options))
                .transpose()?,
        })
    }
}

impl BatchCost {
    fn of(graph: &Graph, batch: usize, options: &Options) -> Result<BatchCost, TrainError> {
        let bindings: Bindings = graph.symbols().into_iter().map(|symbol| (symbol, batch)).collect();
        let plan = compile(graph, &bindings, options)?;
        let flops = plan.costs().iter().map(|cost| cost.flops).sum();
        Ok(BatchCost { flops, peak_bytes: plan.peak_bytes() })
    }
}

impl fmt::Display for ModelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layers)?;
        let mut line = |what: &str, cost: BatchCost| {
            let (flops, bytes) = (units::metric(cost.flops), units::bytes(cost.peak_bytes as u64));
            writeln!(f, "{what} of {} samples: {flops} FLOPs, {bytes} at the peak", self.batch)
        };
        line("predicting a batch", self.prediction)?;
        if let Some(training) = self.training {
            line("training on a batch", training)?;
        }
        Ok(())
    }
}
