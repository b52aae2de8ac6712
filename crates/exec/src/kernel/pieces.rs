//! How a result is cut into pieces that run on their own.
//!
//! The cut depends on shapes alone, never on the number of threads, so that any schedule gives the same bits.

use std::ops::Range;

/// Elements per piece of a kernel that does little per element: about 10 µs of arithmetic or copying.
pub(crate) const GRAIN: usize = 16 * 1024;

/// `len` elements in runs of `grain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    len: usize,
    grain: usize,
}

impl Pieces {
    /// One piece of `len` elements.
    pub(crate) fn whole(len: usize) -> Pieces {
        Pieces { len, grain: len.max(1) }
    }

    /// `len` elements cut every `grain` of them.
    pub(crate) fn of(len: usize, grain: usize) -> Pieces {
        Pieces { len, grain: grain.max(1) }
    }

    /// `len` elements in whole rows of `row` elements, a row costing `cost` units of which a piece should have about
    /// `grain`.
    pub(crate) fn rows(len: usize, row: usize, cost: usize, grain: usize) -> Pieces {
        Pieces::of(len, (grain / cost.max(1)).max(1).saturating_mul(row.max(1)))
    }

    /// The number of pieces, at least one.
    pub(crate) fn count(&self) -> usize {
        self.len.div_ceil(self.grain).max(1)
    }

    /// The elements of piece `piece`.
    pub(crate) fn range(&self, piece: usize) -> Range<usize> {
        let start = (piece * self.grain).min(self.len);
        start..start.saturating_add(self.grain).min(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once_and_in_order() {
        for (len, grain) in [(0, 4), (1, 4), (4, 4), (5, 4), (17, 4), (3, usize::MAX)] {
            let pieces = Pieces::of(len, grain);
            let covered: Vec<usize> = (0..pieces.count()).flat_map(|piece| pieces.range(piece)).collect();
            assert_eq!(covered, (0..len).collect::<Vec<_>>());
        }
        assert_eq!(Pieces::whole(0).count(), 1);
        assert_eq!(Pieces::rows(64, 4, 8, 16).range(0), 0..8);
    }
}
