//! Activations: functions without parameters, inside [`Dense`](crate::Dense) or as layers.

use pullback_graph::{Expr, TensorType};

use crate::context::Context;
use crate::error::{NnError, accept};
use crate::module::Module;

/// A function of one tensor, without parameters. The variants are exported by name: `Dense::new(64).activation(Relu)`.
///
/// As a layer its box is called as in [`name`](Activation::name).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// `x`.
    #[default]
    Linear,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`; its derivative at 0 is 0.
    Relu,
    /// `x` where it is positive, else `slope · x` with the slope given; the derivative at 0 is that slope (Maas et al.,
    /// "Rectifier nonlinearities improve neural network acoustic models", 2013).
    LeakyRelu(f64),
    /// `x` where it is positive, else `alpha · (e^x - 1)` (Clevert et al., "Fast and accurate deep network learning by
    /// exponential linear units", 2015).
    Elu(f64),
    /// `x · Φ(x)`, with the distribution function of the normal distribution (Hendrycks and Gimpel, "Gaussian error
    /// linear units", 2016).
    Gelu,
    /// `x · sigmoid(x)` (Ramachandran et al., "Searching for activation functions", 2017).
    Silu,
    /// `log(1 + e^x)`.
    Softplus,
    /// `e^x / Σ e^x` along the last axis. Before a cross-entropy leave it away: the losses take logits.
    Softmax,
    /// `log(softmax(x))` along the last axis, without overflow.
    LogSoftmax,
}

impl Activation {
    /// The name of its box: `relu`, `log_softmax`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Elu(_) => "elu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Softplus => "softplus",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
        }
    }

    /// The function of `x`; same type.
    ///
    /// # Panics
    /// When the elements are not of floating point, or there is no last axis for a softmax.
    #[must_use]
    #[track_caller]
    pub fn apply<'g>(self, x: Expr<'g>) -> Expr<'g> {
        match self {
            Activation::Linear => x,
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.leaky_relu(slope),
            Activation::Elu(alpha) => x.elu(alpha),
            Activation::Gelu => x.gelu(),
            Activation::Silu => x.silu(),
            Activation::Softplus => x.softplus(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
        }
    }

    /// Checks that the function is defined on values of this type.
    ///
    /// # Errors
    /// [`NnError`] when it is not, or its number is not finite.
    pub fn check(self, input: &TensorType) -> Result<(), NnError> {
        if !input.dtype.is_float() && self != Activation::Linear {
            return Err(NnError::input(self.name(), format!("takes floating-point elements, got {input}")));
        }
        match self {
            Activation::Softmax | Activation::LogSoftmax if input.rank() == 0 => {
                Err(NnError::input(self.name(), format!("normalizes the last axis, got {input}")))
            }
            Activation::LeakyRelu(number) | Activation::Elu(number) if !number.is_finite() => {
                Err(NnError::setting(self.name(), format!("its number is {number}, and must be finite")))
            }
            _ => Ok(()),
        }
    }
}

impl Module for Activation {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        accept(self.check(&x.ty()));
        cx.listed_layer(self.name(), || self.apply(x))
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        self.check(input)?;
        Ok(input.clone())
    }
}
