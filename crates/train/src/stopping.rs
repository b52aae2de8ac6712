//! When a training run ends before its last epoch.

use crate::error::TrainError;
use crate::fit::{Fit, setting};
use crate::history::{Epoch, Stopped};

/// When a value that does not improve ends a run.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    /// The value's name; `None` for the validation loss, or the loss without validation.
    pub(crate) watched: Option<String>,
    pub(crate) goal: Goal,
    pub(crate) epochs: usize,
    pub(crate) least_gain: f64,
}

/// Which way a value improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Fall,
    Rise,
}

/// Watches the epochs of one run.
#[derive(Debug)]
pub(crate) struct Stopping<'f> {
    threshold: Option<f64>,
    patience: Option<&'f Patience>,
    watched: &'f str,
    /// The best value so far, negated where it should rise.
    best: f64,
    /// The number of epochs since then.
    since: usize,
}

impl<'f> Stopping<'f> {
    /// The rules of `fit` over values of these names, in training and, with the prefix `val_`, in validation.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when the value to watch is none of them.
    pub(crate) fn new(fit: &'f Fit<'_>, names: &[String], validated: bool) -> Result<Self, TrainError> {
        let patience = fit.patience.as_ref();
        let watched = match patience.and_then(|patience| patience.watched.as_deref()) {
            Some(name) => name,
            None if validated => "val_loss",
            None => "loss",
        };
        let known = match watched.strip_prefix("val_") {
            Some(name) if validated && names.iter().any(|known| known == name) => true,
            _ => names.iter().any(|known| known == watched),
        };
        if !known {
            let expected = "the loss or a metric, with `val_` before it for validation if there is any";
            return Err(setting("the value to watch", watched, expected));
        }
        Ok(Stopping { threshold: fit.stop_at_loss, patience, watched, best: f64::INFINITY, since: 0 })
    }

    /// Whether the run ends after `epoch`, which comes after those that were told before.
    pub(crate) fn after(&mut self, epoch: &Epoch) -> Option<Stopped> {
        if let (Some(threshold), Some(loss)) = (self.threshold, epoch.get("loss"))
            && loss <= threshold
        {
            return Some(Stopped::Threshold);
        }
        let patience = self.patience?;
        let value = epoch.get(self.watched)?;
        let value = if patience.goal == Goal::Rise { -value } else { value };
        // Never true of NaN, which improves nothing.
        if value < self.best - patience.least_gain {
            (self.best, self.since) = (value, 0);
        } else {
            self.since += 1;
        }
        (self.since >= patience.epochs).then_some(Stopped::Patience)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What is said after the last of these losses; nothing is said before.
    fn verdict(fit: &Fit<'_>, losses: &[f64]) -> Option<Stopped> {
        let mut stopping = Stopping::new(fit, &["loss".into()], false).unwrap();
        let mut last = None;
        for (at, loss) in losses.iter().enumerate() {
            assert_eq!(last, None, "ended before epoch {at}");
            let values = vec![("loss".into(), *loss)];
            last = stopping.after(&Epoch { number: at + 1, values, elapsed: Duration::ZERO });
        }
        last
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
    fn a_value_may_be_asked_to_rise() {
        let fit = Fit::epochs(9).patience_for_rising("loss", 2, 0.0);
        assert_eq!(verdict(&fit, &[0.1, 0.2, 0.3, 0.25]), None);
        assert_eq!(verdict(&fit, &[0.1, 0.2, 0.2, 0.15]), Some(Stopped::Patience));
    }

    #[test]
    fn what_is_no_number_improves_nothing_and_does_not_hide_what_does() {
        let fit = Fit::epochs(9).patience(2);
        assert_eq!(verdict(&fit, &[f64::NAN, 0.5, 0.4, 0.3]), None);
        assert_eq!(verdict(&fit, &[f64::NAN, f64::INFINITY]), Some(Stopped::Patience));
    }

    #[test]
    fn a_value_that_there_is_not_cannot_be_watched() {
        let names = ["loss".to_string(), "accuracy".into()];
        let watch = |name: &str, validated| {
            Stopping::new(&Fit::epochs(1).patience_for(name, 1, 0.0), &names, validated).is_ok()
        };
        assert!(watch("accuracy", false) && watch("val_accuracy", true));
        assert!(!watch("val_accuracy", false) && !watch("recall", true));
    }
}
