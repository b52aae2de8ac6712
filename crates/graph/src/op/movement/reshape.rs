//! Another shape over the same elements.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// The same elements in row-major order under another shape.
///
/// C2: the number of elements is the same, for every size of the symbols.
/// Gradient: `ȳ` reshaped back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reshape {
    /// The shape of the result.
    pub shape: Shape,
}

impl Reshape {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let shape = match choices.below(3) {
            0 => Shape::from([ty.shape.numel()]),
            1 => ty.shape.iter().rev().cloned().collect(),
            _ => ty.shape.iter().cloned().chain([Dim::Known(1)]).collect(),
        };
        Sample { op: Reshape { shape }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Reshape {
    fn name(&self) -> Cow<'static, str> {
        "reshape".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !operands[0].with_shape(&self.shape).is_countable() {
            return Err(Violation::new(
                "C2",
                format!("{} has more elements than can be counted", self.shape),
            ));
        }
        let (from, to) = (operands[0].shape.numel(), self.shape.numel());
        if from != to {
            let message = format!("{} has {from} elements, {} has {to}", operands[0], self.shape);
            return Err(Violation::new("C2", message));
        }
        Ok(operands[0].with_shape(&self.shape))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        operands[0].reshape(&known(result)?).map_err(|error| error.to_string())
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.reshape(at.operands[0].shape()))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(Reshape { shape: self.shape.behind(at.size.clone()) }))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Reshape { shape: self.shape.bind(bindings)? }.into())
    }
}
