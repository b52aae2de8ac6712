//! How to train: the settings of `fit`, and when it ends.

use std::fmt;

use crate::data::Dataset;
use crate::error::TrainError;
use crate::history::{Epoch, History, Stopped};
use crate::progress::ProgressMode;

/// The settings of a training run.
///
/// ```
/// use pullback_train::Fit;
/// let fit = Fit::epochs(30).batch_size(64).seed(1).stop_at_loss(0.01).quiet();
/// ```
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    pub(crate) seed: u64,
    pub(crate) validation: Validation<'a>,
    pub(crate) stop_at_loss: Option<f64>,
    pub(crate) patience: Option<Patience>,
    pub(crate) progress: ProgressMode,
}

/// What is evaluated after each epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validation<'a> {
    None,
    Set(&'a Dataset),
    Fraction(f64),
}

/// When a value that does not improve ends a run.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    watched: Option<String>,
    epochs: usize,
    least_gain: f64,
}

impl<'a> Fit<'a> {
    /// At most `epochs` passes over the data, in shuffled batches of 32, without validation.
    #[must_use]
    pub fn epochs(epochs: usize) -> Self {
        Fit {
            epochs,
            batch_size: 32,
            shuffle: true,
            seed: 0,
            validation: Validation::None,
            stop_at_loss: None,
            patience: None,
            progress: ProgressMode::Auto,
        }
    }

    /// The number of samples per step; the last batch of an epoch may be smaller.
    #[must_use]
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size, ..self }
    }

    /// Decides the first parameters (if the model has none yet), the order of samples and the dropout masks.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Fit { seed, ..self }
    }

    /// Takes samples in stored order in every epoch.
    #[must_use]
    pub fn in_order(self) -> Self {
        Fit { shuffle: false, ..self }
    }

    /// Evaluates on `data` after each epoch.
    #[must_use]
    pub fn validation(self, data: &'a Dataset) -> Self {
        Fit { validation: Validation::Set(data), ..self }
    }

    /// Holds back the last `fraction` of the samples, and evaluates on them after each epoch.
    #[must_use]
    pub fn validation_split(self, fraction: f64) -> Self {
        Fit { validation: Validation::Fraction(fraction), ..self }
    }

    /// Ends after the epoch whose loss is at most `threshold`.
    #[must_use]
    pub fn stop_at_loss(self, threshold: f64) -> Self {
        Fit { stop_at_loss: Some(threshold), ..self }
    }

    /// Ends when the loss (the validation loss, if there is one) has not fallen for `epochs` epochs.
    #[must_use]
    pub fn patience(self, epochs: usize) -> Self {
        Fit { patience: Some(Patience { watched: None, epochs, least_gain: 0.0 }), ..self }
    }

    /// Ends when `watched`, a value that should fall such as `val_loss`, has not fallen by more than `least_gain` for
    /// `epochs` epochs.
    #[must_use]
    pub fn patience_for(self, watched: &str, epochs: usize, least_gain: f64) -> Self {
        Fit { patience: Some(Patience { watched: Some(watched.into()), epochs, least_gain }), ..self }
    }

    /// Shows nothing.
    #[must_use]
    pub fn quiet(self) -> Self {
        Fit { progress: ProgressMode::Quiet, ..self }
    }

    /// How progress is shown.
    #[must_use]
    pub fn progress(self, progress: ProgressMode) -> Self {
        Fit { progress, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let least = |what, value: usize| match value {
            0 => Err(setting(what, value, "at least 1")),
            _ => Ok(()),
        };
        least("the batch size", self.batch_size)?;
        if let Some(patience) = &self.patience {
            least("the patience", patience.epochs)?;
        }
        match self.stop_at_loss {
            Some(threshold) if threshold.is_nan() => {
                Err(setting("the loss to stop at", threshold, "a number"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the run ends after the epochs so far.
    pub(crate) fn verdict(&self, epochs: &[Epoch]) -> Result<Option<Stopped>, TrainError> {
        let Some(last) = epochs.last() else { return Ok(None) };
        if let (Some(threshold), Some(loss)) = (self.stop_at_loss, last.get("loss"))
            && loss <= threshold
        {
            return Ok(Some(Stopped::Threshold));
        }
        let Some(patience) = &self.patience else { return Ok(None) };
        let name = match &patience.watched {
            Some(name) => name,
            None if last.get("val_loss").is_some() => "val_loss",
            None => "loss",
        };
        let history = History { epochs: epochs.to_vec(), stopped: Stopped::Epochs };
        let values = history.values(name);
        if values.is_empty() {
            return Err(setting(
                "the value to watch",
                name,
                "the loss or a metric, with `val_` for validation",
            ));
        }
        // The epoch that last set a new low, by more than the least gain.
        let (mut low, mut since) = (f64::INFINITY, 0);
        for value in values {
            since += 1;
            if value < low - patience.least_gain || low == f64::INFINITY {
                (low, since) = (value, 0);
            }
        }
        Ok((since >= patience.epochs).then_some(Stopped::Patience))
    }
}

pub(crate) fn setting(what: &'static str, value: impl fmt::Display, expected: &'static str) -> TrainError {
    TrainError::Setting { what, value: value.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn verdict(fit: &Fit<'_>, losses: &[f64]) -> Option<Stopped> {
        let epochs: Vec<Epoch> = losses
            .iter()
            .enumerate()
            .map(|(i, loss)| Epoch {
                number: i + 1,
                values: vec![("loss".into(), *loss)],
                elapsed: Duration::ZERO,
            })
            .collect();
        fit.verdict(&epochs).unwrap()
    }

    #[test]
    fn a_threshold_ends_the_run() {
        let fit = Fit::epochs(9).stop_at_loss(0.1);
        assert_eq!(verdict(&fit, &[0.3, 0.11]), None);
        assert_eq!(verdict(&fit, &[0.3, 0.1]), Some(Stopped::Threshold));
    }

    #[test]
    fn patience_counts_epochs_without_a_new_low() {
        let fit = Fit::epochs(9).patience(2);
        assert_eq!(verdict(&fit, &[0.3, 0.2, 0.25]), None);
        assert_eq!(verdict(&fit, &[0.3, 0.2, 0.25, 0.2]), Some(Stopped::Patience));
        assert_eq!(verdict(&fit, &[0.3, 0.2, 0.25, 0.19]), None);
        let slow = Fit::epochs(9).patience_for("loss", 2, 0.05);
        assert_eq!(verdict(&slow, &[0.30, 0.28, 0.26]), Some(Stopped::Patience));
    }

    #[test]
    fn meaningless_settings_are_refused() {
        assert!(Fit::epochs(1).batch_size(0).check().is_err());
        assert!(Fit::epochs(1).patience(0).check().is_err());
        let watched = Fit::epochs(1).patience_for("accuracy", 1, 0.0);
        let epoch = Epoch { number: 1, values: vec![("loss".into(), 1.0)], elapsed: Duration::ZERO };
        assert!(watched.verdict(&[epoch]).is_err());
    }
}
