//! Reading graphs and their sizes: from files of either kind, or from standard input.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use pullback_graph::op::Registry;
use pullback_graph::{Bindings, FormatError, Graph, GraphFile, RunStats, TensorType};

use crate::arguments::Sizes;
use crate::error::CliError;

/// A graph and what a run recorded of it.
pub(crate) struct Loaded {
    pub(crate) graph: Graph,
    pub(crate) stats: RunStats,
}

/// Reads a graph. Whether it is a graph file or a text is seen by its first character.
pub(crate) fn load(path: &Path) -> Result<Loaded, CliError> {
    let loaded = read(path).and_then(|text| {
        let registry = Registry::new();
        if !text.trim_start().starts_with(['{', '[']) {
            return Ok(Loaded { graph: Graph::parse(&text, &registry)?, stats: RunStats::new() });
        }
        let file = GraphFile::from_json(&text)?;
        Ok(Loaded { graph: file.graph(&registry)?, stats: file.stats() })
    });
    loaded.map_err(|error| in_file(path, error))
}

/// The error with the file's name in front.
pub(crate) fn in_file(path: &Path, error: FormatError) -> CliError {
    let message = match error {
        FormatError::Io { error, .. } => error.to_string(),
        error => error.to_string(),
    };
    CliError::File { name: path.display().to_string(), message }
}

/// The text in a file.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    read(path).map_err(|error| in_file(path, error))
}

fn read(path: &Path) -> Result<String, FormatError> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| FormatError::Io { path: path.into(), error })
}

/// The graph with sizes put in for symbols.
pub(crate) fn bind(graph: &Graph, sizes: &Sizes) -> Result<Graph, CliError> {
    let symbols: BTreeSet<String> = graph.symbols().iter().map(ToString::to_string).collect();
    let mut bindings = Bindings::new();
    for (symbol, size) in &sizes.bind {
        if !symbols.contains(symbol) {
            let known = if symbols.is_empty() {
                "all sizes are known".to_string()
            } else {
                format!("there are {}", list(&symbols))
            };
            return Err(CliError::Usage(format!("there is no symbolic dimension {symbol:?}: {known}")));
        }
        if bindings.insert(symbol.as_str().into(), *size).is_some() {
            return Err(CliError::Usage(format!("{symbol} is bound twice")));
        }
    }
    if bindings.is_empty() { Ok(graph.clone()) } else { Ok(graph.bind(&bindings)?) }
}

/// The graph with sizes put in for all symbols, if it is not too large to do anything with.
pub(crate) fn bind_all(graph: &Graph, sizes: &Sizes, max_bytes: u64) -> Result<Graph, CliError> {
    let bound = bind(graph, sizes)?;
    let open: BTreeSet<String> = bound.symbols().iter().map(ToString::to_string).collect();
    if !open.is_empty() {
        let flags: Vec<String> = open.iter().map(|symbol| format!("--bind {symbol}=SIZE")).collect();
        return Err(CliError::Usage(format!("give a size to {}: {}", list(&open), flags.join(" "))));
    }
    let bytes = |ty: &TensorType| ty.bytes().map_or(u64::MAX, |bytes| bytes as u64);
    let total = bound.nodes().iter().fold(0_u64, |total, node| total.saturating_add(bytes(&node.ty)));
    if total > max_bytes {
        let message = format!(
            "the values of all nodes take {total} bytes, more than the {max_bytes} that this command tries"
        );
        return Err(CliError::TooLarge(message));
    }
    Ok(bound)
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
