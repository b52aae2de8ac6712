//! Where values are: each gets a register that no other value needs at the same time.

use pullback_graph::DType;
use smallvec::SmallVec;

use crate::kernel::program::fixed::{Fixed, FixedValue};
use crate::kernel::program::instruction::{Action, Instruction, Place, Space, Target};

/// A value before it has a place; instructions name it by its position in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) dtype: DType,
    /// The result that it is.
    pub(crate) result: Option<usize>,
}

/// How many registers of each kind there are, by element type in the order of [`DType::ALL`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// As long as a block.
    pub(crate) blocks: [usize; 4],
    /// As long as a lap.
    pub(crate) laps: [usize; 4],
    /// As long as a tile.
    pub(crate) tiles: [usize; 4],
    /// With an element per row of a tile.
    pub(crate) rows: [usize; 4],
}

/// When a value is needed.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    /// The instruction that reads it last.
    last: usize,
    /// The stage of that.
    last_stage: usize,
}

/// The registers of one length: those that are free, and how many there are.
#[derive(Debug, Default)]
struct File {
    free: [Vec<usize>; 4],
    counts: [usize; 4],
}

impl File {
    fn take(&mut self, dtype: DType) -> usize {
        let at = position(dtype);
        self.free[at].pop().unwrap_or_else(|| {
            self.counts[at] += 1;
            self.counts[at] - 1
        })
    }
}

/// Gives every value a place, and writes it into the instructions. Values that are filled once are kept to the end.
pub(crate) fn assign(
    values: &[Value],
    fixed: &mut [Fixed],
    instructions: &mut [(usize, Instruction)],
) -> Counts {
    let spans = spans(values.len(), instructions);
    let [mut blocks, mut laps, mut tiles, mut rows] = [(); 4].map(|()| File::default());
    let mut places = vec![Place::Register(usize::MAX); values.len()];
    for fixed in fixed {
        let value = fixed.register;
        let file = if let FixedValue::Repeat { .. } = fixed.value { &mut laps } else { &mut blocks };
        fixed.register = file.take(fixed.dtype);
        places[value] = fixed.place();
    }
    let kept = places.clone();
    // Registers of tiles and rows whose last reader is in the stage at hand: others of that stage may read them in later
    // blocks.
    let mut ended: Vec<(DType, Place)> = Vec::new();
    // Registers of blocks that keep what is spread out for later blocks of the stage.
    let mut spread: Vec<(DType, usize)> = Vec::new();
    let mut current = 0;
    for (at, (stage, instruction)) in instructions.iter_mut().enumerate() {
        if *stage != current {
            for (dtype, register) in spread.drain(..) {
                blocks.free[position(dtype)].push(register);
            }
            for (dtype, place) in ended.drain(..) {
                match place {
                    Place::Row(register) => rows.free[position(dtype)].push(register),
                    Place::Tiled(register) | Place::Loaded(register) => {
                        tiles.free[position(dtype)].push(register)
                    }
                    other => unreachable!("{other:?} is no register that outlasts a block"),
                }
            }
            current = *stage;
        }
        let Target::Register(value) = instruction.target else { unreachable!("places are assigned here") };
        let Value { dtype, result } = values[value];
        // Taken before the operands are given back: an instruction never writes what it reads.
        (places[value], instruction.target) = match result {
            Some(result) => (Place::Result(result), Target::Result(result)),
            None if spans[value].last_stage == *stage && !instruction.is_whole() => {
                let register = blocks.take(dtype);
                if let Action::Spread { .. } = instruction.action {
                    spread.push((dtype, register));
                }
                (Place::Register(register), Target::Register(register))
            }
            None if instruction.space == Space::Rows => {
                let register = rows.take(dtype);
                (Place::Row(register), Target::Row(register))
            }
            None => {
                let register = tiles.take(dtype);
                match instruction.action {
                    Action::Load { .. } => (Place::Loaded(register), Target::Loaded(register)),
                    _ => (Place::Tiled(register), Target::Tiled(register)),
                }
            }
        };
        let mut read: SmallVec<[usize; 3]> = SmallVec::new();
        for place in instruction.action.places_mut() {
            let Place::Register(value) = *place else { continue };
            *place = places[value];
            if spans[value].last != at || read.contains(&value) || kept[value] == *place {
                continue;
            }
            read.push(value);
            match *place {
                Place::Register(register) if spread.contains(&(values[value].dtype, register)) => {}
                Place::Register(register) => blocks.free[position(values[value].dtype)].push(register),
                Place::Tiled(_) | Place::Loaded(_) | Place::Row(_) => {
                    ended.push((values[value].dtype, *place))
                }
                Place::Input(_) | Place::Repeated(_) | Place::Result(_) => {}
            }
        }
    }
    Counts { blocks: blocks.counts, laps: laps.counts, tiles: tiles.counts, rows: rows.counts }
}

/// When each value is needed; one that nothing reads, where it is computed.
fn spans(values: usize, instructions: &[(usize, Instruction)]) -> Vec<Span> {
    let mut spans = vec![Span::default(); values];
    for (at, (stage, instruction)) in instructions.iter().enumerate() {
        if let Target::Register(value) = instruction.target {
            spans[value] = Span { last: at, last_stage: *stage };
        }
        for place in instruction.action.places() {
            if let Place::Register(value) = place {
                (spans[value].last, spans[value].last_stage) = (at, *stage);
            }
        }
    }
    spans
}

/// The position of an element type in [`DType::ALL`].
pub(crate) fn position(dtype: DType) -> usize {
    DType::ALL.iter().position(|other| *other == dtype).expect("every element type is in the list")
}
