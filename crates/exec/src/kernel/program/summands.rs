//! Products that are only added up, computed by what adds them: a tile of them would be written and read again.

use pullback_graph::DType;
use pullback_graph::op::ReduceKind;

use crate::kernel::program::instruction::{Action, Instruction, Place, Space};
use crate::kernel::program::readers::{Readers, register};
use crate::kernel::program::registers::Value;
use crate::kernel::routine::is_product;

/// The instructions without such products, in their order, each with the number of its stage. Places and targets are the
/// positions of `values`.
///
/// `O(n)`.
pub(super) fn multiplied(
    instructions: Vec<(usize, Instruction)>,
    values: &[Value],
) -> Vec<(usize, Instruction)> {
    let mut readers = Readers::of(&instructions, values);
    let mut kept: Vec<Option<(usize, Instruction)>> = instructions.into_iter().map(Some).collect();
    for at in 0..kept.len() {
        let Some((before, [x, y])) =
            kept[at].as_ref().and_then(|(_, sum)| factors(sum, &kept, &readers, values))
        else {
            continue;
        };
        kept[before] = None;
        let Some((stage, instruction)) = &mut kept[at] else { continue };
        if let Action::Fold { x: sum, times, .. } | Action::Accumulate { x: sum, times, .. } =
            &mut instruction.action
        {
            (*sum, *times) = (x, Some(y));
        }
        for value in [x, y].into_iter().filter_map(register) {
            readers.last_stage[value] = readers.last_stage[value].max(*stage);
        }
    }
    kept.into_iter().flatten().collect()
}

/// Where the product is that an instruction adds up and nothing else reads, and the factors, if these can be read in its place.
fn factors(
    sum: &Instruction,
    kept: &[Option<(usize, Instruction)>],
    readers: &Readers,
    values: &[Value],
) -> Option<(usize, [Place; 2])> {
    let (x, is_over_elements) = match &sum.action {
        Action::Fold { kind: ReduceKind::Sum, x, times: None, .. } => (*x, true),
        Action::Accumulate { kind: ReduceKind::Sum, x, times: None, .. } => {
            (*x, sum.space == Space::Elements)
        }
        _ => return None,
    };
    let before = readers.writer_for_one(x)?;
    let (_, product) = kept[before].as_ref()?;
    let factors = match &product.action {
        Action::Binary { op, dtype: DType::F32 | DType::F64, x, y } if is_product(*op) => [*x, *y],
        _ => return None,
    };
    // Factors that nothing else needs for a whole tile take the product's place: one of them can.
    let mut new = None;
    for value in factors.into_iter().filter_map(register) {
        let (stage, factor) = kept[readers.writer[value]?].as_ref()?;
        if let Action::Spread { .. } = factor.action {
            return None;
        }
        let is_for_a_block =
            readers.last_stage[value] == *stage && values[value].result.is_none() && !factor.is_whole();
        if is_for_a_block && new.replace(value).is_some_and(|other| other != value) {
            return None;
        }
    }
    (is_over_elements && product.space == Space::Elements).then_some((before, factors))
}

#[cfg(test)]
mod tests {
    use pullback_graph::op::BinaryOp::{self, Add, Mul};

    use super::*;
    use crate::kernel::program::instruction::Target;

    const DTYPE: DType = DType::F32;

    fn binary(op: BinaryOp, x: Place, y: Place) -> Action {
        Action::Binary { op, dtype: DTYPE, x, y }
    }

    fn fold(kind: ReduceKind, x: Place) -> Action {
        Action::Fold { kind, dtype: DTYPE, x, times: None }
    }

    /// How many instructions are left of these, which compute the values in order, each in a stage.
    fn left(actions: &[(usize, Action)], results: &[usize]) -> usize {
        let instruction = |(at, (stage, action)): (usize, &(usize, Action))| {
            let space = if let Action::Fold { .. } = action { Space::Rows } else { Space::Elements };
            (*stage, Instruction { action: action.clone(), space, target: Target::Register(at) })
        };
        let result = |at| Value { dtype: DTYPE, result: results.iter().position(|result| *result == at) };
        let values: Vec<Value> = (0..actions.len()).map(result).collect();
        multiplied(actions.iter().enumerate().map(instruction).collect(), &values).len()
    }

    #[test]
    fn a_product_that_is_only_added_up_is_no_instruction() {
        let ([a, b], [first, second, third]) = ([0, 1].map(Place::Input), [0, 1, 2].map(Place::Register));
        let product = (0, binary(Mul, a, b));
        let sum = (1, fold(ReduceKind::Sum, first));
        assert_eq!(left(&[product.clone(), sum.clone()], &[1]), 1);
        assert_eq!(left(&[(0, binary(Mul, a, a)), sum.clone()], &[1]), 1, "a square");
        assert_eq!(left(&[(0, binary(Add, a, b)), sum.clone()], &[1]), 2, "a sum");
        assert_eq!(left(&[product.clone(), (1, fold(ReduceKind::Max, first))], &[1]), 2, "the largest");
        assert_eq!(left(&[product.clone(), sum.clone()], &[0, 1]), 2, "a result");
        assert_eq!(left(&[product, sum.clone(), sum], &[1, 2]), 3, "added up twice");
        let begin = [(0, binary(Add, a, b)), (0, binary(Add, a, a))];
        let end = (1, fold(ReduceKind::Sum, third));
        let of = |x, y| [&begin[..], &[(0, binary(Mul, x, y)), end.clone()]].concat();
        assert_eq!(left(&of(first, b), &[3]), 3, "one factor takes the place");
        assert_eq!(left(&of(first, first), &[3]), 3, "the same twice");
        assert_eq!(left(&of(first, second), &[3]), 4, "two factors would");
        assert_eq!(left(&of(first, second), &[0, 3]), 3, "two, one of which is kept anyway");
    }
}
