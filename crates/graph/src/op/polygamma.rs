//! The derivatives of the logarithm of the gamma function.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::Element;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::special;
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// `result[i] = ψₙ(x[i])`, the derivative of order `n + 1` of `log |Γ(x)|`: the digamma function for `n = 0`, the trigamma
/// function for `n = 1`.
///
/// At the poles `0, -1, -2, …` it is +∞ for odd orders; for even ones it is NaN, but for ∓∞ at ±0. It is NaN at -∞.
/// Constraints: C1 one operand; C2 its elements are floats; C3 the order is at most 100, beyond which factorials leave
/// the range of numbers.
/// Gradient: `x̄ = ȳ · ψₙ₊₁(x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Polygamma {
    /// The order `n`.
    pub order: u32,
}

impl Polygamma {
    /// The highest order.
    pub const MAX_ORDER: u32 = 100;

    /// The numbers of Bernoulli with even index from 2 on, by which the asymptotic series goes.
    pub const BERNOULLI: [f64; 10] = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2730.0,
        7.0 / 6.0,
        -3617.0 / 510.0,
        43867.0 / 798.0,
        -174611.0 / 330.0,
    ];

    /// The value at one point.
    #[must_use]
    pub fn value<T: Element>(&self, x: T) -> T {
        T::from_f64(special::polygamma(self.order, x.to_f64()))
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let order = choices.below(4) as u32;
        let ty = choices.float_type(2);
        let domain = match choices.below(2) {
            0 => Domain::Between { low: 0.6, high: 6.0, kinks: &[] },
            _ => Domain::Between { low: -1.7, high: -1.3, kinks: &[] },
        };
        Sample { op: Polygamma { order }.into(), operands: vec![OperandSample { ty, domain }] }
    }
}

impl OpRules for Polygamma {
    fn name(&self) -> Cow<'static, str> {
        "polygamma".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !operands[0].dtype.is_float() {
            return Err(Violation::new("C2", format!("takes floating-point elements, got {}", operands[0]))
                .help("convert with `cast`"));
        }
        if self.order > Self::MAX_ORDER {
            return Err(Violation::new("C3", format!("order {} is above {}", self.order, Self::MAX_ORDER)));
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
        if self.order == Self::MAX_ORDER && at.wants(0) {
            return Partials::from_iter([Partial::Unsupported("the derivative has too high an order")]);
        }
        at.first(|| at.cotangent * at.operands[0].polygamma(self.order + 1))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
