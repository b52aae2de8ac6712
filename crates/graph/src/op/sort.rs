//! Sorting along an axis.

use std::borrow::Cow;
use std::cmp::Ordering;

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

/// The positions of the elements along an axis, in the order of their values: `x[result[0]], x[result[1]], …` is sorted.
///
/// Equal elements keep their order, also in a descending one; 0 and -0 are equal.
/// Constraints: C1 one operand; C2 the axis exists.
/// Gradient: none; what is gathered at these positions has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgSort {
    /// The axis that is sorted along.
    pub axis: usize,
    /// From which end.
    pub order: Order,
}

impl ArgSort {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis) = sample_lanes(choices);
        let order = [Order::Ascending, Order::Descending][choices.below(2)];
        let operands = vec![OperandSample { ty, domain: Domain::Distinct }];
        Sample { op: ArgSort { axis, order }.into(), operands }
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
        Ok(TensorType::new(DType::I64, &operands[0].shape))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let sizes = operands[0].sizes();
        let mut values = vec![0_i64; operands[0].len()];
        dispatch!(operands[0].dtype(), T => {
            let x = operands[0].values::<T>();
            for lane in lanes(sizes, self.axis, false) {
                let mut positions: Vec<usize> = (0..lane.len()).collect();
                // A stable sort: a reversed order is made of reversed comparisons, not of a reversed result.
                positions.sort_by(|a, b| {
                    let ascending = compare(x[lane[*a]], x[lane[*b]]);
                    if self.order == Order::Ascending { ascending } else { ascending.reverse() }
                });
                lane.iter().zip(positions).for_each(|(at, position)| values[*at] = position as i64);
            }
        });
        Ok(Tensor::new(sizes, values).expect("one position per element"))
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
