//! A kernel that slides over a tensor: convolutions, their gradients in the input, and transposed convolutions.

use std::ops::Range;

use pullback_graph::op::{DotGeneral, Window};
use pullback_graph::{DType, Graph, NodeId, Op};
use smallvec::SmallVec;

use crate::kernel::compute::Compute;
use crate::kernel::contraction::{Grid, Source, grid};
use crate::kernel::conv::taps::{Distances, SLACK, Taps};
use crate::kernel::fuse::{Region, numel};
use crate::kernel::movement::sizes;
use crate::kernel::multiply::Multiply;
use crate::kernel::padded::{Axis, Padded};
use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::InstructionSet;
use crate::kernel::slice::{Slice, SliceMut};

/// Products of kernels with all windows of planes, one for each matrix of a stack.
#[derive(Debug)]
pub(crate) struct Slide {
    name: &'static str,
    dtype: DType,
    /// The stack: where the kernels, respectively the planes, of each matrix start.
    stack: Grid,
    /// Where the kernel of each row of the result starts.
    rows: Distances,
    /// Where the elements of a kernel are, and what they are multiplied with.
    depths: [Distances; 2],
    padded: Padded,
    lines: Distances,
}

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

/// Rows of a piece at least: each makes a copy of the planes.
const LEAST_ROWS: usize = 24;

/// What making windows costs per element, respectively adding up those that a product made: multiplications of a register
/// with as many elements of a row.
const MADE: usize = 16;
const ADDED: usize = 48;

impl Slide {
    /// The product of a kernel with windows as the convolution `at` of a region; `None` if the windows are not read so, or
    /// do not pay for it.
    pub(crate) fn over(graph: &Graph, region: &Region, at: NodeId, op: &DotGeneral) -> Option<Slide> {
        let [left, right] = [0, 1].map(|operand| graph.node(at).operands[operand]);
        let Op::Unfold(unfold) = &graph.node(right).op else { return None };
        let count = unfold.windows.len();
        let tensor = graph.node(right).operands[0];
        if !region.contains(right) || count == 0 || numel(graph, at) == 0 || numel(graph, tensor) == 0 {
            return None;
        }
        let (unfolded, source) = (sizes(graph, right), sizes(graph, tensor));
        let lead = source.len() - count;
        // All places are contracted, all windows are free, and no axis before them is.
        let is_window = |axis: usize| axis >= lead + count;
        let free = op.free_right(unfolded.len());
        if !free.iter().all(is_window)
            || free.len() != count
            || op.batch_right.iter().any(|axis| axis >= lead)
        {
            return None;
        }
        let (kernel, planes) = (Source::of(graph, region, left), Source::dense(&source));
        let mut contracted: Vec<(usize, usize)> =
            op.contract_left.iter().zip(op.contract_right.iter()).collect();
        contracted.sort_by_key(|(_, theirs)| *theirs);
        let channels = contracted.iter().filter(|(_, theirs)| *theirs < lead);
        let axes = Axis::of(&unfold.windows, &source, &unfolded);
        let padded =
            Padded::new(axes, grid(channels.map(|(_, theirs)| (source[*theirs], planes.stride(*theirs)))));
        let slide = Slide {
            name: "conv",
            dtype: graph.ty(at).dtype,
            stack: Grid::of(op, &kernel, &planes),
            rows: grid(op.free_left(kernel.sizes.len()).iter().map(|axis| kernel.axis(axis))).into(),
            depths: [grid(contracted.iter().map(|(ours, _)| kernel.axis(*ours))), padded.places()]
                .map(Distances::from),
            lines: padded.lines().into(),
            padded,
        };
        slide.pays(MADE).then_some(slide)
    }

    /// What `fold`, the root of a region, adds up of the product of a kernel with a tensor; `None` if the windows have a
    /// stride, are not made so, or do not pay for it.
    ///
    /// An element of the result is a sum of elements of the tensor that are a dilation apart, the first place of the kernel
    /// meeting the last of them.
    pub(crate) fn adding_up(graph: &Graph, region: &Region, windows: &[Window]) -> Option<Slide> {
        let fold = region.root;
        let at = graph.node(fold).operands[0];
        let Op::DotGeneral(op) = &graph.node(at).op else { return None };
        let [left, right] = [0, 1].map(|operand| graph.node(at).operands[operand]);
        let (kernel, tensor) = (Source::of(graph, region, left), Source::of(graph, region, right));
        let count = windows.len();
        let (free_left, free_right) = (op.free_left(kernel.sizes.len()), op.free_right(tensor.sizes.len()));
        let lead = tensor.sizes.len().checked_sub(count)?;
        let inner = Source::dense(&tensor.sizes[lead..]);
        let fits = region.contains(at)
            && count > 0
            && windows.iter().all(|window| window.stride == 1)
            && free_right.len() == count
            && free_left.len() >= count
            && free_right.iter().zip(lead..).all(|(axis, expected)| axis == expected)
            && (0..count).all(|axis| tensor.stride(lead + axis) == inner.stride(axis));
        if !fits || numel(graph, fold) == 0 || numel(graph, at) == 0 {
            return None;
        }
        let result = sizes(graph, fold);
        let target = &result[result.len() - count..];
        let axes = windows.iter().enumerate().map(|(at, window)| Axis {
            size: tensor.sizes[lead + at],
            before: ((window.size - 1) * window.dilation) as isize - window.before as isize,
            windows: target[at],
            stride: 1,
            places: window.size,
            dilation: window.dilation,
            backward: true,
        });
        let contracted = || op.contract_left.iter().zip(op.contract_right.iter());
        let padded = Padded::new(axes.collect(), grid(contracted().map(|(_, theirs)| tensor.axis(theirs))));
        let (channels, places): (SmallVec<[usize; 4]>, SmallVec<[usize; 4]>) = {
            let free: SmallVec<[usize; 4]> = free_left.iter().collect();
            let (channels, places) = free.split_at(free.len() - count);
            (channels.into(), places.into())
        };
        let ours = contracted().map(|(ours, _)| ours).chain(places);
        let slide = Slide {
            name: "conv_transpose",
            dtype: graph.ty(fold).dtype,
            stack: Grid::of(op, &kernel, &tensor),
            rows: grid(channels.iter().map(|axis| kernel.axis(*axis))).into(),
            depths: [grid(ours.map(|axis| kernel.axis(axis))), padded.places()].map(Distances::from),
            lines: padded.lines().into(),
            padded,
        };
        slide.pays(ADDED).then_some(slide)
    }

    /// Whether lines that do not fill their registers cost less than windows in memory, at so much per element.
    fn pays(&self, made: usize) -> bool {
        let lanes = match self.dtype {
            DType::F32 => f32::lanes(InstructionSet::detected()),
            _ => f64::lanes(InstructionSet::detected()),
        };
        let (rows, line) = (self.rows.len(), self.padded.line());
        let windows = self.lines.len() * line;
        let here = rows * self.lines.len() * line.next_multiple_of(lanes);
        here <= rows * windows.next_multiple_of(2 * lanes) + made * windows
    }

    /// The elements of a row of the result.
    fn row(&self) -> usize {
        self.lines.len() * self.padded.line()
    }

    fn multiply<T: Banked + Multiply>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let row_len = self.row();
        let (mut at, end) = (range.start / row_len, range.end / row_len);
        let mut copy = scratch.take::<T>(0, self.padded.len() + SLACK);
        copy.fill(T::default());
        // Which planes the copy is of.
        let mut holds = usize::MAX;
        let mut rest = out;
        while at < end {
            let (index, row) = (at / self.rows.len(), at % self.rows.len());
            let count = (self.rows.len() - row).min(end - at);
            let (part, tail) = rest.split_at_mut(count * row_len);
            let [left, right] = self.stack.start(index);
            if holds != right {
                self.padded.copy(&reads[1].typed::<T>()[right..], &mut copy);
                holds = right;
            }
            let product = Taps {
                left: &reads[0].typed::<T>()[left..],
                right: &copy,
                rows: self.rows.part(row, count),
                depths: [self.depths[0].all(), self.depths[1].all()],
                lines: self.lines.all(),
                line: self.padded.line(),
                result: part,
                adds: false,
            };
            T::multiply(InstructionSet::detected(), product);
            rest = tail;
            at += count;
        }
        scratch.put(0, copy);
    }
}

impl Compute for Slide {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pieces(&self) -> Pieces {
        let (rows, row) = (self.rows.len(), self.row());
        let wanted = (GRAIN / (self.depths[0].len() * row)).max(LEAST_ROWS);
        // A part of a matrix, or whole ones.
        let piece = if 2 * wanted <= rows { wanted } else { wanted.next_multiple_of(rows) };
        Pieces::of(self.stack.len() * rows * row, piece * row)
    }

    fn flops(&self) -> u64 {
        2 * (self.stack.len() * self.rows.len() * self.row() * self.depths[0].len()) as u64
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
