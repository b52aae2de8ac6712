//! What was written down about one training step: every value's statistics, every gradient, every step's time.

use std::path::Path;

use pullback_exec::{RunReport, Trace};
use pullback_graph::{Graph, GraphFile, NodeId, RunStats, atomic_file};
use pullback_nn::TrainingStep;

use crate::error::TrainError;

/// A training step as it ran once.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The graph: forward, loss, gradients, update.
    pub graph: Graph,
    /// The statistics of every node's value, if they were recorded.
    pub stats: Option<RunStats>,
    /// When each step ran, and on which thread, if that was recorded.
    pub trace: Option<Trace>,
    parameters: Vec<(String, NodeId)>,
}

impl Inspection {
    pub(crate) fn new(step: &TrainingStep, report: &RunReport, trace: Option<Trace>) -> Self {
        let graph = step.graph().clone();
        let stats = report.stats().map(|found| {
            let mut stats = RunStats::new();
            for (id, of) in graph.ids().zip(found) {
                if let Some(of) = of {
                    stats.insert(id, of.clone());
                }
            }
            stats
        });
        let parameters = step
            .parameters()
            .iter()
            .filter_map(|spec| Some((spec.path.to_string(), graph.input(&spec.path)?)))
            .collect();
        Inspection { graph, stats, trace, parameters }
    }

    /// The Euclidean norm of the loss's gradient in each parameter, by path, in the order in which layers made them; empty
    /// unless statistics were recorded.
    #[must_use]
    pub fn gradient_norms(&self) -> Vec<(String, f64)> {
        let Some(stats) = &self.stats else { return Vec::new() };
        let norm = |parameter: NodeId| {
            let link = self.graph.cotangents().iter().find(|link| link.forward == parameter)?;
            Some(stats.get(link.gradient)?.norm)
        };
        self.parameters.iter().filter_map(|(name, id)| Some((name.clone(), norm(*id)?))).collect()
    }

    /// Writes the graph with its statistics as JSON.
    ///
    /// # Errors
    /// [`TrainError::Graph`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let file = GraphFile::of(&self.graph);
        let file = match &self.stats {
            Some(stats) => file.with_stats(stats),
            None => file,
        };
        Ok(file.save(path).map_err(pullback_graph::GraphError::from)?)
    }

    /// Writes the graph with its statistics as text.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn save_text(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let text = self.graph.text();
        let text = match &self.stats {
            Some(stats) => text.with_stats(stats).to_string(),
            None => text.to_string(),
        };
        Ok(atomic_file::write(path.as_ref(), text.as_bytes())?)
    }

    /// Writes the graph with its statistics in Graphviz's DOT language.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn save_dot(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let dot = self.graph.dot();
        let dot = match &self.stats {
            Some(stats) => dot.with_stats(stats).to_string(),
            None => dot.to_string(),
        };
        Ok(atomic_file::write(path.as_ref(), dot.as_bytes())?)
    }

    /// Writes the trace in the format of `chrome://tracing` and Perfetto.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when no trace was recorded, [`TrainError::Io`] when the file cannot be written.
    pub fn save_trace(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let trace = self.trace.as_ref().ok_or(TrainError::Setting {
            what: "the record",
            value: "off".into(),
            expected: "`Record::trace()` or `Record::stats()`",
        })?;
        Ok(atomic_file::write(path.as_ref(), trace.to_chrome_json().to_string().as_bytes())?)
    }
}
