//! What can be wrong with a network, a loss or a step of training.

use std::panic::Location;
use std::sync::Arc;

use pullback_autodiff::GradError;
use pullback_graph::{GraphError, Source, place, render};

/// Why a network or a step cannot be built.
///
/// All but [`Gradient`](NnError::Gradient) and [`Graph`](NnError::Graph) are the caller's to mend, at the line shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// A layer, loss or metric does not take what it is given.
    #[error("{by}: {message}{}{}", place(.at), noted(.help))]
    Input {
        /// Who was given it.
        by: String,
        /// What was expected and what came.
        message: String,
        /// What to do about it.
        help: Option<&'static str>,
        /// The line that made the layer, loss or metric, where it is known.
        at: Option<Source>,
    },
    /// A number that something was made with has no meaning there.
    #[error("{by}: {message}{}", place(.at))]
    Setting {
        /// What was made with it.
        by: String,
        /// Which number, and what it may be.
        message: String,
        /// The line that made it, where it is known.
        at: Option<Source>,
    },
    /// A name is malformed, or two parameters claim one path.
    #[error("\"{path}\": {message}{}{}", place(.at), noted(.help))]
    Name {
        /// The path.
        path: Arc<str>,
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        help: Option<&'static str>,
        /// The line that asked for it.
        at: Option<Source>,
    },
    /// A step has no parameters.
    #[error("there is nothing to train: the network has no parameters")]
    NoParameters,
    /// The loss cannot be differentiated.
    #[error(transparent)]
    Gradient(Box<GradError>),
    /// The nodes do not make a graph: two reports of one name, an op that does not fit.
    #[error(transparent)]
    Graph(Box<GraphError>),
}

impl From<GradError> for NnError {
    fn from(error: GradError) -> Self {
        NnError::Gradient(Box::new(error))
    }
}

impl From<GraphError> for NnError {
    fn from(error: GraphError) -> Self {
        NnError::Graph(Box::new(error))
    }
}

impl NnError {
    /// `by` does not take what it is given.
    pub fn input(by: impl Into<String>, message: impl Into<String>) -> Self {
        NnError::Input { by: by.into(), message: message.into(), help: None, at: None }
    }

    /// A number that `by` was made with has no meaning.
    pub fn setting(by: impl Into<String>, message: impl Into<String>) -> Self {
        NnError::Setting { by: by.into(), message: message.into(), at: None }
    }

    /// Adds what to do about it, where the kind of error says so.
    #[must_use]
    pub fn help(mut self, text: &'static str) -> Self {
        if let NnError::Input { help, .. } | NnError::Name { help, .. } = &mut self {
            *help = Some(text);
        }
        self
    }

    /// Adds the user's line, unless one is known already.
    #[must_use]
    pub fn at(mut self, source: Option<Source>) -> Self {
        if let NnError::Input { at, .. } | NnError::Setting { at, .. } | NnError::Name { at, .. } = &mut self
        {
            *at = at.take().or(source);
        }
        self
    }

    /// The user's line, where one is known.
    #[must_use]
    pub fn source_line(&self) -> Option<&Source> {
        match self {
            NnError::Input { at, .. } | NnError::Setting { at, .. } | NnError::Name { at, .. } => at.as_ref(),
            NnError::Graph(error) => error.source_line(),
            NnError::NoParameters | NnError::Gradient(_) => None,
        }
    }

    /// Stops with the message and a picture of the user's line: how layers and losses that are called by hand fail, as
    /// operators on expressions do.
    #[track_caller]
    pub fn stop(self) -> ! {
        let located = self.at(Some(Location::caller().into()));
        panic!("{}", render(&located.to_string(), located.source_line()))
    }
}

/// The help of an error, for the end of its message.
fn noted(help: &Option<&'static str>) -> String {
    help.map(|help| format!("\n  = help: {help}")).unwrap_or_default()
}

/// The value, or a stop at the caller's line.
#[track_caller]
pub(crate) fn accept<T>(answer: Result<T, NnError>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => error.stop(),
    }
}

/// Checks that a setting is a finite number in a range, both ends included.
pub(crate) fn within(by: &str, what: &str, value: f64, low: f64, high: f64) -> Result<(), NnError> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    let range = match high.is_infinite() {
        true => format!("a finite number of at least {low}"),
        false => format!("between {low} and {high}"),
    };
    Err(NnError::setting(by, format!("{what} is {value}, and must be {range}")))
}
