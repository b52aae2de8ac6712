//! A product with windows, summed over all windows of a stack: what meets in each place of a window. A convolution learns its
//! kernel by it.
//!
//! Outputs lie side by side in registers, and each element of a window is multiplied with all of them at its place.

use std::ops::Range;

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, Graph, NodeId, Op};

use crate::kernel::compute::Compute;
use crate::kernel::contraction::{Grid, Source, grid};
use crate::kernel::conv::taps::{Distances, SLACK, Taps};
use crate::kernel::dot::takes_windows;
use crate::kernel::fuse::numel;
use crate::kernel::gemm::{DEPTH, evenly};
use crate::kernel::movement::sizes;
use crate::kernel::multiply::Multiply;
use crate::kernel::padded::{Axis, Padded};
use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::InstructionSet;
use crate::kernel::slice::{Slice, SliceMut};

/// Products of factors with all windows of planes, summed over the axes of a stack.
#[derive(Debug)]
pub(crate) struct Weights {
    dtype: DType,
    /// The stack that the result has, and the one that is summed over: where the factors, respectively the planes, start.
    kept: Grid,
    summed: Grid,
    /// Where the factor of each output starts.
    outputs: Vec<usize>,
    padded: Padded,
    /// Where the places of a window are, and where each window starts.
    places: Distances,
    windows: Distances,
    /// Where each window is in the factors of some outputs once these lie side by side.
    panel: Distances,
    /// The only line of a product.
    line: Distances,
}

/// Outputs that are side by side: two of the widest registers, or one where there would be too few pieces.
const WIDE: usize = 32;
const NARROW: usize = 16;

/// Outputs up to which pieces are narrow.
const FEW: usize = 32;

/// Windows that are gone through at a time: their factors stay in the first-level cache.
const BLOCK: usize = 256;
const _: () = assert!(BLOCK <= DEPTH, "a block is one sum");

impl Weights {
    /// The kernel of `sum`, which sums a product with windows over axes of its stack; `None` if it does not.
    pub(crate) fn of(graph: &Graph, sum: NodeId) -> Option<Weights> {
        let Op::Reduce(reduce) = &graph.node(sum).op else { return None };
        let at = graph.node(sum).operands[0];
        let Op::DotGeneral(op) = &graph.node(at).op else { return None };
        let [left, right] = [0, 1].map(|operand| graph.node(at).operands[operand]);
        let Op::Unfold(unfold) = &graph.node(right).op else { return None };
        let tensor = graph.node(right).operands[0];
        let count = unfold.windows.len();
        let fits = reduce.kind == ReduceKind::Sum
            && reduce.axes.iter().all(|axis| axis < op.batch_left.len())
            && count > 0
            && takes_windows(graph, at, 1)
            && numel(graph, tensor) > 0;
        if !fits {
            return None;
        }
        let (unfolded, source) = (sizes(graph, right), sizes(graph, tensor));
        let lead = source.len() - count;
        let (factor, planes) = (Source::alone(graph, left), Source::dense(&source));
        // All windows are contracted, in order and side by side in the factor; no place is one of the stack.
        let mut contracted: Vec<(usize, usize)> =
            op.contract_left.iter().zip(op.contract_right.iter()).collect();
        contracted.sort_by_key(|(_, theirs)| *theirs);
        let inner = Source::dense(&unfolded[lead + count..]);
        let in_order = contracted.len() == count
            && contracted.iter().enumerate().all(|(axis, (ours, theirs))| {
                *theirs == lead + count + axis && factor.stride(*ours) == inner.stride(axis)
            })
            && op.batch_right.iter().all(|axis| axis < lead);
        if !in_order {
            return None;
        }
        let channels = op.free_right(unfolded.len());
        let channels = channels.iter().filter(|axis| *axis < lead);
        let axes = Axis::of(&unfold.windows, &source, &unfolded);
        let padded = Padded::new(axes, grid(channels.map(|axis| (source[axis], planes.stride(axis)))));
        let windows: Vec<usize> =
            padded.lines().iter().flat_map(|line| *line..line + padded.line()).collect();
        let all = Grid::of(op, &factor, &planes);
        Some(Weights {
            dtype: graph.ty(sum).dtype,
            kept: all.axes(|axis| !reduce.axes.contains(axis)),
            summed: all.axes(|axis| reduce.axes.contains(axis)),
            outputs: grid(op.free_left(factor.sizes.len()).iter().map(|axis| factor.axis(axis))),
            places: padded.places().into(),
            panel: (0..windows.len().min(BLOCK)).map(|window| window * WIDE).collect::<Vec<usize>>().into(),
            windows: windows.into(),
            line: vec![0].into(),
            padded,
        })
    }

    /// Outputs of a piece at most.
    fn width(&self) -> usize {
        if self.outputs.len() <= FEW { NARROW } else { WIDE }
    }

    fn multiply<T: Banked + Multiply>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let (places, outputs, width) = (self.places.len(), self.outputs.len(), self.width());
        let mut copy = scratch.take::<T>(0, self.padded.len() + SLACK);
        let mut panel = scratch.take::<T>(1, self.panel.len() * WIDE + SLACK);
        let mut sums = scratch.take::<T>(2, places * width);
        copy.fill(T::default());
        let (mut at, end) = (range.start / places, range.end / places);
        let mut rest = out;
        while at < end {
            let (index, output) = (at / outputs, at % outputs);
            let count = (outputs - output).min(end - at).min(width);
            let (part, tail) = rest.split_at_mut(count * places);
            let starts = self.kept.start(index);
            let sums = &mut sums[..places * count];
            for index in 0..self.summed.len() {
                let [left, right] = self.summed.start(index);
                let factors = &reads[0].typed::<T>()[starts[0] + left..];
                self.padded.copy(&reads[1].typed::<T>()[starts[1] + right..], &mut copy);
                for (start, windows) in evenly(self.windows.len(), BLOCK) {
                    for (lane, output) in self.outputs[output..output + count].iter().enumerate() {
                        put(&factors[output + start..][..windows], lane, &mut panel);
                    }
                    let product = Taps {
                        left: &copy,
                        right: &panel,
                        rows: self.places.all(),
                        depths: [self.windows.part(start, windows), self.panel.part(0, windows)],
                        lines: self.line.all(),
                        line: count,
                        result: sums,
                        adds: index + start > 0,
                    };
                    T::multiply(InstructionSet::detected(), product);
                }
            }
            for (lane, part) in part.chunks_exact_mut(places).enumerate() {
                for (element, sums) in part.iter_mut().zip(sums.chunks_exact(count)) {
                    *element = sums[lane];
                }
            }
            rest = tail;
            at += count;
        }
        scratch.put(0, copy);
        scratch.put(1, panel);
        scratch.put(2, sums);
    }
}

/// Writes a row as column `lane` of a panel.
fn put<T: Copy>(row: &[T], lane: usize, panel: &mut [T]) {
    for (element, panel) in row.iter().zip(panel.chunks_exact_mut(WIDE)) {
        panel[lane] = *element;
    }
}

impl Compute for Weights {
    fn name(&self) -> &'static str {
        "conv_weights"
    }

    fn pieces(&self) -> Pieces {
        let places = self.places.len();
        Pieces::of(self.kept.len() * self.outputs.len() * places, self.width() * places)
    }

    fn flops(&self) -> u64 {
        let results = self.kept.len() * self.outputs.len() * self.places.len();
        2 * (results * self.summed.len() * self.windows.len()) as u64
    }

    fn flops_of_products(&self) -> u64 {
        self.flops()
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match self.dtype {
            DType::F32 => self.multiply::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.multiply::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}
