//! Reductions: elements combined along axes, which disappear.

use std::borrow::Cow;
use std::cmp::Ordering;

use ndarray::{ArrayViewD, Axis};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::leaf::known;
use crate::op::rules::{OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::op::{Op, Real};
use crate::shape::{AxisList, TensorType};
use crate::tensor::Tensor;
use crate::{dispatch, dispatch_float};

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReduceKind {
    /// `Σ x`; 0 for no elements.
    Sum,
    /// The largest, NaN if there is one. Equal largest elements share the gradient evenly.
    Max,
    /// The smallest, NaN if there is one. Equal smallest elements share the gradient evenly.
    Min,
}

/// `result[…] = combine over axes of x[…]`, with the axes removed.
///
/// Constraints: C1 one operand; C2 the axes are sorted and exist; C3 its elements are numbers; C4 for `max` and `min`
/// no axis is known to be empty.
/// Gradient: `sum`: `ȳ` broadcast along the axes. `max`, `min`: `ȳ / #ties`, broadcast, where `x = y` or `x` is NaN, and 0
/// elsewhere.
/// The reference adds in f64 for f32, in order; kernels may add in another fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reduce {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// The axes that disappear, ascending.
    pub axes: AxisList,
}

impl Reduce {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let kind = [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min][choices.below(3)];
        let ty = choices.nonempty_float_type(3);
        let axes = choices.axes(ty.rank());
        let domain = if kind == ReduceKind::Sum { Domain::ANY } else { Domain::Distinct };
        Sample { op: Reduce { kind, axes }.into(), operands: vec![OperandSample { ty, domain }] }
    }

    /// Puts the reduced axes of `reduced` back and repeats it along them.
    fn spread<'g>(&self, reduced: Expr<'g>, like: Expr<'g>) -> Expr<'g> {
        let shape = like.shape();
        let axes = (0..shape.rank()).filter(|axis| !self.axes.contains(*axis)).collect();
        reduced.apply(crate::op::Broadcast { shape, axes })
    }
}

impl OpRules for Reduce {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            ReduceKind::Sum => "reduce_sum",
            ReduceKind::Max => "reduce_max",
            ReduceKind::Min => "reduce_min",
        }
        .into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        if !self.axes.is_choice_of(operand.rank()) || !self.axes.iter().is_sorted() {
            let axes: Vec<usize> = self.axes.iter().collect();
            return Err(Violation::new(
                "C2",
                format!("axes {axes:?} must be ascending axes of {operand}, none twice"),
            ));
        }
        if operand.dtype == DType::Bool {
            return Err(
                Violation::new("C3", format!("takes numbers, got {operand}")).help("convert with `cast`")
            );
        }
        let empty = self.axes.iter().any(|axis| operand.shape[axis] == Dim::Known(0));
        if empty && self.kind != ReduceKind::Sum {
            return Err(Violation::new("C4", format!("{operand} has no elements to choose from")));
        }
        Ok(operand.with_shape(operand.shape.without(|axis| self.axes.contains(axis))))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        if self.kind != ReduceKind::Sum && self.axes.iter().any(|axis| operands[0].sizes()[axis] == 0) {
            return Err(format!("{} has no elements to choose from", operands[0].ty()));
        }
        Ok(
            dispatch_float!(operands[0].dtype(), T => self.fold(operands[0].view::<T>(), &sizes, |lane| match self.kind {
                // `sum` of no floats would be -0.
                ReduceKind::Sum => T::from_f64(lane.fold(0.0, |sum, value| sum + value.to_f64())),
                ReduceKind::Max => lane.reduce(Real::larger).unwrap_or(-T::INFINITY),
                ReduceKind::Min => lane.reduce(Real::smaller).unwrap_or(T::INFINITY),
            }), else self.fold(operands[0].view::<i64>(), &sizes, |lane| match self.kind {
                ReduceKind::Sum => lane.fold(0, i64::wrapping_add),
                ReduceKind::Max => lane.max().unwrap_or(i64::MIN),
                ReduceKind::Min => lane.min().unwrap_or(i64::MAX),
            })),
        )
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| match self.kind {
            ReduceKind::Sum => self.spread(at.cotangent, at.operands[0]),
            ReduceKind::Max | ReduceKind::Min => {
                let operand = at.operands[0];
                // Where there is a NaN the result is NaN, and equal to nothing.
                let chosen = operand.eq(self.spread(at.result, operand)).or(operand.is_nan());
                let ties = chosen
                    .cast(operand.dtype())
                    .apply(Reduce { kind: ReduceKind::Sum, axes: self.axes.clone() });
                // Selected, not multiplied: an infinite cotangent must not become NaN beside the chosen elements.
                chosen.select(self.spread(at.cotangent / ties, operand), operand.zeros_like())
            }
        })
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

impl Reduce {
    /// Combines each lane of elements that share the kept indices, in row-major order.
    fn fold<T: Element>(
        &self,
        operand: ArrayViewD<'_, T>,
        sizes: &[usize],
        mut combine: impl FnMut(&mut dyn Iterator<Item = T>) -> T,
    ) -> Tensor {
        let kept = (0..operand.ndim()).filter(|axis| !self.axes.contains(*axis));
        let order: Vec<usize> = kept.chain(self.axes.iter()).collect();
        let lanes: usize = sizes.iter().product();
        let ordered = operand.permuted_axes(order);
        let mut elements = ordered.iter().copied();
        let length = ordered.len().checked_div(lanes).unwrap_or(0);
        Tensor::from_fn(sizes, |_| combine(&mut elements.by_ref().take(length)))
    }
}

/// The position of the largest element along one axis, the first of equal ones; NaN counts as largest.
///
/// Constraints: C1 one operand; C2 the axis exists; C3 its elements are numbers; C4 the axis is not known to be empty.
/// Gradient: none, the result is i64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgMax {
    /// The axis that disappears.
    pub axis: usize,
}

impl ArgMax {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.nonempty_float_type(3);
        let ty = if ty.rank() == 0 { ty.with_shape([2]) } else { ty };
        let axis = choices.below(ty.rank());
        Sample { op: ArgMax { axis }.into(), operands: vec![OperandSample { ty, domain: Domain::Distinct }] }
    }
}

impl OpRules for ArgMax {
    fn name(&self) -> Cow<'static, str> {
        "argmax".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        if self.axis >= operand.rank() {
            return Err(Violation::new("C2", format!("axis {} is out of range for {operand}", self.axis)));
        }
        if operand.dtype == DType::Bool {
            return Err(
                Violation::new("C3", format!("takes numbers, got {operand}")).help("convert with `cast`")
            );
        }
        if operand.shape[self.axis] == Dim::Known(0) {
            return Err(Violation::new("C4", format!("{operand} has no elements to choose from")));
        }
        Ok(TensorType::new(DType::I64, operand.shape.without(|axis| axis == self.axis)))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        if operands[0].sizes()[self.axis] == 0 {
            return Err(format!("{} has no elements to choose from", operands[0].ty()));
        }
        Ok(dispatch!(operands[0].dtype(), T => {
            let array = operands[0].view::<T>();
            let lanes: Vec<_> = array.lanes(Axis(self.axis)).into_iter().collect();
            Tensor::from_fn(&sizes, |lane| {
                let is_nan = |value: T| value.to_f64().is_nan();
                let beats = |new: T, best: T| {
                    new.partial_cmp(&best) == Some(Ordering::Greater) || (is_nan(new) && !is_nan(best))
                };
                let mut best = 0;
                for (at, value) in lanes[lane].iter().enumerate() {
                    if beats(*value, lanes[lane][best]) {
                        best = at;
                    }
                }
                best as i64
            })
        }))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops])
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
