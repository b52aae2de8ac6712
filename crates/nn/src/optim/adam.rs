//! Adam, and Adam with decoupled weight decay.

use pullback_graph::Expr;

use crate::error::{NnError, within};
use crate::optim::traits::{Clock, Optimizer, Slot, Update, UpdateSite, running_mean};

/// `w ← w - rate · m̂ / (√v̂ + eps)` with running means `m ← β₁·m + (1 - β₁)·g` and `v ← β₂·v + (1 - β₂)·g²` and the
/// corrections `m̂ = m / (1 - β₁ᵗ)`, `v̂ = v / (1 - β₂ᵗ)` for having started at 0 (Kingma and Ba, "Adam: a method for
/// stochastic optimization", 2014). `g` is the gradient plus `weight_decay · w`.
///
/// `amsgrad` takes the largest `v` so far instead of `v` (Reddi et al., "On the convergence of Adam and beyond", 2018).
/// The corrections come from the step count, a state input of type i64, and are computed in double precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    amsgrad: bool,
}

/// [`Adam`] whose weight decay is no part of the gradient: `w ← w · (1 - rate · weight_decay)` before each step
/// (Loshchilov and Hutter, "Decoupled weight decay regularization", 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    adam: Adam,
    weight_decay: f64,
}

impl Adam {
    /// With betas 0.9 and 0.999, and `eps` 1e-8.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Adam { learning_rate, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, amsgrad: false }
    }

    /// How much of the running means of the gradient and of its square stays in each step.
    #[must_use]
    pub fn betas(self, first: f64, second: f64) -> Self {
        Adam { betas: (first, second), ..self }
    }

    /// What keeps the divisor away from 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Adam { eps, ..self }
    }

    /// The weight of `½|w|²` in what is minimized. [`AdamW`] decays weights otherwise.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Adam { weight_decay, ..self }
    }

    /// Divides by the largest mean square so far.
    #[must_use]
    pub fn amsgrad(self) -> Self {
        Adam { amsgrad: true, ..self }
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), NnError> {
        self.check_as(self.name())
    }

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros("mean"), Slot::zeros("mean_square")];
        if self.amsgrad {
            slots.push(Slot::zeros("largest_mean_square"));
        }
        slots
    }

    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        let step_size = clock.learning_rate / clock.bias_correction(self.betas.0);
        // Once for all elements, each of which then multiplies: a division takes several times as long.
        vec![step_size, clock.bias_correction(self.betas.1).sqrt().recip()]
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        let gradient = at.decayed_gradient(self.weight_decay);
        let mean = running_mean(at.slot(0), gradient, self.betas.0);
        let mean_square = running_mean(at.slot(1), gradient.square(), self.betas.1);
        let (mut slots, mut divisor) = (vec![mean, mean_square], mean_square);
        if self.amsgrad {
            divisor = at.slot(2).maximum(mean_square);
            slots.push(divisor);
        }
        let direction = mean / (divisor.sqrt() * at.scalar(1) + self.eps);
        Update { parameter: at.parameter - direction * at.scalar(0), slots }
    }
}

impl Adam {
    fn check_as(&self, name: &str) -> Result<(), NnError> {
        // A mean that forgets nothing is never corrected: β = 1 would divide by 0.
        let below_one = 1.0_f64.next_down();
        within(name, "the learning rate", self.learning_rate, 0.0, f64::INFINITY)?;
        within(name, "the first beta", self.betas.0, 0.0, below_one)?;
        within(name, "the second beta", self.betas.1, 0.0, below_one)?;
        within(name, "eps", self.eps, 0.0, f64::INFINITY)?;
        within(name, "the weight decay", self.weight_decay, 0.0, f64::INFINITY)
    }
}

impl AdamW {
    /// With betas 0.9 and 0.999, `eps` 1e-8 and a weight decay of 0.01.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        AdamW { adam: Adam::new(learning_rate), weight_decay: 0.01 }
    }

    /// As [`Adam::betas`].
    #[must_use]
    pub fn betas(self, first: f64, second: f64) -> Self {
        AdamW { adam: self.adam.betas(first, second), ..self }
    }

    /// As [`Adam::eps`].
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        AdamW { adam: self.adam.eps(eps), ..self }
    }

    /// The part of each weight, times the learning rate, that a step takes away.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        AdamW { weight_decay, ..self }
    }

    /// As [`Adam::amsgrad`].
    #[must_use]
    pub fn amsgrad(self) -> Self {
        AdamW { adam: self.adam.amsgrad(), ..self }
    }
}

impl Optimizer for AdamW {
    fn name(&self) -> &'static str {
        "adam_w"
    }

    fn learning_rate(&self) -> f64 {
        self.adam.learning_rate
    }

    fn check(&self) -> Result<(), NnError> {
        self.adam.check_as(self.name())?;
        within(self.name(), "the weight decay", self.weight_decay, 0.0, f64::INFINITY)
    }

    fn slots(&self) -> Vec<Slot> {
        self.adam.slots()
    }

    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        let mut scalars = self.adam.scalars(clock);
        scalars.push(1.0 - clock.learning_rate * self.weight_decay);
        scalars
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        let decayed = UpdateSite { parameter: at.parameter * at.scalar(2), ..at.clone() };
        self.adam.update(&decayed)
    }
}
