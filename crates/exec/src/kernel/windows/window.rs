//! Windows that slide over axes, and overlapping ones added up: rows of neighbours copied, respectively added.
//!
//! A plane is everything inside the leading axes: `sizes` of the tensor, or `counts` for one place of all windows.

use std::ops::Range;

use pullback_graph::op::Window;
use pullback_graph::{DType, Graph, NodeId, dispatch};
use smallvec::SmallVec;

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::fold::{Fold as Combine, Sum};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// Neighbours that are worth a call to be copied.
const LONG: usize = 128;

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

/// One place of the windows on an axis.
#[derive(Debug)]
struct Span {
    /// The windows that have this place on the axis, not in the padding.
    inside: Range<usize>,
    /// Where it is on the axis for the first of them.
    first: usize,
    axis: Axis,
}

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
    /// Place `offset` of the windows.
    fn span(self, offset: usize) -> Span {
        let Window { stride, dilation, before, .. } = self.window;
        let start = offset * dilation;
        let windows_before = |place: usize| place.saturating_sub(start).div_ceil(stride).min(self.count);
        let inside = windows_before(before)..windows_before(before + self.size);
        let first = if inside.is_empty() { 0 } else { inside.start * stride + start - before };
        Span { inside, first, axis: self }
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

    /// Place number `place` of the windows, by axis.
    fn spans(&self, mut place: usize) -> SmallVec<[Span; 2]> {
        let mut spans = SmallVec::new();
        for axis in self.0.iter().rev() {
            spans.push(axis.span(place % axis.window.size));
            place /= axis.window.size;
        }
        spans.reverse();
        spans
    }
}

/// What is at one place of all windows.
fn read<T: Banked>(spans: &[Span], plane: &[T], out: &mut [T]) {
    let Some((span, spans)) = spans.split_first() else {
        out.copy_from_slice(plane);
        return;
    };
    let Span { inside, first, axis } = span;
    let row = if spans.is_empty() { 1 } else { out.len() / axis.count };
    out[..inside.start * row].fill(T::default());
    out[inside.end * row..].fill(T::default());
    if inside.is_empty() {
        return;
    }
    let out = &mut out[inside.start * row..inside.end * row];
    let stride = axis.window.stride;
    if spans.is_empty() {
        read_row(&plane[*first..], stride, out);
        return;
    }
    let inner = plane.len() / axis.size;
    let plane = &plane[first * inner..];
    for (at, out) in out.chunks_exact_mut(row).enumerate() {
        read(spans, &plane[at * stride * inner..][..inner], out);
    }
}

/// Adds what is at one place of all windows.
fn add<T: Banked>(spans: &[Span], terms: &[T], plane: &mut [T])
where
    Sum: Combine<T>,
{
    let Some((span, spans)) = spans.split_first() else {
        add_row(plane, 1, terms);
        return;
    };
    let Span { inside, first, axis } = span;
    if inside.is_empty() {
        return;
    }
    let row = if spans.is_empty() { 1 } else { terms.len() / axis.count };
    let terms = &terms[inside.start * row..inside.end * row];
    let stride = axis.window.stride;
    if spans.is_empty() {
        add_row(&mut plane[*first..], stride, terms);
        return;
    }
    let inner = plane.len() / axis.size;
    let plane = &mut plane[first * inner..];
    for (at, terms) in terms.chunks_exact(row).enumerate() {
        add(spans, terms, &mut plane[at * stride * inner..][..inner]);
    }
}

/// Copies every `stride`-th element.
#[inline(always)]
pub(crate) fn read_row<T: Banked>(from: &[T], stride: usize, to: &mut [T]) {
    match stride {
        1 => read_neighbors(&from[..to.len()], to),
        2 => read_every::<T, 2>(from, to),
        3 => read_every::<T, 3>(from, to),
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
    }
}

/// Copies neighbours. A call would cost more than copying a line of a small image does.
#[inline(always)]
fn read_neighbors<T: Copy>(from: &[T], to: &mut [T]) {
    match to.len() {
        LONG.. => to.copy_from_slice(from),
        16.. => read_blocks::<T, 16>(from, to),
        8.. => read_blocks::<T, 8>(from, to),
        4.. => read_blocks::<T, 4>(from, to),
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

/// Copies neighbours in blocks, the last of which may overlap the one before; there are enough for one.
#[inline(always)]
fn read_blocks<T: Copy, const LEN: usize>(from: &[T], to: &mut [T]) {
    if let (Some(from), Some(to)) = (from.last_chunk::<LEN>(), to.last_chunk_mut::<LEN>()) {
        *to = *from;
    }
    for (from, to) in from.as_chunks::<LEN>().0.iter().zip(to.as_chunks_mut::<LEN>().0) {
        *to = *from;
    }
}

/// Adds to every `stride`-th element.
fn add_row<T: Banked>(to: &mut [T], stride: usize, terms: &[T])
where
    Sum: Combine<T>,
{
    let combine = |(sum, term): (&mut T, &T)| *sum = Sum::combine(*sum, *term);
    match stride {
        1 => to.iter_mut().zip(terms).for_each(combine),
        2 => add_every::<T, 2>(to, terms),
        3 => add_every::<T, 3>(to, terms),
        _ => to.iter_mut().step_by(stride).zip(terms).for_each(combine),
    }
}

/// Copies every element of a stride that the compiler knows. After the last one there may be none to skip.
#[inline(always)]
fn read_every<T: Copy, const STRIDE: usize>(from: &[T], to: &mut [T]) {
    let Some((last, to)) = to.split_last_mut() else { return };
    *last = from[to.len() * STRIDE];
    for (to, from) in to.iter_mut().zip(from.chunks_exact(STRIDE)) {
        *to = from[0];
    }
}

/// Adds to every element of a stride that the compiler knows.
fn add_every<T: Copy, const STRIDE: usize>(to: &mut [T], terms: &[T])
where
    Sum: Combine<T>,
{
    let Some((last, terms)) = terms.split_last() else { return };
    let end = &mut to[terms.len() * STRIDE];
    *end = Sum::combine(*end, *last);
    for (to, term) in to.chunks_exact_mut(STRIDE).zip(terms) {
        to[0] = Sum::combine(to[0], *term);
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

    /// Writes the elements `range`, whole places of all windows, to `out`.
    pub(crate) fn read<T: Banked>(&self, range: Range<usize>, x: &[T], out: &mut [T]) {
        let (plane, places, windows) = (self.axes.plane(), self.axes.places(), self.axes.windows());
        for (out, at) in out.chunks_exact_mut(windows).zip(range.start / windows..) {
            let x = &x[at / places * plane..][..plane];
            read(&self.axes.spans(at % places), x, out);
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

    /// The elements of the result.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The elements of a plane of the result, and of the windows that are added up in it.
    pub(crate) fn planes(&self) -> (usize, usize) {
        (self.axes.plane(), self.axes.places() * self.axes.windows())
    }

    /// Adds up windows to whole planes.
    pub(crate) fn add<T: Banked>(&self, x: &[T], out: &mut [T])
    where
        Sum: Combine<T>,
    {
        let (plane, places, windows) = (self.axes.plane(), self.axes.places(), self.axes.windows());
        out.fill(T::default());
        for (at, out) in out.chunks_exact_mut(plane).enumerate() {
            for place in 0..places {
                let terms = &x[(at * places + place) * windows..][..windows];
                add(&self.axes.spans(place), terms, out);
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
        if range.is_empty() {
            return Ok(());
        }
        let (plane, windows) = self.planes();
        let first = range.start / plane * windows;
        match self.dtype {
            DType::F32 => self.add::<f32>(&reads[0].typed()[first..], write.typed()),
            DType::F64 => self.add::<f64>(&reads[0].typed()[first..], write.typed()),
            DType::I64 => self.add::<i64>(&reads[0].typed()[first..], write.typed()),
            DType::Bool => return Err("truth values cannot be added".into()),
        }
        Ok(())
    }
}
