//! What a training run was like: loss and metrics, epoch by epoch.

use std::path::Path;
use std::time::Duration;

use crate::error::TrainError;
use crate::plot::LineChart;

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
    /// The epoch, from 1.
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
