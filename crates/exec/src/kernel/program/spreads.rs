//! Numbers of rows that are spread out along them, once in each stage that reads them: so they are in a register as long as
//! a block, where a longer one would be written and read again for what is one number.

use pullback_graph::DType;
use rustc_hash::FxHashMap;

use crate::kernel::program::instruction::{Action, Instruction, Place, Target};
use crate::kernel::program::registers::Value;
use crate::kernel::program::stage::{Manner, manner, target};

/// The instructions in their order, each with the number of its stage, where no instruction over elements reads what another
/// stage has spread out. Places and targets are the positions of `values`.
///
/// `O(n)`.
pub(super) fn repeated(
    instructions: Vec<(usize, Instruction)>,
    values: &mut Vec<Value>,
) -> Vec<(usize, Instruction)> {
    // The stage of each value that is spread out, and how.
    let mut spreads: FxHashMap<usize, (usize, DType, Instruction)> = FxHashMap::default();
    // What stands for such a value in another stage.
    let mut copies: FxHashMap<(usize, usize), usize> = FxHashMap::default();
    let mut repeated = Vec::with_capacity(instructions.len());
    let mut begin = 0;
    for (stage, mut instruction) in instructions {
        if repeated.last().is_none_or(|(last, _)| *last != stage) {
            begin = repeated.len();
        }
        if let Action::Spread { dtype, .. } = instruction.action {
            spreads.insert(target(&instruction), (stage, dtype, instruction.clone()));
        } else if manner(&instruction) == Manner::Elements {
            for place in instruction.action.places_mut() {
                let Place::Register(value) = *place else { continue };
                let Some((own, dtype, spread)) = spreads.get(&value) else { continue };
                if *own == stage {
                    continue;
                }
                let copy = *copies.entry((stage, value)).or_insert_with(|| {
                    values.push(Value { dtype: *dtype, result: None });
                    let target = Target::Register(values.len() - 1);
                    repeated.insert(begin, (stage, Instruction { target, ..spread.clone() }));
                    values.len() - 1
                });
                *place = Place::Register(copy);
            }
        }
        repeated.push((stage, instruction));
    }
    repeated
}

#[cfg(test)]
mod tests {
    use pullback_graph::op::UnaryOp;

    use super::*;
    use crate::kernel::program::instruction::Space;

    #[test]
    fn every_stage_spreads_out_what_it_reads() {
        let dtype = DType::F32;
        let instruction =
            |action, at| Instruction { action, space: Space::Elements, target: Target::Register(at) };
        let spread = instruction(Action::Spread { dtype, x: Place::Input(0) }, 0);
        let reader = |at| {
            let x = Place::Register(0);
            instruction(Action::Unary { op: UnaryOp::ALL[0], dtype, x }, at)
        };
        let mut values = vec![Value { dtype, result: None }; 4];
        let before = vec![(0, spread), (0, reader(1)), (2, reader(2)), (2, reader(3))];
        let after = repeated(before, &mut values);
        let read: Vec<Option<Place>> =
            after.iter().map(|(_, instruction)| instruction.action.places().next()).collect();
        let (input, own, copy) = (Place::Input(0), Place::Register(0), Place::Register(4));
        assert_eq!(read, [input, own, input, copy, copy].map(Some));
        assert_eq!((values.len(), target(&after[2].1), after[2].0), (5, 4, 2));
    }
}
