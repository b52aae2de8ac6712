//! What every kernel can be asked and told.

use std::fmt;
use std::ops::Range;

use crate::kernel::pieces::Pieces;
use crate::kernel::reductions::columns::Totals;
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

    /// What is to be done with the result, which holds the totals of groups; `None` if it is what it should be.
    fn rest(&self) -> Option<Totals> {
        None
    }

    /// Arithmetic operations in all.
    fn flops(&self) -> u64 {
        0
    }

    /// How many of them are those of a product.
    fn flops_of_products(&self) -> u64 {
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

/// One way to compute several values at once: what [`Compute`] is for one.
pub(crate) trait ComputeAll: fmt::Debug + Send + Sync {
    /// See [`Compute::name`].
    fn name(&self) -> &'static str;

    /// How the work is cut, in elements of the largest results.
    fn pieces(&self) -> Pieces;

    /// Which elements of result `write` belong to the elements `range` of the largest ones.
    fn part(&self, write: usize, range: Range<usize>) -> Range<usize>;

    /// Operands whose buffer may become that of a result of as many elements of the same type: see
    /// [`Compute::in_place`].
    fn in_place(&self) -> &[usize];

    /// Says for each result the operand whose buffer has become its own, once memory is planned: the operand's slice is
    /// empty from then on, and the result holds its elements until they are overwritten.
    fn overwrite(&mut self, _in_place: &[Option<u32>]) {}

    /// See [`Compute::alias`].
    fn alias(&self) -> Option<usize> {
        None
    }

    /// See [`Compute::rest`].
    fn rest(&self, _write: usize) -> Option<Totals> {
        None
    }

    /// See [`Compute::flops`].
    fn flops(&self) -> u64;

    /// See [`Compute::flops_of_products`].
    fn flops_of_products(&self) -> u64 {
        0
    }

    /// Computes the [`part`](ComputeAll::part) of every result that belongs to `range`.
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    fn run(&self, range: Range<usize>, buffers: Buffers<'_, '_>, scratch: &mut Scratch)
    -> Result<(), String>;
}

/// What a piece of a kernel reads and writes.
#[derive(Debug)]
pub(crate) struct Buffers<'a, 'b> {
    /// Whole operands. One whose buffer has become a result's is empty here.
    pub(crate) reads: &'a [Slice<'b>],
    /// The part of each result that the piece writes.
    pub(crate) writes: &'a mut [SliceMut<'b>],
}

/// A kernel of one result, as one of several.
#[derive(Debug)]
struct One<C>(C);

impl<C: Compute> ComputeAll for One<C> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pieces(&self) -> Pieces {
        self.0.pieces()
    }

    fn part(&self, _write: usize, range: Range<usize>) -> Range<usize> {
        range
    }

    fn in_place(&self) -> &[usize] {
        self.0.in_place()
    }

    fn alias(&self) -> Option<usize> {
        self.0.alias()
    }

    fn rest(&self, _write: usize) -> Option<Totals> {
        self.0.rest()
    }

    fn flops(&self) -> u64 {
        self.0.flops()
    }

    fn flops_of_products(&self) -> u64 {
        self.0.flops_of_products()
    }

    fn run(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let [write] = buffers.writes else { unreachable!("the kernel has one result") };
        let all = 0..write.len();
        self.0.run(range, buffers.reads, write.part(all), scratch)
    }
}

/// A kernel for one region of a graph.
#[derive(Debug)]
pub(crate) struct Kernel {
    compute: Box<dyn ComputeAll>,
    pieces: Pieces,
    /// How many pieces there are: a division that a small step would notice.
    count: usize,
}

impl<C: Compute + 'static> From<C> for Kernel {
    fn from(compute: C) -> Self {
        Kernel::of(One(compute))
    }
}

impl Kernel {
    /// A kernel of several results.
    pub(crate) fn of(compute: impl ComputeAll + 'static) -> Kernel {
        let pieces = compute.pieces();
        Kernel { pieces, count: pieces.count(), compute: Box::new(compute) }
    }

    /// The name in plans and traces.
    pub(crate) fn name(&self) -> &'static str {
        self.compute.name()
    }

    /// The positions of operands whose buffers may become those of results of their size and type.
    pub(crate) fn in_place(&self) -> &[usize] {
        self.compute.in_place()
    }

    /// See [`ComputeAll::overwrite`].
    pub(crate) fn overwrite(&mut self, in_place: &[Option<u32>]) {
        self.compute.overwrite(in_place);
    }

    /// The position of the operand whose bytes are the result's, unchanged.
    pub(crate) fn alias(&self) -> Option<usize> {
        self.compute.alias()
    }

    /// The kernel that makes result `write` of what this one writes there; `None` if it writes the result.
    pub(crate) fn rest(&self, write: usize) -> Option<Totals> {
        self.compute.rest(write)
    }

    /// How many pieces may run on their own, in any order; at least one.
    pub(crate) fn pieces(&self) -> usize {
        self.count
    }

    /// How many neighboring pieces to run in one call: see [`Pieces::a_call`].
    pub(crate) fn together(&self, workers: usize) -> usize {
        self.pieces.a_call(workers)
    }

    /// Which elements of result `write` some neighboring pieces write.
    pub(crate) fn written(&self, pieces: Range<usize>, write: usize) -> Range<usize> {
        self.compute.part(write, self.pieces.range(pieces))
    }

    /// See [`ComputeAll::part`].
    pub(crate) fn part(&self, write: usize, range: Range<usize>) -> Range<usize> {
        self.compute.part(write, range)
    }

    /// Arithmetic operations in all.
    pub(crate) fn flops(&self) -> u64 {
        self.compute.flops()
    }

    /// See [`ComputeAll::flops_of_products`].
    pub(crate) fn flops_of_products(&self) -> u64 {
        self.compute.flops_of_products()
    }

    /// Computes the parts of results that belong to whole rows, wherever pieces end: see [`ComputeAll::run`].
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    pub(crate) fn run_rows(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        self.compute.run(range, buffers, scratch)
    }

    /// Computes neighboring pieces: see [`ComputeAll::run`].
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    pub(crate) fn run(
        &self,
        pieces: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        self.compute.run(self.pieces.range(pieces), buffers, scratch)
    }
}
