//! What can go wrong, and which exit code it gives.

use std::fmt;
use std::io;

use pullback_autodiff::check::CheckError;
use pullback_exec::ExecError;
use pullback_graph::GraphError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command asks for something that the file does not have.
    #[error("{0}")]
    Usage(String),
    /// What is asked for would take more than the machine has.
    #[error("{0}")]
    TooLarge(String),
    /// The file cannot be read or written, or there is no graph in it.
    #[error("{name}: {message}")]
    File { name: String, message: String },
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Plan(#[from] ExecError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    pub(crate) fn exit_code(&self) -> u8 {
        if matches!(self, CliError::Usage(_)) { 2 } else { 1 }
    }
}

/// A message that cannot steer a terminal: it may quote what stands in a file.
pub(crate) fn printable(message: &impl fmt::Display) -> String {
    let escape = |c: char| match c {
        '\n' => "\n".to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    message.to_string().chars().map(escape).collect()
}
