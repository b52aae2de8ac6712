//! A value put around and between elements.

use std::borrow::Cow;

use ndarray::{ArrayD, Axis, IxDyn, Slice as Range};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::leaf::known;
use crate::op::movement::place::{after, bind_all, rearrange, sizes_of};
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::scalar::Scalar;
use crate::op::table::expect_operands;
use crate::op::{Op, Slice};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// The operand with `value` before, between and after its elements.
///
/// C2: one entry of `low`, `high` and `inner` per axis. C3: `value` has the operand's type. C4: no size is negative.
/// Gradient: `ȳ` at the operand's places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pad {
    /// How many come before, per axis.
    pub low: Vec<Dim>,
    /// How many come after, per axis.
    pub high: Vec<Dim>,
    /// How many come between two elements, per axis.
    pub inner: Vec<usize>,
    /// What is put there.
    pub value: Scalar,
}

impl Pad {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let mut few = |count: usize| (0..ty.rank()).map(|_| choices.below(count)).collect::<Vec<usize>>();
        let (low, high, inner) = (few(3), few(3), few(2));
        let dims = |sizes: Vec<usize>| sizes.into_iter().map(Dim::Known).collect();
        let op = Pad { low: dims(low), high: dims(high), inner, value: Scalar::from(0.5) };
        Sample { op: op.into(), operands: vec![OperandSample::any(ty)] }
    }

    /// The size of an axis with `inner` places between its elements.
    fn widened(size: &Dim, inner: usize) -> Dim {
        match (inner, size.known()) {
            (0, _) => size.clone(),
            (_, Some(size)) => Dim::Known(size.saturating_add(size.saturating_sub(1).saturating_mul(inner))),
            _ => size.clone() * Dim::Known(inner.saturating_add(1)) - Dim::Known(inner),
        }
    }

    /// The slice of the result that holds the operand of shape `operand`.
    #[must_use]
    pub fn window(&self, operand: &Shape) -> Slice {
        let end = |axis: usize| self.low[axis].clone() + Pad::widened(&operand[axis], self.inner[axis]);
        Slice {
            starts: self.low.clone(),
            ends: (0..operand.rank()).map(end).collect(),
            steps: self.inner.iter().map(|inner| inner.saturating_add(1)).collect(),
        }
    }
}

impl OpRules for Pad {
    fn name(&self) -> Cow<'static, str> {
        "pad".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let rank = operand.rank();
        if self.low.len() != rank || self.high.len() != rank || self.inner.len() != rank {
            return Err(Violation::new(
                "C2",
                format!("takes {rank} counts per side for {operand}, got {self:?}"),
            ));
        }
        if self.value.dtype() != operand.dtype {
            return Err(Violation::new("C3", format!("pads {operand} with {}", self.value)));
        }
        let size = |axis: usize| {
            let inside = Pad::widened(&operand.shape[axis], self.inner[axis]);
            self.low[axis].checked_add(&inside)?.checked_add(&self.high[axis])
        };
        match (0..rank).map(size).collect::<Option<Shape>>() {
            Some(shape) => Ok(operand.with_shape(shape)),
            None => Err(Violation::new("C4", format!("{self:?} makes a size of {operand} negative"))),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let window = self.window(&operands[0].shape());
        let (starts, ends) = (sizes_of(&window.starts)?, sizes_of(&window.ends)?);
        Ok(rearrange!(operands[0], |array| {
            let mut padded = ArrayD::from_elem(IxDyn(&sizes), self.value.get());
            if !array.is_empty() {
                let mut view = padded.view_mut();
                for axis in 0..sizes.len() {
                    let range = Range::new(
                        starts[axis] as isize,
                        Some(ends[axis] as isize),
                        window.steps[axis] as isize,
                    );
                    view.slice_axis_inplace(Axis(axis), range);
                }
                view.assign(&array);
            }
            padded
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let operand = at.operands[0].shape();
            match operand.contains(&Dim::Known(0)) {
                true => at.operands[0].zeros_like(),
                false => at.cotangent.apply(self.window(&operand)),
            }
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(Pad {
            low: after(Dim::Known(0), &self.low),
            high: after(Dim::Known(0), &self.high),
            inner: after(0, &self.inner),
            value: self.value,
        }))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let (low, high) = (bind_all(&self.low, bindings)?, bind_all(&self.high, bindings)?);
        Ok(Pad { low, high, inner: self.inner.clone(), value: self.value }.into())
    }
}
