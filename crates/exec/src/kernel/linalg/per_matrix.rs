//! What all ops on stacks of matrices share: a matrix after the other, in `f64`, and whose error is reported.

use std::fmt;
use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId};

use crate::kernel::compute::Compute;
use crate::kernel::linalg::space::Space;
use crate::kernel::linalg::triangle::SMALL;
use crate::kernel::loops::Convert;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::Scratch;
use crate::kernel::simd;
use crate::kernel::slice::{Slice, SliceMut};

/// What is done with one matrix.
pub(crate) trait Rule: fmt::Debug + Send + Sync {
    /// The name in plans and traces.
    const NAME: &'static str;

    /// The operands whose buffers may become the result's: right-hand sides, if there are any.
    const IN_PLACE: &'static [usize];

    /// Arithmetic operations for a matrix of `n` rows and so many right-hand sides.
    fn flops(&self, n: u64, columns: u64) -> u64;

    /// Computes the result.
    ///
    /// # Errors
    /// What the matrix is that it should not be, to be read after its name. It depends on the matrix alone.
    fn compute(&self, task: Task<'_>) -> Result<(), String>;
}

/// One matrix, and where its result goes.
pub(crate) struct Task<'a> {
    /// Rows of the matrix.
    pub(super) n: usize,
    /// Columns of the result.
    pub(super) columns: usize,
    /// The matrix, row by row.
    pub(super) matrix: &'a [f64],
    /// The result; at first the right-hand sides, if there are any.
    pub(super) result: &'a mut [f64],
    pub(super) space: &'a mut Space,
}

/// A rule for each matrix of a stack.
#[derive(Debug)]
pub(crate) struct PerMatrix<R> {
    rule: R,
    dtype: DType,
    /// How many matrices there are.
    len: usize,
    n: usize,
    columns: usize,
    /// Elements of the result per matrix.
    pub(super) item: usize,
}

/// Operations per piece: about 10 µs.
const GRAIN: usize = 64 * 1024;

/// What a matrix costs beside its operations.
const START: usize = 500;

/// Where matrices of `f32` are as `f64`, and the results of one.
const WIDE: [usize; 2] = [0, 1];

impl<R: Rule> PerMatrix<R> {
    /// The rule for the first operand of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, rule: R) -> PerMatrix<R> {
        let (matrices, result) = (sizes(graph, graph.node(node).operands[0]), sizes(graph, node));
        let axes = matrices.len() - 2;
        PerMatrix {
            rule,
            dtype: graph.ty(node).dtype,
            len: matrices[..axes].iter().product(),
            n: matrices[axes],
            columns: result.get(axes + 1).copied().unwrap_or(1),
            item: result[axes..].iter().product(),
        }
    }

    /// The same with so many elements of the result per matrix.
    pub(super) fn with_item(self, item: usize) -> PerMatrix<R> {
        PerMatrix { item, ..self }
    }

    /// Results of `item` elements per matrix, cut between matrices.
    pub(super) fn pieces_of(&self, item: usize) -> Pieces {
        let cost = usize::try_from(self.flops_of_one()).unwrap_or(usize::MAX).saturating_add(START);
        Pieces::rows(self.len * item, item, cost, GRAIN)
    }

    fn flops_of_one(&self) -> u64 {
        self.rule.flops(self.n as u64, self.columns as u64)
    }

    /// Matrix `at` as messages name it.
    fn name_of(&self, at: usize) -> String {
        if self.len == 1 { "the matrix".into() } else { format!("matrix {at} of the stack") }
    }

    /// Computes one matrix after the other, each as `one` says.
    fn run_each(
        &self,
        stack: Range<usize>,
        mut one: impl FnMut(usize, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        for (place, at) in stack.enumerate() {
            let Err(message) = one(at, place) else { continue };
            // Pieces run in any order, but it is always the first matrix that is reported.
            for earlier in 0..at {
                one(earlier, place).map_err(|message| format!("{} {message}", self.name_of(earlier)))?;
            }
            return Err(format!("{} {message}", self.name_of(at)));
        }
        Ok(())
    }

    fn run_f64(
        &self,
        stack: Range<usize>,
        reads: &[Slice<'_>],
        write: &mut [f64],
        space: &mut Space,
    ) -> Result<(), String> {
        let PerMatrix { n, columns, item, .. } = *self;
        let matrices = reads[0].typed::<f64>();
        let rights = reads.get(1).map_or(&[][..], |rights| rights.typed::<f64>());
        self.run_each(stack, |at, place| {
            let result = &mut write[place * item..][..item];
            if !rights.is_empty() {
                result.copy_from_slice(&rights[at * item..][..item]);
            }
            let matrix = &matrices[at * n * n..][..n * n];
            self.rule.compute(Task { n, columns, matrix, result, space })
        })
    }

    fn run_f32(
        &self,
        stack: Range<usize>,
        reads: &[Slice<'_>],
        write: &mut [f32],
        space: &mut Space,
        [matrix, result]: [&mut [f64]; 2],
    ) -> Result<(), String> {
        let PerMatrix { n, columns, item, .. } = *self;
        let (matrix, result) = (&mut matrix[..n * n], &mut result[..item]);
        let matrices = reads[0].typed::<f32>();
        let rights = reads.get(1).map(|rights| rights.typed::<f32>());
        self.run_each(stack, |at, place| {
            let write = &mut write[place * item..][..item];
            simd::run(Convert { x: &matrices[at * n * n..][..n * n], out: matrix });
            match rights {
                Some(rights) if !rights.is_empty() => {
                    simd::run(Convert { x: &rights[at * item..][..item], out: result });
                }
                Some(_) => simd::run(Convert { x: write, out: result }),
                None => {}
            }
            self.rule.compute(Task { n, columns, matrix, result, space })?;
            simd::run(Convert { x: result, out: write });
            Ok(())
        })
    }
}

impl<R: Rule> Compute for PerMatrix<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn pieces(&self) -> Pieces {
        self.pieces_of(self.item)
    }

    fn in_place(&self) -> &[usize] {
        R::IN_PLACE
    }

    fn flops(&self) -> u64 {
        self.len as u64 * self.flops_of_one()
    }

    fn flops_of_products(&self) -> u64 {
        // Of every row, the nearest ones are left to loops.
        let rest = (self.n + self.columns) as u64 * (self.n * SMALL) as u64;
        self.len as u64 * self.flops_of_one().saturating_sub(rest)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        // Where nothing is to be written, matrices are looked at all the same.
        let stack = match self.item {
            0 => 0..self.len,
            item => range.start / item..range.end / item,
        };
        let mut space = Space::take(scratch);
        let done = match self.dtype {
            DType::F64 => self.run_f64(stack, reads, write.typed(), &mut space),
            _ => {
                let mut matrix = scratch.take::<f64>(WIDE[0], self.n * self.n);
                let mut result = scratch.take::<f64>(WIDE[1], self.item);
                let done = self.run_f32(stack, reads, write.typed(), &mut space, [&mut matrix, &mut result]);
                scratch.put(WIDE[0], matrix);
                scratch.put(WIDE[1], result);
                done
            }
        };
        space.put(scratch);
        done
    }
}
