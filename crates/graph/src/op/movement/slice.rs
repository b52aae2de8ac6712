//! A part of each axis.

use std::borrow::Cow;

use ndarray::{Axis, Slice as Range};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::movement::place::{after, bind_all, rearrange, sizes_of};
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::scalar::Scalar;
use crate::op::table::expect_operands;
use crate::op::{Op, Pad};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// Every `step`-th element from `start` up to, not including, `end`, along each axis.
///
/// C2: one start, end and step per axis. C3: steps are at least 1. C4: `start ≤ end ≤ size` where the differences are known.
/// C5: a step above 1 needs known sizes.
/// Gradient: `ȳ` padded with zeros back to the operand's shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The first index taken, per axis.
    pub starts: Vec<Dim>,
    /// The first index not taken, per axis.
    pub ends: Vec<Dim>,
    /// The distance between indices taken, per axis.
    pub steps: Vec<usize>,
}

impl Slice {
    /// The slice that takes everything.
    #[must_use]
    pub fn whole(shape: &Shape) -> Slice {
        Slice {
            starts: vec![Dim::Known(0); shape.rank()],
            ends: shape.iter().cloned().collect(),
            steps: vec![1; shape.rank()],
        }
    }

    /// The slice that takes `start..end` along one axis.
    pub(crate) fn along(shape: &Shape, axis: usize, start: impl Into<Dim>, end: impl Into<Dim>) -> Slice {
        let mut slice = Slice::whole(shape);
        (slice.starts[axis], slice.ends[axis]) = (start.into(), end.into());
        slice
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let mut slice = Slice::whole(&ty.shape);
        for axis in 0..ty.rank() {
            let size = ty.shape[axis].known().expect("samples have known sizes");
            let start = choices.below(size + 1);
            slice.starts[axis] = start.into();
            slice.ends[axis] = (start + choices.below(size - start + 1)).into();
            slice.steps[axis] = 1 + choices.below(2);
        }
        Sample { op: slice.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Slice {
    fn name(&self) -> Cow<'static, str> {
        "slice".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let rank = operand.rank();
        if self.starts.len() != rank || self.ends.len() != rank || self.steps.len() != rank {
            let message = format!("takes {rank} starts, ends and steps for {operand}, got {self:?}");
            return Err(Violation::new("C2", message));
        }
        let mut shape = operand.shape.clone();
        for axis in 0..rank {
            let (start, end, step) = (&self.starts[axis], &self.ends[axis], self.steps[axis]);
            if step == 0 || isize::try_from(step).is_err() {
                return Err(Violation::new("C3", format!("axis {axis} cannot be taken in steps of {step}")));
            }
            let ordered = |low: &Dim, high: &Dim| match (low.known(), high.known()) {
                (Some(low), Some(high)) => low <= high,
                _ => high.checked_sub(low).is_some(),
            };
            let length =
                end.checked_sub(start).filter(|_| ordered(start, end) && ordered(end, &operand.shape[axis]));
            let Some(length) = length else {
                let message = format!("{start}..{end} is out of range for axis {axis} of {operand}");
                return Err(Violation::new("C4", message));
            };
            let taken = match (step, length.known()) {
                (1, _) => length,
                (_, Some(length)) => Dim::Known(length.div_ceil(step)),
                _ => {
                    return Err(Violation::new(
                        "C5",
                        format!("a step of {step} needs known sizes, got {length}"),
                    ));
                }
            };
            shape = shape.with(axis, taken);
        }
        Ok(operand.with_shape(shape))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let (starts, ends) = (sizes_of(&self.starts)?, sizes_of(&self.ends)?);
        if let Some(axis) = (0..ends.len()).find(|axis| ends[*axis] > operands[0].sizes()[*axis]) {
            return Err(format!("{} is out of range for axis {axis} of {}", ends[axis], operands[0].ty()));
        }
        Ok(rearrange!(operands[0], |array| {
            let mut view = array;
            for axis in 0..view.ndim() {
                // ndarray refuses a start at the very end with a step: an empty range says the same.
                let start = starts[axis].min(ends[axis]);
                let range = Range::new(start as isize, Some(ends[axis] as isize), self.steps[axis] as isize);
                view.slice_axis_inplace(Axis(axis), range);
            }
            view.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let (whole, taken) = (at.operands[0].shape(), at.cotangent.shape());
            if taken.contains(&Dim::Known(0)) {
                return at.operands[0].zeros_like();
            }
            let high = |axis: usize| {
                let step = self.steps[axis];
                if step == 1 {
                    return whole[axis].clone() - self.ends[axis].clone();
                }
                // C5: sizes are known where a step is taken.
                let last = (taken[axis].known().unwrap_or_default() - 1) * step + 1;
                whole[axis].clone() - self.starts[axis].clone() - Dim::Known(last)
            };
            let value = Scalar::of(at.cotangent.dtype(), 0.0).expect("zero is an element of every type");
            let inner = self.steps.iter().map(|step| step - 1).collect();
            at.cotangent.apply(Pad {
                low: self.starts.clone(),
                high: (0..whole.rank()).map(high).collect(),
                inner,
                value,
            })
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(Slice {
            starts: after(Dim::Known(0), &self.starts),
            ends: after(at.size.clone(), &self.ends),
            steps: after(1, &self.steps),
        }))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let (starts, ends) = (bind_all(&self.starts, bindings)?, bind_all(&self.ends, bindings)?);
        Ok(Slice { starts, ends, steps: self.steps.clone() }.into())
    }
}
