//! Who writes each value and who reads it, while places are positions of values.

use smallvec::SmallVec;

use crate::kernel::program::instruction::{Instruction, Place};
use crate::kernel::program::registers::Value;
use crate::kernel::program::stage::target;

/// The writer and the readers of every value of a program.
pub(super) struct Readers {
    /// The instruction that writes it, unless it is filled once.
    pub(super) writer: Vec<Option<usize>>,
    /// The last stage that reads it.
    pub(super) last_stage: Vec<usize>,
    is_alone: Vec<bool>,
}

impl Readers {
    /// Of these instructions, each with the number of its stage.
    pub(super) fn of(instructions: &[(usize, Instruction)], values: &[Value]) -> Readers {
        let mut counts = vec![0_usize; values.len()];
        let mut writer = vec![None; values.len()];
        let mut last_stage = vec![0; values.len()];
        for (at, (stage, instruction)) in instructions.iter().enumerate() {
            writer[target(instruction)] = Some(at);
            let mut read: SmallVec<[usize; 4]> = instruction.action.places().filter_map(register).collect();
            read.sort_unstable();
            read.dedup();
            for value in read {
                counts[value] += 1;
                last_stage[value] = *stage;
            }
        }
        let is_alone = counts.iter().zip(values).map(|(count, value)| *count == 1 && value.result.is_none());
        Readers { writer, last_stage, is_alone: is_alone.collect() }
    }

    /// Where the instruction is that computes an operand for its only reader.
    pub(super) fn writer_for_one(&self, place: Place) -> Option<usize> {
        let value = register(place)?;
        self.writer[value].filter(|_| self.is_alone[value])
    }
}

/// The value that a place is.
pub(super) fn register(place: Place) -> Option<usize> {
    match place {
        Place::Register(value) => Some(value),
        Place::Input(_)
        | Place::Repeated(_)
        | Place::Tiled(_)
        | Place::Loaded(_)
        | Place::Row(_)
        | Place::Result(_) => None,
    }
}
