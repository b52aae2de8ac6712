//! What a network is made of.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;

use pullback_graph::{Builder, DType, Expr, TensorType};

use crate::context::{Context, Mode};
use crate::error::NnError;

/// A layer, or a network of layers: a description that appends nodes. It holds no numbers; parameters are inputs of the
/// graph, made through the [`Context`].
///
/// ```
/// use pullback_graph::Expr;
/// use pullback_nn::{Activation, Context, Dense, Initializer, Module};
///
/// /// `x + scale · tanh(x·W + b)`.
/// #[derive(Debug)]
/// struct Residual;
///
/// impl Module for Residual {
///     fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
///         cx.layer("residual", || {
///             let units = x.shape()[x.rank() - 1].known().expect("a known number of features");
///             let branch = Dense::new(units).activation(Activation::Tanh).forward(cx, x);
///             x + branch * cx.parameter("scale", (), Initializer::Zeros)
///         })
///     }
/// }
/// ```
pub trait Module: fmt::Debug + Send + Sync {
    /// Appends this module, applied to `x`.
    ///
    /// A module with parameters of its own opens a box for them with [`Context::layer`]; one that only applies others
    /// may leave that to them.
    ///
    /// # Panics
    /// When the module does not take values of the type of `x`.
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g>;

    /// The type of the result for an input of this type.
    ///
    /// The answer here is found by building the module on the side, which panics where [`forward`](Module::forward) does.
    /// Modules that check their input implement this, so that a wrong one is an error before anything is built.
    ///
    /// # Errors
    /// [`NnError`] when the module does not take such an input, or was made with numbers that have no meaning.
    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        let builder = Builder::new();
        let cx = Context::for_input(&builder, Mode::Evaluation, input);
        let x = builder.input("input", input.dtype, &input.shape);
        Ok(self.forward(&cx, x).ty())
    }
}

impl<'g> Context<'g> {
    /// A context whose parameters have the element type of the network's input, or f32 if that is not of floating point.
    pub(crate) fn for_input(builder: &'g Builder, mode: Mode, input: &TensorType) -> Self {
        let cx = Context::new(builder, mode);
        cx.set_dtype(if input.dtype.is_float() { input.dtype } else { DType::F32 });
        cx
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        (**self).forward(cx, x)
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        (**self).output_type(input)
    }
}

/// Any module, shared by reference count: what [`Sequential`](crate::Sequential) is a list of.
#[derive(Clone)]
pub struct Layer {
    module: Arc<dyn Module>,
    at: &'static Location<'static>,
}

impl Layer {
    /// The line that made it.
    pub(crate) fn at(&self) -> &'static Location<'static> {
        self.at
    }
}

impl<M: Module + 'static> From<M> for Layer {
    #[track_caller]
    fn from(module: M) -> Self {
        Layer { module: Arc::new(module), at: Location::caller() }
    }
}

impl Deref for Layer {
    type Target = dyn Module;

    fn deref(&self) -> &Self::Target {
        &*self.module
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.module.fmt(f)
    }
}
