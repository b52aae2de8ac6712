//! Linear recurrences along an axis: what running sums and products are differentiated by.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::Element;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_one_shape, expect_operands};
use crate::op::{Op, Pad, Scalar, Slice};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `h_t = a_t · h_(t-1) + b_t` along an axis, from its start, or with `reverse` from its end.
///
/// The first `h` is the first `b`, whatever the first `a` is. Where `a_t` is 0, `h_t` is `b_t`, even after an infinity.
///
/// Operands: a, b.
/// Constraints: C1 two operands; C2 of one shape; C3 of one float type; C4 the axis exists.
/// Gradient: the recurrence the other way, `s_t = ȳ_t + a_(t+1) · s_(t+1)`, to b, and `s_t · h_(t-1)` to a.
/// The reference computes in f64 for f32, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinearScan {
    /// The axis that is walked.
    pub axis: usize,
    /// Whether it is walked from its end.
    pub reverse: bool,
}

impl LinearScan {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis) = sample_lanes(choices);
        let op = LinearScan { axis, reverse: choices.below(2) == 1 };
        Sample { op: op.into(), operands: vec![OperandSample::any(ty.clone()), OperandSample::any(ty)] }
    }
}

impl OpRules for LinearScan {
    fn name(&self) -> Cow<'static, str> {
        "linear_scan".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_one_shape(operands)?;
        expect_one_dtype(operands)?;
        if !operands[0].dtype.is_float() {
            let message = format!("takes floating-point elements, got {}", operands[0]);
            return Err(Violation::new("C3", message).help("convert with `cast`"));
        }
        expect_axis("C4", self.axis, operands[0])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let sizes = operands[0].sizes();
        dispatch_float!(operands[0].dtype(), T => {
            let (a, b) = (operands[0].values::<T>(), operands[1].values::<T>());
            let mut values = vec![T::default(); b.len()];
            for lane in lanes(sizes, self.axis, self.reverse) {
                let mut last: Option<f64> = None;
                for at in lane {
                    let (factor, term) = (a[at].to_f64(), b[at].to_f64());
                    let next = match last {
                        Some(last) if factor != 0.0 => factor * last + term,
                        _ => term,
                    };
                    values[at] = T::from_f64(next);
                    last = Some(next);
                }
            }
            Ok(Tensor::new(sizes, values).expect("one value per element"))
        }, else Err("takes floating-point elements".into()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let (axis, back) = (self.axis, !self.reverse);
        let next = shifted(at.operands[0], axis, back, 0.0);
        let sum = next.apply_to(LinearScan { axis, reverse: back }, &[at.cotangent]);
        let factor = match at.wants(0) {
            true => Partial::Flows(product_in_range(sum, shifted(at.result, axis, self.reverse, 0.0))),
            false => Partial::Stops,
        };
        Partials::from_iter([factor, Partial::Flows(sum)])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let op = LinearScan { axis: self.axis + 1, reverse: self.reverse };
        Some(at.spread(0).apply_to(op, &[at.spread(1)]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// The axis of an op that works along one exists.
pub(crate) fn expect_axis(
    constraint: &'static str,
    axis: usize,
    operand: &TensorType,
) -> Result<(), Violation> {
    match axis < operand.rank() {
        true => Ok(()),
        false => Err(Violation::new(constraint, format!("axis {axis} is out of range for {operand}"))),
    }
}

/// The positions of the elements of each lane along `axis`, in order, or with `reverse` from the end.
pub(crate) fn lanes(sizes: &[usize], axis: usize, reverse: bool) -> impl Iterator<Item = Vec<usize>> {
    let (count, inner) = (sizes[axis], sizes[axis + 1..].iter().product::<usize>());
    let outer: usize = sizes[..axis].iter().product();
    (0..outer * inner).map(move |lane| {
        let start = lane / inner * count * inner + lane % inner;
        let place = |at: usize| start + at * inner;
        if reverse { (0..count).rev().map(place).collect() } else { (0..count).map(place).collect() }
    })
}

/// A type of at least one axis, and one of its axes.
pub(crate) fn sample_lanes(choices: &mut Choices) -> (TensorType, usize) {
    let ty = choices.float_type(3);
    let ty = if ty.rank() == 0 { ty.with_shape([3]) } else { ty };
    let axis = choices.below(ty.rank());
    (ty, axis)
}

/// Each element one place further along `axis`, or with `reverse` one place back; the place that gets free holds `fill`.
pub(crate) fn shifted<'g>(x: Expr<'g>, axis: usize, reverse: bool, fill: f64) -> Expr<'g> {
    let own = x.shape();
    let value = Scalar::of(x.dtype(), fill).expect("what fills a gap is an element of every float type");
    let mut pad = Pad {
        low: vec![Dim::Known(0); own.rank()],
        high: vec![Dim::Known(0); own.rank()],
        inner: vec![0; own.rank()],
        value,
    };
    let side = if reverse { &mut pad.high } else { &mut pad.low };
    side[axis] = Dim::Known(1);
    let padded = x.apply(pad);
    let start = Dim::Known(reverse.into());
    let end = own[axis].clone() + start.clone();
    padded.apply(Slice::along(&padded.shape(), axis, start, end))
}

/// `a · b`, and 0 where one is 0 and the other infinite: of finite numbers with a zero among them the product is 0, also
/// where a part of it leaves the range of numbers.
pub(crate) fn product_in_range<'g>(a: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    // Only a product that is NaN of factors that are not: no decision is taken where zeros are met in earnest.
    let lost = (a * b).is_nan().and(a.is_nan().or(b.is_nan()).not());
    lost.select(a.zeros_like(), a) * lost.select(b.zeros_like(), b)
}
