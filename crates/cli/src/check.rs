//! `check`: the gradients against difference quotients, at random values of the inputs.

use std::io::Write;
use std::process::ExitCode;

use pullback_autodiff::check::{CheckOptions, check_gradient};
use pullback_graph::op::InputKind;
use pullback_graph::{Graph, Op, Tensor, verify};

use crate::arguments::Check;
use crate::error::CliError;
use crate::feeds::random;
use crate::file::{bind_all, load};

/// The reference interpreter keeps every value, and takes its time.
const MAX_BYTES: u64 = 1 << 30;

pub(crate) fn check(arguments: &Check, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let graph = bind_all(&load(&arguments.file)?.graph, &arguments.sizes, MAX_BYTES)?;
    verify(&graph).map_err(pullback_graph::GraphError::from)?;
    let output = output(&graph, arguments.output.as_deref())?;
    let wrt = wrt(&graph, &arguments.wrt)?;
    let feeds = random(&graph, arguments.range, arguments.seed);
    let options =
        CheckOptions { order: usize::from(arguments.order), seed: arguments.seed, ..CheckOptions::default() };
    let wrt: Vec<&str> = wrt.iter().map(String::as_str).collect();
    let fed: Vec<(&str, &Tensor)> = feeds.iter().map(|(name, value)| (name.as_str(), value)).collect();
    writeln!(out, "gradient of {output} in {}", wrt.join(", "))?;
    let report = check_gradient(&graph, &output, &wrt, &fed, &options)?;
    writeln!(out, "{report}")?;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The output asked for, or the first one that is a loss by its looks.
fn output(graph: &Graph, asked: Option<&str>) -> Result<String, CliError> {
    if let Some(name) = asked {
        return Ok(name.to_string());
    }
    let is_loss = |output: &&pullback_graph::Output| {
        let ty = graph.ty(output.node);
        ty.dtype.is_float() && ty.rank() == 0 && output.updates.is_none()
    };
    match graph.outputs().iter().find(is_loss) {
        Some(output) => Ok(output.name.to_string()),
        None => {
            Err(CliError::Usage("no output is a single float; name the one to check with --output".into()))
        }
    }
}

/// The inputs asked for, or the parameters, or all that are floats.
fn wrt(graph: &Graph, asked: &[String]) -> Result<Vec<String>, CliError> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let floats: Vec<(String, InputKind)> = graph
        .inputs()
        .iter()
        .filter_map(|id| match &graph.node(*id).op {
            Op::Input(input) if input.ty.dtype.is_float() => Some((input.name.to_string(), input.kind)),
            _ => None,
        })
        .collect();
    let parameters: Vec<String> = floats
        .iter()
        .filter(|(_, kind)| *kind == InputKind::Parameter)
        .map(|(name, _)| name.clone())
        .collect();
    match (parameters.is_empty(), floats.is_empty()) {
        (false, _) => Ok(parameters),
        (true, false) => Ok(floats.into_iter().map(|(name, _)| name).collect()),
        (true, true) => Err(CliError::Usage("no input is of a float type".into())),
    }
}
