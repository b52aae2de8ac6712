//! A product with windows, summed over all windows of a stack: what meets in each place of a window. A convolution learns its
//! kernel by it.
//!
//! Outputs lie side by side in registers, and each element of a window is multiplied with all of them at its place; where
//! outputs are few, neighboring windows do.
//!
//! Few outputs are work for few threads. Then the stack is cut into groups, whose totals a small step adds up.

use std::ops::Range;

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, Graph, NodeId, Op};

use crate::kernel::compute::Compute;
use crate::kernel::conv::along::{APART, Along};
use crate::kernel::conv::panel::Panel;
use crate::kernel::conv::taps::{Distances, SLACK, Table, Taps};
use crate::kernel::matmul::{DEPTH, Matrix, Scalar, Turned, evenly};
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::Pieces;
use crate::kernel::products::contraction::{Grid, Source, grid};
use crate::kernel::products::dot::takes_windows;
use crate::kernel::reductions::columns::Totals;
use crate::kernel::regions::role::numel;
use crate::kernel::register::Registers;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::InstructionSet;
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::windows::padded::{Axis, Padded};

/// Products of factors with all windows of planes, summed over the axes of a stack.
#[derive(Debug)]
pub(crate) struct Weights {
    dtype: DType,
    /// The stack that the result has, and the one that is summed over: where the factors, respectively the planes, start.
    kept: Grid,
    summed: Grid,
    /// How many planes of the summed stack are a group, but for the last one.
    planes: usize,
    /// How many outputs there are, and how far their factors are apart.
    outputs: usize,
    output: usize,
    padded: Padded,
    /// Where the places of a window are.
    places: Distances,
    windows: Windows,
}

/// What lies side by side in registers.
#[derive(Debug)]
enum Windows {
    /// Outputs: where each window starts, and the panel of its factors of some outputs.
    OneByOne { starts: Distances, panel: Panel },
    /// Neighboring windows: where each line of them starts.
    InLines(Distances),
}

/// Outputs of a piece: two of the widest registers, or half of that where there would be too few pieces.
const WIDE: usize = 32;
const NARROW: usize = 16;

/// Outputs up to which pieces are narrow.
const FEW: usize = 32;

/// Pieces from which there are enough without groups, and groups at most.
const ENOUGH: usize = 8;

/// Windows of a group at least: fewer are multiplied in little more time than their totals take.
const LEAST: usize = 2048;

/// Windows that are gone through at a time: their factors stay in the first-level cache.
const BLOCK: usize = 256;
const _: () = assert!(BLOCK <= DEPTH, "a block is one sum");

/// Sums of pieces that are run in one call, at most: they stay in the second-level cache.
const CALL: usize = 1 << 17;

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
        let outputs = grid(op.free_left(factor.sizes.len()).iter().map(|axis| factor.axis(axis)));
        let output = outputs.get(1).map_or(1, |second| second - outputs[0]);
        if outputs.iter().enumerate().any(|(at, start)| *start != at * output) {
            return None;
        }
        let all = Grid::of(op, &factor, &planes);
        let kept = all.axes(|axis| !reduce.axes.contains(axis));
        let summed = all.axes(|axis| reduce.axes.contains(axis));
        let windows = Windows::of(graph.ty(sum).dtype, &padded, outputs.len());
        let pieces = kept.len() * outputs.len().div_ceil(WIDE);
        let most = summed.len() * windows.count(&padded) / LEAST;
        let groups = if pieces < ENOUGH { most.clamp(1, ENOUGH) } else { 1 };
        Some(Weights {
            dtype: graph.ty(sum).dtype,
            planes: summed.len().div_ceil(groups).max(1),
            kept,
            summed,
            outputs: outputs.len(),
            output,
            places: padded.places().into(),
            windows,
            padded,
        })
    }

    /// How many groups the summed stack is cut into.
    fn groups(&self) -> usize {
        self.summed.len().div_ceil(self.planes).max(1)
    }

    /// Outputs of a piece at most.
    fn width(&self) -> usize {
        match self.groups() {
            1 if self.outputs <= FEW => NARROW,
            1 => WIDE,
            // A piece goes through one group, if that has no more outputs.
            _ => WIDE.min(self.outputs),
        }
    }

    /// Elements of a panel, if there is one.
    fn room(&self) -> usize {
        match &self.windows {
            Windows::OneByOne { panel, .. } => panel.wide * panel.rows.len() + SLACK,
            Windows::InLines(_) => 0,
        }
    }

    /// Sums that are kept for each element of the result.
    fn apart(&self) -> usize {
        match &self.windows {
            Windows::OneByOne { .. } => 1,
            Windows::InLines(_) => APART,
        }
    }

    fn multiply<T: Banked + Registers + Scalar>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let (places, apart) = (self.places.len(), self.apart());
        let (mut at, end) = (range.start / places, range.end / places);
        let mut copy = scratch.take::<T>(0, self.padded.len() + SLACK);
        let mut room = scratch.take::<T>(1, self.room());
        let mut sums = scratch.take::<T>(2, places * self.outputs.min(end - at) * apart);
        copy.fill(T::default());
        let mut rest = out;
        while at < end {
            let (index, output) = (at / self.outputs, at % self.outputs);
            let count = (self.outputs - output).min(end - at);
            let (part, tail) = rest.split_at_mut(count * places);
            let (group, index) = (index / self.kept.len(), index % self.kept.len());
            let starts = self.kept.start(index);
            let sums = &mut sums[..count * places * apart];
            sums.fill(T::default());
            for index in group * self.planes..self.summed.len().min((group + 1) * self.planes) {
                let [left, right] = self.summed.start(index);
                let factors = &reads[0].typed::<T>()[starts[0] + left + output * self.output..];
                self.padded.copy(&reads[1].typed::<T>()[starts[1] + right..], &mut copy);
                match &self.windows {
                    Windows::OneByOne { starts, panel } => {
                        self.across(factors, &copy, starts, panel, sums, &mut room);
                    }
                    Windows::InLines(lines) => self.along(factors, &copy, lines, sums),
                }
            }
            match &self.windows {
                // The sums of some outputs, place by place.
                Windows::OneByOne { panel, .. } => {
                    let wide = panel.wide * places;
                    for (part, sums) in part.chunks_mut(wide).zip(sums.chunks(wide)) {
                        let outputs = part.len() / places;
                        let turned = Turned {
                            from: Matrix { elements: sums, row: 1, column: outputs },
                            rows: outputs,
                            columns: places,
                            to: part,
                            row: places,
                        };
                        T::in_registers(InstructionSet::detected(), turned);
                    }
                }
                Windows::InLines(_) => {
                    for (element, sums) in part.iter_mut().zip(sums.chunks_exact(APART)) {
                        *element =
                            sums.iter().fold(T::default(), |total, sum| <T as Scalar>::add(total, *sum));
                    }
                }
            }
            rest = tail;
            at += count;
        }
        scratch.put(0, copy);
        scratch.put(1, room);
        scratch.put(2, sums);
    }

    /// [`multiply`](Weights::multiply), widened to what totals are.
    fn totals(&self, range: Range<usize>, reads: &[Slice<'_>], totals: &mut [f64], scratch: &mut Scratch) {
        let mut sums = scratch.take::<f32>(3, range.len());
        let sums_of_range = &mut sums[..range.len()];
        self.multiply(range, reads, sums_of_range, scratch);
        for (total, sum) in totals.iter_mut().zip(sums_of_range) {
            *total = f64::from(*sum);
        }
        scratch.put(3, sums);
    }

    /// How many elements the result has.
    fn results(&self) -> usize {
        self.kept.len() * self.outputs * self.places.len()
    }

    /// Adds the products of a plane, outputs side by side.
    fn across<T: Banked + Registers>(
        &self,
        factors: &[T],
        copy: &[T],
        starts: &Distances,
        panel: &Panel,
        sums: &mut [T],
        room: &mut [T],
    ) {
        let places = self.places.len();
        for (sums, first) in sums.chunks_mut(panel.wide * places).zip((0..).step_by(panel.wide)) {
            let outputs = sums.len() / places;
            for (start, windows) in evenly(starts.len(), BLOCK) {
                let elements = &factors[first * self.output + start..];
                let turned = Turned {
                    from: Matrix { elements, row: 1, column: self.output },
                    rows: windows,
                    columns: outputs,
                    to: room,
                    row: panel.wide,
                };
                T::in_registers(InstructionSet::detected(), turned);
                let product = Taps {
                    left: copy,
                    right: room,
                    rows: self.places.all(),
                    depths: [starts.part(start, windows), panel.rows.part(0, windows)],
                    lines: Table::FIRST,
                    line: outputs,
                    result: sums,
                    adds: true,
                };
                T::in_registers(InstructionSet::detected(), product);
            }
        }
    }

    /// Adds the products of a plane, neighboring windows side by side.
    fn along<T: Registers>(&self, factors: &[T], copy: &[T], lines: &Distances, sums: &mut [T]) {
        for (at, sums) in sums.chunks_exact_mut(self.places.len() * APART).enumerate() {
            let product = Along {
                left: copy,
                right: &factors[at * self.output..],
                rows: self.places.all(),
                lines: lines.all(),
                line: self.padded.line(),
                sums,
            };
            T::in_registers(InstructionSet::detected(), product);
        }
    }
}

impl Windows {
    /// How many windows a plane has.
    fn count(&self, padded: &Padded) -> usize {
        match self {
            Windows::OneByOne { starts, .. } => starts.len(),
            Windows::InLines(lines) => lines.len() * padded.line(),
        }
    }

    /// The windows of a copy for so many outputs: in lines if the outputs would leave more of a register empty.
    fn of(dtype: DType, padded: &Padded, outputs: usize) -> Windows {
        let (lines, line) = (padded.lines(), padded.line());
        // Of what lies along lines each register is loaded for one product.
        let along = 2 * outputs * line.next_multiple_of(APART);
        if along <= outputs.next_multiple_of(NARROW) * line {
            return Windows::InLines(lines.into());
        }
        let starts: Vec<usize> = lines.iter().flat_map(|start| *start..start + line).collect();
        let panel = Panel::new(dtype, starts.len().min(BLOCK));
        Windows::OneByOne { starts: starts.into(), panel }
    }
}

impl Compute for Weights {
    fn name(&self) -> &'static str {
        "conv_weights"
    }

    fn pieces(&self) -> Pieces {
        let piece = self.width() * self.places.len();
        Pieces::of(self.groups() * self.results(), piece).together(CALL / piece)
    }

    fn rest(&self) -> Option<Totals> {
        let (kind, dtype, groups) = (ReduceKind::Sum, self.dtype, self.groups());
        (groups > 1).then(|| Totals { kind, dtype, groups, columns: self.results() })
    }

    fn flops(&self) -> u64 {
        2 * (self.results() * self.summed.len() * self.windows.count(&self.padded)) as u64
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
            DType::F32 if self.groups() > 1 => self.totals(range, reads, write.typed(), scratch),
            DType::F32 => self.multiply::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.multiply::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}
