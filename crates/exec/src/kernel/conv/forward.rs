//! Convolutions: a kernel times windows of a tensor.

use pullback_graph::op::DotGeneral;
use pullback_graph::{Graph, NodeId, Op};

use crate::kernel::conv::phase::{Phase, Span};
use crate::kernel::conv::slide::{Lanes, Slide};
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::products::contraction::{Grid, Source, grid};
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::numel;
use crate::kernel::windows::padded::{Axis, Padded};

/// What making windows costs per element: multiplications of a register with as many elements of a row.
const MADE: usize = 16;

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
        let channels = grid(channels.map(|(_, theirs)| (source[*theirs], planes.stride(*theirs))));
        let axes = Axis::of(&unfold.windows, &source, &unfolded);
        let taps = axes.iter().map(|axis| (0..axis.places).map(|place| place * axis.dilation).collect());
        let taps: Vec<Vec<usize>> = taps.collect();
        let span = |axis: &Axis| {
            let (stride, windows) = (axis.stride, axis.windows);
            Span { start: 0, stride, windows, first: 0, step: 1, size: windows }
        };
        let spans: Vec<Span> = axes.iter().map(span).collect();
        let padded = Padded::new(axes, channels);
        let elements = grid(contracted.iter().map(|(ours, _)| kernel.axis(*ours)));
        let phase = Phase::new(&padded, elements, &taps, &spans);
        let rows = grid(op.free_left(kernel.sizes.len()).iter().map(|axis| kernel.axis(axis)));
        let made = Slide {
            name: "conv",
            dtype: graph.ty(at).dtype,
            stack: Grid::of(op, &kernel, &planes),
            rows: rows.into(),
            row: phase.windows(),
            padded,
            phases: vec![phase],
            lanes: Lanes::Windows,
        };
        made.if_it_pays(MADE)
    }
}
