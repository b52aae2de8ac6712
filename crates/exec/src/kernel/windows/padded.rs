//! A copy of planes with their padding, and where the places of windows are in it.
//!
//! Along the last axis, windows with a stride take every so-manieth element. These are put side by side, apart from the others
//! of the plane: neighbouring windows then have neighbouring elements at each of their places.

use pullback_graph::op::Window;
use smallvec::SmallVec;

use crate::kernel::scratch::Banked;
use crate::kernel::simd::{self, Loop};
use crate::kernel::windows::window::read_row;

/// An axis that windows slide over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// The size in the tensor.
    pub(crate) size: usize,
    /// Places before the first element; less than 0 if it is so many elements before the first place.
    pub(crate) before: isize,
    /// The number of windows, and the distance of neighbours.
    pub(crate) windows: usize,
    pub(crate) stride: usize,
    /// The places of a window, and the distance of neighbours.
    pub(crate) places: usize,
    pub(crate) dilation: usize,
}

/// Planes of a tensor, and how they are copied.
#[derive(Debug)]
pub(crate) struct Padded {
    axes: SmallVec<[Axis; 2]>,
    /// Where each plane starts in the tensor.
    planes: Vec<usize>,
    /// The distances of neighbours in the copy, by axis.
    pitches: SmallVec<[usize; 2]>,
    /// The elements of a plane of the tensor, and of one of the copy.
    source: usize,
    plane: usize,
    /// Where each line along the last axis that windows reach starts, in a plane of the tensor and in one of the copy. Lines
    /// that follow on each other, without padding, are one.
    lines: Vec<[usize; 2]>,
    parts: SmallVec<[Part; 2]>,
}

/// Elements of a line that are put side by side, as far as windows reach them.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Where the first is in a line of the tensor, and how far behind a line of the copy.
    from: usize,
    to: usize,
    count: usize,
}

impl Axis {
    /// The last axes of a tensor of these sizes that has `windows`, whose windows are the last axes of `unfolded`.
    pub(crate) fn of(windows: &[Window], sizes: &[usize], unfolded: &[usize]) -> SmallVec<[Axis; 2]> {
        let last = |sizes: &[usize]| sizes.len() - windows.len();
        let counts = sizes[last(sizes)..].iter().zip(&unfolded[last(unfolded)..]);
        let axis = |(window, (size, count)): (&Window, (&usize, &usize))| Axis {
            size: *size,
            before: window.before as isize,
            windows: *count,
            stride: window.stride,
            places: window.size,
            dilation: window.dilation,
        };
        windows.iter().zip(counts).map(axis).collect()
    }

    /// From the first place of the first window to the last of the last one, in whole strides.
    fn len(self, is_last: bool) -> usize {
        let len = (self.windows - 1) * self.stride + (self.places - 1) * self.dilation + 1;
        if is_last { len.next_multiple_of(self.stride) } else { len }
    }

    /// The positions that have an element and are a place of some window.
    fn reached(self) -> impl Iterator<Item = usize> {
        let mut is_reached = vec![false; self.len(false)];
        for window in 0..self.windows {
            (0..self.places)
                .for_each(|place| is_reached[window * self.stride + place * self.dilation] = true);
        }
        let first = usize::try_from(self.before).unwrap_or(0);
        let end = usize::try_from(self.before + self.size as isize).unwrap_or(0);
        (first..end.min(is_reached.len())).filter(move |at| is_reached[*at])
    }

    /// The parts of a line along the last axis, each in a part of the plane that has so many elements.
    fn parts(self, apart: usize) -> SmallVec<[Part; 2]> {
        let lane = self.len(true) / self.stride;
        let skips = (0..self.stride)
            .filter(|skip| (0..self.places).any(|place| place * self.dilation % self.stride == *skip));
        let part = |skip: usize| {
            // The first of the positions from which `skip` is taken that is not before `position`.
            let first = |position: isize| {
                let after = usize::try_from(position - skip as isize).unwrap_or(0);
                after.div_ceil(self.stride).min(lane)
            };
            let (start, end) = (first(self.before), first(self.before + self.size as isize));
            let from = (start * self.stride + skip) as isize - self.before;
            (end > start).then(|| Part { from: from as usize, to: skip * apart + start, count: end - start })
        };
        skips.filter_map(part).collect()
    }
}

impl Padded {
    /// The copy of planes over which windows slide along all of these axes, at least one.
    pub(crate) fn new(axes: SmallVec<[Axis; 2]>, planes: Vec<usize>) -> Padded {
        let last = axes[axes.len() - 1];
        let lane = last.len(true) / last.stride;
        let (mut pitches, mut apart) = (SmallVec::from_iter([1]), lane);
        for axis in axes.iter().rev().skip(1) {
            pitches.push(apart);
            apart *= axis.len(false);
        }
        pitches.reverse();
        let mut lines = vec![[0, 0]];
        for (axis, pitch) in axes.iter().zip(&pitches).take(axes.len() - 1) {
            let reached: Vec<usize> = axis.reached().collect();
            let inside = |[from, to]: &[usize; 2]| {
                let (from, to) = (from * axis.size, *to);
                let line = move |at: &usize| [from + (*at as isize - axis.before) as usize, to + at * pitch];
                reached.iter().map(line).collect::<Vec<[usize; 2]>>()
            };
            lines = lines.iter().flat_map(inside).collect();
        }
        lines.iter_mut().for_each(|[from, _]| *from *= last.size);
        let mut parts = last.parts(apart);
        let follow = |pair: &[[usize; 2]]| pair[1] == [pair[0][0] + last.size, pair[0][1] + lane];
        let is_whole = last.size == lane * last.stride && parts.iter().all(|part| part.count == lane);
        if is_whole && lines.windows(2).all(follow) {
            parts.iter_mut().for_each(|part| part.count *= lines.len());
            lines.truncate(1);
        }
        let source = axes.iter().map(|axis| axis.size).product();
        Padded { axes, planes, pitches, source, plane: apart * last.stride, lines, parts }
    }

    /// The elements of the copy.
    pub(crate) fn len(&self) -> usize {
        self.planes.len() * self.plane
    }

    /// The elements of a plane of the tensor.
    pub(crate) fn source(&self) -> usize {
        self.source
    }

    /// Windows along the last axis.
    pub(crate) fn line(&self) -> usize {
        self.axes[self.axes.len() - 1].windows
    }

    /// Where position `position` of axis `at` is.
    fn place(&self, at: usize, position: usize) -> usize {
        let axis = self.axes[at];
        match at + 1 == self.axes.len() {
            true => position % axis.stride * (self.plane / axis.stride) + position / axis.stride,
            false => position * self.pitches[at],
        }
    }

    /// Where these positions along each axis are in a plane, by axis.
    pub(crate) fn in_plane(&self, positions: &[Vec<usize>]) -> Vec<usize> {
        positions.iter().enumerate().fold(vec![0], |places, (at, positions)| {
            let offsets: Vec<usize> = positions.iter().map(|position| self.place(at, *position)).collect();
            places.iter().flat_map(|place| offsets.iter().map(move |offset| place + offset)).collect()
        })
    }

    /// Where these positions along each axis are: by plane, then by axis.
    pub(crate) fn in_planes(&self, positions: &[Vec<usize>]) -> Vec<usize> {
        let places = self.in_plane(positions);
        let plane = |at: usize| places.iter().map(move |place| at * self.plane + place);
        (0..self.planes.len()).flat_map(plane).collect()
    }

    /// How far the places of a window are from its first element: by plane, then by the axes of a window.
    pub(crate) fn places(&self) -> Vec<usize> {
        let positions = |axis: &Axis| (0..axis.places).map(|place| place * axis.dilation).collect();
        self.in_planes(&self.axes.iter().map(positions).collect::<Vec<Vec<usize>>>())
    }

    /// Where the first of each line of windows along the last axis starts.
    pub(crate) fn lines(&self) -> Vec<usize> {
        let positions = |axis: &Axis| (0..axis.windows).map(|window| window * axis.stride).collect();
        let outer = &self.axes[..self.axes.len() - 1];
        self.in_plane(&outer.iter().map(positions).collect::<Vec<Vec<usize>>>())
    }

    /// Copies the planes behind `start` of a tensor; the padding is left as it is.
    pub(crate) fn copy<T: Banked>(&self, source: &[T], to: &mut [T]) {
        simd::run(Copying { of: self, source, to });
    }
}

/// Planes to be copied.
struct Copying<'a, T> {
    of: &'a Padded,
    source: &'a [T],
    to: &'a mut [T],
}

impl<T: Banked> Loop for Copying<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Copying { of, source, to } = self;
        let stride = of.axes[of.axes.len() - 1].stride;
        for (start, to) in of.planes.iter().zip(to.chunks_exact_mut(of.plane)) {
            let source = &source[*start..][..of.source];
            for [from, at] in &of.lines {
                for part in &of.parts {
                    read_row(&source[from + part.from..], stride, &mut to[at + part.to..][..part.count]);
                }
            }
        }
    }
}
