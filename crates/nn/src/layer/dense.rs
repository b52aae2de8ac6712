//! The densely connected layer.

use std::panic::Location;
use std::sync::Arc;

use pullback_graph::{Expr, TensorType};

use crate::context::Context;
use crate::error::{NnError, accept};
use crate::init::Initializer;
use crate::layer::Activation;
use crate::module::Module;
use crate::regularizer::Regularizer;

/// `activation(x · kernel + bias)`: every output unit sees every feature of the last axis.
///
/// Input: `[…, features]` of floating point, any number of leading axes. Result: `[…, units]` of the same type.
/// Parameters: `kernel: [features, units]`, Glorot-uniform unless told otherwise; `bias: [units]`, zeros.
///
/// ```
/// use pullback_graph::{Builder, DType::F32, sym};
/// use pullback_nn::{Context, Dense, Mode, Module, Relu};
/// let b = Builder::new();
/// let cx = Context::new(&b, Mode::Training);
/// let x = b.input("x", F32, [sym("batch"), 784.into()]);
/// let y = Dense::new(64).activation(Relu).forward(&cx, x);
/// assert_eq!(y.ty().to_string(), "f32[batch, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    kernel_regularizer: Option<Regularizer>,
    bias_regularizer: Option<Regularizer>,
    name: Arc<str>,
    at: &'static Location<'static>,
}

impl Dense {
    /// A linear layer with `units` outputs and a bias.
    #[must_use]
    #[track_caller]
    pub fn new(units: usize) -> Self {
        Dense {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            bias_regularizer: None,
            name: "dense".into(),
            at: Location::caller(),
        }
    }

    /// Applies `activation` to the result.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// Whether a bias is added.
    #[must_use]
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }

    /// How the kernel gets its first value.
    #[must_use]
    pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
        Dense { kernel_initializer, ..self }
    }

    /// How the bias gets its first value.
    #[must_use]
    pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
        Dense { bias_initializer, ..self }
    }

    /// What training adds to the loss for the kernel.
    #[must_use]
    pub fn kernel_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { kernel_regularizer: Some(regularizer), ..self }
    }

    /// What training adds to the loss for the bias.
    #[must_use]
    pub fn bias_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { bias_regularizer: Some(regularizer), ..self }
    }

    /// The name under which the parameters stand, instead of `dense`.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Dense { name: name.into(), ..self }
    }

    /// The number of features of the input, if the layer takes it.
    fn features(&self, input: &TensorType) -> Result<usize, NnError> {
        let fail = |message: String| NnError::input(&*self.name, message).at(Some(self.at.into()));
        if self.units == 0 {
            return Err(
                NnError::setting(&*self.name, "a dense layer has at least one unit").at(Some(self.at.into()))
            );
        }
        if !input.dtype.is_float() {
            let error = fail(format!("takes floating-point elements, got {input}"));
            return Err(error.help("convert with `cast`; indices go through a lookup of vectors first"));
        }
        let last = input.shape.last().ok_or_else(|| fail(format!("takes […, features], got {input}")))?;
        last.known().ok_or_else(|| {
            fail(format!("the size of the last axis makes the kernel and must be known, got {input}"))
                .help("give the features a size; only the axes before them may be symbols")
        })
    }
}

impl Module for Dense {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        let input = x.ty();
        accept(self.output_type(&input));
        let features = accept(self.features(&input));
        cx.layer_at(&self.name, self.at, || {
            let ty = input.with_shape([features, self.units]);
            let kernel = cx.parameter_of("kernel", ty, self.kernel_initializer, self.kernel_regularizer);
            let mut result = x.dot(kernel);
            if self.use_bias {
                let ty = input.with_shape([self.units]);
                result = result + cx.parameter_of("bias", ty, self.bias_initializer, self.bias_regularizer);
            }
            self.activation.apply(result)
        })
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        let features = self.features(input)?;
        let located = |error: NnError| error.at(Some(self.at.into()));
        self.kernel_initializer.check(&[features, self.units]).map_err(located)?;
        if self.use_bias {
            self.bias_initializer.check(&[self.units]).map_err(located)?;
        }
        for regularizer in self.kernel_regularizer.iter().chain(&self.bias_regularizer) {
            regularizer.check().map_err(located)?;
        }
        let output = input.with_shape(input.shape.with(input.rank() - 1, self.units.into()));
        self.activation.check(&output).map_err(located)?;
        Ok(output)
    }
}
