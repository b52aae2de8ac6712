//! Gradients of convolutions in their input, and transposed convolutions: a kernel times a tensor, overlapping windows of
//! which are added up.
//!
//! An element of the result is a sum of elements of the tensor, the first place of the kernel meeting the last of them.
//! Where windows have a stride, it decides with which places of the kernel: elements that are a stride apart have the same
//! ones, and are windows that slide over the tensor by single elements.

use pullback_graph::op::Window;
use pullback_graph::{Graph, Op};
use smallvec::SmallVec;

use crate::kernel::conv::phase::{Phase, Span};
use crate::kernel::conv::slide::{Lanes, Slide};
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::products::contraction::{Grid, Source, grid};
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::numel;
use crate::kernel::windows::padded::{Axis, Padded};

/// What adding up windows that a product made costs per element: multiplications of a register with as many elements of a
/// row.
const ADDED: usize = 48;

/// An axis of the result that windows are added up along.
#[derive(Clone, Copy)]
struct Overlap {
    window: Window,
    size: usize,
}

impl Overlap {
    /// How many elements of the tensor apart the first and the last that an element meets are, at most.
    fn reach(self) -> usize {
        (self.window.size - 1) * self.window.dilation / self.window.stride
    }

    /// The last elements of the tensor that the first and the last element of the result could meet.
    fn ends(self) -> [usize; 2] {
        let Window { stride, before, .. } = self.window;
        [before / stride, (before + self.size - 1) / stride]
    }

    /// The axis of the tensor, of this size, that windows slide over.
    fn axis(self, size: usize) -> Axis {
        let ([first, last], reach) = (self.ends(), self.reach());
        Axis {
            size,
            before: reach as isize - first as isize,
            windows: last - first + 1,
            stride: 1,
            places: reach + 1,
            dilation: 1,
        }
    }

    /// For every place among a stride's elements that has some: these, and the places of the kernel that they meet.
    fn phases(self) -> Vec<(Span, Vec<usize>)> {
        let Window { stride, before, size, dilation, .. } = self.window;
        let phase = |phase: usize| {
            let start = before.saturating_sub(phase).div_ceil(stride);
            let first = start * stride + phase - before;
            let windows = self.size.saturating_sub(first).div_ceil(stride);
            let start = start - self.ends()[0];
            let places = (0..size).filter(|place| place * dilation % stride == phase).collect();
            (Span { start, stride: 1, windows, first, step: stride, size: self.size }, places)
        };
        (0..stride).map(phase).filter(|(span, _)| span.windows > 0).collect()
    }

    /// Where a place of the kernel meets the tensor, behind where a window starts.
    fn tap(self, place: usize) -> usize {
        self.reach() - place * self.window.dilation / self.window.stride
    }
}

impl Slide {
    /// What the root of a region, a fold, adds up of the product of a kernel with a tensor; `None` if the windows are not
    /// made so, or do not pay for it.
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
            && free_right.len() == count
            && free_left.len() >= count
            && free_right.iter().zip(lead..).all(|(axis, expected)| axis == expected)
            && (0..count).all(|axis| tensor.stride(lead + axis) == inner.stride(axis));
        if !fits || numel(graph, fold) == 0 || numel(graph, at) == 0 {
            return None;
        }
        let result = sizes(graph, fold);
        let target = &result[result.len() - count..];
        let axes: Vec<Overlap> = windows
            .iter()
            .zip(target)
            .map(|(window, size)| Overlap { window: *window, size: *size })
            .collect();
        let slid = axes.iter().enumerate().map(|(at, axis)| axis.axis(tensor.sizes[lead + at]));
        let contracted = || op.contract_left.iter().zip(op.contract_right.iter());
        let planes = grid(contracted().map(|(_, theirs)| tensor.axis(theirs)));
        let padded = Padded::new(slid.collect(), planes);
        let free: SmallVec<[usize; 4]> = free_left.iter().collect();
        let (channels, places) = free.split_at(free.len() - count);
        // One phase for each choice of one along every axis.
        let choices = axes.iter().fold(vec![Vec::new()], |choices, axis| {
            let with = |choice: &Vec<(Span, Vec<usize>)>| {
                let all = axis.phases().into_iter();
                all.map(|phase| choice.iter().cloned().chain([phase]).collect()).collect::<Vec<_>>()
            };
            choices.iter().flat_map(with).collect()
        });
        let phase = |choice: Vec<(Span, Vec<usize>)>| {
            let (spans, chosen): (Vec<Span>, Vec<Vec<usize>>) = choice.into_iter().unzip();
            if chosen.iter().any(Vec::is_empty) {
                return None;
            }
            let elements = grid(contracted().map(|(ours, _)| kernel.axis(ours)));
            let elements = places.iter().zip(&chosen).fold(elements, |elements, (axis, chosen)| {
                let stride = kernel.stride(*axis);
                let at = |element: usize| chosen.iter().map(move |place| element + place * stride);
                elements.into_iter().flat_map(at).collect()
            });
            let taps = axes.iter().zip(&chosen);
            let taps: Vec<Vec<usize>> =
                taps.map(|(axis, chosen)| chosen.iter().map(|place| axis.tap(*place)).collect()).collect();
            Some(Phase::new(&padded, elements, &taps, &spans))
        };
        let phases: Vec<Phase> = choices.into_iter().filter_map(phase).collect();
        if phases.is_empty() {
            return None;
        }
        let rows = grid(channels.iter().map(|axis| kernel.axis(*axis)));
        let made = Slide {
            name: "conv_transpose",
            dtype: graph.ty(fold).dtype,
            stack: Grid::of(op, &kernel, &tensor),
            rows: rows.into(),
            row: target.iter().product(),
            padded,
            phases,
            lanes: Lanes::Windows,
        };
        made.if_it_pays(ADDED)
    }
}
