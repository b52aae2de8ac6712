//! The order of instructions over single numbers: those that do the same come together.
//!
//! An instruction for one number is mostly finding out what to do, so it is found out once for many. Of the kinds of
//! instructions that could run next, the one with the most instructions ready comes first, all of them at once, and the others
//! gather meanwhile; cf. Neubig, Goldberg and Dyer, "On-the-fly operation batching in dynamic computation graphs",
//! NeurIPS 2017.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::csr::Csr;
use crate::kernel::program::instruction::{Action, Instruction};
use crate::kernel::program::readers::register;
use crate::kernel::program::stage::target;

/// The instructions in an order in which they can run, kind by kind. Places and targets are the positions of values, `values`
/// of them; a value is written before it is read.
///
/// `O(n log n)`.
pub(super) fn by_kind(instructions: Vec<Instruction>, values: usize) -> Vec<Instruction> {
    let mut writer = vec![None; values];
    for (at, instruction) in instructions.iter().enumerate() {
        writer[target(instruction)] = Some(at);
    }
    let computed = |place| writer[register(place)?];
    let edges = instructions.iter().enumerate().flat_map(|(at, instruction)| {
        instruction.action.places().filter_map(computed).map(move |before| (before, at))
    });
    let readers = Csr::from_pairs(instructions.len(), edges);
    let mut waiting: Vec<usize> = instructions
        .iter()
        .map(|instruction| instruction.action.places().filter_map(computed).count())
        .collect();

    let mut numbers: FxHashMap<Action, usize> = FxHashMap::default();
    let kinds: Vec<usize> = instructions
        .iter()
        .map(|instruction| {
            let next = numbers.len();
            *numbers.entry(instruction.action.kind()).or_insert(next)
        })
        .collect();
    let mut ready: Vec<Vec<usize>> = vec![Vec::new(); numbers.len()];
    for at in (0..instructions.len()).filter(|at| waiting[*at] == 0) {
        ready[kinds[at]].push(at);
    }
    // How many of a kind were ready at some time: an entry counts if as many still are.
    let entry = |kind: usize, count: usize| (count, Reverse(kind));
    let mut agenda: BinaryHeap<_> =
        ready.iter().enumerate().map(|(kind, of)| entry(kind, of.len())).collect();
    let mut order = Vec::with_capacity(instructions.len());
    let mut grown: Vec<usize> = Vec::new();
    while let Some((count, Reverse(kind))) = agenda.pop() {
        if count == 0 || count != ready[kind].len() {
            continue;
        }
        for at in std::mem::take(&mut ready[kind]) {
            order.push(at);
            for reader in readers.row(at) {
                waiting[*reader] -= 1;
                if waiting[*reader] == 0 {
                    ready[kinds[*reader]].push(*reader);
                    grown.push(kinds[*reader]);
                }
            }
        }
        agenda.extend(grown.drain(..).map(|kind| entry(kind, ready[kind].len())));
    }
    let mut instructions: Vec<Option<Instruction>> = instructions.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| instructions[at].take()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pullback_graph::DType;
    use pullback_graph::op::{BinaryOp, UnaryOp};

    use super::*;
    use crate::kernel::program::instruction::{Place, Space, Target};

    fn instruction((op, x, y): (usize, usize, usize), at: usize) -> Instruction {
        let place = |draw: usize| match draw % (at + 1) {
            0 => Place::Input(0),
            before => Place::Register(before - 1),
        };
        let (x, y, dtype) = (place(x), place(y), DType::F32);
        let action = match op {
            0 => Action::Unary { op: UnaryOp::Sin, dtype, x },
            1 => Action::Unary { op: UnaryOp::Tanh, dtype, x },
            2 => Action::Binary { op: BinaryOp::Add, dtype, x, y },
            _ => Action::Binary { op: BinaryOp::Mul, dtype, x, y },
        };
        Instruction { action, space: Space::Elements, target: Target::Register(at) }
    }

    fn switches(instructions: &[Instruction]) -> usize {
        instructions.windows(2).filter(|pair| pair[0].action.kind() != pair[1].action.kind()).count()
    }

    #[test]
    fn kinds_come_together() {
        // Eight chains of a sine, a sum with the input and a product, written one after the other.
        let chain = |at: usize| [(0, 0, 0), (2, at + 1, 0), (3, at + 2, 0)];
        let draws = (0..8).flat_map(|chain_at| chain(3 * chain_at));
        let written: Vec<Instruction> = draws.enumerate().map(|(at, draw)| instruction(draw, at)).collect();
        assert_eq!(switches(&written), 23);
        assert_eq!(switches(&by_kind(written, 24)), 2);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_before(
            draws in prop::collection::vec((0..4_usize, any::<usize>(), any::<usize>()), 0..200)
        ) {
            let written: Vec<Instruction> =
                draws.into_iter().enumerate().map(|(at, draw)| instruction(draw, at)).collect();
            let count = written.len();
            let ordered = by_kind(written, count);
            prop_assert_eq!(ordered.len(), count);
            let mut is_written = vec![false; count];
            for instruction in &ordered {
                for place in instruction.action.places() {
                    let Place::Register(value) = place else { continue };
                    prop_assert!(is_written[value], "{:?} is read too early", place);
                }
                is_written[target(instruction)] = true;
            }
        }
    }
}
