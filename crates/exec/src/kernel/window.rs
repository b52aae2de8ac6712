//! Windows that slide over axes, and overlapping ones added up: rows of neighbours copied, respectively added.
//!
//! A plane is everything inside the leading axes: `sizes` of the tensor, or `counts` for one place of all windows.

use std::ops::Range;

use pullback_graph::op::Window;
use pullback_graph::{DType, Graph, NodeId, dispatch};
use smallvec::SmallVec;

use crate::kernel::compute::Compute;
use crate::kernel::fold::{Fold as Combine, Sum};
use crate::kernel::movement::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// An axis that windows slide over.
#[derive(Clone, Copy, Debug)]
struct Axis {
    window: Window,
    /// The size in the tensor.
    size: usize,
    /// The number of windows.
    count: usize,
}

/// The axes that windows slide over.
#[derive(Debug)]
struct Axes(SmallVec<[Axis; 2]>);

/// The windows of a tensor.
#[derive(Debug)]
pub(crate) struct Unfold {
    dtype: DType,
    axes: Axes,
    len: usize,
}

/// Windows added up.
#[derive(Debug)]
pub(crate) struct Fold {
    dtype: DType,
    axes: Axes,
    len: usize,
}

impl Axis {
    /// The windows whose place `offset` is on the axis, and where that of the first of them is.
    fn inside(&self, offset: usize) -> (Range<usize>, usize) {
        let Window { stride, dilation, before, .. } = self.window;
        let start = offset * dilation;
        let windows_before = |place: usize| place.saturating_sub(start).div_ceil(stride).min(self.count);
        let inside = windows_before(before)..windows_before(before + self.size);
        let first = if inside.is_empty() { 0 } else { inside.start * stride + start - before };
        (inside, first)
    }
}

impl Axes {
    /// The last axes of `tensor`, whose windows are the last axes of `unfolded`.
    fn of(graph: &Graph, windows: &[Window], tensor: NodeId, unfolded: NodeId) -> Axes {
        let (sizes, counts) = (sizes(graph, tensor), sizes(graph, unfolded));
        let sizes = &sizes[sizes.len() - windows.len()..];
        let counts = &counts[counts.len() - windows.len()..];
        let axis = |((window, size), count): ((&Window, &usize), &usize)| Axis {
            window: *window,
            size: *size,
            count: *count,
        };
        Axes(windows.iter().zip(sizes).zip(counts).map(axis).collect())
    }

    /// The elements of a plane of the tensor.
    fn plane(&self) -> usize {
        self.0.iter().map(|axis| axis.size).product()
    }

    /// The number of windows.
    fn windows(&self) -> usize {
        self.0.iter().map(|axis| axis.count).product()
    }

    /// The places of a window.
    fn places(&self) -> usize {
        self.0.iter().map(|axis| axis.window.size).product()
    }

    /// Place number `place` of a window, by axis.
    fn offsets(&self, mut place: usize) -> SmallVec<[usize; 2]> {
        let mut offsets = SmallVec::from_elem(0, self.0.len());
        for (offset, axis) in offsets.iter_mut().zip(&self.0).rev() {
            (*offset, place) = (place % axis.window.size, place / axis.window.size);
        }
        offsets
    }
}

/// What is at the places `offsets` of all windows.
fn read<T: Banked>(axes: &[Axis], offsets: &[usize], plane: &[T], out: &mut [T]) {
    let (Some((axis, axes)), Some((offset, offsets))) = (axes.split_first(), offsets.split_first()) else {
        out.copy_from_slice(plane);
        return;
    };
    let (inside, first) = axis.inside(*offset);
    let row = out.len() / axis.count;
    out[..inside.start * row].fill(T::default());
    out[inside.end * row..].fill(T::default());
    if inside.is_empty() {
        return;
    }
    let out = &mut out[inside.start * row..inside.end * row];
    let (stride, inner) = (axis.window.stride, plane.len() / axis.size);
    let plane = &plane[first * inner..];
    match (axes.is_empty(), stride) {
        (true, 1) => out.copy_from_slice(&plane[..out.len()]),
        (true, _) => out.iter_mut().zip(plane.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
        (false, _) => {
            for (at, out) in out.chunks_exact_mut(row).enumerate() {
                read(axes, offsets, &plane[at * stride * inner..][..inner], out);
            }
        }
    }
}

/// Adds what is at the places `offsets` of all windows.
fn add<T: Banked>(axes: &[Axis], offsets: &[usize], terms: &[T], plane: &mut [T])
where
    Sum: Combine<T>,
{
    let combine = |(sum, term): (&mut T, &T)| *sum = Sum::combine(*sum, *term);
    let (Some((axis, axes)), Some((offset, offsets))) = (axes.split_first(), offsets.split_first()) else {
        plane.iter_mut().zip(terms).for_each(combine);
        return;
    };
    let (inside, first) = axis.inside(*offset);
    if inside.is_empty() {
        return;
    }
    let row = terms.len() / axis.count;
    let terms = &terms[inside.start * row..inside.end * row];
    let (stride, inner) = (axis.window.stride, plane.len() / axis.size);
    let plane = &mut plane[first * inner..];
    match (axes.is_empty(), stride) {
        (true, 1) => plane.iter_mut().zip(terms).for_each(combine),
        (true, _) => plane.iter_mut().step_by(stride).zip(terms).for_each(combine),
        (false, _) => {
            for (at, terms) in terms.chunks_exact(row).enumerate() {
                add(axes, offsets, terms, &mut plane[at * stride * inner..][..inner]);
            }
        }
    }
}

impl Unfold {
    /// The windows that a node reads.
    pub(crate) fn of(graph: &Graph, node: NodeId, windows: &[Window]) -> Unfold {
        Unfold {
            dtype: graph.ty(node).dtype,
            axes: Axes::of(graph, windows, graph.node(node).operands[0], node),
            len: sizes(graph, node).iter().product(),
        }
    }

    fn read<T: Banked>(&self, range: Range<usize>, x: &[T], out: &mut [T]) {
        let (plane, places, windows) = (self.axes.plane(), self.axes.places(), self.axes.windows());
        for (out, at) in out.chunks_exact_mut(windows).zip(range.start / windows..) {
            let x = &x[at / places * plane..][..plane];
            read(&self.axes.0, &self.axes.offsets(at % places), x, out);
        }
    }
}

impl Compute for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn pieces(&self) -> Pieces {
        Pieces::rows(self.len, self.axes.windows(), self.axes.windows(), GRAIN)
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        if !range.is_empty() {
            dispatch!(self.dtype, T => self.read(range, reads[0].typed::<T>(), write.typed::<T>()));
        }
        Ok(())
    }
}

impl Fold {
    /// The windows that a node adds up.
    pub(crate) fn of(graph: &Graph, node: NodeId, windows: &[Window]) -> Fold {
        Fold {
            dtype: graph.ty(node).dtype,
            axes: Axes::of(graph, windows, node, graph.node(node).operands[0]),
            len: sizes(graph, node).iter().product(),
        }
    }

    fn add<T: Banked>(&self, range: Range<usize>, x: &[T], out: &mut [T])
    where
        Sum: Combine<T>,
    {
        let (plane, places, windows) = (self.axes.plane(), self.axes.places(), self.axes.windows());
        out.fill(T::default());
        for (out, at) in out.chunks_exact_mut(plane).zip(range.start / plane..) {
            for place in 0..places {
                let terms = &x[(at * places + place) * windows..][..windows];
                add(&self.axes.0, &self.axes.offsets(place), terms, out);
            }
        }
    }
}

impl Compute for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn pieces(&self) -> Pieces {
        let plane = self.axes.plane();
        Pieces::rows(self.len, plane, plane.max(self.axes.places() * self.axes.windows()), GRAIN)
    }

    fn flops(&self) -> u64 {
        let planes = self.len / self.axes.plane().max(1);
        (planes * self.axes.places() * self.axes.windows()) as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        match self.dtype {
            _ if range.is_empty() => {}
            DType::F32 => self.add::<f32>(range, reads[0].typed(), write.typed()),
            DType::F64 => self.add::<f64>(range, reads[0].typed(), write.typed()),
            DType::I64 => self.add::<i64>(range, reads[0].typed(), write.typed()),
            DType::Bool => return Err("truth values cannot be added".into()),
        }
        Ok(())
    }
}
