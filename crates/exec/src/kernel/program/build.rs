//! Programs as they run: stages whose steps find their operands by number.

use std::ops::Range;

use pullback_graph::DType;
use pullback_graph::op::ReduceKind;
use rustc_hash::FxHashMap;

use crate::kernel::compute::{Buffers, ComputeAll};
use crate::kernel::movement::view::View;
use crate::kernel::pieces::Pieces;
use crate::kernel::program::blocks::{BLOCK, Step};
use crate::kernel::program::code;
use crate::kernel::program::fixed::Fixed;
use crate::kernel::program::groups::Reduced;
use crate::kernel::program::instruction::{Action, Instruction, Place, Space, Target};
use crate::kernel::program::layout::{Cell, Layout};
use crate::kernel::program::registers::Counts;
use crate::kernel::program::scalar::ScalarProgram;
use crate::kernel::program::streams::Streams;
use crate::kernel::reductions::columns::{Sums, Totals};
use crate::kernel::regions::narrow::Narrow;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::Slice;

/// What a program is made from.
pub(super) struct Parts {
    /// In the order in which they run, each with the number of its stage.
    pub(super) instructions: Vec<(usize, Instruction)>,
    pub(super) fixed: Vec<Fixed>,
    pub(super) counts: Counts,
    /// How many inputs there are.
    pub(super) operands: usize,
    /// One more input, behind those, that is made for each piece before the program runs over it.
    pub(super) made: Option<usize>,
    /// Inputs of which no more is given than the elements that a call is for.
    pub(super) held: Vec<usize>,
    /// Inputs whose buffers may become those of results.
    pub(super) in_place: Vec<usize>,
    /// What the length of a tile must be a multiple of: of whole rows, among others.
    pub(super) period: usize,
    /// Elements per row; 1 if there are no rows.
    pub(super) columns: usize,
    /// The element type of each result, and which elements it has.
    pub(super) results: Vec<(DType, Space)>,
    /// The number of elements, rows counting for all of theirs.
    pub(super) len: usize,
    /// How many of them are a piece.
    pub(super) piece: usize,
    /// Arithmetic per element.
    pub(super) flops: usize,
    /// How far rows have to be gone through, if not to their end.
    pub(super) narrow: Option<Narrow>,
}

/// An elementwise kernel.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) fixed: Vec<Fixed>,
    /// The home of each.
    pub(super) filled: Vec<u16>,
    pub(super) stages: Vec<Stage>,
    /// What steps name by position.
    pub(super) homes: Vec<Home>,
    /// Where each home is.
    pub(super) seats: Vec<Seat>,
    /// What is copied before a tile is run, because it is read after it has been overwritten: from and to which homes.
    pub(super) saves: Vec<(u16, u16)>,
    /// The way from tile to tile.
    pub(super) streams: Streams,
    /// The places of registers, without those of what is saved.
    registers: Layout,
    /// The places of all.
    pub(super) layout: Layout,
    /// The last instruction that reads each input.
    last_read: Vec<Option<usize>>,
    /// The first instruction that may not read what each result overwrites: the one that writes it, or the next.
    overwritten: Vec<usize>,
    made: Option<usize>,
    held: Vec<usize>,
    pub(super) in_place: Vec<usize>,
    pub(super) columns: usize,
    pub(super) results: Vec<(DType, Space)>,
    pub(super) len: usize,
    /// Elements per piece.
    pub(super) piece: usize,
    /// What combines rows.
    pub(super) reduced: Vec<Reduced>,
    /// Elements per tile.
    pub(super) tile: usize,
    /// Elements after which what repeats itself starts anew: a part of a tile.
    pub(super) lap: usize,
    /// The homes of what does.
    pub(super) repeated: Vec<u16>,
    /// How far rows have to be gone through, if not to their end.
    pub(super) narrow: Option<Narrow>,
    pub(super) flops: usize,
    /// How many functions the instructions are.
    pub(super) functions: usize,
    /// The program as it runs if there is one element.
    pub(super) scalar: Option<ScalarProgram>,
}

/// Part of a program that goes through a whole tile.
#[derive(Debug)]
pub(super) enum Stage {
    /// Steps that are run together, block by block.
    Blocks {
        space: Space,
        steps: Vec<Step>,
        /// How many of the first steps spread out numbers of rows.
        spreads: usize,
        /// How many stages of blocks over elements there are before it.
        order: usize,
    },
    /// Reads a view.
    Load { input: usize, view: View, target: u16 },
    /// Combines the elements of each row, or their products with others.
    Fold { kind: ReduceKind, x: u16, times: Option<u16>, target: u16 },
    /// Combines rows, or their products with others.
    Accumulate { x: u16, times: Option<u16>, reduced: usize },
}

impl Stage {
    /// How many stages of blocks over elements there are before it, if it is one.
    pub(super) fn order(&self) -> Option<usize> {
        match self {
            Stage::Blocks { space: Space::Elements, order, .. } => Some(*order),
            Stage::Blocks { .. } | Stage::Load { .. } | Stage::Fold { .. } | Stage::Accumulate { .. } => None,
        }
    }
}

/// Where the elements of an operand or a result are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Home {
    pub(super) place: Place,
    pub(super) dtype: DType,
    pub(super) space: Space,
}

/// Where a home is found when a piece runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Among the elements of an operand.
    Read(usize),
    /// Among those of a result.
    Write(usize),
    /// Among the elements of an operand that the call is for.
    Held(usize),
    /// Among those that were made for the piece.
    Made,
    /// In the worker's memory.
    Memory(Cell),
}

/// Homes by number, each once.
#[derive(Default)]
struct Homes {
    list: Vec<Home>,
    numbers: FxHashMap<Home, u16>,
}

impl Homes {
    fn number(&mut self, place: Place, dtype: DType, space: Space) -> u16 {
        let space = if matches!(place, Place::Register(_)) { Space::Elements } else { space };
        let home = Home { place, dtype, space };
        *self.numbers.entry(home).or_insert_with(|| {
            self.list.push(home);
            u16::try_from(self.list.len() - 1).expect("a region has fewer nodes than numbers")
        })
    }
}

impl From<Target> for Place {
    fn from(target: Target) -> Place {
        match target {
            Target::Register(register) => Place::Register(register),
            Target::Tiled(register) => Place::Tiled(register),
            Target::Loaded(register) => Place::Loaded(register),
            Target::Row(register) => Place::Row(register),
            Target::Result(result) => Place::Result(result),
        }
    }
}

impl Program {
    pub(super) fn new(parts: Parts) -> Program {
        let Parts { instructions, fixed, counts, operands, made, held, in_place, .. } = parts;
        let Parts { period, columns, results, len, piece, flops, narrow, .. } = parts;
        let scalar = match len {
            1 => ScalarProgram::of(&fixed, &instructions, &counts, &results),
            _ => None,
        };
        let mut last_read = vec![None; operands + usize::from(made.is_some())];
        let mut overwritten = vec![usize::MAX; results.len()];
        for (at, (_, instruction)) in instructions.iter().enumerate() {
            for place in instruction.action.places() {
                if let Place::Input(input) = place {
                    last_read[input] = Some(at);
                }
            }
            if let Target::Result(result) = instruction.target {
                let reads_before =
                    code::code(&instruction.action).is_some_and(|(code, ..)| code.may_overwrite());
                overwritten[result] = at + usize::from(reads_before);
            }
        }
        let (lap, tile) = lengths(&counts, period, columns, len);
        let registers = Layout::of(&counts, lap, tile, tile / columns);
        let mut program = Program {
            fixed,
            filled: Vec::new(),
            stages: Vec::new(),
            homes: Vec::new(),
            seats: Vec::new(),
            saves: Vec::new(),
            streams: Streams::none(),
            layout: registers.clone(),
            registers,
            last_read,
            overwritten,
            made,
            held,
            in_place,
            columns,
            results,
            len,
            piece,
            // Rows are begun one by one: what repeats itself must do so in each of them.
            narrow: narrow.filter(|_| period == columns),
            reduced: Vec::new(),
            tile,
            lap,
            repeated: Vec::new(),
            flops,
            functions: instructions.iter().map(|(_, instruction)| instruction.action.functions()).sum(),
            scalar,
        };
        if program.scalar.is_none() {
            program.build(&instructions);
            program.sit(&[]);
        }
        program
    }

    /// Whether rows are combined, in several groups.
    pub(super) fn has_groups(&self) -> bool {
        !self.reduced.is_empty() && self.len > self.piece
    }

    /// Turns the instructions into stages.
    fn build(&mut self, instructions: &[(usize, Instruction)]) {
        let mut homes = Homes::default();
        let mut current = None;
        for (stage, instruction) in instructions {
            if current.replace(*stage) != Some(*stage) {
                self.stages.push(Stage::Blocks {
                    space: instruction.space,
                    steps: Vec::new(),
                    spreads: 0,
                    order: 0,
                });
            }
            if let Action::Accumulate { kind, dtype, columns, .. } = &instruction.action {
                let Target::Result(result) = instruction.target else { unreachable!("it makes a result") };
                let is_dense = instruction.space == Space::Elements;
                let len = if is_dense { self.len } else { self.len / self.columns };
                let sums = Sums::of(*columns, len, is_dense);
                let of = (*kind, *dtype);
                self.reduced.push(Reduced::new(of, sums, instruction.space, result, &mut self.registers));
            }
            let numbers: Vec<u16> = uses(instruction)
                .into_iter()
                .map(|(place, dtype, space)| homes.number(place, dtype, space))
                .collect();
            let last = self.stages.last_mut().expect("a stage was begun");
            match (&instruction.action, last) {
                (Action::Load { input, view, .. }, last) => {
                    *last = Stage::Load { input: *input, view: (**view).clone(), target: numbers[0] };
                }
                (Action::Fold { kind, .. }, last) => {
                    let times = numbers.get(2).copied();
                    *last = Stage::Fold { kind: *kind, x: numbers[1], times, target: numbers[0] };
                }
                (Action::Accumulate { .. }, last) => {
                    let (times, reduced) = (numbers.get(1).copied(), self.reduced.len() - 1);
                    *last = Stage::Accumulate { x: numbers[0], times, reduced };
                }
                (action, Stage::Blocks { steps, spreads, .. }) => {
                    let is_spread = matches!(action, Action::Spread { .. });
                    let to_block = matches!(instruction.target, Target::Register(_));
                    if is_spread && to_block && *spreads == steps.len() {
                        *spreads += 1;
                    }
                    let (code, ..) = code::code(action).expect("what is no fold and no load runs by blocks");
                    let operands = [numbers[1], numbers[2], numbers[3], numbers[4]];
                    steps.push(Step { code, operands, target: numbers[0] });
                }
                (_, Stage::Load { .. } | Stage::Fold { .. } | Stage::Accumulate { .. }) => {
                    unreachable!("these stand alone")
                }
            }
        }
        let places = self.fixed.iter().map(|fixed| (fixed.place(), fixed.dtype));
        self.filled = places.map(|(place, dtype)| homes.number(place, dtype, Space::Elements)).collect();
        let mut count = 0;
        for stage in &mut self.stages {
            if let Stage::Blocks { space: Space::Elements, order, .. } = stage {
                *order = count;
                count += 1;
            }
        }
        self.homes = homes.list;
        let repeated =
            (0_u16..).zip(&self.homes).filter(|(_, home)| matches!(home.place, Place::Repeated(_)));
        self.repeated = repeated.map(|(at, _)| at).collect();
    }

    /// Finds out where everything is once it is known which operands results overwrite. What is read later than it is
    /// overwritten is kept elsewhere.
    fn sit(&mut self, in_place: &[Option<u32>]) {
        self.layout = self.registers.clone();
        self.saves.clear();
        self.seats.clear();
        for at in 0..self.homes.len() {
            let Home { place, dtype, .. } = self.homes[at];
            let seat = match place {
                Place::Register(register) => Seat::Memory(self.layout.block(dtype, register)),
                Place::Repeated(register) => Seat::Memory(self.layout.repeated(dtype, register)),
                Place::Tiled(register) | Place::Loaded(register) => {
                    Seat::Memory(self.layout.tiled(dtype, register))
                }
                Place::Row(register) => Seat::Memory(self.layout.row(dtype, register)),
                Place::Result(write) => Seat::Write(write),
                Place::Input(read) => match in_place.iter().position(|over| *over == Some(read as u32)) {
                    Some(write)
                        if self.last_read[read].is_some_and(|last| last >= self.overwritten[write]) =>
                    {
                        let result = self.homes.iter().position(|home| home.place == Place::Result(write));
                        let result = result.expect("every result is written");
                        self.saves.push((result as u16, at as u16));
                        Seat::Memory(self.layout.another(dtype))
                    }
                    Some(write) => Seat::Write(write),
                    None if self.made == Some(read) => Seat::Made,
                    None if self.held.contains(&read) => Seat::Held(read),
                    None => Seat::Read(read),
                },
            };
            self.seats.push(seat);
        }
        self.streams = Streams::of(self);
    }

    /// [Runs](ComputeAll::run) over the elements `made` for this range.
    pub(crate) fn run_over(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        made: Slice<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match &self.scalar {
            Some(scalar) => scalar.run(buffers, scratch),
            None if range.is_empty() => Ok(()),
            None => self.run_tiles(range, buffers, made, scratch),
        }
    }

    /// The home where what is made is before anything overwrites it.
    pub(super) fn home_of_made(&self) -> Option<usize> {
        let made = self.homes.iter().position(|home| Some(home.place) == self.made.map(Place::Input))?;
        let saved = self.saves.iter().find(|(_, to)| usize::from(*to) == made);
        Some(saved.map_or(made, |(from, _)| usize::from(*from)))
    }

    /// The position of the input that is made for each piece.
    pub(crate) fn made(&self) -> Option<usize> {
        self.made
    }

    /// Whether there are results that combine rows.
    pub(crate) fn combines(&self) -> bool {
        !self.reduced.is_empty()
    }

    /// A result of this type whose place the input that is made may take, because it is written only when that has been
    /// read, and overwrites no other input.
    pub(crate) fn lends_place(&self, dtype: DType, in_place: &[Option<u32>]) -> Option<usize> {
        let last_read = self.made.and_then(|made| self.last_read[made]);
        (0..self.results.len()).find(|write| {
            let like = self.results[*write] == (dtype, Space::Elements);
            like && in_place[*write].is_none() && last_read.is_none_or(|last| last < self.overwritten[*write])
        })
    }
}

/// Elements per lap and per tile: a tile has as many as keep its registers near, a lap as many as a period or a few of them.
/// Any number gives the same bits.
fn lengths(counts: &Counts, period: usize, columns: usize, len: usize) -> (usize, usize) {
    let bytes = |counts: [usize; 4]| -> usize {
        DType::ALL.iter().zip(counts).map(|(dtype, count)| dtype.bytes() * count).sum()
    };
    let bytes = bytes(counts.tiles) + bytes(counts.rows).div_ceil(columns);
    let fitting = (CACHE / bytes.max(1)).clamp(BLOCK, LONGEST);
    let power = 1_usize << fitting.ilog2();
    // Where there are no elements, a view may repeat itself after none.
    let period = period.max(1);
    let lap = (LAP / period).max(1) * period;
    let tile = if power < lap { (power / period).max(1) * period } else { power / lap * lap };
    (lap.min(tile), tile.min(len.max(1)))
}

/// The target of an instruction, unless it is what a piece comes to, and its operands, the last one repeated.
fn uses(instruction: &Instruction) -> Vec<(Place, DType, Space)> {
    let space = instruction.space;
    let of_terms = |dtype: DType, space| {
        instruction.action.places().map(move |place| (place, dtype, space)).collect::<Vec<_>>()
    };
    let (target, operands) = match &instruction.action {
        Action::Accumulate { dtype, .. } => return of_terms(*dtype, space),
        Action::Load { dtype, .. } => (*dtype, Vec::new()),
        Action::Fold { dtype, .. } => (*dtype, of_terms(*dtype, Space::Elements)),
        Action::Spread { dtype, x } => (*dtype, vec![(*x, *dtype, Space::Rows); 4]),
        action => {
            let (_, operands, result) = code::code(action).expect("what is no fold and no load has a code");
            (result, operands.map(|(place, dtype)| (place, dtype, space)).to_vec())
        }
    };
    let mut uses = vec![(instruction.target.into(), target, space)];
    uses.extend(operands);
    uses
}

/// What the registers of a tile should take up, in bytes: part of a second-level cache. What goes from one stage to the next may
/// come from there; smaller tiles, whose registers the first-level cache holds, begin more stages than that saves.
const CACHE: usize = 128 * 1024;

/// Elements of a lap at most, unless a period is longer: what repeats itself stays in the first-level cache.
const LAP: usize = 1024;

/// Elements of a tile at most, unless rows are longer.
const LONGEST: usize = 8 * 1024;

impl ComputeAll for Program {
    fn name(&self) -> &'static str {
        match self.functions {
            1 if self.reduced.is_empty() => "elementwise",
            1 => "reduce",
            _ => "fused",
        }
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, self.piece)
    }

    fn part(&self, write: usize, range: Range<usize>) -> Range<usize> {
        self.results[write].1.part(range, self.columns)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
    }

    fn overwrite(&mut self, in_place: &[Option<u32>]) {
        match &mut self.scalar {
            Some(scalar) => scalar.overwrite(in_place),
            None => self.sit(in_place),
        }
    }

    fn rest(&self, write: usize) -> Option<Totals> {
        self.reduced.iter().find(|of| of.result == write)?.rest(self.pieces().count())
    }

    fn flops(&self) -> u64 {
        self.len as u64 * self.flops as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        // Nothing is made, or else it is among the results.
        self.run_over(range, buffers, Slice::I64(&[]), scratch)
    }
}

#[cfg(test)]
mod tests {
    use pullback_graph::{Builder, Expr};

    use super::*;
    use crate::kernel::program::compile;
    use crate::kernel::regions;

    /// How many copies are kept of what is overwritten when a function of `p` and `g` takes the place of `p`.
    fn copies(function: impl for<'g> FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>) -> usize {
        let b = Builder::new();
        let [p, g] = ["p", "g"].map(|name| b.input(name, DType::F32, [1000]));
        let result = function(p, g);
        let graph = b.finish([("result", result)]).unwrap();
        let regions = regions(&graph, &|node| node == result.id());
        let region = regions.iter().find(|region| region.outputs.contains(&result.id())).unwrap();
        let mut program = compile(&graph, region, None);
        let place = region.operands.iter().position(|operand| *operand == p.id()).unwrap();
        assert!(program.in_place().contains(&place));
        program.overwrite(&[Some(place as u32)]);
        program.saves.len()
    }

    #[test]
    fn only_what_is_read_later_than_it_is_overwritten_is_kept() {
        assert_eq!(copies(|p, g| p - g * 0.1), 0, "an update");
        assert_eq!(copies(|p, g| p * 0.9 + g * 0.1), 0, "a moment");
        assert_eq!(copies(|p, g| p.exp() + g), 0, "read before");
        assert_eq!(copies(|p, g| p.maximum(g)), 1, "no arithmetic");
    }
}
