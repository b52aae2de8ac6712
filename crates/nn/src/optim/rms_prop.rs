//! RMSProp.

use crate::error::{NnError, within};
use crate::optim::traits::{Optimizer, Slot, Update, UpdateSite, running_mean};

/// `w ← w - rate · g / (√v + eps)` with the running mean `v ← rho·v + (1 - rho)·g²` (Hinton, "Neural networks for machine
/// learning", lecture 6e, 2012); `g` is the gradient plus `weight_decay · w`.
///
/// Centered, the square of a running mean of `g` is subtracted from `v` (Graves, "Generating sequences with recurrent
/// neural networks", 2013). With momentum `μ`, a velocity `u ← μ·u + g / (√v + eps)` makes the step `rate · u`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    learning_rate: f64,
    rho: f64,
    eps: f64,
    momentum: f64,
    centered: bool,
    weight_decay: f64,
}

impl RmsProp {
    /// With `rho` 0.99, `eps` 1e-8, no momentum, not centered.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        RmsProp { learning_rate, rho: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }

    /// How much of the running means stays in each step, from 0 to 1.
    #[must_use]
    pub fn rho(self, rho: f64) -> Self {
        RmsProp { rho, ..self }
    }

    /// What keeps the divisor away from 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        RmsProp { eps, ..self }
    }

    /// Momentum, from 0 (none) to 1.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        RmsProp { momentum, ..self }
    }

    /// Divides by the deviation of the gradient instead of its root mean square.
    #[must_use]
    pub fn centered(self) -> Self {
        RmsProp { centered: true, ..self }
    }

    /// The weight of `½|w|²` in what is minimized.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        RmsProp { weight_decay, ..self }
    }
}

impl Optimizer for RmsProp {
    fn name(&self) -> &'static str {
        "rms_prop"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), NnError> {
        let name = self.name();
        within(name, "the learning rate", self.learning_rate, 0.0, f64::INFINITY)?;
        within(name, "rho", self.rho, 0.0, 1.0)?;
        within(name, "eps", self.eps, 0.0, f64::INFINITY)?;
        within(name, "the momentum", self.momentum, 0.0, 1.0)?;
        within(name, "the weight decay", self.weight_decay, 0.0, f64::INFINITY)
    }

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros("mean_square")];
        if self.centered {
            slots.push(Slot::zeros("mean"));
        }
        if self.momentum != 0.0 {
            slots.push(Slot::zeros("velocity"));
        }
        slots
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        let gradient = at.decayed_gradient(self.weight_decay);
        let mean_square = running_mean(at.slot(0), gradient.square(), self.rho);
        let (mut slots, mut variance) = (vec![mean_square], mean_square);
        if self.centered {
            let mean = running_mean(at.slot(1), gradient, self.rho);
            // Rounding must not make the difference negative.
            variance = (mean_square - mean.square()).relu();
            slots.push(mean);
        }
        let mut direction = gradient / (variance.sqrt() + self.eps);
        if self.momentum != 0.0 {
            direction = at.slot(slots.len()) * self.momentum + direction;
            slots.push(direction);
        }
        Update { parameter: at.parameter - direction * at.scalar(0), slots }
    }
}
