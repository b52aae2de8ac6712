//! What an optimizer is.

use std::fmt;

use pullback_graph::Expr;

use crate::error::{NnError, within};
use crate::optim::clip::{ClipNorm, ClipValue};

/// How parameters follow from gradients.
///
/// An optimizer holds no state of its own: what it keeps per parameter are [slots](Optimizer::slots), which become state
/// inputs of the step's graph, named `optimizer/<parameter>/<slot>`. The learning rate is a state input too, so that a
/// schedule can change it from step to step without planning the graph again.
///
/// ```
/// use pullback_graph::Expr;
/// use pullback_nn::{Clock, NnError, Optimizer, UpdateSite, Slot, Update};
///
/// /// Steps along the sign of the gradient.
/// #[derive(Debug)]
/// struct SignDescent;
///
/// impl Optimizer for SignDescent {
///     fn name(&self) -> &'static str {
///         "sign_descent"
///     }
///     fn learning_rate(&self) -> f64 {
///         0.01
///     }
///     fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
///         Update::without_slots(at.parameter - at.gradient.sign() * at.scalar(0))
///     }
/// }
/// ```
pub trait Optimizer: fmt::Debug + Send + Sync {
    /// The name in messages, such as `adam`.
    fn name(&self) -> &'static str;

    /// The learning rate of the first step.
    fn learning_rate(&self) -> f64;

    /// Checks the hyper-parameters.
    ///
    /// # Errors
    /// [`NnError::Setting`] that names the one without meaning.
    fn check(&self) -> Result<(), NnError> {
        within(self.name(), "the learning rate", self.learning_rate(), 0.0, f64::INFINITY)
    }

    /// What is kept for each parameter, in tensors of its type.
    fn slots(&self) -> Vec<Slot> {
        Vec::new()
    }

    /// The numbers of a step that are the same for all parameters, computed once, in double precision. An update finds
    /// them with [`UpdateSite::scalar`], converted to its parameter's type. Here: the learning rate alone.
    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        vec![clock.learning_rate]
    }

    /// Changes gradients before they are used, all at once: clipping, for one.
    fn transform<'g>(&self, gradients: Vec<Expr<'g>>) -> Vec<Expr<'g>> {
        gradients
    }

    /// The next value of one parameter and of its slots.
    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g>;

    /// This optimizer on gradients scaled down together so that their global norm is at most `max`; see
    /// [`clip_by_norm`](crate::clip_by_norm). Clippings apply in the order in which they are written.
    fn clip_norm(self, max: f64) -> ClipNorm<Self>
    where
        Self: Sized,
    {
        ClipNorm::new(self, max)
    }

    /// This optimizer on gradients whose every element is limited to `±max`.
    fn clip_value(self, max: f64) -> ClipValue<Self>
    where
        Self: Sized,
    {
        ClipValue::new(self, max)
    }
}

/// Something kept for each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its name, such as `velocity`.
    pub name: &'static str,
    /// Its first value, in every element.
    pub initial: f64,
}

impl Slot {
    /// A slot that starts at 0.
    #[must_use]
    pub fn zeros(name: &'static str) -> Self {
        Slot { name, initial: 0.0 }
    }
}

/// What time it is in training. Both are scalars of type f64.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'g> {
    /// The number of this step: 1 for the first.
    pub step: Expr<'g>,
    /// The learning rate of this step.
    pub learning_rate: Expr<'g>,
}

impl<'g> Clock<'g> {
    /// `1 - decay^step`: what a running mean that started at 0 must be divided by.
    #[must_use]
    pub fn bias_correction(&self, decay: f64) -> Expr<'g> {
        1.0 - self.step.full_like(decay).pow(self.step)
    }
}

/// One parameter about to be updated.
#[derive(Clone, Debug)]
pub struct UpdateSite<'g> {
    /// Its present value.
    pub parameter: Expr<'g>,
    /// The loss's gradient there; same type.
    pub gradient: Expr<'g>,
    /// Its slots, in the order of [`Optimizer::slots`]; same type.
    pub slots: Vec<Expr<'g>>,
    /// The numbers of [`Optimizer::scalars`], converted to the parameter's element type.
    pub scalars: Vec<Expr<'g>>,
}

impl<'g> UpdateSite<'g> {
    /// Number `index` of [`Optimizer::scalars`].
    ///
    /// # Panics
    /// When there is no such number.
    #[must_use]
    pub fn scalar(&self, index: usize) -> Expr<'g> {
        self.scalars[index]
    }

    /// Slot `index` of [`Optimizer::slots`].
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn slot(&self, index: usize) -> Expr<'g> {
        self.slots[index]
    }

    /// The gradient with that of `½ · weight_decay · |parameter|²` added: decay as a penalty on the loss.
    #[must_use]
    pub fn decayed_gradient(&self, weight_decay: f64) -> Expr<'g> {
        match weight_decay {
            0.0 => self.gradient,
            decay => self.gradient + self.parameter * decay,
        }
    }
}

/// What [`Optimizer::update`] answers.
#[derive(Clone, Debug)]
pub struct Update<'g> {
    /// The parameter's next value.
    pub parameter: Expr<'g>,
    /// Its slots' next values, in order.
    pub slots: Vec<Expr<'g>>,
}

impl<'g> Update<'g> {
    /// The answer of an optimizer that keeps nothing.
    #[must_use]
    pub fn without_slots(parameter: Expr<'g>) -> Self {
        Update { parameter, slots: Vec::new() }
    }
}

/// `decay · mean + (1 - decay) · value`: one step of a running mean.
pub(super) fn running_mean<'g>(mean: Expr<'g>, value: Expr<'g>, decay: f64) -> Expr<'g> {
    mean * decay + value * (1.0 - decay)
}

impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn check(&self) -> Result<(), NnError> {
        (**self).check()
    }

    fn slots(&self) -> Vec<Slot> {
        (**self).slots()
    }

    fn scalars<'g>(&self, clock: &Clock<'g>) -> Vec<Expr<'g>> {
        (**self).scalars(clock)
    }

    fn transform<'g>(&self, gradients: Vec<Expr<'g>>) -> Vec<Expr<'g>> {
        (**self).transform(gradients)
    }

    fn update<'g>(&self, at: &UpdateSite<'g>) -> Update<'g> {
        (**self).update(at)
    }
}
