//! Movement that moves nothing, and two movements of a kind that one does.

use crate::dim::Dim;
use crate::op::{Broadcast, Op, Permute, ReduceKind, Reshape, Reverse, Slice};
use crate::rewrite::{Candidate, Replacement};
use crate::shape::AxisList;

/// The operand, if it has the result's shape.
fn unchanged(at: &Candidate<'_>) -> Option<Replacement> {
    (at.operand(0).ty == *at.ty).then(|| Replacement::Existing(at.operands[0]))
}

/// A broadcast to the operand's own shape → nothing.
pub(super) fn broadcast_nothing(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Broadcast(_) => unchanged(at),
        _ => None,
    }
}

/// `broadcast(broadcast(x))` → one broadcast.
pub(super) fn broadcast_twice(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Broadcast(outer), Some(Op::Broadcast(inner))) = (at.op, at.operand_op(0)) else { return None };
    let axes = inner.axes.iter().map(|axis| outer.axes.get(axis)).collect();
    Replacement::new(Broadcast { shape: outer.shape.clone(), axes }, &at.operand(0).operands)
}

/// A reshape to the operand's own shape → nothing.
pub(super) fn reshape_nothing(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Reshape(_) => unchanged(at),
        _ => None,
    }
}

/// `reshape(reshape(x))` → the last shape at once.
pub(super) fn reshape_twice(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Reshape(outer), Some(Op::Reshape(_))) = (at.op, at.operand_op(0)) else { return None };
    Replacement::new(Reshape { shape: outer.shape.clone() }, &at.operand(0).operands)
}

/// A permutation that leaves every axis in its place → nothing.
pub(super) fn permute_nothing(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Permute(permute) if permute.order.iter().is_sorted() => {
            Some(Replacement::Existing(at.operands[0]))
        }
        _ => None,
    }
}

/// `permute(permute(x))` → one permutation.
pub(super) fn permute_twice(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Permute(outer), Some(Op::Permute(inner))) = (at.op, at.operand_op(0)) else { return None };
    let order = outer.order.iter().map(|axis| inner.order.get(axis)).collect();
    Replacement::new(Permute { order }, &at.operand(0).operands)
}

/// A slice of everything → nothing.
pub(super) fn slice_whole(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        // No more can be taken than there is, so as much as there is is everything.
        Op::Slice(_) => unchanged(at),
        _ => None,
    }
}

/// `slice(slice(x))` → one slice.
pub(super) fn slice_twice(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Slice(outer), Some(Op::Slice(inner))) = (at.op, at.operand_op(0)) else { return None };
    let mut whole = Slice { starts: Vec::new(), ends: Vec::new(), steps: Vec::new() };
    for axis in 0..outer.steps.len() {
        let (start, end, step) = match inner.steps[axis] {
            1 => (outer.starts[axis].clone(), outer.ends[axis].clone(), outer.steps[axis]),
            inner_step => {
                let (first, step) =
                    (outer.starts[axis].known()? * inner_step, outer.steps[axis] * inner_step);
                // Up to the last element taken; none taken would leave the range without a place to stand.
                let last = first + at.ty.shape[axis].known()?.checked_sub(1)? * step;
                (Dim::Known(first), Dim::Known(last + 1), step)
            }
        };
        whole.starts.push(inner.starts[axis].clone() + start);
        whole.ends.push(inner.starts[axis].clone() + end);
        whole.steps.push(step);
    }
    Replacement::new(whole, &at.operand(0).operands)
}

/// Padding by nothing → nothing.
pub(super) fn pad_nothing(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        // Counts are not negative, so an unchanged size has nothing added.
        Op::Pad(_) => unchanged(at),
        _ => None,
    }
}

/// Axes of at most one element need no reversing.
pub(super) fn reverse_unit_axes(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Reverse(reverse) = at.op else { return None };
    let is_short = |axis: usize| at.ty.shape[axis].known().is_some_and(|size| size <= 1);
    let axes: AxisList = reverse.axes.iter().filter(|axis| !is_short(*axis)).collect();
    match axes.len() {
        0 => Some(Replacement::Existing(at.operands[0])),
        count if count < reverse.axes.len() => Replacement::new(Reverse { axes }, at.operands),
        _ => None,
    }
}

/// `reverse(reverse(x))` → the axes that only one of them reverses.
pub(super) fn reverse_twice(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Reverse(outer), Some(Op::Reverse(inner))) = (at.op, at.operand_op(0)) else { return None };
    let axes =
        (0..at.ty.rank()).filter(|axis| outer.axes.contains(*axis) != inner.axes.contains(*axis)).collect();
    Replacement::new(Reverse { axes }, &at.operand(0).operands)
}

/// `concat(x) → x`.
pub(super) fn concat_one(at: &Candidate<'_>) -> Option<Replacement> {
    match at.op {
        Op::Concat(_) if at.operands.len() == 1 => Some(Replacement::Existing(at.operands[0])),
        _ => None,
    }
}

/// A reduction over axes of size 1, or over none → a reshape. Not a sum of floats, which starts from 0 and makes -0 into 0.
pub(super) fn reduce_unit_axes(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::Reduce(reduce) = at.op else { return None };
    let is_exact = reduce.kind != ReduceKind::Sum || !at.ty.dtype.is_float();
    match is_exact && reduce.axes.iter().all(|axis| at.operand(0).ty.shape[axis].is_one()) {
        true => Replacement::new(Reshape { shape: at.ty.shape.clone() }, at.operands),
        false => None,
    }
}
