//! Running the tiles of a piece: where everything is, and one stage after another.
#![allow(unsafe_code, reason = "steps find their operands by address; what is there is set up here")]

use std::ops::Range;
use std::{ptr, slice};

use pullback_graph::{DType, dispatch};

use crate::kernel::compute::Buffers;
use crate::kernel::loops;
use crate::kernel::program::blocks::{BLOCK, Blocks, Spot};
use crate::kernel::program::build::{Home, Program, Stage};
use crate::kernel::program::fixed::FixedValue;
use crate::kernel::program::instruction::{Place, Space};
use crate::kernel::program::registers::position;
use crate::kernel::scratch::Scratch;
use crate::kernel::simd;
use crate::kernel::slice::{Slice, SliceMut, Typed};

/// Bytes that registers of tiles are apart at least, and that they start at multiples of.
const LINE: usize = 64;

/// A piece that is running.
struct Piece<'a, 'b> {
    program: &'a Program,
    range: Range<usize>,
    reads: &'a [Slice<'b>],
    writes: &'a mut [SliceMut<'b>],
    in_place: &'a [Option<u32>],
    /// Where the registers of each element type start, in the order of [`DType::ALL`].
    registers: [*mut u8; 4],
    /// The longest tile.
    tile: usize,
}

impl Program {
    /// Computes the elements `range` of the results, tile by tile.
    pub(super) fn run_tiles(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let Buffers { reads, writes, in_place } = buffers;
        let tile = self.tile.min(range.len());
        let saved = if in_place.iter().any(Option::is_some) { in_place.len() } else { 0 };
        let mut spots = scratch.take_spots();
        let registers = DType::ALL.map(|dtype| {
            let at = position(dtype);
            let (blocks, tiles) = (self.counts.blocks[at], self.counts.tiles[at] + saved);
            match blocks + tiles {
                0 => ptr::null_mut(),
                _ => dispatch!(dtype, T => {
                    scratch.room::<T>(0, blocks * BLOCK + tiles * apart(dtype, tile)).as_mut_ptr().cast()
                }),
            }
        });
        let mut piece = Piece { program: self, range, reads, writes, in_place, registers, tile };
        let outcome = piece.run(&mut spots);
        scratch.put_spots(spots);
        outcome
    }
}

/// How many elements the registers of a tile are apart: not by a power of two, which would put them all in the same
/// few sets of the cache.
fn apart(dtype: DType, tile: usize) -> usize {
    let bytes = dtype.bytes();
    ((tile * bytes).next_multiple_of(LINE) + LINE) / bytes
}

/// # Safety
/// `spot` has so many elements, initialized, and nobody else uses them.
unsafe fn elements<'a, T: Typed>(spot: Spot, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(spot.start.cast(), len) }
}

impl Piece<'_, '_> {
    fn run(&mut self, spots: &mut Vec<Spot>) -> Result<(), String> {
        self.fill();
        let program = self.program;
        let mut start = self.range.start;
        while start < self.range.end {
            let tile = start..(start + self.tile).min(self.range.end);
            if spots.is_empty() {
                spots.extend(program.homes.iter().map(|home| self.spot(*home, &tile)));
            } else {
                for (spot, home) in spots.iter_mut().zip(&program.homes[..program.moving]) {
                    *spot = self.spot(*home, &tile);
                }
            }
            self.save(&tile);
            for stage in &program.stages {
                self.stage(stage, spots, &tile)?;
            }
            start = tile.end;
        }
        Ok(())
    }

    /// A register of this element type as long as a block.
    fn block(&self, dtype: DType, register: usize) -> Spot {
        let at = position(dtype);
        assert!(register < self.program.counts.blocks[at], "a register of the program");
        // SAFETY: as many registers were taken.
        Spot { start: unsafe { self.registers[at].add(register * BLOCK * dtype.bytes()) }, stride: 0 }
    }

    /// A register of this element type as long as a tile; behind those of the program, one for each result.
    fn tiled(&self, dtype: DType, register: usize) -> Spot {
        let at = position(dtype);
        let start = self.program.counts.blocks[at] * BLOCK + register * apart(dtype, self.tile);
        // SAFETY: as many registers were taken.
        Spot { start: unsafe { self.registers[at].add(start * dtype.bytes()) }, stride: dtype.bytes() }
    }

    /// The register that keeps the elements of an input that result `write` takes the buffer of.
    fn saved(&self, write: usize) -> Spot {
        let dtype = self.program.results[write].0;
        self.tiled(dtype, self.program.counts.tiles[position(dtype)] + write)
    }

    /// Whether what result `write` overwrites is read later: it has to be kept elsewhere.
    fn is_saved(&self, write: usize) -> bool {
        let Some(read) = self.in_place[write] else { return false };
        self.program.last_read[read as usize].is_some_and(|last| last >= self.program.written[write])
    }

    /// Where the tile's elements of an input or result are, and where a register is.
    fn spot(&mut self, home: Home, tile: &Range<usize>) -> Spot {
        let Home { place, dtype, space } = home;
        match place {
            Place::Register(register) => self.block(dtype, register),
            Place::Tiled(register) => self.tiled(dtype, register),
            Place::Result(write) => self.result(write, tile),
            Place::Input(input) => match self.in_place.iter().position(|read| *read == Some(input as u32)) {
                Some(write) if self.is_saved(write) => self.saved(write),
                Some(write) => self.result(write, tile),
                None => {
                    let part = space.part(tile.clone(), self.program.columns);
                    dispatch!(dtype, T => {
                        let elements = &self.reads[input].typed::<T>()[part];
                        Spot { start: elements.as_ptr().cast_mut().cast(), stride: dtype.bytes() }
                    })
                }
            },
        }
    }

    /// Where the tile's elements of a result are.
    fn result(&mut self, write: usize, tile: &Range<usize>) -> Spot {
        let (dtype, space) = self.program.results[write];
        let tile = tile.start - self.range.start..tile.end - self.range.start;
        let part = space.part(tile, self.program.columns);
        dispatch!(dtype, T => {
            let elements = &mut self.writes[write].typed::<T>()[part];
            Spot { start: elements.as_mut_ptr().cast(), stride: dtype.bytes() }
        })
    }

    /// Fills the registers that keep what they hold.
    fn fill(&self) {
        for fixed in &self.program.fixed {
            dispatch!(fixed.dtype, T => {
                let (spot, len) = match fixed.is_tiled() {
                    true => (self.tiled(fixed.dtype, fixed.register), self.tile),
                    false => (self.block(fixed.dtype, fixed.register), BLOCK.min(self.tile)),
                };
                // SAFETY: a register is so long, and nothing runs yet.
                let elements = unsafe { elements::<T>(spot, len) };
                match &fixed.value {
                    FixedValue::Literal(value) => elements.fill(value.get::<T>()),
                    FixedValue::Element { input, at } => {
                        elements.fill(self.reads[*input].typed::<T>()[*at]);
                    }
                    FixedValue::Repeat { input, view } => {
                        view.copy(self.reads[*input].typed::<T>(), self.range.start, elements);
                    }
                }
            });
        }
    }

    /// Copies what is about to be overwritten and read afterwards.
    fn save(&mut self, tile: &Range<usize>) {
        for write in 0..self.in_place.len() {
            if !self.is_saved(write) {
                continue;
            }
            let (dtype, space) = self.program.results[write];
            let len = space.part(tile.clone(), self.program.columns).len();
            let (from, to) = (self.result(write, tile), self.saved(write));
            dispatch!(dtype, T => {
                // SAFETY: the result has these elements, the register is as long as a tile, and they are apart.
                unsafe { elements::<T>(to, len).copy_from_slice(elements::<T>(from, len)) }
            });
        }
    }

    fn stage(&self, stage: &Stage, spots: &[Spot], tile: &Range<usize>) -> Result<(), String> {
        let columns = self.program.columns;
        match stage {
            Stage::Blocks { space, steps } => {
                let len = space.part(tile.clone(), columns).len();
                // SAFETY: every home was given a spot for this tile, and none but this worker uses the registers and
                // the piece's part of the results. Values are written before they are read, a step never writes a
                // register that it reads, and an input that shares memory with a result is only read by steps before.
                simd::run(unsafe { Blocks::new(steps, spots, len, columns) })
            }
            Stage::Load { input, view, target } => {
                let home = self.program.homes[usize::from(*target)];
                let part = home.space.part(tile.clone(), columns);
                dispatch!(home.dtype, T => {
                    // SAFETY: the target has so many elements.
                    let out = unsafe { elements::<T>(spots[usize::from(*target)], part.len()) };
                    view.copy(self.reads[*input].typed::<T>(), part.start, out);
                });
                Ok(())
            }
            Stage::Fold { kind, x, target } => {
                let rows = Space::Rows.part(tile.clone(), columns).len();
                let (x_spot, out) = (spots[usize::from(*x)], spots[usize::from(*target)]);
                macro_rules! fold {
                    ($ty:ty) => {{
                        // SAFETY: the operand has the elements of the tile, the target one per row, and they are apart.
                        let (x, out) = unsafe { (elements::<$ty>(x_spot, tile.len()), elements(out, rows)) };
                        loops::fold_rows(*kind, x, columns, out);
                    }};
                }
                match self.program.homes[usize::from(*x)].dtype {
                    DType::F32 => fold!(f32),
                    DType::F64 => fold!(f64),
                    DType::I64 => fold!(i64),
                    DType::Bool => return Err("truth values cannot be reduced".into()),
                }
                Ok(())
            }
        }
    }
}
