//! Elementwise ops with attributes or mixed types: select, clamp, cast.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::kinks::Kink;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site, Slope};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::scalar::Scalar;
use crate::op::table::{expect_one_dtype, expect_one_shape, expect_operands};
use crate::op::{Op, Real};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use crate::{dispatch, dispatch_float};

/// `result[i] = condition[i] ? on_true[i] : on_false[i]`.
///
/// Operands: condition, on_true, on_false.
/// Constraints: C1 three operands; C2 of one shape; C3 the branches of one element type; C4 the condition of type bool.
/// Gradient: each branch gets `select(condition, ȳ, 0)`, respectively `select(condition, 0, ȳ)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Select;

impl Select {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let branch = OperandSample::any(choices.float_type(3));
        let condition = OperandSample { ty: branch.ty.with_dtype(DType::Bool), domain: Domain::Truth };
        Sample { op: Select.into(), operands: vec![condition, branch.clone(), branch] }
    }
}

impl OpRules for Select {
    fn name(&self) -> Cow<'static, str> {
        "select".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 3)?;
        expect_one_shape(operands)?;
        expect_one_dtype(&operands[1..])?;
        if operands[0].dtype != DType::Bool {
            return Err(Violation::new("C4", format!("the condition is a truth value, got {}", operands[0]))
                .help("compare first, as in `x.gt(0.0)`"));
        }
        Ok(operands[1].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let condition = operands[0].values::<bool>();
        Ok(dispatch!(result.dtype, T => {
            let (on_true, on_false) = (operands[1].values::<T>(), operands[2].values::<T>());
            Tensor::from_fn(operands[0].sizes(), |i| if condition[i] { on_true[i] } else { on_false[i] })
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let condition = at.operands[0];
        let mut partials = Partials::from_elem(Partial::Stops, 3);
        if at.wants(1) {
            partials[1] = Partial::Flows(condition.select(at.cotangent, at.cotangent.zeros_like()));
        }
        if at.wants(2) {
            partials[2] = Partial::Flows(condition.select(at.cotangent.zeros_like(), at.cotangent));
        }
        partials
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// `result[i] = min(max(x[i], low), high)`; NaN stays NaN.
///
/// Constraints: C1 one operand; C2 of a float type.
/// Gradient: `ȳ` strictly between the bounds, at them by [`Kink::Bound`](crate::Kink::Bound), 0 elsewhere. An infinite
/// bound is none: `ȳ` passes at an element as infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clamp {
    /// The lower bound; converted to the operand's type.
    pub low: Scalar,
    /// The upper bound; it wins where it is below the lower one.
    pub high: Scalar,
}

impl Clamp {
    /// Limits to `low..=high`.
    #[must_use]
    pub fn new(low: f64, high: f64) -> Self {
        Clamp { low: Scalar::from(low), high: Scalar::from(high) }
    }

    /// Both bounds as elements.
    #[must_use]
    #[inline(always)]
    pub fn bounds<T: Real>(&self) -> (T, T) {
        (T::from_f64(self.low.to_f64()), T::from_f64(self.high.to_f64()))
    }

    /// One element limited.
    #[must_use]
    #[inline(always)]
    pub fn value<T: Real>(&self, x: T) -> T {
        let (low, high) = self.bounds();
        x.larger(low).smaller(high)
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let domain = Domain::Between { low: -3.0, high: 3.0, kinks: &[-1.0, 2.0] };
        Sample {
            op: Clamp::new(-1.0, 2.0).into(),
            operands: vec![OperandSample { ty: choices.float_type(3), domain }],
        }
    }
}

impl OpRules for Clamp {
    fn name(&self) -> Cow<'static, str> {
        "clamp".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !operands[0].dtype.is_float() {
            return Err(Violation::new("C2", format!("takes floating-point elements, got {}", operands[0])));
        }
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        dispatch_float!(operands[0].dtype(), T => {
            let values = operands[0].values::<T>();
            Ok(Tensor::from_fn(operands[0].sizes(), |i| self.value(values[i])))
        }, else Err("takes floating-point elements".into()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        if !at.wants(0) {
            return Partials::from_iter([Partial::Stops]);
        }
        let (x, low, high) = (at.operands[0], self.low.to_f64(), self.high.to_f64());
        // An infinite bound limits nothing, an element as infinite included.
        let limits = |above: Option<Expr<'g>>, below: Option<Expr<'g>>| match (above, below) {
            (Some(above), Some(below)) => above.and(below),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => unreachable!("without bounds nothing is compared"),
        };
        let (has_low, has_high) = (low > f64::NEG_INFINITY, high < f64::INFINITY);
        let slope = match has_low || has_high {
            false => Slope::One,
            true => Slope::step(
                x,
                Kink::Bound,
                || limits(has_low.then(|| x.gt(low)), has_high.then(|| x.lt(high))),
                || limits(has_low.then(|| x.ge(low)), has_high.then(|| x.le(high))),
            ),
        };
        Partials::from_iter([slope.apply(at.cotangent)])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// The elements converted to another type: floats round to nearest or truncate towards zero, bool is "not zero".
///
/// Constraints: C1 one operand.
/// Gradient: converted back between floats; none passes through i64 and bool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cast {
    /// The type to convert to.
    pub dtype: DType,
}

impl Cast {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        // f32 would limit a difference quotient to single precision, so samples for gradients widen.
        let from = [DType::F64, DType::I64, DType::Bool][choices.below(3)];
        let ty = choices.float_type(3).with_dtype(from);
        Sample { op: Cast { dtype: DType::F64 }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Cast {
    fn name(&self) -> Cow<'static, str> {
        "cast".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        Ok(operands[0].with_dtype(self.dtype))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].cast(self.dtype))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let from = at.operands[0].dtype();
        if !from.is_float() || !self.dtype.is_float() {
            return Partials::from_iter([Partial::Stops]);
        }
        at.first(|| at.cotangent.cast(from))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
