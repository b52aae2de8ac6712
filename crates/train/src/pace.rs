//! The learning rate, step by step.

use pullback_nn::Schedule;

use crate::error::TrainError;
use crate::fit::setting;

/// Follows a schedule through the steps of a run.
#[derive(Debug)]
pub(crate) struct Pace<'f> {
    schedule: Option<&'f Schedule>,
    taken: u64,
    present: Option<f64>,
}

impl<'f> Pace<'f> {
    /// From the step that is taken after `taken` others.
    pub(crate) fn new(schedule: Option<&'f Schedule>, taken: u64) -> Self {
        Pace { schedule, taken, present: None }
    }

    /// The learning rate of the next step, where it is not that of the step before.
    pub(crate) fn next(&mut self) -> Result<Option<f64>, TrainError> {
        let Some(schedule) = self.schedule else { return Ok(None) };
        let rate = check_rate(schedule.rate(self.taken))?;
        self.taken += 1;
        Ok((self.present.replace(rate) != Some(rate)).then_some(rate))
    }
}

/// A learning rate that has a meaning.
pub(crate) fn check_rate(rate: f64) -> Result<f64, TrainError> {
    match rate.is_finite() && rate >= 0.0 {
        true => Ok(rate),
        false => Err(setting("the learning rate", rate, "finite and not negative")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_when_it_changes() {
        let schedule = Schedule::steps(0.5, 0.5, 2);
        let mut pace = Pace::new(Some(&schedule), 1);
        let rates: Vec<_> = (0..4).map(|_| pace.next().unwrap()).collect();
        assert_eq!(rates, [Some(0.5), Some(0.25), None, Some(0.125)]);
        assert_eq!(Pace::new(None, 0).next().unwrap(), None);
    }

    #[test]
    fn rates_without_meaning_are_refused() {
        let falling = Schedule::linear(0.1, -0.1, 2.0);
        let mut pace = Pace::new(Some(&falling), 1);
        assert_eq!(pace.next().unwrap(), Some(0.0));
        let message = pace.next().unwrap_err().to_string();
        assert_eq!(message, "the learning rate is -0.1, and must be finite and not negative");
        assert!(check_rate(f64::NAN).is_err());
    }
}
