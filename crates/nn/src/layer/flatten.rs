//! Flattening.

use pullback_graph::{Dim, Expr, TensorType};

use crate::context::Context;
use crate::error::{NnError, accept};
use crate::module::Module;

/// All axes after the first joined into one: `[batch, 8, 8]` becomes `[batch, 64]`, and `[batch]` becomes `[batch, 1]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten;

impl Module for Flatten {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        accept(self.output_type(&x.ty()));
        cx.listed_layer("flatten", || x.flatten(1))
    }

    fn output_type(&self, input: &TensorType) -> Result<TensorType, NnError> {
        let Some((batch, rest)) = input.shape.split_first() else {
            return Err(NnError::input("flatten", format!("takes [batch, …], got {input}")));
        };
        let features = rest.iter().fold(Dim::Known(1), |product, dim| product * dim.clone());
        Ok(input.with_shape([batch.clone(), features]))
    }
}
