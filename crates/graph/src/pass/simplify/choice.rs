//! Choices that are made already, truth values that decide nothing, conversions that go nowhere.

use crate::dtype::DType;
use crate::op::{Cast, LogicOp, Op, Select};
use crate::rewrite::{Candidate, Replacement};

/// `select(true, a, b) → a`, `select(false, a, b) → b`.
pub(super) fn select_literal(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Select(_) = at.op else { return None };
    let index = if at.literal(0)?.value.get::<bool>() { 1 } else { 2 };
    Some(Replacement::Existing(at.operands[index]))
}

/// `select(c, a, a) → a`.
pub(super) fn select_same(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Select(_) if at.operands[1] == at.operands[2] => Some(Replacement::Existing(at.operands[1])),
        _ => None,
    }
}

/// `select(not c, a, b) → select(c, b, a)`.
pub(super) fn select_negated(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Select(_) = at.op else { return None };
    Replacement::new(Select, &[negated(at, at.operands[0])?, at.operands[2], at.operands[1]])
}

/// `and(x, true) → x`, `or(x, false) → x`, `xor(x, false) → x`.
pub(super) fn neutral_truth(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Logic(op) = at.op else { return None };
    let neutral = match op {
        LogicOp::And => 1.0,
        LogicOp::Or | LogicOp::Xor => 0.0,
    };
    at.beside(neutral).map(Replacement::Existing)
}

/// `and(x, false) → false`, `or(x, true) → true`.
pub(super) fn deciding_truth(at: &Candidate<'_>) -> Option<Replacement> {
    let decides = match at.op {
        Op::Logic(LogicOp::And) => 0.0,
        Op::Logic(LogicOp::Or) => 1.0,
        _ => return None,
    };
    let index = (0..2).find(|index| at.is_uniform(*index, decides))?;
    Some(Replacement::Existing(at.operands[index]))
}

/// `and(x, x) → x`, `or(x, x) → x`.
pub(super) fn truth_with_itself(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Logic(LogicOp::And | LogicOp::Or) if at.operands[0] == at.operands[1] => {
            Some(Replacement::Existing(at.operands[0]))
        }
        _ => None,
    }
}

/// `not(not x) → x`, where `not x` is `xor(x, true)`.
pub(super) fn not_not(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Logic(LogicOp::Xor) => negated(at, at.beside(1.0)?).map(Replacement::Existing),
        _ => None,
    }
}

/// A conversion to the type that the elements have → nothing.
pub(super) fn cast_to_same(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Cast(cast) if at.operand(0).ty.dtype == cast.dtype => Some(Replacement::Existing(at.operands[0])),
        _ => None,
    }
}

/// A conversion to a type that holds every value, and back → nothing.
pub(super) fn cast_back(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Cast(Cast { dtype: back }), Some(Op::Cast(Cast { dtype: there }))) = (at.op, at.operand_op(0))
    else {
        return None;
    };
    let inner = at.operand(0).operands[0];
    let holds_all = matches!((back, there), (DType::F32, DType::F64) | (DType::Bool, _));
    (at.node(inner).ty.dtype == *back && holds_all).then_some(Replacement::Existing(inner))
}

/// `stop_gradient(x) → x`, and so for `checkpoint` and `custom_vjp`: what they change has been differentiated.
pub(super) fn stop_gradient(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::StopGradient(_) | Op::Checkpoint(_) | Op::CustomVjp(_) => {
            Some(Replacement::Existing(at.operands[0]))
        }
        _ => None,
    }
}

/// The `x` of `not x`.
fn negated(at: &Candidate<'_>, id: crate::id::NodeId) -> Option<crate::id::NodeId> {
    let node = at.node(id);
    match node.op {
        Op::Logic(LogicOp::Xor) => {
            let index = (0..2).find(|index| at.is_uniform_node(node.operands[*index], 1.0))?;
            Some(node.operands[1 - index])
        }
        _ => None,
    }
}
