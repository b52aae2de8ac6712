//! A product whose left operand is made on the way, some rows at a time: it is multiplied while it is in the cache, and never
//! in memory as a whole.
//!
//! Which products have a prologue is decided [when regions are there](crate::kernel::chain). The rows go into a buffer of the
//! worker. The bits are those of two steps: neither kernel's depend on which rows it is asked for.

use std::ops::Range;

use pullback_graph::op::DotGeneral;
use pullback_graph::{DType, Graph, NodeId};

use crate::kernel::compute::{Buffers, Compute, Kernel};
use crate::kernel::dot::Dot;
use crate::kernel::matmul::Scalar;
use crate::kernel::pieces::Pieces;
use crate::kernel::region::{Left, Region, place};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// A product with its prologue.
#[derive(Debug)]
pub(crate) struct Prologue {
    /// What makes rows of the left operand.
    left: Kernel,
    product: Dot,
    /// Where the right operand is among those of the region.
    right: usize,
    dtype: DType,
    /// Rows that are made at once.
    block: usize,
}

/// The worker's buffer for rows of the left operand, behind those that both kernels use.
pub(crate) const BUFFER: usize = 7;

/// The least rows that are made at once, of which there is a multiple, and the most: fewer are multiplied more slowly, more save
/// nothing.
const ROWS: (usize, usize) = (32, 128);

/// Bytes of the left operand that are made at once, if enough rows go into them: with what they are multiplied by, they stay in
/// the second-level cache.
const HELD: usize = 1 << 19;

/// Bytes that are made at once at most: so many still fit that cache.
const MOST_HELD: usize = 1 << 21;

/// How many elements of right operands may be packed for each element that is made: to write one into memory and read it again
/// takes as long.
const PACKED: usize = 4;

/// Blocks of rows at least: fewer would save little, and leave threads idle.
const BLOCKS: usize = 4;

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

impl Prologue {
    /// How many rows of the left operand of `product`, which `first` is on the way to, are made at once; `None` if that does
    /// not pay.
    pub(crate) fn rows(first: &Dot, product: &Dot) -> Option<usize> {
        let [rows, columns, _] = product.sizes();
        let (least, most) = ROWS;
        let row = columns * product.dtype().bytes();
        // As many as stay in the cache and keep twice as many threads busy as there must be blocks; more if packing costs more.
        let wanted = (HELD / row.max(1)).min(rows / (2 * BLOCKS)).clamp(least, most);
        let packs_little =
            |rows: &usize| first.packed_for(*rows) + product.packed_for(*rows) <= PACKED * rows * columns;
        let mut choices = (wanted - wanted % least..=most).step_by(least);
        choices.find(packs_little).filter(|block| BLOCKS * block <= rows && block * row <= MOST_HELD)
    }

    /// The kernel of a region, or the product `at` of its head, whose left operand is made by `left`.
    pub(crate) fn of(graph: &Graph, region: &Region, left: &Left, at: NodeId, op: &DotGeneral) -> Prologue {
        let here = Region { operands: region.operands.clone(), ..left.region.clone() };
        Prologue {
            left: Kernel::lower(graph, &here),
            block: left.rows,
            dtype: graph.ty(at).dtype,
            product: Dot::of(graph, region, at, op),
            right: place(graph, region, at, 1),
        }
    }

    fn compute<T: Banked + Scalar>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let [_, columns, n] = self.product.sizes();
        let mut buffer = scratch.take::<T>(BUFFER, self.block.min(range.len() / n) * columns);
        let blocks = (range.start / n..range.end / n).step_by(self.block);
        let outcome = blocks.zip(out.chunks_mut(self.block * n)).try_for_each(|(first, out)| {
            let rows = first..first + out.len() / n;
            let made = &mut buffer[..rows.len() * columns];
            let writes = &mut [T::slice_mut(made)];
            self.left.run_rows(
                rows.start * columns..rows.end * columns,
                Buffers { reads, writes },
                scratch,
            )?;
            self.product.multiply_rows(rows.start * n..rows.end * n, made, reads[self.right], out, scratch);
            Ok(())
        });
        scratch.put(BUFFER, buffer);
        outcome
    }
}

impl Compute for Prologue {
    fn name(&self) -> &'static str {
        match self.left.name() {
            "matmul" => "matmul+matmul",
            _ => "matmul+fused+matmul",
        }
    }

    fn pieces(&self) -> Pieces {
        let [rows, _, n] = self.product.sizes();
        let row = self.flops_of_products() as usize / (2 * rows);
        let blocks = (GRAIN / (row * self.block)).max(1);
        Pieces::of(rows * n, blocks * self.block * n)
    }

    fn flops(&self) -> u64 {
        self.left.flops() + self.product.flops()
    }

    fn flops_of_products(&self) -> u64 {
        self.left.flops_of_products() + self.product.flops_of_products()
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match self.dtype {
            DType::F32 => self.compute::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.compute::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => Err("takes floating-point elements".into()),
        }
    }
}
