//! Sorting along an axis.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::scan::{expect_axis, lanes, sample_lanes};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// From which end sorted elements begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The smallest first; NaN last.
    Ascending,
    /// The largest first, before it NaN, which counts as larger than any number.
    Descending,
}

/// Places in a sorted lane; in files `[start, end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[usize; 2]", into = "[usize; 2]")]
pub struct Ranks {
    /// The first place.
    pub start: usize,
    /// The place after the last one.
    pub end: usize,
}

impl From<[usize; 2]> for Ranks {
    fn from([start, end]: [usize; 2]) -> Ranks {
        Ranks { start, end }
    }
}

impl From<Ranks> for [usize; 2] {
    fn from(ranks: Ranks) -> [usize; 2] {
        [ranks.start, ranks.end]
    }
}

/// The positions of the elements along an axis, in the order of their values: `x[result[0]], x[result[1]], …` is sorted.
///
/// Equal elements keep their order, also in a descending one; 0 and -0 are equal. With `ranks`, only the positions at those
/// places of the order.
/// Constraints: C1 one operand; C2 the axis exists; C3 ranks are places of the axis, in order.
/// Gradient: none; what is gathered at these positions has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgSort {
    /// The axis that is sorted along.
    pub axis: usize,
    /// From which end.
    pub order: Order,
    /// The places of the order that are asked for; all if none are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
}

impl ArgSort {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis) = sample_lanes(choices);
        let order = [Order::Ascending, Order::Descending][choices.below(2)];
        let size = ty.shape[axis].known().expect("samples have known sizes");
        let ranks = (choices.below(2) == 0).then(|| {
            let start = choices.below(size + 1);
            Ranks { start, end: start + choices.below(size - start + 1) }
        });
        let operands = vec![OperandSample { ty, domain: Domain::Distinct }];
        Sample { op: ArgSort { axis, order, ranks }.into(), operands }
    }

    /// The places of the order that are asked for, in lanes of so many elements.
    #[must_use]
    pub fn places(&self, count: usize) -> Range<usize> {
        self.ranks.map_or(0..count, |Ranks { start, end }| start..end)
    }
}

impl OpRules for ArgSort {
    fn name(&self) -> Cow<'static, str> {
        "argsort".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        expect_axis("C2", self.axis, operands[0])?;
        let Some(Ranks { start, end }) = self.ranks else {
            return Ok(TensorType::new(DType::I64, &operands[0].shape));
        };
        if start > end || operands[0].shape[self.axis].known().is_some_and(|size| end > size) {
            let message = format!("{start}..{end} is out of range for axis {} of {}", self.axis, operands[0]);
            return Err(Violation::new("C3", message));
        }
        Ok(TensorType::new(DType::I64, operands[0].shape.with(self.axis, Dim::Known(end - start))))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let sizes = operands[0].sizes();
        let places = self.places(sizes[self.axis]);
        if places.end > sizes[self.axis] {
            let ty = operands[0].ty();
            return Err(format!("{} is out of range for axis {} of {ty}", places.end, self.axis));
        }
        let mut kept = sizes.to_vec();
        kept[self.axis] = places.len();
        let mut values = vec![0_i64; kept.iter().product()];
        dispatch!(operands[0].dtype(), T => {
            let x = operands[0].values::<T>();
            for (lane, own) in lanes(sizes, self.axis, false).zip(lanes(&kept, self.axis, false)) {
                let mut positions: Vec<usize> = (0..lane.len()).collect();
                // A stable sort: a reversed order is made of reversed comparisons, not of a reversed result.
                positions.sort_by(|a, b| {
                    let ascending = compare(x[lane[*a]], x[lane[*b]]);
                    if self.order == Order::Ascending { ascending } else { ascending.reverse() }
                });
                own.iter().zip(&positions[places.clone()]).for_each(|(at, position)| values[*at] = *position as i64);
            }
        });
        Ok(Tensor::new(&kept, values).expect("one position per element"))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply(ArgSort { axis: self.axis + 1, ..*self }))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// The order of two elements, where NaN is larger than any number and equal to itself.
fn compare<T: Element>(a: T, b: T) -> Ordering {
    let is_nan = |x: T| x.to_f64().is_nan();
    a.partial_cmp(&b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}
