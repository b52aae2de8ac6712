//! Running the tiles of a piece: where everything is, and one stage after another.
#![allow(unsafe_code, reason = "steps find their operands by address; what is there is set up here")]

use std::marker::PhantomData;
use std::ops::Range;
use std::{ptr, slice};

use pullback_graph::{DType, Element, dispatch, dispatch_float};

use crate::kernel::compute::Buffers;
use crate::kernel::movement::view::repeat;
use crate::kernel::program::blocks::{BLOCK, Blocks, Runs, Spot};
use crate::kernel::program::build::{Home, Program, Seat, Stage};
use crate::kernel::program::fixed::FixedValue;
use crate::kernel::program::instruction::{Place, Space};
use crate::kernel::program::layout::Cell;
use crate::kernel::reductions::fold::{Fold, Rows, Sum, with_fold};
use crate::kernel::reductions::terms::Products;
use crate::kernel::regions::narrow::Narrow;
use crate::kernel::scratch::Scratch;
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
    /// So many elements, in rows of so many columns.
    #[inline]
    pub(super) fn new(elements: usize, columns: usize) -> Lengths {
        // A small program would notice the division.
        Lengths { elements, rows: if columns == 1 { elements } else { elements / columns } }
    }

    pub(super) fn of(self, space: Space) -> usize {
        match space {
            Space::Elements => self.elements,
            Space::Rows => self.rows,
            Space::Groups { .. } => unreachable!("tiles have no part in what a piece comes to"),
        }
    }
}

/// What is gone through of a tile: the first `width` elements of each row.
#[derive(Clone, Copy)]
struct Area {
    rows: usize,
    columns: usize,
    width: usize,
}

impl Area {
    fn runs(self, space: Space) -> Runs {
        match space {
            Space::Elements if self.width < self.columns => {
                Runs { first: 0, count: self.rows, len: self.width, apart: self.columns }
            }
            Space::Elements => Runs::whole(self.rows * self.columns),
            Space::Rows => Runs::whole(self.rows),
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
        let numbers = scratch.room::<i64>(0, self.layout.numbers / size_of::<i64>()).as_mut_ptr().cast();
        let truths = match self.layout.truths {
            0 => ptr::dangling_mut(),
            truths => scratch.room::<bool>(0, truths).as_mut_ptr().cast(),
        };
        let spots = scratch.spots(self.homes.len());
        let first = range.start;
        let mut piece = Piece { program: self, range, first, reads, writes, made, numbers, truths, tile };
        // Neighboring pieces are one, unless each has totals of its own.
        if self.has_groups() { piece.run_each(spots) } else { piece.run(spots) }
    }
}

/// Elements that are written at once where one number is repeated: as many as are read at once, at most. A processor would
/// wait for what it has written in smaller parts.
const TOGETHER: usize = 16;

/// Fills `elements`, a multiple of [`TOGETHER`] of them, with one number.
#[inline(never)]
fn fill<T: Copy>(elements: &mut [T], value: T) {
    for part in elements.as_chunks_mut::<TOGETHER>().0 {
        *part = [value; TOGETHER];
    }
}

/// Where element `first` of an operand is, from which on it has so many.
#[inline(always)]
fn start_of(operand: Slice<'_>, dtype: DType, first: usize, len: usize) -> *mut u8 {
    assert!(operand.dtype() == dtype && first + len <= operand.len(), "an operand has all its elements");
    // SAFETY: it was checked that the element is inside the operand.
    unsafe { operand.start().add(first * dtype.bytes()) }.cast_mut()
}

/// # Safety
/// `spot` has so many elements, initialized, and nobody else uses them.
pub(super) unsafe fn elements<'a, T: Typed>(spot: Spot, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(spot.start.cast(), len) }
}

/// # Safety
/// Both spots have so many elements, initialized, and nobody writes them.
pub(super) unsafe fn products<'a, T: Typed>(x: Spot, times: Spot, len: usize) -> Products<'a, T> {
    // SAFETY: the caller's promise.
    let [x, times] = [x, times].map(|spot| unsafe { slice::from_raw_parts(spot.start.cast(), len) });
    Products(x, times)
}

impl Piece<'_, '_> {
    /// Runs the pieces of the range one by one.
    fn run_each(&mut self, spots: &mut [Spot]) -> Result<(), String> {
        let all = self.range.clone();
        for start in all.clone().step_by(self.program.piece) {
            self.range = start..(start + self.program.piece).min(all.end);
            self.run(spots)?;
        }
        Ok(())
    }

    fn run(&mut self, spots: &mut [Spot]) -> Result<(), String> {
        self.find(spots);
        self.fill(spots);
        self.begin_groups();
        let mut start = self.range.start;
        while self.range.end - start > self.tile {
            self.run_tile(start..start + self.tile, spots)?;
            self.program.streams.advance(spots);
            start += self.tile;
        }
        self.run_tile(start..self.range.end, spots)?;
        self.end_groups();
        Ok(())
    }

    fn run_tile(&self, tile: Range<usize>, spots: &mut [Spot]) -> Result<(), String> {
        let columns = self.program.columns;
        let lengths = Lengths::new(tile.len(), columns);
        let width =
            self.program.narrow.map_or(columns, |narrow| self.width(narrow, &tile, lengths.rows, spots));
        let area = Area { rows: lengths.rows, columns, width };
        self.save(spots, lengths);
        let has_next = tile.end < self.range.end;
        for stage in &self.program.stages {
            self.stage(stage, spots, tile.start, area, has_next)?;
        }
        if width < columns {
            self.extend(spots, area);
        }
        Ok(())
    }

    /// How many elements of the rows of a tile are to be gone through; the last of each is as those behind it.
    fn width(&self, narrow: Narrow, tile: &Range<usize>, rows: usize, spots: &[Spot]) -> usize {
        let Program { columns, homes, .. } = self.program;
        let first = tile.start / columns;
        let width = narrow.width(first..first + rows, *columns);
        let made = if narrow.finite { self.program.home_of_made() } else { None };
        let Some(made) = made else { return width };
        // SAFETY: what is made has the elements of the tile, and nothing has written over it.
        let is_finite = dispatch!(homes[made].dtype, T => unsafe {
            let made = elements::<T>(spots[made], tile.len());
            made.chunks_exact(*columns).all(|row| {
                row[width..].iter().fold(true, |all, x| all & (Element::to_f64(*x).abs() < f64::INFINITY))
            })
        });
        if is_finite { width } else { *columns }
    }

    /// Repeats the last element that was gone through, in the rows of every result.
    fn extend(&self, spots: &[Spot], Area { rows, columns, width }: Area) {
        for (spot, home) in spots.iter().zip(&self.program.homes) {
            if matches!(home.place, Place::Result(_)) && home.space == Space::Elements {
                // SAFETY: the result has the elements of the tile, and nobody else uses them.
                dispatch!(home.dtype, T => unsafe {
                    for row in elements::<T>(*spot, rows * columns).chunks_exact_mut(columns) {
                        let last = row[width - 1];
                        row[width..].fill(last);
                    }
                });
            }
        }
    }

    /// Finds where the first tile's elements of inputs and results are, and where registers are.
    #[inline]
    fn find(&mut self, spots: &mut [Spot]) {
        let Program { homes, seats, columns, .. } = self.program;
        let lengths = |elements| Lengths::new(elements, *columns);
        let (before, len) = (lengths(self.range.start), lengths(self.range.len()));
        // What belongs to pieces of the same call before this one.
        let skipped = lengths(self.range.start - self.first);
        for ((spot, home), seat) in spots.iter_mut().zip(homes).zip(seats) {
            let Home { place, dtype, space } = *home;
            let len = len.of(space);
            let start = match *seat {
                Seat::Memory(cell) => self.memory(cell),
                Seat::Read(read) => start_of(self.reads[read], dtype, before.of(space), len),
                Seat::Held(read) => start_of(self.reads[read], dtype, skipped.of(space), len),
                Seat::Made => start_of(self.made, dtype, skipped.of(space), len),
                Seat::Write(write) => {
                    let (write, first) = (&mut self.writes[write], skipped.of(space));
                    assert!(
                        write.dtype() == dtype && first + len <= write.len(),
                        "a result has the elements of the piece"
                    );
                    // SAFETY: it was checked that the elements are inside the result.
                    unsafe { write.start().add(first * dtype.bytes()) }
                }
            };
            let stride = if matches!(place, Place::Register(_)) { 0 } else { dtype.bytes() };
            *spot = Spot { start, stride };
        }
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
    #[inline]
    fn fill(&self, spots: &[Spot]) {
        for (fixed, home) in self.program.fixed.iter().zip(&self.program.filled) {
            let spot = spots[usize::from(*home)];
            let len = match fixed.value {
                FixedValue::Repeat { .. } => self.program.lap.min(self.tile),
                FixedValue::Literal(_) | FixedValue::Element { .. } => {
                    BLOCK.min(self.tile).next_multiple_of(TOGETHER)
                }
            };
            dispatch!(fixed.dtype, T => {
                // SAFETY: a register is so long, and nothing runs yet.
                let elements = unsafe { elements::<T>(spot, len) };
                match &fixed.value {
                    FixedValue::Literal(value) => fill(elements, value.get::<T>()),
                    FixedValue::Element { input, at } => {
                        fill(elements, self.reads[*input].typed::<T>()[*at]);
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
        spots: &mut [Spot],
        first: usize,
        area: Area,
        has_next: bool,
    ) -> Result<(), String> {
        let Area { rows, columns, width } = area;
        match stage {
            Stage::Blocks { space, steps, spreads, order } => {
                let ahead =
                    (has_next && *space == Space::Elements).then_some((&self.program.streams, *order));
                let runs = area.runs(*space);
                if *space != Space::Elements || self.program.repeated.is_empty() {
                    // SAFETY: every home was given a spot for this tile, and none but this worker uses the registers and
                    // the piece's part of the results. Values are written before they are read, a step never writes a
                    // register that it reads, and an input that shares memory with a result is only read by steps before.
                    return unsafe { Blocks::new(steps, *spreads, spots, runs, columns, ahead) }.run();
                }
                let bytes = |home: u16| self.program.homes[usize::from(home)].dtype.bytes();
                for runs in runs.laps(self.program.lap) {
                    let first = runs.first;
                    for home in &self.program.repeated {
                        let spot = &mut spots[usize::from(*home)];
                        spot.start = spot.start.wrapping_sub(first * bytes(*home));
                    }
                    // SAFETY: as above; what repeats itself is as long as a lap, and starts where this one does.
                    let ended = unsafe { Blocks::new(steps, *spreads, spots, runs, columns, ahead) }.run();
                    for home in &self.program.repeated {
                        let spot = &mut spots[usize::from(*home)];
                        spot.start = spot.start.wrapping_add(first * bytes(*home));
                    }
                    ended?;
                }
                Ok(())
            }
            Stage::Load { input, view, target } => {
                let Home { place, dtype, space } = self.program.homes[usize::from(*target)];
                let first = Lengths::new(first, columns).of(space);
                let spot = &mut spots[usize::from(*target)];
                if let Place::Loaded(register) = place {
                    let len = rows * columns;
                    if let Some(at) = view.neighbors(first, len) {
                        spot.start = start_of(self.reads[*input], dtype, at, len);
                        return Ok(());
                    }
                    spot.start = self.memory(self.program.layout.tiled(dtype, register));
                }
                let runs = area.runs(space);
                dispatch!(dtype, T => {
                    for start in runs.starts() {
                        // SAFETY: the target has so many elements.
                        let out = unsafe { slice::from_raw_parts_mut(spot.element(start), runs.len) };
                        view.copy(self.reads[*input].typed::<T>(), first + start, out);
                    }
                });
                Ok(())
            }
            Stage::Fold { kind, x, times, target } => {
                let len = rows * columns;
                let [x_spot, out] = [x, target].map(|home| spots[usize::from(*home)]);
                let dtype = self.program.homes[usize::from(*x)].dtype;
                // SAFETY: operands have the elements of the tile, the target one per row, and they are apart.
                match times.map(|times| spots[usize::from(times)]) {
                    None => with_fold!(*kind, dtype, T, F => {
                        let (terms, out) = unsafe { (&*elements::<T>(x_spot, len), elements(out, rows)) };
                        F::rows(Rows { terms, starts: &[0], columns: width, apart: columns, out, fold: PhantomData });
                    }),
                    Some(times) => dispatch_float!(dtype, T => {
                        let (terms, out) = unsafe { (products::<T>(x_spot, times, len), elements(out, rows)) };
                        Sum::rows(Rows { terms, starts: &[0], columns: width, apart: columns, out, fold: PhantomData });
                    }, else unreachable!("products of floats alone are added up")),
                }
                Ok(())
            }
            Stage::Accumulate { x, times, reduced } => {
                let reduced = &self.program.reduced[*reduced];
                let times = times.map(|times| spots[usize::from(times)]);
                let first = Lengths::new(first, columns).of(reduced.space);
                self.accumulate(
                    reduced,
                    (spots[usize::from(*x)], times),
                    first,
                    area.runs(reduced.space).len,
                );
                Ok(())
            }
        }
    }
}
