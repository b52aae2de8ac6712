//! Transposes around contractions and reductions: the axis lists say the same for free.

use crate::op::{DotGeneral, Op, Reduce};
use crate::rewrite::{Candidate, Replacement};
use crate::shape::AxisList;

/// `dot_general(permute(x), y)`, or with the sides exchanged → `dot_general(x, y)` over other axes.
///
/// The free axes must keep their order, because the result has them in the order of the operand's.
pub(super) fn dot_of_permute(at: &Candidate<'_>) -> Option<Replacement> {
    let Op::DotGeneral(dot) = at.op else { return None };
    for side in [0, 1] {
        let Op::Permute(permute) = &at.operand(side).op else { continue };
        let rank = permute.order.len();
        let (batch, contract, free) = match side {
            0 => (&dot.batch_left, &dot.contract_left, dot.free_left(rank)),
            _ => (&dot.batch_right, &dot.contract_right, dot.free_right(rank)),
        };
        let before = |axes: &AxisList| axes.iter().map(|axis| permute.order.get(axis)).collect::<AxisList>();
        if !before(&free).iter().is_sorted() {
            continue;
        }
        let (batch, contract) = (before(batch), before(contract));
        let inner = at.operand(side).operands[0];
        return match side {
            0 => Replacement::new(
                DotGeneral { batch_left: batch, contract_left: contract, ..dot.clone() },
                &[inner, at.operands[1]],
            ),
            _ => Replacement::new(
                DotGeneral { batch_right: batch, contract_right: contract, ..dot.clone() },
                &[at.operands[0], inner],
            ),
        };
    }
    None
}

/// `permute(dot_general(x, y))` → `dot_general(y, x)`, or with the batch axes listed in another order.
///
/// Only where nobody else uses the product, which would then be computed twice.
pub(super) fn permute_of_dot(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Permute(permute), Some(Op::DotGeneral(dot))) = (at.op, at.operand_op(0)) else { return None };
    if !at.is_only_user(0) {
        return None;
    }
    let (left, right) = (at.operand(0).operands[0], at.operand(0).operands[1]);
    let batch = dot.batch_left.len();
    let free_left = at.node(left).ty.rank() - batch - dot.contract_left.len();
    let order: Vec<usize> = permute.order.iter().collect();
    let (batch_order, free_order) = order.split_at(batch);
    if batch_order.iter().any(|axis| *axis >= batch) {
        return None;
    }
    let listed = |axes: &AxisList| batch_order.iter().map(|at| axes.get(*at)).collect::<AxisList>();
    let (batch_left, batch_right) = (listed(&dot.batch_left), listed(&dot.batch_right));
    let (kept, exchanged) =
        (batch..order.len(), (batch + free_left..order.len()).chain(batch..batch + free_left));
    if free_order.iter().copied().eq(kept) {
        Replacement::new(DotGeneral { batch_left, batch_right, ..dot.clone() }, &[left, right])
    } else if free_order.iter().copied().eq(exchanged) {
        let exchanged = DotGeneral {
            batch_left: batch_right,
            batch_right: batch_left,
            contract_left: dot.contract_right.clone(),
            contract_right: dot.contract_left.clone(),
        };
        Replacement::new(exchanged, &[right, left])
    } else {
        None
    }
}

/// `reduce(permute(x))` → `reduce(x)` over other axes, where elements are combined in the same order.
pub(super) fn reduce_of_permute(at: &Candidate<'_>) -> Option<Replacement> {
    let (Op::Reduce(reduce), Some(Op::Permute(permute))) = (at.op, at.operand_op(0)) else { return None };
    let axes: AxisList = reduce.axes.iter().map(|axis| permute.order.get(axis)).collect();
    let kept = (0..permute.order.len()).filter(|axis| !reduce.axes.contains(*axis));
    let keeps_order = axes.iter().is_sorted() && kept.map(|axis| permute.order.get(axis)).is_sorted();
    match keeps_order {
        true => Replacement::new(Reduce { kind: reduce.kind, axes }, &at.operand(0).operands),
        false => None,
    }
}
