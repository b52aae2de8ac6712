//! Which place of each window holds the largest or the smallest element: what pools choose.

use std::marker::PhantomData;
use std::ops::Range;

use pullback_graph::op::{Scalar, Window};
use pullback_graph::{DType, Graph, NodeId, Op};

use crate::kernel::compute::Compute;
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::arg::{Extreme, Wanted};
use crate::kernel::reductions::fold::{Max, Min};
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::{self, Loop};
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::windows::padded::{Axis, Padded};

/// The place of an extreme of each window, among the places in order.
#[derive(Debug)]
pub(crate) struct WindowArg {
    extreme: Extreme,
    dtype: DType,
    /// A plane: what windows slide over, without the axes before.
    padded: Padded,
    /// What is around it, if not zeros.
    padding: Option<Scalar>,
    /// How far the places of a window are from its first.
    places: Vec<usize>,
    lines: Vec<usize>,
    len: usize,
}

/// Neighbouring windows that are searched at once. As many elements behind a plane may be read and are not used.
const BLOCK: usize = 16;

/// The nodes through which the search `node` reads a tensor: its windows, which are flat, and whose places it goes over, and
/// what it may be padded with. The last of them reads the tensor.
pub(crate) fn windows_of(graph: &Graph, node: NodeId) -> Option<Vec<NodeId>> {
    let axis = match &graph.node(node).op {
        Op::ArgMax(op) => op.axis,
        Op::ArgMin(op) => op.axis,
        _ => return None,
    };
    let mut through = vec![graph.node(node).operands[0]];
    if let Op::Reshape(_) = &graph.node(through[0]).op {
        through.push(graph.node(through[0]).operands[0]);
    }
    let unfolded = *through.last()?;
    let Op::Unfold(unfold) = &graph.node(unfolded).op else { return None };
    let (flat, inner) = (sizes(graph, through[0]), sizes(graph, unfolded));
    let (lead, windows) = inner.split_at(inner.len() - unfold.windows.len());
    let places: usize = lead[lead.len() - unfold.windows.len()..].iter().product();
    let count: usize = windows.iter().product();
    let fits = !windows.is_empty()
        && flat[axis] == places
        && flat[axis + 1..].iter().product::<usize>() == count
        && numel(graph, unfolded) > 0
        && i32::try_from(places).is_ok();
    if !fits {
        return None;
    }
    let tensor = graph.node(unfolded).operands[0];
    if pads(graph, tensor, &unfold.windows).is_some() {
        through.push(tensor);
    }
    Some(through)
}

/// What `tensor` is padded with along the axes that windows slide over, and how many come before; `None` if it is no padding
/// of these alone, or windows have a padding of their own.
fn pads(graph: &Graph, tensor: NodeId, windows: &[Window]) -> Option<(Scalar, Vec<usize>)> {
    let Op::Pad(pad) = &graph.node(tensor).op else { return None };
    let source = graph.node(tensor).operands[0];
    let (from, to) = (sizes(graph, source), sizes(graph, tensor));
    let lead = to.len() - windows.len();
    let low = pad.low.iter().map(|low| low.known().expect("a bound padding has known counts"));
    let fits = from[..lead] == to[..lead]
        && pad.inner.iter().all(|inner| *inner == 0)
        && windows.iter().all(|window| window.before + window.after == 0)
        && numel(graph, source) > 0;
    fits.then(|| (pad.value, low.skip(lead).collect()))
}

impl WindowArg {
    /// The places that a node finds; `None` if it does not search windows.
    pub(crate) fn of(graph: &Graph, node: NodeId, extreme: Extreme) -> Option<WindowArg> {
        let through = windows_of(graph, node)?;
        let (unfolded, unfold) = through.iter().find_map(|node| match &graph.node(*node).op {
            Op::Unfold(unfold) => Some((*node, unfold)),
            _ => None,
        })?;
        let mut tensor = graph.node(unfolded).operands[0];
        let mut axes = Axis::of(&unfold.windows, &sizes(graph, tensor), &sizes(graph, unfolded));
        let padding = pads(graph, tensor, &unfold.windows);
        if let Some((_, before)) = &padding {
            tensor = graph.node(tensor).operands[0];
            let own = sizes(graph, tensor);
            let own = &own[own.len() - axes.len()..];
            for ((axis, before), size) in axes.iter_mut().zip(before).zip(own) {
                (axis.before, axis.size) = (*before as isize, *size);
            }
        }
        let padded = Padded::new(axes, vec![0]);
        Some(WindowArg {
            extreme,
            dtype: graph.ty(tensor).dtype,
            padding: padding.map(|(value, _)| value),
            places: padded.places(),
            lines: padded.lines(),
            padded,
            len: numel(graph, node),
        })
    }

    /// The windows of a plane.
    fn windows(&self) -> usize {
        self.lines.len() * self.padded.line()
    }

    fn find<T: Banked, F: Wanted<T>>(
        &self,
        range: Range<usize>,
        source: &[T],
        out: &mut [i64],
        scratch: &mut Scratch,
    ) {
        let mut copy = scratch.take::<T>(0, self.padded.len() + BLOCK);
        copy.fill(self.padding.map_or(T::default(), Scalar::get));
        let windows = self.windows();
        for (out, plane) in out.chunks_exact_mut(windows).zip(range.start / windows..) {
            self.padded.copy(&source[plane * self.padded.source()..], &mut copy);
            simd::run(Lines { of: self, plane: &copy, out, fold: PhantomData::<F> });
        }
        scratch.put(0, copy);
    }
}

impl Compute for WindowArg {
    fn name(&self) -> &'static str {
        match self.extreme {
            Extreme::Largest => "window_argmax",
            Extreme::Smallest => "window_argmin",
        }
    }

    fn pieces(&self) -> Pieces {
        Pieces::rows(self.len, self.windows(), self.windows() * self.places.len(), GRAIN)
    }

    fn flops(&self) -> u64 {
        (self.len * self.places.len()) as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let out = write.typed::<i64>();
        match (self.dtype, self.extreme) {
            (DType::F32, Extreme::Largest) => self.find::<f32, Max>(range, reads[0].typed(), out, scratch),
            (DType::F64, Extreme::Largest) => self.find::<f64, Max>(range, reads[0].typed(), out, scratch),
            (DType::I64, Extreme::Largest) => self.find::<i64, Max>(range, reads[0].typed(), out, scratch),
            (DType::F32, Extreme::Smallest) => self.find::<f32, Min>(range, reads[0].typed(), out, scratch),
            (DType::F64, Extreme::Smallest) => self.find::<f64, Min>(range, reads[0].typed(), out, scratch),
            (DType::I64, Extreme::Smallest) => self.find::<i64, Min>(range, reads[0].typed(), out, scratch),
            (DType::Bool, _) => return Err("truth values have no order".into()),
        }
        Ok(())
    }
}

/// The windows of a plane, line by line.
struct Lines<'a, T, F> {
    of: &'a WindowArg,
    plane: &'a [T],
    out: &'a mut [i64],
    fold: PhantomData<F>,
}

impl<T: Copy + Default, F: Wanted<T>> Loop for Lines<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Lines { of, plane, out, .. } = self;
        let len = of.padded.line();
        for (number, line) in of.lines.iter().enumerate() {
            for at in (0..len).step_by(BLOCK) {
                let start = line + at;
                let (mut best, mut places) = ([T::default(); BLOCK], [F::Position::default(); BLOCK]);
                best.copy_from_slice(&plane[start + of.places[0]..][..BLOCK]);
                for (number, place) in of.places.iter().enumerate().skip(1) {
                    let (elements, number) = (&plane[start + place..][..BLOCK], F::position(number));
                    for ((best, place), element) in best.iter_mut().zip(&mut places).zip(elements) {
                        let beats = F::beats(*element, *best);
                        *best = if beats { *element } else { *best };
                        *place = if beats { number } else { *place };
                    }
                }
                // What is written behind the line is where the next one goes.
                let out = &mut out[number * len + at..];
                match out.first_chunk_mut::<BLOCK>() {
                    Some(out) => widen::<T, F>(&places, out),
                    None => widen::<T, F>(&places, out),
                }
            }
        }
    }
}

/// Positions as elements of the result, as many as there is room for.
#[inline(always)]
fn widen<T, F: Wanted<T>>(places: &[F::Position; BLOCK], out: &mut [i64]) {
    for (out, place) in out.iter_mut().zip(places) {
        *out = F::widen(*place);
    }
}
