//! Which steps are sure to have finished before a step starts, in linear time.
//!
//! Steps are visited in a topological order. For each, a row of bits says which of the last [`WINDOW`] steps are its
//! ancestors, and a floor says that everything before some step is. Answers inside the window are exact; a step older
//! than the window counts as an ancestor only if it lies below the floor, so the answer "yes" can always be trusted.
//!
//! A path between two steps runs through steps in between, each of which has the older one in its own window: that is
//! why bits that fall out of a window are never missed by a younger one.

use std::ops::Range;

use crate::plan::id::StepId;

/// How many steps back ancestors are told apart. Graphs with fewer steps get exact answers.
const WINDOW: usize = 8192;

/// Ancestors of each step, known for the steps opened so far.
///
/// Time `O(steps · WINDOW / 64)` at worst, less the closer the graph is to a chain; memory `O(WINDOW²)` bits.
#[derive(Debug)]
pub(crate) struct Reach {
    /// Every earlier step is an ancestor: for plans that run on one thread, in order.
    in_order: bool,
    /// Words of a row: the window's length over 64.
    words: usize,
    /// One row per step of the window, addressed modulo the window. Word `w` of a row stands at `w % words`.
    rows: Vec<u64>,
    /// Per step: every step before this one is an ancestor. Kept for all steps, being one word each.
    floors: Vec<u32>,
    /// The row being computed by [`reduce`](Reach::reduce).
    scratch: Vec<u64>,
}

impl Reach {
    /// For `steps` steps that run as soon as their predecessors have finished, on any number of threads.
    pub(crate) fn any_order(steps: usize) -> Reach {
        Reach::with_window(steps, WINDOW)
    }

    /// For `steps` steps that run one after the other, in their order.
    pub(crate) fn in_order(steps: usize) -> Reach {
        let floors = Vec::with_capacity(steps);
        Reach { in_order: true, words: 0, rows: Vec::new(), floors, scratch: Vec::new() }
    }

    pub(crate) fn with_window(steps: usize, window: usize) -> Reach {
        let words = steps.min(window).div_ceil(64).max(1);
        let floors = Vec::with_capacity(steps);
        Reach { in_order: false, words, rows: vec![0; words * 64 * words], floors, scratch: vec![0; words] }
    }

    /// Goes to the next step, whose direct predecessors are `predecessors`.
    pub(crate) fn open(&mut self, predecessors: &[StepId]) -> StepId {
        let step = StepId::new(self.floors.len());
        if self.in_order {
            self.floors.push(step.index() as u32);
            return step;
        }
        let floor = predecessors.iter().map(|p| self.floors[p.index()]).max().unwrap_or(0);
        self.floors.push(floor);
        let span = self.span(step, floor);
        for word in span {
            let at = self.at(step, word);
            self.rows[at] = below(word, floor as usize);
        }
        for predecessor in predecessors {
            self.merge(step, *predecessor);
        }
        self.raise_floor(step);
        step
    }

    /// Adds `predecessor` to the direct predecessors of `step`, the one opened last.
    pub(crate) fn link(&mut self, step: StepId, predecessor: StepId) {
        if self.in_order {
            return;
        }
        debug_assert_eq!(
            step.index() + 1,
            self.floors.len(),
            "later steps have taken over this one's ancestors"
        );
        // The row stays correct when the floor rises: bits below it are then not looked at.
        let floor = self.floors[predecessor.index()].max(self.floors[step.index()]);
        self.floors[step.index()] = floor;
        let word = floor as usize / 64;
        if self.span(step, floor).contains(&word) {
            let at = self.at(step, word);
            self.rows[at] |= below(word, floor as usize);
        }
        self.merge(step, predecessor);
        self.raise_floor(step);
    }

    /// Whether `ancestor` has surely finished when `step` starts. A step is not its own ancestor.
    ///
    /// `step` must be the one opened last, or lie within a window of it.
    pub(crate) fn is_ancestor(&self, ancestor: StepId, step: StepId) -> bool {
        if ancestor >= step {
            return false;
        }
        let floor = self.floors[step.index()];
        if ancestor.index() < floor as usize {
            return true;
        }
        let word = ancestor.index() / 64;
        self.span(step, floor).contains(&word)
            && self.rows[self.at(step, word)] >> (ancestor.index() % 64) & 1 == 1
    }

    /// Drops the predecessors of `step` that are ancestors of another one: transitive reduction.
    ///
    /// `predecessors` must be sorted, each once. An edge longer than the window may be kept although it could go;
    /// for steps that run in order nothing is dropped.
    pub(crate) fn reduce(&mut self, step: StepId, predecessors: &mut Vec<StepId>) {
        if self.in_order {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.fill(0);
        let (mut floor, first) = (0, self.span(step, 0).start);
        let mut kept = predecessors.len();
        // The nearest first: nothing later can have it as an ancestor.
        for at in (0..predecessors.len()).rev() {
            let predecessor = predecessors[at];
            let word = predecessor.index() / 64;
            let known = word >= first && scratch[word % self.words] >> (predecessor.index() % 64) & 1 == 1;
            if known || predecessor.index() < floor {
                continue;
            }
            kept -= 1;
            predecessors[kept] = predecessor;
            let below = self.floors[predecessor.index()];
            floor = floor.max(below as usize);
            if self.holds(predecessor, step) {
                for word in self.span(predecessor, below).start.max(first)..=predecessor.index() / 64 {
                    scratch[word % self.words] |= self.rows[self.at(predecessor, word)];
                }
            }
        }
        predecessors.drain(..kept);
        self.scratch = scratch;
    }

    /// Whether the row of `step` has not been overwritten when `last` was opened.
    fn holds(&self, step: StepId, last: StepId) -> bool {
        last.index() - step.index() < self.words * 64
    }

    /// The words of a row of `step` that lie in the window and at or above its floor.
    fn span(&self, step: StepId, floor: u32) -> Range<usize> {
        let last = step.index() / 64;
        (last + 1).saturating_sub(self.words).max(floor as usize / 64)..last + 1
    }

    /// Where word `word` of the row of `step` is kept.
    fn at(&self, step: StepId, word: usize) -> usize {
        step.index() % (self.words * 64) * self.words + word % self.words
    }

    /// Takes `predecessor` and its ancestors over into the row of `step`.
    fn merge(&mut self, step: StepId, predecessor: StepId) {
        let span = self.span(step, self.floors[step.index()]);
        let own = predecessor.index() / 64;
        if self.holds(predecessor, step) {
            for word in span.start..=own {
                let bits = self.rows[self.at(predecessor, word)];
                let at = self.at(step, word);
                self.rows[at] |= bits;
            }
        }
        if span.contains(&own) {
            let at = self.at(step, own);
            self.rows[at] |= 1 << (predecessor.index() % 64);
        }
    }

    /// Raises the floor of `step` over the ancestors that directly follow it.
    fn raise_floor(&mut self, step: StepId) {
        let mut floor = self.floors[step.index()] as usize;
        while floor < step.index() && self.span(step, floor as u32).contains(&(floor / 64)) {
            let bits = self.rows[self.at(step, floor / 64)] >> (floor % 64);
            let run = bits.trailing_ones() as usize;
            floor += run;
            if run == 0 || !floor.is_multiple_of(64) {
                break;
            }
        }
        self.floors[step.index()] = floor.min(step.index()) as u32;
    }
}

/// Word `word` of a row in which all bits below `floor` are set.
fn below(word: usize, floor: usize) -> u64 {
    match floor.saturating_sub(word * 64) {
        set if set >= 64 => u64::MAX,
        set => (1 << set) - 1,
    }
}
