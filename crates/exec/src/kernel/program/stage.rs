//! In which order instructions run, and which of them run together block by block.
//!
//! What combines rows needs all elements of a row, and what it gives is needed by elements again: these are the borders
//! between stages. An instruction runs in the last stage that is early enough for its readers, so that few values have to
//! be kept from one stage to the next, for a whole tile.

use crate::kernel::program::instruction::{Action, Instruction, Place, Space, Target};

/// How an instruction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// At once for the whole tile: it reads a view.
    Load,
    /// Block by block over one element per row.
    Rows,
    /// Block by block over all elements.
    Elements,
    /// At once for the whole tile: it combines elements.
    Fold,
}

/// How an instruction is run.
pub(crate) fn manner(instruction: &Instruction) -> Manner {
    match (&instruction.action, instruction.space) {
        (Action::Load { .. }, _) => Manner::Load,
        (Action::Fold { .. } | Action::Accumulate { .. }, _) => Manner::Fold,
        (_, Space::Elements) => Manner::Elements,
        (_, Space::Rows | Space::Groups { .. }) => Manner::Rows,
    }
}

/// The instructions in the order in which they run, each with the number of its stage. Places and targets are the
/// positions of values, `values` of them; a value is written before it is read.
pub(crate) fn ordered(instructions: Vec<Instruction>, values: usize) -> Vec<(usize, Instruction)> {
    // How many folds lie before each value; an instruction runs at the level of the latest of its operands.
    let mut levels = vec![0; values];
    let mut level_of: Vec<usize> = Vec::with_capacity(instructions.len());
    for instruction in &instructions {
        let mut level = 0;
        for place in instruction.action.places() {
            if let Place::Register(value) = place {
                level = level.max(levels[value]);
            }
        }
        level_of.push(level);
        levels[target(instruction)] = level + usize::from(manner(instruction) == Manner::Fold);
    }
    // Moved to the level of the first reader, last readers first.
    let mut wanted = vec![usize::MAX; values];
    for (instruction, level) in instructions.iter().zip(&mut level_of).rev() {
        let first_reader = wanted[target(instruction)];
        if manner(instruction) != Manner::Fold && first_reader != usize::MAX {
            *level = first_reader;
        }
        for place in instruction.action.places() {
            if let Place::Register(value) = place {
                wanted[value] = wanted[value].min(*level);
            }
        }
    }
    let mut ordered: Vec<(usize, Manner, Instruction)> = level_of
        .into_iter()
        .zip(instructions)
        .map(|(level, instruction)| (level, manner(&instruction), instruction))
        .collect();
    // What is spread out along rows comes first: see `Blocks`.
    let is_spread = |instruction: &Instruction| matches!(instruction.action, Action::Spread { .. });
    ordered.sort_by_key(|(level, manner, instruction)| (*level, *manner, !is_spread(instruction)));
    let mut stage = 0;
    let mut last = None;
    ordered
        .into_iter()
        .map(|(level, manner, instruction)| {
            let alone = matches!(manner, Manner::Load | Manner::Fold);
            if last.is_some_and(|last| last != (level, manner) || alone) {
                stage += 1;
            }
            last = Some((level, manner));
            (stage, instruction)
        })
        .collect()
}

/// The position of the value that an instruction computes.
pub(super) fn target(instruction: &Instruction) -> usize {
    match instruction.target {
        Target::Register(value) => value,
        Target::Tiled(_) | Target::Loaded(_) | Target::Row(_) | Target::Result(_) => {
            unreachable!("places are assigned once the order is known")
        }
    }
}
