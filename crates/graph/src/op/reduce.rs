//! Reductions: elements combined along axes, which disappear.

use std::borrow::Cow;

use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::kinks::{Kink, Subgradient};
use crate::op::cumulative::{Cumulative, CumulativeKind, Product};
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::scan::{product_in_range, shifted};
use crate::op::table::expect_operands;
use crate::op::{BinaryOp, Op, Permute, Real};
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReduceKind {
    /// `Σ x`; 0 for no elements.
    Sum,
    /// `Π x`; 1 for no elements. With a zero among finite numbers it is 0, also where a part of it leaves the range of
    /// numbers.
    Prod,
    /// The largest, NaN if there is one. Equal largest elements share the gradient evenly. Of truth values: any.
    Max,
    /// The smallest, NaN if there is one. Equal smallest elements share the gradient evenly. Of truth values: all.
    Min,
}

impl ReduceKind {
    /// The row that combines two elements this way.
    #[must_use]
    pub fn of_two(self) -> BinaryOp {
        match self {
            ReduceKind::Sum => BinaryOp::Add,
            ReduceKind::Prod => BinaryOp::Mul,
            ReduceKind::Max => BinaryOp::Maximum,
            ReduceKind::Min => BinaryOp::Minimum,
        }
    }
}

/// `result[…] = combine over axes of x[…]`, with the axes removed.
///
/// Constraints: C1 one operand; C2 the axes are sorted and exist; C3 its elements are numbers, or truth values for `max`
/// and `min`; C4 for `max` and `min` of numbers no axis is known to be empty.
/// Gradient: `sum`: `ȳ` broadcast along the axes. `max`, `min`: `ȳ / #ties`, broadcast, where `x = y` or `x` is NaN, and 0
/// elsewhere; [`Kink::ExtremesAlongAxis`](crate::Kink::ExtremesAlongAxis) may choose the first of the ties instead. `prod`:
/// `ȳ` times the product of all other elements, as the one of those before and the one of those after: it divides by
/// nothing, so that zeros are right.
/// The reference adds and multiplies in f64 for f32, in order; kernels may add in another fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reduce {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// The axes that disappear, ascending.
    pub axes: AxisList,
}

impl Reduce {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let kind = [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min, ReduceKind::Prod][choices.below(4)];
        let ty = choices.nonempty_float_type(3);
        let axes = choices.axes(ty.rank());
        let domain = match kind {
            ReduceKind::Sum => Domain::ANY,
            // Products of many such elements stay ordinary numbers.
            ReduceKind::Prod => Domain::Between { low: 0.6, high: 1.5, kinks: &[] },
            ReduceKind::Max | ReduceKind::Min => Domain::Distinct,
        };
        Sample { op: Reduce { kind, axes }.into(), operands: vec![OperandSample { ty, domain }] }
    }

    /// Where the first extreme of each lane is, if that is what gets the gradient.
    fn first_of_ties<'g>(&self, operand: Expr<'g>) -> Option<Expr<'g>> {
        let [axis] = self.axes.iter().collect::<Vec<usize>>()[..] else { return None };
        let kink = if operand.rank() > 1 { Kink::ExtremesAlongAxis } else { Kink::Extremes };
        if operand.builder().kinks().at(kink) != Subgradient::First {
            return None;
        }
        let axis = axis as i64;
        let first = match self.kind {
            ReduceKind::Min => operand.argmin(axis),
            _ => operand.argmax(axis),
        };
        Some(operand.iota_like(axis).eq(self.spread(first, operand)))
    }

    /// Puts the reduced axes of `reduced` back and repeats it along them.
    fn spread<'g>(&self, reduced: Expr<'g>, like: Expr<'g>) -> Expr<'g> {
        let shape = like.shape();
        let axes = (0..shape.rank()).filter(|axis| !self.axes.contains(*axis)).collect();
        reduced.apply(crate::op::Broadcast { shape, axes })
    }

    /// Whether there must be an element to choose.
    fn chooses(&self, dtype: DType) -> bool {
        matches!(self.kind, ReduceKind::Max | ReduceKind::Min) && dtype != DType::Bool
    }

    /// The product of all other elements that a product combines each element with.
    fn others<'g>(&self, operand: Expr<'g>) -> Expr<'g> {
        let (lanes, order) = joined(operand, &self.axes);
        let axis = lanes.rank() - 1;
        let side = |reverse| {
            let running = lanes.apply(Cumulative { kind: CumulativeKind::Prod, axis, reverse });
            shifted(running, axis, reverse, 1.0)
        };
        let others = product_in_range(side(false), side(true));
        let shape = operand.shape();
        let permuted: Shape = order.iter().map(|axis| shape[*axis].clone()).collect();
        let back = Permute { order: order.into() }.inverse().order;
        others.reshape(permuted).permute(back.iter().collect::<Vec<usize>>())
    }
}

/// The tensor with `axes` joined into one, which is the last, and the order of axes that this took.
pub(crate) fn joined<'g>(x: Expr<'g>, axes: &AxisList) -> (Expr<'g>, Vec<usize>) {
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(*axis)).collect();
    let order: Vec<usize> = kept.iter().copied().chain(axes.iter()).collect();
    (x.permute(order.clone()).flatten(kept.len()), order)
}

impl OpRules for Reduce {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            ReduceKind::Sum => "reduce_sum",
            ReduceKind::Prod => "reduce_prod",
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
        if operand.dtype == DType::Bool && matches!(self.kind, ReduceKind::Sum | ReduceKind::Prod) {
            return Err(
                Violation::new("C3", format!("takes numbers, got {operand}")).help("convert with `cast`")
            );
        }
        let empty = self.axes.iter().any(|axis| operand.shape[axis] == Dim::Known(0));
        if empty && self.chooses(operand.dtype) {
            return Err(Violation::new("C4", format!("{operand} has no elements to choose from")));
        }
        Ok(operand.with_shape(operand.shape.without(|axis| self.axes.contains(axis))))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let dtype = operands[0].dtype();
        if self.chooses(dtype) && self.axes.iter().any(|axis| operands[0].sizes()[axis] == 0) {
            return Err(format!("{} has no elements to choose from", operands[0].ty()));
        }
        if dtype == DType::Bool {
            let is_any = self.kind == ReduceKind::Max;
            return Ok(self.fold(operands[0].view::<bool>(), &sizes, |lane| match is_any {
                true => lane.fold(false, |any, holds| any | holds),
                false => lane.fold(true, |all, holds| all & holds),
            }));
        }
        Ok(
            dispatch_float!(operands[0].dtype(), T => self.fold(operands[0].view::<T>(), &sizes, |lane| match self.kind {
                // `sum` of no floats would be -0.
                ReduceKind::Sum => T::from_f64(lane.fold(0.0, |sum, value| sum + value.to_f64())),
                ReduceKind::Prod => {
                    let mut product = Product::default();
                    T::from_f64(lane.fold(1.0, |_, value| product.with(value.to_f64())))
                }
                ReduceKind::Max => lane.reduce(Real::larger).unwrap_or(-T::INFINITY),
                ReduceKind::Min => lane.reduce(Real::smaller).unwrap_or(T::INFINITY),
            }), else self.fold(operands[0].view::<i64>(), &sizes, |lane| match self.kind {
                ReduceKind::Sum => lane.fold(0, i64::wrapping_add),
                ReduceKind::Prod => lane.fold(1, i64::wrapping_mul),
                ReduceKind::Max => lane.max().unwrap_or(i64::MIN),
                ReduceKind::Min => lane.min().unwrap_or(i64::MAX),
            })),
        )
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| match self.kind {
            ReduceKind::Sum => self.spread(at.cotangent, at.operands[0]),
            ReduceKind::Prod => self.spread(at.cotangent, at.operands[0]) * self.others(at.operands[0]),
            ReduceKind::Max | ReduceKind::Min => {
                let operand = at.operands[0];
                if let Some(first) = self.first_of_ties(operand) {
                    return first.select(self.spread(at.cotangent, operand), operand.zeros_like());
                }
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

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let axes = self.axes.iter().map(|axis| axis + 1).collect();
        Some(at.spread(0).apply(Reduce { kind: self.kind, axes }))
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
