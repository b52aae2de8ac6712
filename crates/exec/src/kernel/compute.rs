//! What every kernel can be asked and told.

use std::fmt;
use std::ops::Range;

use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// One way to compute a value from operands of fixed types and sizes.
pub(crate) trait Compute: fmt::Debug + Send + Sync {
    /// The name in plans and traces.
    fn name(&self) -> &'static str;

    /// How the result is cut. It may depend on shapes alone.
    fn pieces(&self) -> Pieces;

    /// Operands whose buffer may become the result's: each element of such an operand is read before the result's
    /// element at the same place is written, and by the same piece.
    fn in_place(&self) -> &[usize] {
        &[]
    }

    /// The operand whose bytes are the result's, unchanged: nothing need run.
    fn alias(&self) -> Option<usize> {
        None
    }

    /// Arithmetic operations in all.
    fn flops(&self) -> u64 {
        0
    }

    /// Computes the elements `range` of the result.
    ///
    /// `reads` are whole operands, and `write` holds the elements `range`. If an operand's buffer has become the
    /// result's, its slice is empty and `write` holds its elements. The bits must not depend on `range`.
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String>;
}

/// A kernel for one region of a graph.
#[derive(Debug)]
pub(crate) struct Kernel {
    compute: Box<dyn Compute>,
    pieces: Pieces,
}

impl<C: Compute + 'static> From<C> for Kernel {
    fn from(compute: C) -> Self {
        Kernel { pieces: compute.pieces(), compute: Box::new(compute) }
    }
}

impl Kernel {
    /// The name in plans and traces.
    pub(crate) fn name(&self) -> &'static str {
        self.compute.name()
    }

    /// The positions of operands whose buffer may become the result's.
    pub(crate) fn in_place(&self) -> &[usize] {
        self.compute.in_place()
    }

    /// The position of the operand whose bytes are the result's, unchanged.
    pub(crate) fn alias(&self) -> Option<usize> {
        self.compute.alias()
    }

    /// How many pieces may run on their own, in any order; at least one.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.count()
    }

    /// Which elements of the result a piece writes.
    pub(crate) fn piece_range(&self, piece: usize) -> Range<usize> {
        self.pieces.range(piece)
    }

    /// Arithmetic operations in all.
    pub(crate) fn flops(&self) -> u64 {
        self.compute.flops()
    }

    /// Computes one piece: see [`Compute::run`].
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    pub(crate) fn run(
        &self,
        piece: usize,
        reads: &[Slice<'_>],
        write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let range = self.pieces.range(piece);
        debug_assert_eq!(range.len(), write.len(), "a piece writes its own range");
        self.compute.run(range, reads, write, scratch)
    }
}
