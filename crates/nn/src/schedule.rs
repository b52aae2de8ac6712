//! Learning rates that follow the step count.

use crate::error::{NnError, within};

/// A learning rate for every step: a pure function of the number of steps taken, so a run that is taken up again goes on
/// where it was.
///
/// Whoever drives the steps writes [`rate`](Schedule::rate) into the state input
/// [`LEARNING_RATE`](crate::LEARNING_RATE) before each. Simple shapes compose to the usual ones:
///
/// ```
/// use pullback_nn::Schedule;
/// // Warm up over 100 steps, then fall along half a cosine wave.
/// let schedule = Schedule::linear(0.0, 0.1, 100.0).then(100.0, Schedule::cosine(0.1, 0.0, 900.0));
/// assert_eq!(schedule.rate(50), 0.05);
/// assert_eq!(schedule.rate(100), 0.1);
/// assert_eq!(schedule.rate(5000), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Shape);

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant(f64),
    Ramp { from: f64, to: f64, over: f64, curve: Curve },
    Exponential { from: f64, factor: f64, every: f64 },
    Stairs { from: f64, factor: f64, at: Vec<u64> },
    Then { first: Box<Shape>, length: f64, next: Box<Shape> },
    Repeat { period: f64, inner: Box<Shape> },
}

/// How much of a ramp is left at a part of its length, both from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Cosine,
    Power(f64),
}

impl From<f64> for Schedule {
    /// The same rate always.
    fn from(rate: f64) -> Self {
        Schedule(Shape::Constant(rate))
    }
}

impl Schedule {
    /// From `from` to `to` in equal steps over `over` steps, then `to`.
    #[must_use]
    pub fn linear(from: f64, to: f64, over: f64) -> Self {
        Schedule::polynomial(from, to, over, 1.0)
    }

    /// `to + (from - to) · (1 - t/over)^power`, then `to`.
    #[must_use]
    pub fn polynomial(from: f64, to: f64, over: f64, power: f64) -> Self {
        Schedule(Shape::Ramp { from, to, over, curve: Curve::Power(power) })
    }

    /// From `from` to `to` along half a cosine wave of `over` steps, then `to` (Loshchilov and Hutter, "SGDR: stochastic
    /// gradient descent with warm restarts", 2016).
    #[must_use]
    pub fn cosine(from: f64, to: f64, over: f64) -> Self {
        Schedule(Shape::Ramp { from, to, over, curve: Curve::Cosine })
    }

    /// `from · factor^t`.
    #[must_use]
    pub fn exponential(from: f64, factor: f64) -> Self {
        Schedule(Shape::Exponential { from, factor, every: 0.0 })
    }

    /// `from`, multiplied with `factor` after every `every` steps.
    #[must_use]
    pub fn steps(from: f64, factor: f64, every: u64) -> Self {
        Schedule(Shape::Exponential { from, factor, every: every as f64 })
    }

    /// `from`, multiplied with `factor` once for each of the step counts `at` that is reached.
    #[must_use]
    pub fn milestones(from: f64, factor: f64, at: impl IntoIterator<Item = u64>) -> Self {
        Schedule(Shape::Stairs { from, factor, at: at.into_iter().collect() })
    }

    /// Up to `max` from a 25th of it over the first 30 % of `steps`, down to a 250,000th over the rest, along half cosine
    /// waves (Smith and Topin, "Super-convergence", 2018).
    #[must_use]
    pub fn one_cycle(max: f64, steps: u64) -> Self {
        let start = max / 25.0;
        let rise = 0.3 * steps as f64 - 1.0;
        let fall = steps as f64 - 1.0 - rise;
        Schedule::cosine(start, max, rise).then(rise, Schedule::cosine(max, start / 1e4, fall))
    }

    /// This schedule for `length` steps, then `next` from its own beginning.
    #[must_use]
    pub fn then(self, length: f64, next: Schedule) -> Self {
        Schedule(Shape::Then { first: Box::new(self.0), length, next: Box::new(next.0) })
    }

    /// This schedule from its beginning again after every `period` steps.
    #[must_use]
    pub fn repeat(self, period: u64) -> Self {
        Schedule(Shape::Repeat { period: period as f64, inner: Box::new(self.0) })
    }

    /// The learning rate of the step that is taken after `taken` others.
    #[must_use]
    pub fn rate(&self, taken: u64) -> f64 {
        self.0.at(taken as f64)
    }

    /// Checks that the rates of the first `steps` steps are finite and not negative.
    ///
    /// # Errors
    /// [`NnError::Setting`] that names the first step whose rate is not.
    pub fn check(&self, steps: u64) -> Result<(), NnError> {
        (0..steps).try_for_each(|taken| {
            within("schedule", &format!("the rate after {taken} steps"), self.rate(taken), 0.0, f64::INFINITY)
        })
    }
}

impl Shape {
    fn at(&self, t: f64) -> f64 {
        match self {
            Shape::Constant(rate) => *rate,
            // Also a ramp of no length is at its end.
            Shape::Ramp { to, over, .. } if t >= *over => *to,
            Shape::Ramp { from, to, over, curve } => to + (from - to) * curve.left(t / over),
            Shape::Exponential { from, factor, every } => {
                let count = if *every > 0.0 { (t / every).floor() } else { t };
                from * libm::pow(*factor, count)
            }
            Shape::Stairs { from, factor, at } => {
                let reached = at.iter().filter(|at| **at as f64 <= t).count();
                from * libm::pow(*factor, reached as f64)
            }
            Shape::Then { first, length, .. } if t < *length => first.at(t),
            Shape::Then { length, next, .. } => next.at(t - length),
            Shape::Repeat { period, inner } if *period > 0.0 => inner.at(t % period),
            Shape::Repeat { inner, .. } => inner.at(t),
        }
    }
}

impl Curve {
    fn left(self, part: f64) -> f64 {
        match self {
            Curve::Cosine => 0.5 + 0.5 * libm::cos(std::f64::consts::PI * part),
            Curve::Power(power) => libm::pow(1.0 - part, power),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates at some of 30 steps, computed with PyTorch's schedulers.
    #[test]
    fn rates_agree_with_pytorch() {
        let rates: Vec<serde_json::Value> = include_str!("../tests/data/schedules.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let schedule = |name: &str| match name {
            "constant" => Schedule::from(0.05).then(12.0, 0.1.into()),
            "cosine" => Schedule::cosine(0.1, 0.0, 30.0),
            "cosine_restarts" => Schedule::cosine(0.1, 0.0, 8.0).repeat(8),
            "cyclic" => {
                Schedule::linear(0.01, 0.1, 6.0).then(6.0, Schedule::linear(0.1, 0.01, 6.0)).repeat(12)
            }
            "exponential" => Schedule::exponential(0.1, 0.9),
            "linear" => Schedule::linear(0.1, 0.005, 20.0),
            "multistep" => Schedule::milestones(0.1, 0.5, [2, 20]),
            "onecycle" => Schedule::one_cycle(0.5, 31),
            "polynomial" => Schedule::polynomial(0.1, 0.0, 25.0, 0.9),
            "step" => Schedule::steps(0.1, 0.5, 5),
            other => panic!("no schedule {other}"),
        };
        assert_eq!(rates.len(), 10);
        for case in rates {
            let name = case["schedule"].as_str().unwrap();
            for (step, expected) in case["rates"].as_object().unwrap() {
                let (found, expected) =
                    (schedule(name).rate(step.parse().unwrap()), expected.as_f64().unwrap());
                assert!(
                    (found - expected).abs() <= 1e-9 * expected + 1e-15,
                    "{name} at {step}: {found} for {expected}"
                );
            }
        }
    }

    #[test]
    fn schedules_without_length_and_without_meaning() {
        assert_eq!(Schedule::linear(0.0, 1.0, 0.0).rate(0), 1.0);
        assert_eq!(Schedule::from(0.5).repeat(0).rate(7), 0.5);
        assert!(Schedule::cosine(0.1, 0.0, 10.0).check(100).is_ok());
        assert!(Schedule::linear(0.1, -0.1, 10.0).check(5).is_ok());
        let error = Schedule::linear(0.1, -0.1, 10.0).check(100).unwrap_err();
        assert!(error.to_string().contains("after 6 steps"), "{error}");
    }
}
