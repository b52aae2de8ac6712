//! Tensors joined along an axis.

use std::borrow::Cow;

use ndarray::{Axis, concatenate};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_one_dtype;
use crate::op::{Op, Slice};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The operands one after the other along an axis.
///
/// C2: the axis exists. C3: one element type. C4: all other axes are equal. C5: the sizes do not add up to a negative one.
/// Gradient: each operand gets its part of `ȳ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Concat {
    /// The axis along which they are joined.
    pub axis: usize,
}

impl Concat {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(2);
        let ty = if ty.rank() == 0 { ty.with_shape([2]) } else { ty };
        let axis = choices.below(ty.rank());
        let count = 1 + choices.below(3);
        let mut part = || OperandSample::any(ty.with_shape(ty.shape.with(axis, choices.below(4).into())));
        Sample { op: Concat { axis }.into(), operands: (0..count).map(|_| part()).collect() }
    }
}

impl OpRules for Concat {
    fn name(&self) -> Cow<'static, str> {
        "concat".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        let Some(first) = operands.first() else {
            return Err(Violation::new("C1", "takes at least one operand, got none"));
        };
        if self.axis >= first.rank() {
            return Err(Violation::new("C2", format!("axis {} is out of range for {first}", self.axis)));
        }
        expect_one_dtype(operands)?;
        let others = |ty: &TensorType| ty.shape.without(|axis| axis == self.axis);
        if let Some(other) =
            operands.iter().find(|ty| ty.rank() != first.rank() || others(ty) != others(first))
        {
            let message = format!("{first} and {other} differ in another axis than {}", self.axis);
            return Err(Violation::new("C4", message));
        }
        let total =
            operands.iter().try_fold(Dim::Known(0), |total, ty| total.checked_add(&ty.shape[self.axis]));
        let Some(total) = total else {
            return Err(Violation::new(
                "C5",
                format!("the sizes of axis {} add up to a negative one", self.axis),
            ));
        };
        Ok(first.with_shape(first.shape.with(self.axis, total)))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        dispatch!(operands[0].dtype(), T => {
            let views: Vec<_> = operands.iter().map(|operand| operand.view::<T>()).collect();
            let joined = concatenate(Axis(self.axis), &views).map_err(|error| error.to_string())?;
            Ok(Tensor::from_array(joined))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let mut start = Dim::Known(0);
        let parts = at.operands.iter().enumerate().map(|(index, operand)| {
            let end = start.clone() + operand.shape()[self.axis].clone();
            let from = std::mem::replace(&mut start, end.clone());
            if !at.wants(index) {
                return Partial::Stops;
            }
            let part = Slice::along(&at.cotangent.shape(), self.axis, from, end);
            Partial::Flows(at.cotangent.apply(part))
        });
        parts.collect()
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let parts: Vec<Expr<'g>> = (0..at.operands.len()).map(|index| at.spread(index)).collect();
        Some(parts[0].apply_to(Concat { axis: self.axis + 1 }, &parts[1..]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
