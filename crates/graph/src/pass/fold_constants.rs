//! Computes now what does not depend on inputs.
//!
//! A literal says one number for a whole tensor, and stays that way: an elementwise op over literals is computed at one
//! element. What is not uniform is computed while it is small. An op that fails on its values stays in the graph, so that
//! the run reports it with its line. Draws and custom ops are never computed here.

use std::sync::Arc;

use crate::graph::Node;
use crate::op::{Constant, Literal, Op, OpClass, OpRules, ReduceKind, Scalar};
use crate::pass::Pass;
use crate::rewrite::{Candidate, Replacement};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The largest tensor that is computed here: larger ones would make the graph larger than what it computes.
const MOST_ELEMENTS: usize = 1024;

pub(crate) static PASS: Pass = Pass {
    name: "fold_constants",
    description: "computes what does not depend on inputs",
    rules: rules! { self { known_dim_size, elementwise_of_literals, reduce_of_literal, small_constant } },
};

/// `dim_size` of a known size → a literal.
fn known_dim_size(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::DimSize(op) = at.op else { return None };
    let value = Scalar::of(op.dtype, op.size.known()? as f64).ok()?;
    Replacement::new(Literal { value, shape: at.ty.shape.clone() }, &[])
}

/// An elementwise op over literals → a literal, computed at one element.
fn elementwise_of_literals(at: &Candidate<'_>) -> Option<Replacement> {
    // Asked first: most operands are none.
    if at.operands.is_empty() || at.literal(0).is_none() || at.op.class() != OpClass::Elementwise {
        return None;
    }
    let elements: Option<Vec<Tensor>> =
        (0..at.operands.len()).map(|index| Some(at.literal(index)?.value.splat(&[]))).collect();
    let elements = elements?;
    let element =
        at.op.evaluate(&elements.iter().collect::<Vec<_>>(), &TensorType::new(at.ty.dtype, ())).ok()?;
    Replacement::new(Literal { value: Scalar::of_uniform(&element)?, shape: at.ty.shape.clone() }, &[])
}

/// The sum of zeros, the product of ones, the maximum or minimum of equal numbers → a literal. Other sums and products
/// round.
fn reduce_of_literal(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Reduce(reduce) = at.op else { return None };
    let literal = at.literal(0)?;
    let is_kept = match reduce.kind {
        ReduceKind::Sum => at.is_uniform(0, 0.0),
        ReduceKind::Prod => at.is_uniform(0, 1.0),
        // Of no elements there is no extreme, and the run says so.
        ReduceKind::Max | ReduceKind::Min => {
            reduce.axes.iter().all(|axis| literal.shape[axis].known().is_some_and(|size| size > 0))
        }
    };
    match is_kept {
        true => Replacement::new(Literal { value: literal.value, shape: at.ty.shape.clone() }, &[]),
        false => None,
    }
}

/// Any op over small literals and constants whose result is small → its value.
fn small_constant(at: &Candidate<'_>) -> Option<Replacement> {
    if at.operands.is_empty() || matches!(at.op.class(), OpClass::Random | OpClass::Opaque) {
        return None;
    }
    let is_small = |ty: &TensorType| ty.shape.known_numel().is_some_and(|count| count <= MOST_ELEMENTS);
    let is_value = |node: &Node| matches!(node.op, Op::Literal(_) | Op::Constant(_)) && is_small(&node.ty);
    if !(0..at.operands.len()).all(|index| is_value(at.operand(index))) || !is_small(at.ty) {
        return None;
    }
    let value = |node: &Node| match &node.op {
        Op::Literal(literal) => Some(literal.value.splat(&literal.shape.known()?)),
        Op::Constant(constant) => Some((*constant.value).clone()),
        _ => None,
    };
    let operands: Option<Vec<Tensor>> =
        (0..at.operands.len()).map(|index| value(at.operand(index))).collect();
    let result = at.op.evaluate(&operands?.iter().collect::<Vec<_>>(), at.ty).ok()?;
    match Scalar::of_uniform(&result) {
        Some(value) => Replacement::new(Literal { value, shape: at.ty.shape.clone() }, &[]),
        None => Replacement::new(Constant { value: Arc::new(result) }, &[]),
    }
}
