//! Cotangents of parts that lie side by side: what pads them apart to add them up joins them instead.

use pullback_graph::op::{Concat, Pad};
use pullback_graph::{Dim, Expr, Op};

/// The sum of two tensors that are padded with zeros so that one ends where the other starts, as their concatenation in what
/// padding is left; `None` if they are not. Nothing is added to an element then: `x`, not `x + 0`.
pub(crate) fn join<'g>(one: Expr<'g>, other: Expr<'g>) -> Option<Expr<'g>> {
    behind(one, other).or_else(|| behind(other, one))
}

/// The sum if `second` starts where `first` ends.
fn behind<'g>(first: Expr<'g>, second: Expr<'g>) -> Option<Expr<'g>> {
    let ((before, left), (after, right)) = (padded(first)?, padded(second)?);
    let (ours, theirs) = (left.shape(), right.shape());
    let same = |axis: &usize| before.low[*axis] == after.low[*axis] && ours[*axis] == theirs[*axis];
    let axis = (0..ours.rank()).find(|axis| !same(axis))?;
    let fits = (axis + 1..ours.rank()).all(|axis| same(&axis))
        && after.low[axis] == before.low[axis].clone() + ours[axis].clone();
    if !fits {
        return None;
    }
    let parts = |expr: Expr<'g>| match expr.op() {
        Op::Concat(concat) if concat.axis == axis => expr.operands(),
        _ => vec![expr],
    };
    let parts = [parts(left), parts(right)].concat();
    let joined = parts[0].apply_to(Concat { axis }, &parts[1..]);
    let is_whole = |padding: &[Dim]| padding.iter().all(|count| *count == Dim::Known(0));
    Some(match is_whole(&before.low) && is_whole(&after.high) {
        true => joined,
        false => joined.apply(Pad { high: after.high, ..before }),
    })
}

/// The operand of a node that puts nothing but zeros around it, and how many.
fn padded(expr: Expr<'_>) -> Option<(Pad, Expr<'_>)> {
    match expr.op() {
        Op::Pad(pad) if pad.value.to_f64() == 0.0 && pad.inner.iter().all(|count| *count == 0) => {
            Some((pad, expr.operands()[0]))
        }
        _ => None,
    }
}
