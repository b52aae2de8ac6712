//! Ops that compute nothing but change what gradients do, and when things are computed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The operand, through which no gradient passes.
///
/// Constraints: C1 one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StopGradient;

impl StopGradient {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        Sample { op: StopGradient.into(), operands: vec![OperandSample::any(choices.float_type(3))] }
    }
}

impl OpRules for StopGradient {
    fn name(&self) -> Cow<'static, str> {
        "stop_gradient".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops])
    }

    fn blocks(&self, _operand: usize) -> bool {
        true
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].stop_gradient())
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// The first operand, not before the others have been computed.
///
/// What is computed from it is another node than what is computed from the operand, so that nobody merges the two: how
/// values are computed a second time instead of being kept.
/// Operands: the value; any others, of any types.
/// Constraints: C1 at least one operand.
/// Gradient: `ȳ` to the first operand; none to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Barrier;

/// The first operand: the result of a region that is computed again when it is differentiated.
///
/// The region is what lies between the other operands and the first. Differentiation keeps those operands alone, and
/// computes the region from them once more when the cotangent has arrived.
/// Operands: the region's result; everything that the region reads.
/// Constraints: C1 at least one operand.
/// Gradient: `ȳ` to the first operand, and through the region; computing it again does not change it.
/// Source: Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkpoint;

macro_rules! first_operand {
    ($Op:ident, $name:literal) => {
        impl $Op {
            pub(crate) fn sample(choices: &mut Choices) -> Sample {
                let mut operand = || OperandSample::any(choices.float_type(3));
                let operands = vec![operand(), operand(), operand()];
                let count = 1 + choices.below(3);
                Sample { op: $Op.into(), operands: operands[..count].to_vec() }
            }
        }

        impl OpRules for $Op {
            fn name(&self) -> Cow<'static, str> {
                $name.into()
            }

            fn class(&self) -> OpClass {
                OpClass::Movement
            }

            fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
                match operands.first() {
                    Some(first) => Ok((*first).clone()),
                    None => Err(Violation::new("C1", "takes at least one operand, got none")),
                }
            }

            fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
                Ok(operands[0].clone())
            }

            fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
                at.first(|| at.cotangent)
            }

            fn blocks(&self, operand: usize) -> bool {
                operand > 0
            }

            fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
                Some(at.spread(0).apply_to($Op, &at.operands[1..]))
            }

            fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
                Ok((*self).into())
            }
        }
    };
}

first_operand!(Barrier, "barrier");
first_operand!(Checkpoint, "checkpoint");
