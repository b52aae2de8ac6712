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
    together: usize,
    /// How many calls each worker should have, if there are so many of them.
    calls: usize,
    workers: usize,
}

impl Pieces {
    /// One piece of `len` elements.
    pub(crate) fn whole(len: usize) -> Pieces {
        Pieces::of(len, len)
    }

    /// `len` elements cut every `grain` of them.
    pub(crate) fn of(len: usize, grain: usize) -> Pieces {
        Pieces { len, grain: grain.max(1), together: 1, calls: 2, workers: 2 }
    }

    /// `len` elements in whole rows of `row` elements, a row costing `cost` units of which a piece should have about
    /// `grain`.
    pub(crate) fn rows(len: usize, row: usize, cost: usize, grain: usize) -> Pieces {
        Pieces::of(len, (grain / cost.max(1)).max(1).saturating_mul(row.max(1)))
    }

    /// The same pieces, up to `count` neighbors of which cost less in one call: they share what each would prepare anew.
    pub(crate) fn together(self, count: usize) -> Pieces {
        Pieces { together: count.max(1), ..self }
    }

    /// The same pieces, in one call for each worker if so many are there, and in one for all else: every call goes through what
    /// the others go through too, which costs more than to wait for another worker.
    pub(crate) fn one_call_each(self, workers: usize) -> Pieces {
        Pieces { together: usize::MAX, calls: 1, workers, ..self }
    }

    /// How many neighbors to run in one call, if so many workers are there to share the pieces: fewer where that would
    /// leave a worker less than two calls, or the one that [it should have](Pieces::one_call_each).
    pub(crate) fn a_call(&self, workers: usize) -> usize {
        let share = match workers >= self.workers {
            true => self.count().div_ceil(self.calls * workers),
            false => self.count(),
        };
        self.together.min(share)
    }

    /// The number of pieces, at least one.
    pub(crate) fn count(&self) -> usize {
        self.len.div_ceil(self.grain).max(1)
    }

    /// The elements of neighboring pieces.
    pub(crate) fn range(&self, pieces: Range<usize>) -> Range<usize> {
        let place = |piece: usize| piece.saturating_mul(self.grain).min(self.len);
        place(pieces.start)..place(pieces.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once_and_in_order() {
        for (len, grain) in [(0, 4), (1, 4), (4, 4), (5, 4), (17, 4), (3, usize::MAX)] {
            let pieces = Pieces::of(len, grain);
            let covered: Vec<usize> =
                (0..pieces.count()).flat_map(|piece| pieces.range(piece..piece + 1)).collect();
            assert_eq!(covered, (0..len).collect::<Vec<_>>());
        }
        assert_eq!(Pieces::whole(0).count(), 1);
        assert_eq!(Pieces::rows(64, 4, 8, 16).range(0..1), 0..8);
        assert_eq!(Pieces::rows(64, 4, 8, 16).range(6..8), 48..64);
    }

    #[test]
    fn workers_that_share_pieces_have_two_calls_each() {
        let pieces = |count: usize| Pieces::of(10 * count, 10).together(4);
        assert_eq!([1, 2, 3, 8].map(|count| pieces(count).a_call(1)), [1, 2, 3, 4]);
        assert_eq!([1, 2, 5, 8, 16, 40].map(|count| pieces(count).a_call(2)), [1, 1, 2, 2, 4, 4]);
        assert_eq!(Pieces::of(80, 10).a_call(1), 1);
        let pieces = |least| Pieces::of(80, 10).one_call_each(least);
        assert_eq!([1, 2, 3, 8, 9].map(|workers| pieces(2).a_call(workers)), [8, 4, 3, 1, 1]);
        assert_eq!([1, 2, 3, 8, 9].map(|workers| pieces(3).a_call(workers)), [8, 8, 3, 1, 1]);
    }
}
