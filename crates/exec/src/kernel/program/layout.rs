//! Where the registers of a program are in a worker's memory: fixed when the program is made.

use pullback_graph::DType;

use crate::kernel::program::blocks::BLOCK;
use crate::kernel::program::registers::{Counts, position};

/// Bytes that registers of tiles are apart at least, and that all registers start at multiples of.
const LINE: usize = 64;

/// A place in a worker's memory. Truth values have memory of their own, in which no number has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// So many bytes behind the start of the numbers.
    Number(usize),
    /// So many bytes behind the start of the truth values.
    Truth(usize),
}

/// The places of all registers: of each element type those as long as a block, as long as a lap, as long as a tile, and with an
/// element per row, in this order.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Elements of a lap.
    lap: usize,
    /// Elements of a tile.
    tile: usize,
    /// Rows of a tile.
    height: usize,
    /// Where the registers of each element type start, in the order of [`DType::ALL`].
    blocks: [usize; 4],
    /// Where those as long as a lap do.
    laps: [usize; 4],
    /// Where those as long as a tile do.
    tiles: [usize; 4],
    /// Where those with an element per row do.
    rows: [usize; 4],
    /// Bytes of numbers.
    pub(super) numbers: usize,
    /// Bytes of truth values.
    pub(super) truths: usize,
}

impl Layout {
    /// The places of so many registers; laps and tiles have so many elements, a tile so many rows.
    pub(super) fn of(counts: &Counts, lap: usize, tile: usize, height: usize) -> Layout {
        let starts = [0; 4];
        let (blocks, laps, tiles, rows) = (starts, starts, starts, starts);
        let mut layout = Layout { lap, tile, height, blocks, laps, tiles, rows, numbers: 0, truths: 0 };
        for dtype in DType::ALL {
            let at = position(dtype);
            layout.blocks[at] = *layout.end(dtype);
            layout.laps[at] = layout.blocks[at] + counts.blocks[at] * BLOCK * dtype.bytes();
            layout.tiles[at] = layout.laps[at] + counts.laps[at] * layout.length(dtype);
            layout.rows[at] = layout.tiles[at] + counts.tiles[at] * layout.apart(dtype);
            *layout.end(dtype) = layout.rows[at] + counts.rows[at] * layout.column(dtype);
        }
        layout
    }

    /// The register as long as a block.
    pub(super) fn block(&self, dtype: DType, register: usize) -> Cell {
        cell(dtype, self.blocks[position(dtype)] + register * BLOCK * dtype.bytes())
    }

    /// The register as long as a lap.
    pub(super) fn repeated(&self, dtype: DType, register: usize) -> Cell {
        cell(dtype, self.laps[position(dtype)] + register * self.length(dtype))
    }

    /// The register as long as a tile.
    pub(super) fn tiled(&self, dtype: DType, register: usize) -> Cell {
        cell(dtype, self.tiles[position(dtype)] + register * self.apart(dtype))
    }

    /// The register with an element per row.
    pub(super) fn row(&self, dtype: DType, register: usize) -> Cell {
        cell(dtype, self.rows[position(dtype)] + register * self.column(dtype))
    }

    /// One more register as long as a tile.
    pub(super) fn another(&mut self, dtype: DType) -> Cell {
        let place = cell(dtype, *self.end(dtype));
        *self.end(dtype) += self.apart(dtype);
        place
    }

    /// So many elements that are no register.
    pub(super) fn more(&mut self, dtype: DType, len: usize) -> Cell {
        let place = cell(dtype, *self.end(dtype));
        *self.end(dtype) += (len * dtype.bytes()).next_multiple_of(LINE);
        place
    }

    /// How many bytes registers of a lap are apart.
    fn length(&self, dtype: DType) -> usize {
        (self.lap * dtype.bytes()).next_multiple_of(LINE)
    }

    /// How many bytes registers of a tile are apart: not a power of two, which would put them all in the same few sets of
    /// the cache.
    fn apart(&self, dtype: DType) -> usize {
        (self.tile * dtype.bytes()).next_multiple_of(LINE) + LINE
    }

    /// How many bytes registers with an element per row are apart.
    fn column(&self, dtype: DType) -> usize {
        (self.height * dtype.bytes()).next_multiple_of(LINE)
    }

    fn end(&mut self, dtype: DType) -> &mut usize {
        if dtype == DType::Bool { &mut self.truths } else { &mut self.numbers }
    }
}

fn cell(dtype: DType, byte: usize) -> Cell {
    if dtype == DType::Bool { Cell::Truth(byte) } else { Cell::Number(byte) }
}
