//! Layers one after the other.

use pullback_graph::{Expr, TensorType};

use crate::context::Context;
use crate::error::NnError;
use crate::module::{Layer, Module};

/// Layers applied one after the other. It opens no box of its own: its layers stand where it stands.
///
/// ```
/// use pullback_graph::{DType::F32, TensorType, sym};
/// use pullback_nn::{Dense, Dropout, Module, Relu, Sequential};
/// let mlp = Sequential::new([
///     Dense::new(64).activation(Relu).into(),
///     Dropout::new(0.2).into(),
///     Dense::new(10).into(),
/// ]);
/// let output = mlp.output_type(&TensorType::new(F32, [sym("batch"), 784.into()]))?;
/// assert_eq!(output.to_string(), "f32[batch, 10]");
/// # Ok::<(), pullback_nn::NnError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    layers: Vec<Layer>,
}

impl Sequential {
    /// These layers, in order.
    #[must_use]
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        Sequential { layers: layers.into_iter().collect() }
    }

    /// The same with `layer` at the end.
    #[must_use]
    #[track_caller]
    pub fn then(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

impl Module for Sequential {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        self.layers.iter().fold(x, |x, layer| cx.listed(layer.at(), || layer.forward(cx, x)))
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        self.layers.iter().try_fold(input.clone(), |ty, layer| layer.output_type(&ty))
    }
}
