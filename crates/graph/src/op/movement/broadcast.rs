//! Repetition along axes.

use std::borrow::Cow;

use ndarray::IxDyn;
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::leaf::known;
use crate::op::movement::place::{rearrange, shifted};
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::op::{Op, Reduce, ReduceKind, UnaryOp};
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// The operand repeated along new axes and along axes of size 1.
///
/// Operand axis `i` becomes result axis `axes[i]`.
/// C2: `axes` is ascending, has one entry per operand axis and is within `shape`. C3: each operand axis has size 1 or
/// that of its result axis.
/// Gradient: `ȳ` summed over what was repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Broadcast {
    /// The shape of the result.
    pub shape: Shape,
    /// Where each operand axis goes.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub axes: AxisList,
}

impl Broadcast {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(2);
        let (mut shape, mut axes) = (Vec::new(), Vec::new());
        for dim in ty.shape.iter() {
            if choices.below(2) == 1 {
                shape.push(Dim::Known(choices.below(4)));
            }
            axes.push(shape.len());
            let stretches = dim.is_one() && choices.below(2) == 1;
            shape.push(if stretches { Dim::Known(choices.below(4)) } else { dim.clone() });
        }
        if choices.below(2) == 1 {
            shape.push(Dim::Known(choices.below(4)));
        }
        let op = Broadcast { shape: shape.into(), axes: axes.into() };
        Sample { op: op.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Broadcast {
    fn name(&self) -> Cow<'static, str> {
        "broadcast".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let fits = self.axes.len() == operand.rank() && self.axes.is_choice_of(self.shape.rank());
        if !fits || !self.axes.iter().is_sorted() {
            let axes: Vec<usize> = self.axes.iter().collect();
            let message =
                format!("axes {axes:?} must be {} ascending axes of {}", operand.rank(), self.shape);
            return Err(Violation::new("C2", message));
        }
        for (dim, axis) in operand.shape.iter().zip(self.axes.iter()) {
            if !dim.is_one() && *dim != self.shape[axis] {
                let message =
                    format!("cannot repeat {operand} to {}: {dim} is not {}", self.shape, self.shape[axis]);
                return Err(Violation::new("C3", message).help("an axis to repeat has size 1"));
            }
        }
        Ok(operand.with_shape(&self.shape))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let mut aligned = vec![1; sizes.len()];
        for (size, axis) in operands[0].sizes().iter().zip(self.axes.iter()) {
            aligned[axis] = *size;
        }
        let aligned = operands[0].reshape(&aligned).map_err(|error| error.to_string())?;
        Ok(rearrange!(aligned, |array| {
            array.broadcast(IxDyn(&sizes)).ok_or("the shapes do not broadcast")?.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let operand = at.operands[0].shape();
            let repeated = |axis: usize| match self.axes.position(axis) {
                None => true,
                Some(own) => operand[own] != self.shape[axis],
            };
            let axes: AxisList = (0..self.shape.rank()).filter(|axis| repeated(*axis)).collect();
            let summed = |x: Expr<'g>| x.apply(Reduce { kind: ReduceKind::Sum, axes: axes.clone() });
            match at.cotangent.op() {
                _ if axes.is_empty() => at.cotangent,
                // One sign for each sum, not one for each element.
                Op::Unary(UnaryOp::Neg) => (-summed(at.cotangent.operands()[0])).reshape(operand),
                _ => summed(at.cotangent).reshape(operand),
            }
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let shape = self.shape.behind(at.size.clone());
        Some(at.operands[0].apply(Broadcast { shape, axes: shifted(&self.axes) }))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Broadcast { shape: self.shape.bind(bindings)?, axes: self.axes.clone() }.into())
    }
}
