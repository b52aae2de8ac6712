//! Which node, made by which line, has which gradient.

use std::collections::HashMap;
use std::fmt;

use crate::dump::table::Table;
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::OpRules;
use crate::stats::RunStats;

/// A list of the forward nodes, each with its line, its type and its gradient. Made by
/// [`Graph::forward_with_gradients`].
#[derive(Clone, Copy, Debug)]
pub struct ForwardWithGradients<'g> {
    graph: &'g Graph,
    stats: Option<&'g RunStats>,
}

impl Graph {
    /// Which node, made by which line, has which gradient.
    ///
    /// Nodes that differentiation appended are listed where they have been differentiated themselves.
    #[must_use]
    pub fn forward_with_gradients(&self) -> ForwardWithGradients<'_> {
        ForwardWithGradients { graph: self, stats: None }
    }
}

impl<'g> ForwardWithGradients<'g> {
    /// The same list with what a run recorded of each value and its gradient.
    #[must_use]
    pub fn with_stats(self, stats: &'g RunStats) -> Self {
        ForwardWithGradients { stats: Some(stats), ..self }
    }
}

impl fmt::Display for ForwardWithGradients<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph;
        let mut gradients: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for link in graph.cotangents() {
            gradients.entry(link.forward).or_default().push(link.gradient);
        }
        let listed: Vec<NodeId> =
            graph.ids().filter(|id| graph.gradient_of(*id).is_none() || gradients.contains_key(id)).collect();
        let none = Vec::new();
        let gradients_of = |id: NodeId| gradients.get(&id).unwrap_or(&none);
        let mut table = Table::new(["node", "op", "type", "gradient", "line"], [false; 5]);
        for id in &listed {
            let node = graph.node(*id);
            let operands: Vec<String> = node.operands.iter().map(ToString::to_string).collect();
            let label = graph.label(*id).map(|label| format!(" {label:?}")).unwrap_or_default();
            let found: Vec<String> = gradients_of(*id).iter().map(ToString::to_string).collect();
            table.row([
                format!("{id}{label}"),
                format!("{}({})", node.op.name(), operands.join(", ")),
                node.ty.to_string(),
                if found.is_empty() { "–".to_string() } else { found.join(", ") },
                graph.source(*id).map(ToString::to_string).unwrap_or_default(),
            ]);
        }
        table.write(f, |f, row| {
            // The head has no node.
            let Some((id, stats)) = row.checked_sub(1).map(|row| listed[row]).zip(self.stats) else {
                return Ok(());
            };
            if let Some(value) = stats.get(id) {
                writeln!(f, "      value     {value}")?;
            }
            for gradient in gradients_of(id) {
                if let Some(value) = stats.get(*gradient) {
                    writeln!(f, "      gradient  {value}")?;
                }
            }
            Ok(())
        })
    }
}
