//! Elementwise programs: instructions over tiles that stay in the first-level cache.
//!
//! A program computes every element of its results from the elements at the same position of its inputs (or from a
//! [`View`] of them), and where it has rows, from what the elements of its row add up to. It runs tile by tile, a tile
//! being whole rows: each instruction is one tight loop over a tile, and what lies between two instructions lives in a
//! register, a tile-sized buffer of the worker. Nothing is reassociated or contracted, so the bits are those of the same
//! ops run one after another, however they are cut into tiles, pieces or programs.

use std::ops::Range;

use pullback_graph::op::{BinaryOp, Cast, Clamp, CompareOp, LogicOp, ReduceKind, Scalar, UnaryOp};
use pullback_graph::{DType, dispatch, dispatch_float};

use crate::kernel::compute::{Buffers, ComputeAll};
use crate::kernel::loops;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scalar::ScalarProgram;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::view::View;

/// Where an instruction finds an operand's tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The input, at the position of the tile.
    Input(usize),
    /// The register of the operand's element type.
    Register(usize),
    /// The result, at the position of the tile: an earlier instruction has written it.
    Result(usize),
}

/// Which elements of a tile an instruction goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// All.
    Elements,
    /// One per row.
    Rows,
}

/// Where an instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The register of the result's element type; never one that the instruction reads.
    Register(usize),
    /// A result of the program, which no other instruction writes.
    Result(usize),
}

/// One loop over a tile.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) action: Action,
    /// Where the result is, and the operands unless the action says otherwise.
    pub(crate) space: Space,
    pub(crate) target: Target,
}

/// What an instruction does. `dtype` is the element type of the operands `x` and `y`.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Load {
        input: usize,
        dtype: DType,
        view: View,
    },
    Unary {
        op: UnaryOp,
        dtype: DType,
        x: Place,
    },
    Binary {
        op: BinaryOp,
        dtype: DType,
        x: Place,
        y: Place,
    },
    Compare {
        op: CompareOp,
        dtype: DType,
        x: Place,
        y: Place,
    },
    Logic {
        op: LogicOp,
        x: Place,
        y: Place,
    },
    Select {
        dtype: DType,
        condition: Place,
        x: Place,
        y: Place,
    },
    Clamp {
        op: Clamp,
        dtype: DType,
        x: Place,
    },
    Cast {
        op: Cast,
        dtype: DType,
        x: Place,
    },
    /// Combines the elements of each row.
    Fold {
        kind: ReduceKind,
        dtype: DType,
        x: Place,
    },
    /// Repeats each row's number along the row.
    Spread {
        dtype: DType,
        x: Place,
    },
}

/// A register that is filled once for all tiles of a piece.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) register: usize,
    pub(crate) dtype: DType,
    pub(crate) value: FixedValue,
}

/// What a [`Fixed`] register holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FixedValue {
    /// A number of the program.
    Literal(Scalar),
    /// An element of an input.
    Element { input: usize, at: usize },
    /// A view that repeats itself from tile to tile.
    Repeat { input: usize, view: View },
}

/// An elementwise kernel.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) fixed: Vec<Fixed>,
    pub(crate) instructions: Vec<Instruction>,
    /// How many registers each element type has, in the order of [`DType::ALL`].
    pub(crate) registers: [usize; 4],
    /// What the length of a tile must be a multiple of: of whole rows, among others.
    pub(crate) period: usize,
    /// Elements per row; 1 if there are no rows.
    pub(crate) columns: usize,
    /// The element type of each result, and which elements it has.
    pub(crate) results: Vec<(DType, Space)>,
    /// Inputs whose buffers may become those of results.
    pub(crate) in_place: Vec<usize>,
    /// The number of elements, rows counting for all of theirs.
    pub(crate) len: usize,
    /// Arithmetic per element.
    pub(crate) flops: usize,
    /// The program as it runs if there is one element.
    pub(crate) scalar: Option<ScalarProgram>,
}

impl Action {
    /// Shows every operand to `visit`.
    pub(crate) fn places(&self, mut visit: impl FnMut(Place)) {
        self.clone().places_mut(|place| visit(*place));
    }

    /// Lets `change` replace every operand.
    pub(crate) fn places_mut(&mut self, mut change: impl FnMut(&mut Place)) {
        match self {
            Action::Load { .. } => {}
            Action::Unary { x, .. }
            | Action::Clamp { x, .. }
            | Action::Cast { x, .. }
            | Action::Fold { x, .. }
            | Action::Spread { x, .. } => change(x),
            Action::Binary { x, y, .. } | Action::Compare { x, y, .. } | Action::Logic { x, y, .. } => {
                change(x);
                change(y);
            }
            Action::Select { condition, x, y, .. } => {
                change(condition);
                change(x);
                change(y);
            }
        }
    }
}

/// What the registers of a program should take up, in bytes: about a first-level cache. Longer tiles would save calls, but
/// wait for the second level.
const CACHE: usize = 32 * 1024;

/// A piece that is running, at one of its tiles.
struct Tile<'a, 'b> {
    program: &'a Program,
    reads: &'a [Slice<'b>],
    writes: &'a mut [SliceMut<'b>],
    in_place: &'a [Option<u32>],
    /// Which elements of the whole results.
    range: Range<usize>,
    /// Where they are in what the piece writes.
    at: usize,
    /// The length that registers have.
    length: usize,
}

impl Program {
    /// Elements per tile: as many as keep all registers in the first-level cache. Any number gives the same bits.
    fn tile(&self) -> usize {
        let bytes: usize =
            DType::ALL.iter().zip(self.registers).map(|(dtype, count)| dtype.bytes() * count).sum();
        let fitting = (CACHE / bytes.max(1)).clamp(128, 2048);
        let power = 1_usize << fitting.ilog2();
        ((power / self.period).max(1) * self.period).min(self.len.max(1))
    }

    /// The register for the elements of an input that result `write` takes the buffer of: behind all others.
    fn alias(&self, write: usize) -> usize {
        let dtype = self.results[write].0;
        let file = DType::ALL.iter().zip(self.registers).find(|(other, _)| **other == dtype);
        file.map_or(0, |(_, count)| count) + write
    }
}

impl ComputeAll for Program {
    fn name(&self) -> &'static str {
        if self.instructions.len() == 1 { "elementwise" } else { "fused" }
    }

    fn pieces(&self) -> Pieces {
        let grain = GRAIN / self.flops.div_ceil(16).next_power_of_two();
        Pieces::of(self.len, (grain / self.columns).max(1) * self.columns)
    }

    fn part(&self, write: usize, range: Range<usize>) -> Range<usize> {
        self.results[write].1.part(range, self.columns)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
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
        if range.is_empty() {
            return Ok(());
        }
        if let Some(scalar) = &self.scalar {
            scalar.run(buffers, scratch);
            return Ok(());
        }
        let Buffers { reads, writes, in_place } = buffers;
        let length = self.tile();
        for fixed in &self.fixed {
            dispatch!(fixed.dtype, T => fill::<T>(fixed, reads, range.start, length.min(range.len()), scratch));
        }
        let mut start = range.start;
        while start < range.end {
            let end = (start + length).min(range.end);
            let at = start - range.start;
            let mut tile = Tile { program: self, reads, writes, in_place, range: start..end, at, length };
            tile.save(scratch);
            for instruction in &self.instructions {
                tile.step(instruction, scratch)?;
            }
            start = end;
        }
        Ok(())
    }
}

fn fill<T: Banked>(fixed: &Fixed, reads: &[Slice<'_>], start: usize, tile: usize, scratch: &mut Scratch) {
    let mut buffer = scratch.take::<T>(fixed.register, tile);
    let elements = &mut buffer[..tile];
    match &fixed.value {
        FixedValue::Literal(value) => elements.fill(value.get::<T>()),
        FixedValue::Element { input, at } => elements.fill(reads[*input].typed::<T>()[*at]),
        FixedValue::Repeat { input, view } => view.copy(reads[*input].typed::<T>(), start, elements),
    }
    scratch.put(fixed.register, buffer);
}

impl Space {
    /// What belongs to the elements `range`, which are whole rows of `columns`.
    fn part(self, range: Range<usize>, columns: usize) -> Range<usize> {
        match self {
            Space::Elements => range,
            Space::Rows => range.start / columns..range.end / columns,
        }
    }
}

impl Tile<'_, '_> {
    /// Copies what is about to be overwritten: a result may be written before the last read of the operand whose buffer
    /// it has taken over.
    fn save(&self, scratch: &mut Scratch) {
        for (write, _) in self.in_place.iter().enumerate().filter(|(_, read)| read.is_some()) {
            let (dtype, space) = self.program.results[write];
            let alias = self.program.alias(write);
            dispatch!(dtype, T => {
                let mut buffer = scratch.take::<T>(alias, self.length);
                let elements = &self.writes[write].elements::<T>()[self.place(space)];
                buffer[..elements.len()].copy_from_slice(elements);
                scratch.put(alias, buffer);
            });
        }
    }

    /// The elements of this tile, in what the piece writes.
    fn place(&self, space: Space) -> Range<usize> {
        space.part(self.at..self.at + self.range.len(), self.program.columns)
    }

    /// The operand's elements of this tile.
    fn operand<'s, T: Banked>(&'s self, place: Place, space: Space, scratch: &'s Scratch) -> &'s [T] {
        let range = space.part(self.range.clone(), self.program.columns);
        match place {
            Place::Input(input) => match self.in_place.iter().position(|read| *read == Some(input as u32)) {
                Some(write) => &scratch.get::<T>(self.program.alias(write))[..range.len()],
                None => &self.reads[input].typed::<T>()[range],
            },
            Place::Register(register) => &scratch.get::<T>(register)[..range.len()],
            Place::Result(write) => &self.writes[write].elements::<T>()[self.place(space)],
        }
    }

    /// Runs `body` with the target's elements of this tile.
    fn write<T: Banked, R>(
        &mut self,
        instruction: &Instruction,
        scratch: &mut Scratch,
        body: impl FnOnce(&Self, &Scratch, &mut [T]) -> R,
    ) -> R {
        match instruction.target {
            Target::Result(write) => {
                // Taken out, so that other results can be read meanwhile.
                let mut result = std::mem::replace(&mut self.writes[write], SliceMut::Bool(&mut []));
                let place = self.place(instruction.space);
                let answer = body(self, scratch, &mut result.typed()[place]);
                self.writes[write] = result;
                answer
            }
            Target::Register(register) => {
                let mut buffer = scratch.take::<T>(register, self.length);
                let len = self.place(instruction.space).len();
                let answer = body(self, scratch, &mut buffer[..len]);
                scratch.put(register, buffer);
                answer
            }
        }
    }

    fn step(&mut self, instruction: &Instruction, scratch: &mut Scratch) -> Result<(), String> {
        let space = instruction.space;
        match &instruction.action {
            Action::Load { input, dtype, view } => dispatch!(*dtype, T => {
                self.write(instruction, scratch, |tile, _, out: &mut [T]| {
                    let start = space.part(tile.range.clone(), tile.program.columns).start;
                    view.copy(tile.reads[*input].typed::<T>(), start, out);
                });
            }),
            Action::Unary { op, dtype, x } => dispatch_float!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [T]| {
                    loops::unary(*op, tile.operand::<T>(*x, space, scratch), out);
                });
            }, else {
                self.write(instruction, scratch, |tile, scratch, out: &mut [i64]| {
                    loops::unary_int(*op, tile.operand(*x, space, scratch), out)
                })?;
            }),
            Action::Binary { op, dtype, x, y } => dispatch_float!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [T]| {
                    let (x, y) = (tile.operand::<T>(*x, space, scratch), tile.operand(*y, space, scratch));
                    loops::binary(*op, x, y, out);
                });
            }, else {
                self.write(instruction, scratch, |tile, scratch, out: &mut [i64]| {
                    let (x, y) = (tile.operand(*x, space, scratch), tile.operand(*y, space, scratch));
                    loops::binary_int(*op, x, y, out)
                })?;
            }),
            Action::Compare { op, dtype, x, y } => dispatch!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [bool]| {
                    let (x, y) = (tile.operand::<T>(*x, space, scratch), tile.operand(*y, space, scratch));
                    loops::compare(*op, x, y, out);
                });
            }),
            Action::Logic { op, x, y } => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [bool]| {
                    loops::logic(
                        *op,
                        tile.operand(*x, space, scratch),
                        tile.operand(*y, space, scratch),
                        out,
                    );
                });
            }
            Action::Select { dtype, condition, x, y } => dispatch!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [T]| {
                    let condition = tile.operand(*condition, space, scratch);
                    let (x, y) = (tile.operand(*x, space, scratch), tile.operand(*y, space, scratch));
                    loops::select(condition, x, y, out);
                });
            }),
            Action::Clamp { op, dtype, x } => dispatch_float!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [T]| {
                    loops::clamp(op, tile.operand::<T>(*x, space, scratch), out);
                });
            }, else {
                return Err(format!("clamp has no loop for {dtype}"));
            }),
            Action::Cast { op, dtype, x } => dispatch!(*dtype, From => dispatch!(op.dtype, To => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [To]| {
                    loops::cast(tile.operand::<From>(*x, space, scratch), out);
                });
            })),
            Action::Fold { kind, dtype, x } => {
                macro_rules! fold {
                    ($ty:ty) => {
                        self.write(instruction, scratch, |tile, scratch, out: &mut [$ty]| {
                            let x = tile.operand(*x, Space::Elements, scratch);
                            loops::fold_rows(*kind, x, tile.program.columns, out);
                        })
                    };
                }
                match dtype {
                    DType::F32 => fold!(f32),
                    DType::F64 => fold!(f64),
                    DType::I64 => fold!(i64),
                    DType::Bool => return Err("truth values cannot be reduced".into()),
                }
            }
            Action::Spread { dtype, x } => dispatch!(*dtype, T => {
                self.write(instruction, scratch, |tile, scratch, out: &mut [T]| {
                    loops::spread(tile.operand::<T>(*x, Space::Rows, scratch), tile.program.columns, out);
                });
            }),
        }
        Ok(())
    }
}
