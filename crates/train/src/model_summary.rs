//! What a model is made of and what a batch costs, before anything runs.

use std::fmt;

use pullback_exec::{Options, compile};
use pullback_graph::{Bindings, DType, Dim, Graph, TensorType, sym};
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
    /// The most memory that buffers take at a time, inputs and parameters included.
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
        let input =
            TensorType::new(DType::F32, std::iter::once(sym("batch")).chain(sizes).collect::<Vec<Dim>>());
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
            let (flops, bytes) = (scaled(cost.flops as f64, 1000.0), scaled(cost.peak_bytes as f64, 1024.0));
            writeln!(f, "{what} of {} samples: {flops}FLOP, {bytes}B at the peak", self.batch)
        };
        line("predicting a batch", self.prediction)?;
        if let Some(training) = self.training {
            line("training on a batch", training)?;
        }
        Ok(())
    }
}

/// `1.23 M`, with the unit's prefix; binary prefixes for powers of 1024.
fn scaled(number: f64, base: f64) -> String {
    let prefixes = if base == 1024.0 { ["", "Ki", "Mi", "Gi", "Ti"] } else { ["", "k", "M", "G", "T"] };
    let mut scaled = number;
    let mut at = 0;
    while scaled >= base && at + 1 < prefixes.len() {
        scaled /= base;
        at += 1;
    }
    if at == 0 { format!("{scaled:.0} ") } else { format!("{scaled:.2} {}", prefixes[at]) }
}
