//! What a training run was like: loss and metrics, epoch by epoch.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::error::TrainError;
use crate::plot::{LineChart, sparkline};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All epochs were run.
    Epochs,
    /// The loss fell to the threshold asked for.
    Threshold,
    /// The value watched did not improve for as many epochs as allowed.
    Patience,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The epoch in the life of the model, from 1.
    pub number: usize,
    /// Loss and metrics on the samples trained on, each sample as the parameters were when it came; then the same on the
    /// validation set with the prefix `val_`.
    pub values: Vec<(String, f64)>,
    /// The time it took, validation included.
    pub elapsed: Duration,
}

impl Epoch {
    /// The value of `name`, such as `loss` or `val_accuracy`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }
}

/// All epochs of one call of `fit`.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
    /// Why there are no more.
    pub stopped: Stopped,
}

impl History {
    /// The values of `name` over the epochs; empty if there is no such value.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// The last value of `name`.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last()?.get(name)
    }

    /// Writes the loss, and the validation loss if there is one, over the epochs as an SVG picture.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn save_loss_curve(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let mut chart = LineChart::new("loss").x_label("epoch").y_label("loss");
        for name in ["loss", "val_loss"] {
            let points: Vec<(f64, f64)> = self
                .epochs
                .iter()
                .filter_map(|epoch| Some((epoch.number as f64, epoch.get(name)?)))
                .collect();
            if !points.is_empty() {
                chart = chart.series(name, points);
            }
        }
        Ok(chart.save(path)?)
    }
}

/// The width of a curve in the terminal, in characters.
const CURVE: usize = 24;

/// Why the run ended, and each value's curve with its first and last number.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.stopped {
            Stopped::Epochs => "all that were asked for",
            Stopped::Threshold => "the loss fell to the threshold",
            Stopped::Patience => "no more improvement",
        };
        write!(f, "epochs: {}, {reason}", self.epochs.len())?;
        let names =
            || self.epochs.last().into_iter().flat_map(|epoch| epoch.values.iter().map(|(name, _)| name));
        let width = names().map(String::len).max().unwrap_or(0);
        for name in names() {
            let values = self.values(name);
            if let (Some(first), Some(last)) = (values.first(), values.last()) {
                let curve = sparkline(&values, CURVE);
                write!(f, "\n{name:width$}  {curve}  {first:.4} to {last:.4}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_shows_its_curves() {
        let epoch = |number: usize| Epoch {
            number,
            values: vec![("loss".into(), 5.0 - number as f64), ("val_loss".into(), 1.0)],
            elapsed: Duration::ZERO,
        };
        let history = History { epochs: (1..=4).map(epoch).collect(), stopped: Stopped::Epochs };
        let lines = [
            "epochs: 4, all that were asked for",
            "loss      ⣷⣄  4.0000 to 1.0000",
            "val_loss  ⣀⣀  1.0000 to 1.0000",
        ];
        assert_eq!(history.to_string(), lines.join("\n"));
        assert_eq!((history.last("loss"), history.values("none")), (Some(1.0), vec![]));
        let none = History { epochs: vec![], stopped: Stopped::Epochs };
        assert_eq!(none.to_string(), "epochs: 0, all that were asked for");
    }
}
