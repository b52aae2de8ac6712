//! Windows at which the same elements of a kernel meet those of a tensor, and where their products go.

use crate::kernel::conv::taps::Distances;
use crate::kernel::windows::padded::Padded;

/// Windows of a copy, in lines of neighbors, and the elements of a kernel that they are multiplied with.
#[derive(Debug)]
pub(crate) struct Phase {
    /// Where the elements of a kernel are, and what they are multiplied with.
    pub(crate) depths: [Distances; 2],
    /// Where each line starts.
    pub(crate) lines: Distances,
    /// The windows of a line.
    pub(crate) line: usize,
    /// Where each line goes in a row of the result, and how far neighbors are apart there.
    pub(crate) places: Vec<usize>,
    pub(crate) step: usize,
}

/// What windows start at along an axis, and where they go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The position of the first window in the copy, and how far the next is behind it.
    pub(crate) start: usize,
    pub(crate) stride: usize,
    pub(crate) windows: usize,
    /// The position of the first window in the result, and how far the next is behind it.
    pub(crate) first: usize,
    pub(crate) step: usize,
    /// The size of the result.
    pub(crate) size: usize,
}

impl Phase {
    /// Windows that start at these positions along the axes, the elements `kernel` meeting those at `taps` behind them.
    pub(crate) fn new(padded: &Padded, kernel: Vec<usize>, taps: &[Vec<usize>], spans: &[Span]) -> Phase {
        let (last, outer) = spans.split_last().expect("windows slide over an axis");
        let positions = |span: &Span| (0..span.windows).map(|at| span.start + at * span.stride).collect();
        let starts: Vec<Vec<usize>> = outer.iter().map(positions).chain([vec![last.start]]).collect();
        let places = outer.iter().fold(vec![0], |rows: Vec<usize>, span| {
            let row =
                |row: usize| (0..span.windows).map(move |at| row * span.size + span.first + at * span.step);
            rows.into_iter().flat_map(row).collect()
        });
        Phase {
            depths: [kernel, padded.in_planes(taps)].map(Distances::from),
            lines: padded.in_plane(&starts).into(),
            line: last.windows,
            places: places.into_iter().map(|row| row * last.size + last.first).collect(),
            step: last.step,
        }
    }

    /// The same with every window a line of its own.
    pub(crate) fn one_by_one(self) -> Phase {
        let each = |lines: &[usize], step: usize| -> Vec<usize> {
            lines.iter().flat_map(|line| (0..self.line).map(move |at| line + at * step)).collect()
        };
        let (lines, places) = (each(self.lines.as_slice(), 1).into(), each(&self.places, self.step));
        Phase { lines, line: 1, places, step: 1, ..self }
    }

    /// How many elements are added up for each window.
    pub(crate) fn depth(&self) -> usize {
        self.depths[0].len()
    }

    /// The number of windows.
    pub(crate) fn windows(&self) -> usize {
        self.lines.len() * self.line
    }

    /// Whether the products are a whole row of the result, in order.
    pub(crate) fn is_in_order(&self) -> bool {
        self.step == 1 && self.places.iter().enumerate().all(|(at, place)| *place == at * self.line)
    }
}
