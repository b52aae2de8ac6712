//! The commands that print a view of the graph.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use pullback_graph::{FormatError, atomic_file};

use crate::arguments::{Show, View};
use crate::error::CliError;
use crate::file::{bind, in_file, load};

pub(crate) fn show(arguments: &Show, out: &mut impl Write) -> Result<(), CliError> {
    let graph = bind(&load(&arguments.file)?.graph, &arguments.sizes)?;
    Ok(write!(out, "{}", graph.summary())?)
}

pub(crate) fn text(arguments: &View, out: &mut impl Write) -> Result<(), CliError> {
    let loaded = load(&arguments.file)?;
    print(loaded.graph.text().with_stats(&loaded.stats), arguments, out)
}

pub(crate) fn gradients(arguments: &View, out: &mut impl Write) -> Result<(), CliError> {
    let loaded = load(&arguments.file)?;
    print(loaded.graph.forward_with_gradients().with_stats(&loaded.stats), arguments, out)
}

pub(crate) fn dot(arguments: &View, out: &mut impl Write) -> Result<(), CliError> {
    let loaded = load(&arguments.file)?;
    print(loaded.graph.dot().with_stats(&loaded.stats), arguments, out)
}

pub(crate) fn mermaid(arguments: &View, out: &mut impl Write) -> Result<(), CliError> {
    print(load(&arguments.file)?.graph.mermaid(), arguments, out)
}

/// Writes the view to standard output, or to the file asked for.
fn print(view: impl Display, arguments: &View, out: &mut impl Write) -> Result<(), CliError> {
    match &arguments.output {
        None => Ok(write!(out, "{view}")?),
        Some(path) => save(path, &view.to_string()),
    }
}

/// Writes a file as a whole.
pub(crate) fn save(path: &Path, text: &str) -> Result<(), CliError> {
    atomic_file::write(path, text.as_bytes())
        .map_err(|error| in_file(path, FormatError::Io { path: path.into(), error }))
}
