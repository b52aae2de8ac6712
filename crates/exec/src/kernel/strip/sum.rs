//! Products that contract the rows of a strip: each block of rows adds its share.
//!
//! The sum of an element is the same, in the same order, as when the product is computed at once: there the contracted axis is
//! cut into [blocks](crate::kernel::matmul::depths), each of which is one chain of additions, and the chains are added up. Here
//! a chain is taken up where the rows before have left it; the first one in the result, a later one in a buffer of its own.

use std::ops::Range;

use crate::kernel::matmul::{Scalar, depths};
use crate::kernel::products::dot::Dot;
use crate::kernel::scratch::{Aligned, Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// A product that adds up rows.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) product: Dot,
    /// Which of its operands are held.
    pub(super) held: [bool; 2],
    /// The worker's buffer for the chain of a later block.
    pub(super) buffer: usize,
}

impl Sum {
    /// Elements of the result for each matrix of rows.
    pub(super) fn size(&self) -> usize {
        let [rows, _, columns] = self.product.sizes();
        rows / self.product.stack() * columns
    }

    /// Adds what `rows`, counted over all matrices and inside one of them, come to. Of what is held there are those rows;
    /// `result` is that of their matrix.
    pub(super) fn add(
        &self,
        rows: Range<usize>,
        operands: [Slice<'_>; 2],
        mut result: SliceMut<'_>,
        scratch: &mut Scratch,
    ) {
        match result {
            SliceMut::F64(_) => self.add_typed::<f64>(rows, operands, result.typed(), scratch),
            _ => self.add_typed::<f32>(rows, operands, result.typed(), scratch),
        }
    }

    fn add_typed<T: Banked + Scalar>(
        &self,
        rows: Range<usize>,
        operands: [Slice<'_>; 2],
        result: &mut [T],
        scratch: &mut Scratch,
    ) {
        let [_, depth, _] = self.product.sizes();
        let (matrix, first) = (rows.start / depth, rows.start % depth);
        let last = first + rows.len();
        let mut later: Aligned<T> =
            scratch.take(self.buffer, if depths(depth).count() > 1 { result.len() } else { 0 });
        for (start, count) in depths(depth) {
            let (from, to) = (first.max(start), last.min(start + count));
            if from >= to {
                continue;
            }
            let chain = if start == 0 { &mut *result } else { &mut later[..result.len()] };
            let parts = [0, 1].map(|at| {
                let row = operands[at].len() / rows.len();
                let part = (from - first) * row..(to - first) * row;
                if self.held[at] { T::slice(&operands[at].typed()[part]) } else { operands[at] }
            });
            let rows = matrix * depth + from..matrix * depth + to;
            self.product.add_rows(self.held, rows, from > start, parts, chain, scratch);
            if start > 0 && to == start + count {
                for (sum, chain) in result.iter_mut().zip(&later[..]) {
                    *sum = T::add(*sum, *chain);
                }
            }
        }
        scratch.put(self.buffer, later);
    }
}
