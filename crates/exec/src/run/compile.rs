//! Bind, optimize, plan: from the graph as written to what runs.

use pullback_graph::pass::optimize;
use pullback_graph::{Bindings, Graph};

use crate::error::ExecError;
use crate::plan::{Plan, PlanOptions, plan};
use crate::run::options::Options;

/// The plan of `graph` for these sizes of its symbols.
///
/// # Errors
/// When a size is missing or does not fit, or a constant cannot be evaluated.
pub fn compile(graph: &Graph, bindings: &Bindings, options: &Options) -> Result<Plan, ExecError> {
    compile_with(graph, bindings, options.passes, &options.plan_options(false))
}

pub(crate) fn compile_with(
    graph: &Graph,
    bindings: &Bindings,
    passes: bool,
    options: &PlanOptions,
) -> Result<Plan, ExecError> {
    let bound = if bindings.is_empty() { graph.clone() } else { graph.bind(bindings)? };
    plan(&if passes { optimize(&bound) } else { bound }, options)
}
