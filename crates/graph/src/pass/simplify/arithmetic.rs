//! Arithmetic that changes nothing, or that a cheaper op does as exactly.

use crate::op::{BinaryOp, Literal, Op, Scalar, UnaryOp};
use crate::rewrite::{Candidate, Replacement};

/// `x · 1 → x`.
pub(super) fn mul_by_one(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Mul) => at.beside(1.0).map(Replacement::Existing),
        _ => None,
    }
}

/// `x · -1 → -x`.
pub(super) fn mul_by_minus_one(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Mul) => Replacement::new(UnaryOp::Neg, &[at.beside(-1.0)?]),
        _ => None,
    }
}

/// `x / 1 → x`.
pub(super) fn div_by_one(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Div) if at.is_uniform(1, 1.0) => Some(Replacement::Existing(at.operands[0])),
        _ => None,
    }
}

/// `x - 0 → x`. Not `x - (-0)`, which makes -0 into 0.
pub(super) fn sub_zero(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Sub) if at.is_uniform(1, 0.0) => Some(Replacement::Existing(at.operands[0])),
        _ => None,
    }
}

/// `x + (-0) → x`. Not `x + 0`, which makes -0 into 0; whole numbers have only one zero.
pub(super) fn add_minus_zero(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Add) => at.beside(-0.0).map(Replacement::Existing),
        _ => None,
    }
}

/// `a + (-b) → a - b`, on either side.
pub(super) fn add_negated(at: &Candidate<'_>) -> Option<Replacement> {
    if *at.op != Op::Binary(BinaryOp::Add) {
        return None;
    }
    let (negated, other) = if is_negation(at, 1) { (1, 0) } else { (0, 1) };
    match is_negation(at, negated) {
        true => Replacement::new(BinaryOp::Sub, &[at.operands[other], at.operand(negated).operands[0]]),
        false => None,
    }
}

/// `a - (-b) → a + b`.
pub(super) fn sub_negated(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Sub) if is_negation(at, 1) => {
            Replacement::new(BinaryOp::Add, &[at.operands[0], at.operand(1).operands[0]])
        }
        _ => None,
    }
}

/// `-(-x) → x`.
pub(super) fn negate_twice(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Unary(UnaryOp::Neg) if is_negation(at, 0) => {
            Some(Replacement::Existing(at.operand(0).operands[0]))
        }
        _ => None,
    }
}

/// `f(f(x)) → f(x)` for the functions that leave their own results as they are.
pub(super) fn apply_twice(at: &Candidate<'_>) -> Option<Replacement> {
    use UnaryOp::{Abs, Ceil, Floor, Relu, Round, Sign, Trunc};
    match at.op {
        Op::Unary(Abs | Ceil | Floor | Relu | Round | Sign | Trunc) if at.operand(0).op == *at.op => {
            Some(Replacement::Existing(at.operands[0]))
        }
        _ => None,
    }
}

/// `|-x| → |x|`.
pub(super) fn abs_of_negated(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Unary(UnaryOp::Abs) if is_negation(at, 0) => {
            Replacement::new(UnaryOp::Abs, &at.operand(0).operands)
        }
        _ => None,
    }
}

/// `max(x, x) → x`, `min(x, x) → x`.
pub(super) fn extreme_of_itself(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Maximum | BinaryOp::Minimum) if at.operands[0] == at.operands[1] => {
            Some(Replacement::Existing(at.operands[0]))
        }
        _ => None,
    }
}

/// `x^0 → 1`, for NaN too.
pub(super) fn pow_zero(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Pow) if at.is_uniform(1, 0.0) || at.is_uniform(1, -0.0) => {
            let value = Scalar::of(at.ty.dtype, 1.0).ok()?;
            Replacement::new(Literal { value, shape: at.ty.shape.clone() }, &[])
        }
        _ => None,
    }
}

/// `x^1 → x`.
pub(super) fn pow_one(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Binary(BinaryOp::Pow) if at.is_uniform(1, 1.0) => Some(Replacement::Existing(at.operands[0])),
        _ => None,
    }
}

fn is_negation(at: &Candidate<'_>, index: usize) -> bool {
    at.operand(index).op == Op::Unary(UnaryOp::Neg)
}
