//! Movement of what is the same everywhere, and of axes of size 1.

use crate::op::{Broadcast, Literal, Op, Permute, Reshape};
use crate::rewrite::{Candidate, Replacement};
use crate::shape::{AxisList, Shape};

/// Literals moved, joined, or padded with themselves → a literal of the result's shape.
pub(super) fn movement_of_literal(at: &Candidate<'_>) -> Option<Replacement> {
    let value = at.literal(0)?.value;
    let stays = match at.op {
        Op::Broadcast(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Reverse(_) => true,
        Op::Pad(pad) => pad.value == value,
        Op::Concat(_) => (1..at.operands.len())
            .all(|index| at.literal(index).is_some_and(|literal| literal.value == value)),
        _ => false,
    };
    if !stays {
        return None;
    }
    Replacement::new(Literal { value, shape: at.ty.shape.clone() }, &[])
}

/// A broadcast that only adds axes of size 1 → a reshape.
pub(super) fn broadcast_without_repeat(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Broadcast(broadcast) = at.op else { return None };
    let own = &at.operand(0).ty.shape;
    let is_once = |axis: usize| match broadcast.axes.position(axis) {
        Some(from) => own[from] == at.ty.shape[axis],
        None => at.ty.shape[axis].is_one(),
    };
    match (0..at.ty.rank()).all(is_once) {
        true => Replacement::new(Reshape { shape: at.ty.shape.clone() }, at.operands),
        false => None,
    }
}

/// `broadcast(reshape(x))`, where the reshape only adds axes of size 1 → a broadcast.
pub(super) fn broadcast_of_unit_axes(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Broadcast(broadcast), Some(Op::Reshape(reshape))) = (at.op, at.operand_op(0)) else {
        return None;
    };
    let inner = at.operand(0).operands[0];
    let places = unit_axes_added(&at.node(inner).ty.shape, &reshape.shape)?;
    let axes = places.into_iter().map(|axis| broadcast.axes.get(axis)).collect();
    Replacement::new(Broadcast { shape: broadcast.shape.clone(), axes }, &[inner])
}

/// Where each axis of `from` stands in `to`, if `to` only has axes of size 1 besides.
fn unit_axes_added(from: &Shape, to: &Shape) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(from.rank());
    for (axis, dim) in to.iter().enumerate() {
        if from.get(places.len()) == Some(dim) {
            places.push(axis);
        } else if !dim.is_one() {
            return None;
        }
    }
    (places.len() == from.rank()).then_some(places)
}

/// A permutation that only moves axes of size 1 → a reshape.
pub(super) fn permute_of_unit_axes(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Permute(permute) = at.op else { return None };
    let own = &at.operand(0).ty.shape;
    match permute.order.iter().filter(|axis| !own[*axis].is_one()).is_sorted() {
        true => Replacement::new(Reshape { shape: at.ty.shape.clone() }, at.operands),
        false => None,
    }
}

/// `permute(broadcast(x))`, where the axes of `x` keep their order → a broadcast.
pub(super) fn permute_of_broadcast(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Permute(permute), Some(Op::Broadcast(broadcast))) = (at.op, at.operand_op(0)) else {
        return None;
    };
    let Permute { order: places } = permute.inverse();
    let axes: AxisList = broadcast.axes.iter().map(|axis| places.get(axis)).collect();
    match axes.iter().is_sorted() {
        true => Replacement::new(Broadcast { shape: at.ty.shape.clone(), axes }, &at.operand(0).operands),
        false => None,
    }
}
