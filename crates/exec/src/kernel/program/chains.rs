//! Instructions that only hand numbers to the next one, made one with it.
//!
//! Between two instructions a block goes through the first-level cache, and finding out what to do next takes about as long
//! as doing it: a chain saves both.

use pullback_graph::DType;
use smallvec::SmallVec;

use crate::kernel::program::instruction::{Action, Instruction, Place};
use crate::kernel::program::registers::Value;
use crate::kernel::program::stage::target;
use crate::kernel::routine::{Chain, Side};

/// The instructions with chains in them, in their order, each with the number of its stage. Places and targets are the
/// positions of `values`.
///
/// `O(n)`.
pub(super) fn chained(
    instructions: Vec<(usize, Instruction)>,
    values: &[Value],
) -> Vec<(usize, Instruction)> {
    // The only reader of each value, behind the count of all.
    let mut readers = vec![0_usize; values.len()];
    let mut writer = vec![None; values.len()];
    for (at, (_, instruction)) in instructions.iter().enumerate() {
        writer[target(instruction)] = Some(at);
        let mut read: SmallVec<[usize; 3]> = instruction.action.places().filter_map(register).collect();
        read.sort_unstable();
        read.dedup();
        read.into_iter().for_each(|value| readers[value] += 1);
    }
    let mut chained: Vec<Option<(usize, Instruction)>> = instructions.into_iter().map(Some).collect();
    for at in 0..chained.len() {
        let Some((stage, second)) = &chained[at] else { continue };
        let is_result = values[target(second)].result.is_some();
        // Where the instruction is that computes an operand for this one alone.
        let before = |place| {
            let value = register(place)?;
            let before = writer[value]?;
            let (before_stage, _) = chained[before].as_ref()?;
            (readers[value] == 1 && values[value].result.is_none() && before_stage == stage).then_some(before)
        };
        let found = sides(&second.action).into_iter().find_map(|(place, side, z)| {
            let before = before(place)?;
            let (_, first) = chained[before].as_ref()?;
            let action = chain(&first.action, &second.action, side, z)?;
            // What writes a result must not read the operand that it overwrites: that would have to be saved before.
            let reads_input = first.action.places().any(|place| matches!(place, Place::Input(_)));
            (!(is_result && reads_input)).then_some((before, action))
        });
        if let Some((before, action)) = found {
            chained[before] = None;
            if let Some((_, second)) = &mut chained[at] {
                second.action = action;
            }
        }
    }
    chained.into_iter().flatten().collect()
}

fn register(place: Place) -> Option<usize> {
    match place {
        Place::Register(value) => Some(value),
        Place::Input(_) | Place::Tiled(_) | Place::Row(_) | Place::Result(_) => None,
    }
}

/// The operands of an instruction that may end a chain, on which side each is, and the other one.
fn sides(second: &Action) -> SmallVec<[(Place, Side, Place); 2]> {
    match second {
        Action::Binary { x, y, .. } if x == y => [(*x, Side::Both, *x)].into_iter().collect(),
        Action::Binary { x, y, .. } => [(*x, Side::Left, *y), (*y, Side::Right, *x)].into(),
        _ => SmallVec::new(),
    }
}

/// Both actions as one, if there is a chain of them.
fn chain(first: &Action, second: &Action, side: Side, z: Place) -> Option<Action> {
    match (first, second) {
        (
            Action::Binary { op: first, dtype: DType::F32 | DType::F64, x, y },
            Action::Binary { op, dtype, .. },
        ) => {
            let chain = Chain::of(*first, *op, side)?;
            let z = if side == Side::Both { *y } else { z };
            Some(Action::Chain { chain, dtype: *dtype, x: *x, y: *y, z })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pullback_graph::op::BinaryOp;

    use super::*;
    use crate::kernel::program::instruction::{Space, Target};

    /// How many instructions are left of these, which compute the values in order and of which `results` are results.
    fn left(operands: &[(usize, Place, Place)], results: &[usize]) -> usize {
        let dtype = DType::F32;
        let instruction = |(at, (stage, x, y)): (usize, &(usize, Place, Place))| {
            let action = Action::Binary { op: BinaryOp::ALL[0], dtype, x: *x, y: *y };
            (*stage, Instruction { action, space: Space::Elements, target: Target::Register(at) })
        };
        let result = |at| Value { dtype, result: results.iter().position(|result| *result == at) };
        let values: Vec<Value> = (0..operands.len()).map(result).collect();
        chained(operands.iter().enumerate().map(instruction).collect(), &values).len()
    }

    #[test]
    fn only_what_nothing_else_needs_is_chained() {
        let (input, first, second) = (Place::Input(0), Place::Register(0), Place::Register(1));
        assert_eq!(left(&[(0, input, input), (0, first, input), (0, second, input)], &[2]), 2);
        assert_eq!(left(&[(0, input, input), (0, first, input), (0, first, second)], &[2]), 3, "read twice");
        assert_eq!(left(&[(0, input, input), (0, input, first)], &[]), 1, "the right operand");
        assert_eq!(left(&[(0, input, input), (1, first, input)], &[]), 2, "in another stage");
        assert_eq!(left(&[(0, input, input), (0, first, input)], &[0]), 2, "a result");
        assert_eq!(
            left(&[(0, input, input), (0, first, input)], &[1]),
            2,
            "an operand that may be overwritten"
        );
    }
}
