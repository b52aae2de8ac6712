//! Axes turned round.

use std::borrow::Cow;

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::movement::place::rearrange;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::{AxisList, TensorType};
use crate::tensor::Tensor;

/// The elements along some axes in reverse order.
///
/// C2: the axes exist, none twice.
/// Gradient: `ȳ` reversed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reverse {
    /// The axes that are reversed.
    pub axes: AxisList,
}

impl Reverse {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let axes = choices.axes(ty.rank());
        Sample { op: Reverse { axes }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Reverse {
    fn name(&self) -> Cow<'static, str> {
        "reverse".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !self.axes.is_choice_of(operands[0].rank()) {
            let axes: Vec<usize> = self.axes.iter().collect();
            return Err(Violation::new(
                "C2",
                format!("axes {axes:?} must be axes of {}, none twice", operands[0]),
            ));
        }
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(rearrange!(operands[0], |array| {
            let mut view = array;
            for axis in self.axes.iter() {
                view.invert_axis(Axis(axis));
            }
            view.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.apply(self.clone()))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let axes = self.axes.iter().map(|axis| axis + 1).collect();
        Some(at.operands[0].apply(Reverse { axes }))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}
