//! Concatenation: rows of the result are rows of the operands, one after the other.

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId, dispatch};

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::movement::rows::{Apart, NARROW, copy_rows};
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// Operands joined along an axis.
#[derive(Debug)]
pub(crate) struct Concat {
    dtype: DType,
    /// Elements of each operand per row, a row being everything from the joined axis inwards.
    parts: Vec<usize>,
    len: usize,
}

/// Rows that are joined operand by operand where some have few elements: they stay in the first-level cache.
const TOGETHER: usize = 64;

impl Concat {
    /// The operands of a node, joined along `axis`.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize) -> Concat {
        let part = |operand: &NodeId| sizes(graph, *operand)[axis..].iter().product();
        Concat {
            dtype: graph.ty(node).dtype,
            parts: graph.node(node).operands.iter().map(part).collect(),
            len: numel(graph, node),
        }
    }
}

impl Compute for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let row_length: usize = self.parts.iter().sum();
        let is_narrow = self.parts.iter().any(|part| (1..NARROW).contains(part));
        let mut at = range.start;
        dispatch!(self.dtype, T => {
            let mut rest = write.typed::<T>();
            while !rest.is_empty() {
                let row = at / row_length;
                let rows = (rest.len() / row_length).min(TOGETHER);
                if is_narrow && at == row * row_length && rows > 1 {
                    let (block, tail) = rest.split_at_mut(rows * row_length);
                    let mut column = 0;
                    for (part, read) in self.parts.iter().zip(reads).filter(|(part, _)| **part > 0) {
                        let from = Apart { elements: &read.typed::<T>()[row * part..], apart: *part };
                        copy_rows(from, Apart { elements: &mut block[column..], apart: row_length }, *part);
                        column += part;
                    }
                    rest = tail;
                    at += rows * row_length;
                    continue;
                }
                let mut start = row * row_length;
                for (part, read) in self.parts.iter().zip(reads) {
                    // What of this operand's row lies at and after `at`, and in the piece.
                    let skipped = at - start;
                    if skipped < *part {
                        let count = (part - skipped).min(rest.len());
                        let (run, tail) = rest.split_at_mut(count);
                        let from = row * part + skipped;
                        run.copy_from_slice(&read.typed::<T>()[from..from + count]);
                        rest = tail;
                        at += count;
                    }
                    start += part;
                    if at < start {
                        break;
                    }
                }
            }
        });
        Ok(())
    }
}
