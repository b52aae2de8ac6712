//! Ops that compute nothing but change what gradients do.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::op::Op;
use crate::op::rules::{OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The operand, through which no gradient passes.
///
/// C1: one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StopGradient;

impl StopGradient {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        Sample { op: StopGradient.into(), operands: vec![OperandSample::any(choices.float_type(3))] }
    }
}

impl OpRules for StopGradient {
    fn name(&self) -> Cow<'static, str> {
        "stop_gradient".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops])
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
