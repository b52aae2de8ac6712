//! Gradient descent, with and without momentum.

use pullback_graph::Expr;

use crate::error::{NnError, within};
use crate::optim::traits::{Clock, Optimizer, Slot, Update, UpdateSite};

/// `w ← w - rate · g`, where `g` is the gradient plus `weight_decay · w`.
///
/// With momentum `μ` (Polyak 1964) a velocity `v ← μ·v + (1 - dampening)·g` takes the place of `g`; the first step sets
/// `v = g`. With Nesterov's momentum (Sutskever et al., "On the importance of initialization and momentum in deep
/// learning", 2013) it is `g + μ·v` instead of `v`. The rate stands outside of the velocity, so changing it acts at once.
///
/// ```
/// use pullback_nn::Sgd;
/// let plain = Sgd::new(0.1);
/// let nesterov = Sgd::new(0.1).momentum(0.9).nesterov();
/// # let _ = (plain, nesterov);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    weight_decay: f64,
}

impl Sgd {
    /// Plain gradient descent.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Sgd { learning_rate, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// Momentum, from 0 (none) to 1.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// What is held back of each gradient after the first, from 0 (nothing) to 1.
    #[must_use]
    pub fn dampening(self, dampening: f64) -> Self {
        Sgd { dampening, ..self }
    }

    /// Looks ahead along the velocity.
    #[must_use]
    pub fn nesterov(self) -> Self {
        Sgd { nesterov: true, ..self }
    }

    /// The weight of `½|w|²` in what is minimized.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Sgd { weight_decay, ..self }
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), NnError> {
        let name = self.name();
        within(name, "the learning rate", self.learning_rate, 0.0, f64::INFINITY)?;
        within(name, "the momentum", self.momentum, 0.0, 1.0)?;
        within(name, "the dampening", self.dampening, 0.0, 1.0)?;
        within(name, "the weight decay", self.weight_decay, 0.0, f64::INFINITY)?;
        match self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            true => {
                Err(NnError::setting(name, "Nesterov's momentum takes a momentum above 0 and no dampening"))
            }
            false => Ok(()),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        if self.momentum == 0.0 { Vec::new() } else { vec![Slot::zeros("velocity")] }
    }

    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        let mut scalars = vec![clock.learning_rate];
        if self.dampening != 0.0 {
            let first = clock.step.eq(1.0);
            scalars.push(first.select(clock.step.ones_like(), 1.0 - self.dampening));
        }
        scalars
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        let (rate, gradient) = (at.scalar(0), at.decayed_gradient(self.weight_decay));
        if self.momentum == 0.0 {
            return Update::without_slots(at.parameter - gradient * rate);
        }
        let taken = if self.dampening == 0.0 { gradient } else { gradient * at.scalar(1) };
        let velocity = at.slot(0) * self.momentum + taken;
        let direction = if self.nesterov { gradient + velocity * self.momentum } else { velocity };
        Update { parameter: at.parameter - direction * rate, slots: vec![velocity] }
    }
}
