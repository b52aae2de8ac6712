//! Elementwise programs: instructions over tiles that stay in the first-level cache.
//!
//! A program computes every element of its result from the elements at the same position of its inputs (or from a
//! [`View`] of them). It runs tile by tile: each instruction is one tight loop over a tile, and what lies between two
//! instructions lives in a register, a tile-sized buffer of the worker. Nothing is reassociated or contracted, so the
//! bits are those of the same ops run one after another, however they are cut into tiles, pieces or programs.

use std::ops::Range;

use pullback_graph::op::{BinaryOp, Cast, Clamp, CompareOp, LogicOp, Scalar, UnaryOp};
use pullback_graph::{DType, dispatch, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::loops;
use crate::kernel::pieces::{GRAIN, Pieces};
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
}

/// Where an instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The register of the result's element type; never one that the instruction reads.
    Register(usize),
    /// The program's result. Only the last instruction writes it.
    Result,
}

/// One loop over a tile.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) action: Action,
    pub(crate) target: Target,
}

/// What an instruction does. `dtype` is the element type of the operands `x` and `y`.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Load { input: usize, dtype: DType, view: View },
    Unary { op: UnaryOp, dtype: DType, x: Place },
    Binary { op: BinaryOp, dtype: DType, x: Place, y: Place },
    Compare { op: CompareOp, dtype: DType, x: Place, y: Place },
    Logic { op: LogicOp, x: Place, y: Place },
    Select { dtype: DType, condition: Place, x: Place, y: Place },
    Clamp { op: Clamp, dtype: DType, x: Place },
    Cast { op: Cast, dtype: DType, x: Place },
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
    /// What the length of a tile must be a multiple of.
    pub(crate) period: usize,
    /// The element type of the result.
    pub(crate) dtype: DType,
    /// Inputs whose buffer may become the result's.
    pub(crate) in_place: Vec<usize>,
    /// The number of elements.
    pub(crate) len: usize,
    /// Arithmetic per element.
    pub(crate) flops: usize,
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
            Action::Unary { x, .. } | Action::Clamp { x, .. } | Action::Cast { x, .. } => change(x),
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

/// What the registers of a program should take up of the first-level cache, in bytes.
const CACHE: usize = 24 * 1024;

/// A piece that is running, at one of its tiles.
struct Tile<'a> {
    reads: &'a [Slice<'a>],
    /// Which elements of the whole result.
    range: Range<usize>,
    /// The register with the elements of inputs whose buffer is the result's.
    alias: usize,
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

    /// The register behind the last of the result's type: kept for an input whose buffer is the result's.
    fn alias(&self) -> usize {
        DType::ALL
            .iter()
            .zip(self.registers)
            .find(|(dtype, _)| **dtype == self.dtype)
            .map_or(0, |(_, count)| count)
    }
}

impl Compute for Program {
    fn name(&self) -> &'static str {
        if self.instructions.len() == 1 { "elementwise" } else { "fused" }
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN / self.flops.div_ceil(16).next_power_of_two())
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
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return Ok(());
        }
        let tile = self.tile();
        for fixed in &self.fixed {
            dispatch!(fixed.dtype, T => fill::<T>(fixed, reads, range.start, tile.min(range.len()), scratch));
        }
        let alias = self.alias();
        let aliased = self.in_place.iter().any(|input| reads[*input].len() == 0);
        let mut at = 0;
        while at < range.len() {
            let part = at..(at + tile).min(range.len());
            let at_tile = Tile { reads, range: range.start + part.start..range.start + part.end, alias };
            if aliased {
                // The result may be written before the last read of the operand that shares its buffer.
                dispatch!(self.dtype, T => {
                    let mut buffer = scratch.take::<T>(alias, tile);
                    buffer[..part.len()].copy_from_slice(&write.typed::<T>()[part.clone()]);
                    scratch.put(alias, buffer);
                });
            }
            for instruction in &self.instructions {
                at_tile.step(instruction, write.part(part.clone()), tile, scratch)?;
            }
            at = part.end;
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

impl Tile<'_> {
    /// The operand's elements of this tile.
    fn operand<'s, T: Banked>(&'s self, place: Place, scratch: &'s Scratch) -> &'s [T] {
        match place {
            Place::Input(input) => match self.reads[input].typed::<T>() {
                [] => &scratch.get::<T>(self.alias)[..self.range.len()],
                elements => &elements[self.range.clone()],
            },
            Place::Register(register) => &scratch.get::<T>(register)[..self.range.len()],
        }
    }

    /// Runs `body` with the target's elements of this tile.
    fn write<T: Banked, R>(
        &self,
        target: Target,
        mut result: SliceMut<'_>,
        tile: usize,
        scratch: &mut Scratch,
        body: impl FnOnce(&Scratch, &mut [T]) -> R,
    ) -> R {
        match target {
            Target::Result => body(scratch, result.typed()),
            Target::Register(register) => {
                let mut buffer = scratch.take::<T>(register, tile);
                let answer = body(scratch, &mut buffer[..self.range.len()]);
                scratch.put(register, buffer);
                answer
            }
        }
    }

    fn step(
        &self,
        instruction: &Instruction,
        result: SliceMut<'_>,
        tile: usize,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let target = instruction.target;
        match &instruction.action {
            Action::Load { input, dtype, view } => dispatch!(*dtype, T => {
                let source = self.reads[*input].typed::<T>();
                self.write(target, result, tile, scratch, |_, out: &mut [T]| view.copy(source, self.range.start, out));
            }),
            Action::Unary { op, dtype, x } => dispatch_float!(*dtype, T => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [T]| {
                    loops::unary(*op, self.operand::<T>(*x, scratch), out);
                });
            }, else {
                self.write(target, result, tile, scratch, |scratch, out: &mut [i64]| {
                    loops::unary_int(*op, self.operand(*x, scratch), out)
                })?;
            }),
            Action::Binary { op, dtype, x, y } => dispatch_float!(*dtype, T => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [T]| {
                    loops::binary(*op, self.operand::<T>(*x, scratch), self.operand(*y, scratch), out);
                });
            }, else {
                self.write(target, result, tile, scratch, |scratch, out: &mut [i64]| {
                    loops::binary_int(*op, self.operand(*x, scratch), self.operand(*y, scratch), out)
                })?;
            }),
            Action::Compare { op, dtype, x, y } => dispatch!(*dtype, T => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [bool]| {
                    loops::compare(*op, self.operand::<T>(*x, scratch), self.operand(*y, scratch), out);
                });
            }),
            Action::Logic { op, x, y } => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [bool]| {
                    loops::logic(*op, self.operand(*x, scratch), self.operand(*y, scratch), out);
                });
            }
            Action::Select { dtype, condition, x, y } => dispatch!(*dtype, T => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [T]| {
                    let condition = self.operand(*condition, scratch);
                    loops::select(condition, self.operand(*x, scratch), self.operand(*y, scratch), out);
                });
            }),
            Action::Clamp { op, dtype, x } => dispatch_float!(*dtype, T => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [T]| {
                    loops::clamp(op, self.operand::<T>(*x, scratch), out);
                });
            }, else {
                return Err(format!("clamp has no loop for {dtype}"));
            }),
            Action::Cast { op, dtype, x } => dispatch!(*dtype, From => dispatch!(op.dtype, To => {
                self.write(target, result, tile, scratch, |scratch, out: &mut [To]| {
                    loops::cast(self.operand::<From>(*x, scratch), out);
                });
            })),
        }
        Ok(())
    }
}
