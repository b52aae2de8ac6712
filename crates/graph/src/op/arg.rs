//! Positions of the largest and the smallest elements.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::scan::{expect_axis, lanes};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The position of the largest element along one axis, the first of equal ones; NaN counts as largest.
///
/// Constraints: C1 one operand; C2 the axis exists; C3 its elements are numbers; C4 the axis is not known to be empty.
/// Gradient: none, the result is i64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgMax {
    /// The axis that disappears.
    pub axis: usize,
}

/// The position of the smallest element along one axis, the first of equal ones; NaN counts as smallest.
///
/// Constraints: C1 one operand; C2 the axis exists; C3 its elements are numbers; C4 the axis is not known to be empty.
/// Gradient: none, the result is i64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgMin {
    /// The axis that disappears.
    pub axis: usize,
}

/// The rules of an op that finds the element that stands to the others in an order.
macro_rules! position_of {
    ($Op:ident, $name:literal, $wanted:expr) => {
        impl $Op {
            pub(crate) fn sample(choices: &mut Choices) -> Sample {
                let (axis, operand) = sample(choices);
                Sample { op: $Op { axis }.into(), operands: vec![operand] }
            }
        }

        impl OpRules for $Op {
            fn name(&self) -> Cow<'static, str> {
                $name.into()
            }

            fn class(&self) -> OpClass {
                OpClass::Reduction
            }

            fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
                infer(self.axis, operands)
            }

            fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
                first($wanted, self.axis, operands[0], result)
            }

            fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
                Partials::from_iter([Partial::Stops])
            }

            fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
                Some(at.spread(0).apply($Op { axis: self.axis + 1 }))
            }

            fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
                Ok((*self).into())
            }
        }
    };
}

position_of!(ArgMax, "argmax", Ordering::Greater);
position_of!(ArgMin, "argmin", Ordering::Less);

fn sample(choices: &mut Choices) -> (usize, OperandSample) {
    let ty = choices.nonempty_float_type(3);
    let ty = if ty.rank() == 0 { ty.with_shape([2]) } else { ty };
    (choices.below(ty.rank()), OperandSample { ty, domain: Domain::Distinct })
}

fn infer(axis: usize, operands: &[&TensorType]) -> Result<TensorType, Violation> {
    expect_operands(operands, 1)?;
    let operand = operands[0];
    expect_axis("C2", axis, operand)?;
    if operand.dtype == DType::Bool {
        return Err(Violation::new("C3", format!("takes numbers, got {operand}")).help("convert with `cast`"));
    }
    if operand.shape[axis] == Dim::Known(0) {
        return Err(Violation::new("C4", format!("{operand} has no elements to choose from")));
    }
    Ok(TensorType::new(DType::I64, operand.shape.without(|other| other == axis)))
}

/// The position of the first element of each lane that no other stands to in the order `wanted`.
fn first(wanted: Ordering, axis: usize, operand: &Tensor, result: &TensorType) -> Result<Tensor, String> {
    let sizes = known(result)?;
    if operand.sizes()[axis] == 0 {
        return Err(format!("{} has no elements to choose from", operand.ty()));
    }
    Ok(dispatch!(operand.dtype(), T => {
        let x = operand.values::<T>();
        let is_nan = |value: T| value.to_f64().is_nan();
        let beats = |new: T, best: T| {
            new.partial_cmp(&best) == Some(wanted) || (is_nan(new) && !is_nan(best))
        };
        let lanes: Vec<_> = lanes(operand.sizes(), axis, false).collect();
        Tensor::from_fn(&sizes, |at| {
            let lane = &lanes[at];
            (1..lane.len()).fold(0, |best, at| if beats(x[lane[at]], x[lane[best]]) { at } else { best }) as i64
        })
    }))
}
