//! Copied panels of a right operand that are kept, for the next rows that are multiplied by it.

use crate::kernel::matmul::gemm::DEPTH;
use crate::kernel::scratch::Aligned;

/// Elements of a right operand at most whose panels are kept: two of so many `f32` fit the second-level caches of most processors.
pub(crate) const MOST_KEPT: usize = 1 << 17;

/// Part of a block of the contracted axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    /// The number of the block.
    pub(super) block: usize,
    /// How many of its elements come before.
    pub(super) skipped: usize,
    /// The first element, counted from the beginning of the axis.
    pub(super) start: usize,
    /// How many there are.
    pub(super) len: usize,
}

/// Panels of one matrix, as far as they were copied: block of the contracted axis by block, each row side by side.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    elements: Aligned<T>,
    /// Where the matrix starts in its operand; `None`: nothing is kept.
    of: Option<usize>,
    /// For each block of each panel, how many of its rows are there. Empty until the first one is.
    rows: Vec<usize>,
    blocks: usize,
    /// From where on rows or columns of the matrix were found to be sound: see [`Panels::are_sound`].
    sound: usize,
    /// Elements from one panel to the next, and from row to row.
    size: usize,
    width: usize,
}

impl<T> Default for Panels<T> {
    fn default() -> Panels<T> {
        let (elements, rows) = (Aligned::default(), Vec::new());
        Panels { elements, of: None, rows, blocks: 0, sound: usize::MAX, size: 0, width: 0 }
    }
}

impl<T: Copy + Default> Panels<T> {
    /// Keeps what is copied of the matrix that starts there, and forgets any other.
    #[inline]
    pub(crate) fn keep(&mut self, start: usize) {
        if self.of != Some(start) {
            self.forget();
            self.of = Some(start);
        }
    }

    /// Whether what `holds` asks is so of all rows, or columns, of the matrix from this one on. It is not asked again of those
    /// behind one that it holds for.
    pub(crate) fn are_sound(&mut self, from: usize, holds: impl FnOnce() -> bool) -> bool {
        if from < self.sound && holds() {
            self.sound = from;
        }
        from >= self.sound
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.rows.clear();
        (self.of, self.sound) = (None, usize::MAX);
    }

    /// Makes room for the panels of a matrix of so many rows and columns, all but the last one of which have `width` columns.
    #[inline(always)]
    pub(super) fn open(&mut self, rows: usize, columns: usize, width: usize) {
        if self.rows.is_empty() {
            let (panels, blocks) = (columns.div_ceil(width), rows.div_ceil(DEPTH));
            self.rows.resize(panels * blocks, 0);
            self.elements.grow(panels * width * rows);
            (self.blocks, self.size, self.width) = (blocks, width * rows, width);
        }
    }

    /// The place of a part of a panel, and whether it is there already; if not, it is about to be.
    #[inline(always)]
    pub(super) fn place(&mut self, panel: usize, depth: Depth) -> (&mut [T], bool) {
        let is_there = self.is_there(panel, depth);
        if !is_there && depth.skipped == 0 {
            self.rows[panel * self.blocks + depth.block] = depth.len;
        }
        let start = panel * self.size + depth.start * self.width;
        (&mut self.elements[start..start + depth.len * self.width], is_there)
    }

    /// A part of a panel, if it is there.
    #[inline(always)]
    pub(super) fn part(&self, panel: usize, depth: Depth) -> Option<&[T]> {
        let start = panel * self.size + depth.start * self.width;
        self.is_there(panel, depth).then(|| &self.elements[start..start + depth.len * self.width])
    }

    #[inline(always)]
    fn is_there(&self, panel: usize, depth: Depth) -> bool {
        depth.skipped + depth.len <= self.rows[panel * self.blocks + depth.block]
    }

    /// Grows to what `other` has.
    pub(crate) fn cover(&mut self, other: &Panels<T>) {
        if self.elements.len() < other.elements.len() {
            self.forget();
            self.elements.grow(other.elements.len());
        }
        // Exactly: workers that cover each other would grow in turns.
        self.rows.reserve_exact(other.rows.capacity().saturating_sub(self.rows.len()));
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.elements[..]) + self.rows.capacity() * size_of::<usize>()
    }
}
