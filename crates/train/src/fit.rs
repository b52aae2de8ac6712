//! How to train: the settings of `fit`.

use std::fmt;

use pullback_nn::Schedule;

use crate::data::Dataset;
use crate::error::TrainError;
use crate::progress::ProgressMode;
use crate::stopping::{Goal, Patience};

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
    pub(crate) schedule: Option<Schedule>,
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
            schedule: None,
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

    /// Decides the order of samples; and, if the model is not built yet, its first parameters and all its dropout masks.
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

    /// Sets the learning rate before each step to what `schedule` says for the number of steps taken in the model's life, so
    /// that a run which is taken up again goes on where it was. The rate of the last step stays.
    #[must_use]
    pub fn schedule(self, schedule: impl Into<Schedule>) -> Self {
        Fit { schedule: Some(schedule.into()), ..self }
    }

    /// Ends after the epoch whose training loss is at most `threshold`.
    #[must_use]
    pub fn stop_at_loss(self, threshold: f64) -> Self {
        Fit { stop_at_loss: Some(threshold), ..self }
    }

    /// Ends when the loss (the validation loss, if there is one) has not fallen for `epochs` epochs.
    #[must_use]
    pub fn patience(self, epochs: usize) -> Self {
        Fit { patience: Some(Patience { watched: None, goal: Goal::Fall, epochs, least_gain: 0.0 }), ..self }
    }

    /// Ends when `watched`, a value that should fall such as `val_loss`, has not fallen by more than `least_gain` for
    /// `epochs` epochs.
    #[must_use]
    pub fn patience_for(self, watched: &str, epochs: usize, least_gain: f64) -> Self {
        Fit {
            patience: Some(Patience { watched: Some(watched.into()), goal: Goal::Fall, epochs, least_gain }),
            ..self
        }
    }

    /// Ends when `watched`, a value that should rise such as `val_accuracy`, has not risen by more than `least_gain` for
    /// `epochs` epochs.
    #[must_use]
    pub fn patience_for_rising(self, watched: &str, epochs: usize, least_gain: f64) -> Self {
        Fit {
            patience: Some(Patience { watched: Some(watched.into()), goal: Goal::Rise, epochs, least_gain }),
            ..self
        }
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

    /// Checks what can be checked before there is data.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let least = |what, value: usize| match value {
            0 => Err(setting(what, value, "at least 1")),
            _ => Ok(()),
        };
        least("the batch size", self.batch_size)?;
        if let Some(patience) = &self.patience {
            least("the patience", patience.epochs)?;
            if !(patience.least_gain >= 0.0 && patience.least_gain.is_finite()) {
                return Err(setting("the least gain", patience.least_gain, "finite and not negative"));
            }
        }
        match self.stop_at_loss {
            Some(threshold) if threshold.is_nan() => {
                Err(setting("the loss to stop at", threshold, "a number"))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn setting(what: &'static str, value: impl fmt::Display, expected: &'static str) -> TrainError {
    TrainError::Setting { what, value: value.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaningless_settings_are_refused() {
        let refused = |fit: Fit<'_>| fit.check().unwrap_err().to_string();
        assert_eq!(refused(Fit::epochs(1).batch_size(0)), "the batch size is 0, and must be at least 1");
        assert_eq!(refused(Fit::epochs(1).patience(0)), "the patience is 0, and must be at least 1");
        assert!(refused(Fit::epochs(1).stop_at_loss(f64::NAN)).contains("the loss to stop at is NaN"));
        assert!(refused(Fit::epochs(1).patience_for("loss", 1, f64::NAN)).contains("the least gain is NaN"));
        assert!(refused(Fit::epochs(1).patience_for("loss", 1, -1.0)).contains("the least gain is -1"));
    }
}
