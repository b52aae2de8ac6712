//! Instructions of arithmetic that only hand numbers to the next one, made one with it.
//!
//! Between two instructions a block goes through the first-level cache, and finding out what to do next takes about as long
//! as doing it: a chain saves both. Products that are only added up are computed by what adds them, where a whole tile of them
//! would be written and read again.

use pullback_graph::DType;
use pullback_graph::op::BinaryOp;
use smallvec::SmallVec;

use crate::kernel::program::instruction::{Action, Instruction, Place};
use crate::kernel::program::readers::Readers;
use crate::kernel::program::registers::Value;
use crate::kernel::routine::{Chain, Then};

/// The instructions with chains in them, in their order, each with the number of its stage. Places and targets are the
/// positions of `values`.
///
/// `O(n)`.
pub(super) fn chained(
    instructions: Vec<(usize, Instruction)>,
    values: &[Value],
) -> Vec<(usize, Instruction)> {
    let readers = Readers::of(&instructions, values);
    let mut chained: Vec<Option<(usize, Instruction)>> = instructions.into_iter().map(Some).collect();
    for at in 0..chained.len() {
        let Some((stage, second)) = &chained[at] else { continue };
        // The instruction that computes an operand for this one alone, and where it is.
        let first = |place| {
            let before = readers.writer_for_one(place)?;
            let (before_stage, first) = chained[before].as_ref()?;
            (before_stage == stage).then_some((before, &first.action))
        };
        let found = match &second.action {
            Action::Binary { op, dtype, x, y } => joined(*op, *dtype, [*x, *y], first),
            _ => None,
        };
        if let Some((before, action)) = found {
            before.into_iter().for_each(|before| chained[before] = None);
            if let Some((_, second)) = &mut chained[at] {
                second.action = action;
            }
        }
    }
    chained.into_iter().flatten().collect()
}

/// An instruction with what computes its operands, if there is such a chain, and where that was. `first` finds what computes
/// an operand for this instruction alone.
fn joined<'a>(
    op: BinaryOp,
    dtype: DType,
    [x, y]: [Place; 2],
    first: impl Fn(Place) -> Option<(usize, &'a Action)>,
) -> Option<(SmallVec<[usize; 2]>, Action)> {
    let binary = |place| match first(place)? {
        (at, Action::Binary { op, dtype: DType::F32 | DType::F64, x, y }) => Some((at, *op, [*x, *y])),
        _ => None,
    };
    let chain =
        |first, then, operands| Chain::of(first, then).map(|chain| Action::Chain { chain, dtype, operands });
    if x == y {
        let (at, first, [x, y]) = binary(x)?;
        return Some(([at].into_iter().collect(), chain(first, Then::Both(op), [x, y, y, y])?));
    }
    let (left, right) = (binary(x), binary(y));
    if let (Some((left_at, first, [a, b])), Some((right_at, other, [c, d]))) = (left, right)
        && first == other
        && let Some(action) = chain(first, Then::Product(op), [a, b, c, d])
    {
        return Some(([left_at, right_at].into(), action));
    }
    let sides = [(left, Then::Left(op), y), (right, Then::Right(op), x)];
    sides.into_iter().find_map(|(first, then, z)| {
        let (at, first, [a, b]) = first?;
        Some(([at].into_iter().collect(), chain(first, then, [a, b, z, z])?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::program::instruction::{Space, Target};
    use BinaryOp::{Add, Mul};

    /// How many instructions are left of these, which compute the values in order and of which `results` are results.
    fn left(operands: &[(usize, BinaryOp, Place, Place)], results: &[usize]) -> usize {
        let dtype = DType::F32;
        let instruction = |(at, (stage, op, x, y)): (usize, &(usize, BinaryOp, Place, Place))| {
            let action = Action::Binary { op: *op, dtype, x: *x, y: *y };
            (*stage, Instruction { action, space: Space::Elements, target: Target::Register(at) })
        };
        let result = |at| Value { dtype, result: results.iter().position(|result| *result == at) };
        let values: Vec<Value> = (0..operands.len()).map(result).collect();
        chained(operands.iter().enumerate().map(instruction).collect(), &values).len()
    }

    #[test]
    fn only_what_nothing_else_needs_is_chained() {
        let (input, first, second) = (Place::Input(0), Place::Register(0), Place::Register(1));
        let begin = (0, Add, input, input);
        assert_eq!(left(&[begin, (0, Add, first, input), (0, Add, second, input)], &[2]), 2);
        assert_eq!(left(&[begin, (0, Add, first, input), (0, Add, first, input)], &[1, 2]), 3, "read twice");
        assert_eq!(left(&[begin, (0, Add, input, first)], &[]), 1, "the right operand");
        assert_eq!(left(&[begin, (0, Mul, first, first)], &[]), 1, "both operands");
        assert_eq!(left(&[begin, (1, Add, first, input)], &[]), 2, "in another stage");
        assert_eq!(left(&[begin, (0, Add, first, input)], &[0]), 2, "a result");
        assert_eq!(left(&[begin, (0, Add, first, input)], &[1]), 1, "a result at the end");
    }

    #[test]
    fn two_products_are_added_in_one_instruction() {
        let (input, first, second) = (Place::Input(0), Place::Register(0), Place::Register(1));
        let product = (0, Mul, input, input);
        assert_eq!(left(&[product, product, (0, Add, first, second)], &[2]), 1);
        assert_eq!(
            left(&[product, product, (0, Mul, first, second)], &[2]),
            2,
            "of the third, one is a part"
        );
        let sum = (0, Add, input, input);
        assert_eq!(left(&[sum, product, (0, Add, first, second)], &[2]), 2, "a sum and a product");
    }
}
