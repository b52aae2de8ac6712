//! Adagrad.

use pullback_graph::Expr;

use crate::error::{NnError, within};
use crate::optim::traits::{Clock, Optimizer, Slot, Update, UpdateSite};

/// `w ← w - rate · g / (√s + eps)` with the sum `s ← s + g²` (Duchi et al., "Adaptive subgradient methods for online
/// learning and stochastic optimization", 2011); `g` is the gradient plus `weight_decay · w`.
///
/// With `rate_decay` the rate of step `t`, counted from 1, is divided by `1 + (t - 1) · rate_decay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    learning_rate: f64,
    rate_decay: f64,
    initial_sum: f64,
    eps: f64,
    weight_decay: f64,
}

impl Adagrad {
    /// With `eps` 1e-10 and a sum that starts at 0.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Adagrad { learning_rate, rate_decay: 0.0, initial_sum: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }

    /// How fast the learning rate falls.
    #[must_use]
    pub fn rate_decay(self, rate_decay: f64) -> Self {
        Adagrad { rate_decay, ..self }
    }

    /// Where the sum of squares starts.
    #[must_use]
    pub fn initial_sum(self, initial_sum: f64) -> Self {
        Adagrad { initial_sum, ..self }
    }

    /// What keeps the divisor away from 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Adagrad { eps, ..self }
    }

    /// The weight of `½|w|²` in what is minimized.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Adagrad { weight_decay, ..self }
    }
}

impl Optimizer for Adagrad {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), NnError> {
        let (name, any) = (self.name(), f64::INFINITY);
        within(name, "the learning rate", self.learning_rate, 0.0, any)?;
        within(name, "the decay of the rate", self.rate_decay, 0.0, any)?;
        within(name, "the initial sum", self.initial_sum, 0.0, any)?;
        within(name, "eps", self.eps, 0.0, any)?;
        within(name, "the weight decay", self.weight_decay, 0.0, any)
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot { name: "sum", initial: self.initial_sum }]
    }

    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        match self.rate_decay {
            0.0 => vec![clock.learning_rate],
            decay => vec![clock.learning_rate / ((clock.step - 1.0) * decay + 1.0)],
        }
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        let gradient = at.decayed_gradient(self.weight_decay);
        let sum = at.slot(0) + gradient.square();
        let direction = gradient / (sum.sqrt() + self.eps);
        Update { parameter: at.parameter - direction * at.scalar(0), slots: vec![sum] }
    }
}
