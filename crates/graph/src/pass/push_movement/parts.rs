//! Slices that take back one part of what was put together, or of what was sorted.

use crate::dim::Dim;
use crate::op::{ArgSort, Op, Ranks, Slice};
use crate::rewrite::{Candidate, Replacement};

/// A slice of a concatenation that lies within one operand → a slice of that operand.
pub(super) fn slice_of_concat(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Slice(slice), Some(Op::Concat(concat))) = (at.op, at.operand_op(0)) else { return None };
    let axis = concat.axis;
    let mut begin = Dim::Known(0);
    for part in &at.operand(0).operands {
        let size = at.node(*part).ty.shape[axis].clone();
        let end = begin.clone() + size.clone();
        if let Some((from, to)) = within(&slice.starts[axis], &slice.ends[axis], &begin, &end, &size) {
            let mut own = slice.clone();
            (own.starts[axis], own.ends[axis]) = (from, to);
            return Replacement::new(own, &[*part]);
        }
        begin = end;
    }
    None
}

/// `start..end` counted from `begin`, if it lies within `begin..stop`, a part of size `size`.
///
/// Symbolic sizes have no order: there, only the part as a whole is known to lie within itself.
fn within(start: &Dim, end: &Dim, begin: &Dim, stop: &Dim, size: &Dim) -> Option<(Dim, Dim)> {
    if (start, end) == (begin, stop) {
        return Some((Dim::Known(0), size.clone()));
    }
    let (start, end) = (start.known()?, end.known()?);
    let (begin, stop) = (begin.known()?, stop.known()?);
    (begin <= start && end <= stop && start <= end)
        .then(|| (Dim::Known(start - begin), Dim::Known(end - begin)))
}

/// The slice that takes just what was padded → what was padded.
pub(super) fn slice_of_pad(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Slice(slice), Some(Op::Pad(pad))) = (at.op, at.operand_op(0)) else { return None };
    let inner = at.operand(0).operands[0];
    let window: Slice = pad.window(&at.node(inner).ty.shape);
    (at.node(inner).ty == *at.ty && *slice == window).then_some(Replacement::Existing(inner))
}

/// A part of the order along an axis → the positions of those ranks alone: to select is less than to sort.
pub(super) fn slice_of_argsort(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Slice(slice), Some(Op::ArgSort(sort))) = (at.op, at.operand_op(0)) else { return None };
    let (start, end) = (slice.starts[sort.axis].known()?, slice.ends[sort.axis].known()?);
    let along = Slice::along(&at.operand(0).ty.shape, sort.axis, start, end);
    // Others may read what is sorted for them once.
    if *slice != along || !at.is_only_user(0) {
        return None;
    }
    let before = sort.ranks.map_or(0, |ranks| ranks.start);
    let ranks = Ranks { start: before + start, end: before + end };
    Replacement::new(ArgSort { ranks: Some(ranks), ..*sort }, &at.operand(0).operands)
}
