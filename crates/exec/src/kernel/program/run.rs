//! Running the tiles of a piece: where everything is, and one stage after another.
#![allow(unsafe_code, reason = "steps find their operands by address; what is there is set up here")]

use std::marker::PhantomData;
use std::ops::Range;
use std::{ptr, slice};

use pullback_graph::dispatch;

use crate::kernel::compute::Buffers;
use crate::kernel::program::blocks::{BLOCK, Blocks, Spot};
use crate::kernel::program::build::{Home, Program, Seat, Stage};
use crate::kernel::program::fixed::FixedValue;
use crate::kernel::program::instruction::{Place, Space};
use crate::kernel::program::layout::Cell;
use crate::kernel::reductions::fold::{Rows, with_fold};
use crate::kernel::scratch::Scratch;
use crate::kernel::simd;
use crate::kernel::slice::{Slice, SliceMut, Typed};

/// A piece that is running.
pub(super) struct Piece<'a, 'b> {
    pub(super) program: &'a Program,
    pub(super) range: Range<usize>,
    /// The first element of the call, which `writes` and `made` start with.
    pub(super) first: usize,
    reads: &'a [Slice<'b>],
    pub(super) writes: &'a mut [SliceMut<'b>],
    made: Slice<'a>,
    /// Where the worker's memory for numbers starts, and that for truth values.
    numbers: *mut u8,
    truths: *mut u8,
    /// The longest tile.
    tile: usize,
}

/// How many elements a tile has, and how many rows.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    elements: usize,
    rows: usize,
}

impl Lengths {
    pub(super) fn of_tile(elements: usize, columns: usize) -> Lengths {
        Lengths { elements, rows: elements / columns }
    }

    pub(super) fn of(self, space: Space) -> usize {
        match space {
            Space::Elements => self.elements,
            Space::Rows => self.rows,
            Space::Groups { .. } => unreachable!("tiles have no part in what a piece comes to"),
        }
    }
}

impl Program {
    /// Computes the elements `range` of the results, tile by tile.
    pub(super) fn run_tiles(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        made: Slice<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let Buffers { reads, writes } = buffers;
        let tile = self.tile.min(range.len());
        let mut spots = scratch.take_spots();
        let numbers = scratch.room::<i64>(0, self.layout.numbers / size_of::<i64>()).as_mut_ptr().cast();
        let truths = scratch.room::<bool>(0, self.layout.truths).as_mut_ptr().cast();
        // Neighboring pieces are one, unless each has totals of its own.
        let each = if self.reduced.is_empty() { range.len() } else { self.piece };
        let outcome = range.clone().step_by(each).try_for_each(|start| {
            let part = start..(start + each).min(range.end);
            let (first, writes) = (range.start, &mut *writes);
            spots.clear();
            Piece { program: self, range: part, first, reads, writes, made, numbers, truths, tile }
                .run(&mut spots)
        });
        scratch.put_spots(spots);
        outcome
    }
}

/// Fills `elements` by repeating the first `period` of them.
fn repeat<T: Copy>(elements: &mut [T], period: usize) {
    let mut filled = period;
    while filled < elements.len() {
        let (from, to) = elements.split_at_mut(filled);
        let count = filled.min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        filled += count;
    }
}

/// # Safety
/// `spot` has so many elements, initialized, and nobody else uses them.
pub(super) unsafe fn elements<'a, T: Typed>(spot: Spot, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(spot.start.cast(), len) }
}

impl Piece<'_, '_> {
    fn run(&mut self, spots: &mut Vec<Spot>) -> Result<(), String> {
        let program = self.program;
        let homes = program.homes.iter().zip(&program.seats);
        spots.extend(homes.map(|(home, seat)| self.spot(*home, *seat)));
        self.fill();
        self.begin_groups();
        let mut start = self.range.start;
        loop {
            let tile = start..(start + self.tile).min(self.range.end);
            let lengths = Lengths::of_tile(tile.len(), program.columns);
            self.save(spots, lengths);
            for (at, stage) in program.stages.iter().enumerate() {
                if tile.end < self.range.end {
                    program.streams.ask(spots, at);
                }
                self.stage(stage, spots, &tile, lengths)?;
            }
            start = tile.end;
            if start == self.range.end {
                self.end_groups();
                return Ok(());
            }
            program.streams.advance(spots);
        }
    }

    /// Where the first tile's elements of an input or result are, and where a register is.
    fn spot(&mut self, home: Home, seat: Seat) -> Spot {
        let Home { place, dtype, space } = home;
        let part = || space.part(self.range.clone(), self.program.columns);
        // What belongs to pieces of the same call before this one.
        let skipped = || space.part(self.first..self.range.start, self.program.columns).len();
        let start = match seat {
            Seat::Read(read) => {
                let (read, part) = (self.reads[read], part());
                assert!(read.dtype() == dtype && part.end <= read.len(), "an operand has all its elements");
                // SAFETY: the part was checked to be inside the operand.
                unsafe { read.start().add(part.start * dtype.bytes()) }.cast_mut()
            }
            Seat::Write(write) => {
                let (part, skipped, write) = (part(), skipped(), &mut self.writes[write]);
                assert!(
                    write.dtype() == dtype && skipped + part.len() <= write.len(),
                    "a result has the elements of the piece"
                );
                // SAFETY: it was checked that the part is inside the result.
                unsafe { write.start().add(skipped * dtype.bytes()) }
            }
            Seat::Held(_) | Seat::Made => {
                let given = if let Seat::Held(read) = seat { self.reads[read] } else { self.made };
                let (skipped, end) = (skipped(), skipped() + part().len());
                assert!(
                    given.dtype() == dtype && end <= given.len(),
                    "an operand has the elements of the call"
                );
                // SAFETY: it was checked that the part is inside what was given.
                unsafe { given.start().add(skipped * dtype.bytes()) }.cast_mut()
            }
            Seat::Memory(cell) => self.memory(cell),
        };
        Spot { start, stride: if matches!(place, Place::Register(_)) { 0 } else { dtype.bytes() } }
    }

    /// A register, or what else has a place in memory.
    pub(super) fn memory(&self, cell: Cell) -> *mut u8 {
        // SAFETY: as much memory was taken as the layout has registers.
        match cell {
            Cell::Number(byte) => unsafe { self.numbers.add(byte) },
            Cell::Truth(byte) => unsafe { self.truths.add(byte) },
        }
    }

    /// Fills the registers that keep what they hold.
    fn fill(&self) {
        for fixed in &self.program.fixed {
            let spot = Spot { start: self.memory(self.program.cell(fixed)), stride: 0 };
            let len = if fixed.is_tiled() { self.tile } else { BLOCK.min(self.tile) };
            dispatch!(fixed.dtype, T => {
                // SAFETY: a register is so long, and nothing runs yet.
                let elements = unsafe { elements::<T>(spot, len) };
                match &fixed.value {
                    FixedValue::Literal(value) => elements.fill(value.get::<T>()),
                    FixedValue::Element { input, at } => {
                        elements.fill(self.reads[*input].typed::<T>()[*at]);
                    }
                    FixedValue::Repeat { input, view } => {
                        let period = view.period().unwrap_or(len).clamp(1, len);
                        view.copy(self.reads[*input].typed::<T>(), self.range.start, &mut elements[..period]);
                        repeat(elements, period);
                    }
                }
            });
        }
    }

    /// Copies what is about to be overwritten and read afterwards.
    fn save(&self, spots: &[Spot], lengths: Lengths) {
        for (from, to) in &self.program.saves {
            let home = self.program.homes[usize::from(*from)];
            let (from, to) = (spots[usize::from(*from)], spots[usize::from(*to)]);
            let bytes = lengths.of(home.space) * home.dtype.bytes();
            // SAFETY: the result has these elements, the register is as long as a tile, and they are apart.
            unsafe { ptr::copy_nonoverlapping(from.start, to.start, bytes) };
        }
    }

    fn stage(
        &self,
        stage: &Stage,
        spots: &[Spot],
        tile: &Range<usize>,
        lengths: Lengths,
    ) -> Result<(), String> {
        let columns = self.program.columns;
        match stage {
            Stage::Blocks { space, steps, spreads } => {
                let len = lengths.of(*space);
                // SAFETY: every home was given a spot for this tile, and none but this worker uses the registers and
                // the piece's part of the results. Values are written before they are read, a step never writes a
                // register that it reads, and an input that shares memory with a result is only read by steps before.
                unsafe { Blocks::new(steps, *spreads, spots, len, columns) }.run()
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
                let rows = lengths.rows;
                let (x_spot, out) = (spots[usize::from(*x)], spots[usize::from(*target)]);
                with_fold!(*kind, self.program.homes[usize::from(*x)].dtype, T, F => {
                    // SAFETY: the operand has the elements of the tile, the target one per row, and they are apart.
                    let (elements, out) = unsafe { (elements::<T>(x_spot, tile.len()), elements(out, rows)) };
                    simd::run(Rows { elements, columns, out, fold: PhantomData::<F> });
                });
                Ok(())
            }
            Stage::Accumulate { x, reduced } => {
                let reduced = &self.program.reduced[*reduced];
                let part = reduced.space.part(tile.clone(), columns);
                self.accumulate(reduced, spots[usize::from(*x)], part.start, part.len());
                Ok(())
            }
        }
    }
}
