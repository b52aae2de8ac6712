//! A copy of planes with their padding, and where the places of windows are in it.
//!
//! Along the last axis, windows with a stride take every so-manieth element. These are put side by side: neighbouring
//! windows then have neighbouring elements at each of their places.

use pullback_graph::op::Window;
use smallvec::SmallVec;

use crate::kernel::scratch::Banked;
use crate::kernel::window::read_row;

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
    /// Whether the places of a window are told from its end.
    pub(crate) backward: bool,
}

/// Planes of a tensor, and how they are copied.
#[derive(Debug)]
pub(crate) struct Padded {
    axes: SmallVec<[Axis; 2]>,
    /// Where each plane starts in the tensor.
    planes: Vec<usize>,
    /// The distances of neighbours in the copy, by axis.
    pitches: SmallVec<[usize; 2]>,
    /// The elements of a plane of the copy.
    plane: usize,
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
            backward: false,
        };
        windows.iter().zip(counts).map(axis).collect()
    }

    /// From the first place of the first window to the last of the last one, in whole strides.
    fn len(self, is_last: bool) -> usize {
        let len = (self.windows - 1) * self.stride + (self.places - 1) * self.dilation + 1;
        if is_last { len.next_multiple_of(self.stride) } else { len }
    }
}

impl Padded {
    /// The copy of planes over which windows slide along all of these axes, at least one.
    pub(crate) fn new(axes: SmallVec<[Axis; 2]>, planes: Vec<usize>) -> Padded {
        let (mut pitches, mut pitch) = (SmallVec::new(), 1);
        for (at, axis) in axes.iter().enumerate().rev() {
            pitches.push(pitch);
            pitch *= axis.len(at + 1 == axes.len());
        }
        pitches.reverse();
        Padded { axes, planes, pitches, plane: pitch }
    }

    /// The elements of the copy.
    pub(crate) fn len(&self) -> usize {
        self.planes.len() * self.plane
    }

    /// The elements that a copy takes.
    pub(crate) fn source(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    /// Windows along the last axis.
    pub(crate) fn line(&self) -> usize {
        self.axes[self.axes.len() - 1].windows
    }

    /// Where position `position` of axis `at` is.
    fn place(&self, at: usize, position: usize) -> usize {
        let axis = self.axes[at];
        match at + 1 == self.axes.len() {
            true => position % axis.stride * (axis.len(true) / axis.stride) + position / axis.stride,
            false => position * self.pitches[at],
        }
    }

    /// How far the places of a window are from its first element: by plane, then by the axes of a window.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.planes.len()).map(|at| at * self.plane).collect();
        for (at, axis) in self.axes.iter().enumerate() {
            let offset = |place: usize| match axis.backward {
                true => self.place(at, (axis.places - 1 - place) * axis.dilation),
                false => self.place(at, place * axis.dilation),
            };
            places = each(&places, axis.places, offset);
        }
        places
    }

    /// Where the first of each line of windows along the last axis starts.
    pub(crate) fn lines(&self) -> Vec<usize> {
        let outer = &self.axes[..self.axes.len() - 1];
        outer.iter().zip(&self.pitches).fold(vec![0], |lines, (axis, pitch)| {
            each(&lines, axis.windows, |window| window * axis.stride * pitch)
        })
    }

    /// Copies the planes behind `start` of a tensor; the padding is left as it is.
    pub(crate) fn copy<T: Banked>(&self, source: &[T], to: &mut [T]) {
        for (start, to) in self.planes.iter().zip(to.chunks_exact_mut(self.plane)) {
            copy(&self.axes, &self.pitches, &source[*start..][..self.source()], to);
        }
    }
}

/// For each of these, itself plus `offset` of each of `count`.
fn each(these: &[usize], count: usize, offset: impl Fn(usize) -> usize) -> Vec<usize> {
    these.iter().flat_map(|this| (0..count).map(|at| this + offset(at)).collect::<Vec<usize>>()).collect()
}

fn copy<T: Banked>(axes: &[Axis], pitches: &[usize], source: &[T], to: &mut [T]) {
    let [axis, inner @ ..] = axes else { return };
    let len = axis.len(inner.is_empty());
    // The elements that have a place.
    let first = usize::try_from(-axis.before).unwrap_or(0).min(axis.size);
    let place = usize::try_from(first as isize + axis.before).unwrap_or(0);
    let count = (axis.size - first).min(len.saturating_sub(place));
    if count == 0 {
        return;
    }
    if !inner.is_empty() {
        let row = source.len() / axis.size;
        for at in 0..count {
            let source = &source[(first + at) * row..][..row];
            copy(inner, &pitches[1..], source, &mut to[(place + at) * pitches[0]..][..pitches[0]]);
        }
        return;
    }
    let (source, lane) = (&source[first..][..count], len / axis.stride);
    // What is taken together, for each place at which windows may start.
    for skipped in 0..axis.stride.min(count) {
        let (at, count) = (place + skipped, (count - skipped).div_ceil(axis.stride));
        let to = &mut to[at % axis.stride * lane + at / axis.stride..][..count];
        read_row(&source[skipped..], axis.stride, to);
    }
}
