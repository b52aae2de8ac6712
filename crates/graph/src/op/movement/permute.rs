//! Another order of axes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::movement::place::{rearrange, shifted};
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// The axes in another order.
///
/// C2: `order` names every axis once.
/// Gradient: `ȳ` in the inverse order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Permute {
    /// Axis `i` of the result is axis `order[i]` of the operand.
    pub order: AxisList,
}

impl Permute {
    /// The order that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Permute {
        let position = |axis| self.order.position(axis).expect("an order names every axis");
        Permute { order: (0..self.order.len()).map(position).collect() }
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let order = choices.permutation(ty.rank());
        Sample { op: Permute { order: order.into() }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Permute {
    fn name(&self) -> Cow<'static, str> {
        "permute".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        if self.order.len() != operand.rank() || !self.order.is_choice_of(operand.rank()) {
            let order: Vec<usize> = self.order.iter().collect();
            return Err(Violation::new(
                "C2",
                format!("order {order:?} must name every axis of {operand} once"),
            ));
        }
        Ok(operand.with_shape(self.order.iter().map(|axis| operand.shape[axis].clone()).collect::<Shape>()))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let order: Vec<usize> = self.order.iter().collect();
        Ok(rearrange!(operands[0], |array| array.permuted_axes(order).to_owned()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.apply(self.inverse()))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(Permute { order: shifted(&self.order) }))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}
