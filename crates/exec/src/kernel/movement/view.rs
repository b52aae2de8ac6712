//! Strided views: one way to read a dense buffer that covers broadcast, permute, slice and reverse.
//!
//! A view says where in its source the element at each row-major position of the result is. Axes that can be walked
//! as one are merged when the view is made, so what is left is as few and as long inner runs as the movement allows.

use pullback_graph::Element;
use smallvec::SmallVec;

use crate::kernel::matmul::turned;
use crate::kernel::movement::rows::{Apart, NARROW, copy_rows};

/// An axis of a view: how many elements, and how far apart they are in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) stride: isize,
}

/// Where the elements of a result are in a dense source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    /// Outermost first, without axes of size 1, neighbours merged where possible.
    axes: SmallVec<[Axis; 4]>,
    /// Where element 0 is.
    offset: usize,
    len: usize,
}

/// Rows that a transposing copy makes at once: two cache lines of `f32`.
const BLOCK: usize = 32;

/// One stride per axis.
pub(crate) type Strides = SmallVec<[isize; 4]>;

/// Coordinates of the outer axes; more of them than this go to the heap.
type Coordinates = SmallVec<[usize; 8]>;

/// The strides of a dense row-major buffer of these sizes.
pub(crate) fn dense_strides(sizes: &[usize]) -> Strides {
    let mut strides = Strides::from_elem(0, sizes.len());
    let mut stride = 1_usize;
    for (axis, size) in sizes.iter().enumerate().rev() {
        strides[axis] = stride as isize;
        stride = stride.saturating_mul(*size);
    }
    strides
}

/// The same walk with as few axes as possible.
pub(crate) fn merge(axes: impl IntoIterator<Item = Axis>) -> SmallVec<[Axis; 4]> {
    let mut merged: SmallVec<[Axis; 4]> = SmallVec::new();
    for axis in axes {
        match merged.last_mut() {
            _ if axis.size == 1 => {}
            Some(outer) if outer.stride == axis.stride * axis.size as isize => {
                *outer = Axis { size: outer.size * axis.size, stride: axis.stride };
            }
            _ => merged.push(axis),
        }
    }
    merged
}

impl View {
    /// The view that finds the result's coordinate along each axis that many `strides` away from `offset`.
    ///
    /// Every coordinate must lie in the source.
    pub(crate) fn new(sizes: &[usize], strides: &[isize], offset: usize) -> View {
        let axes = sizes.iter().zip(strides).map(|(size, stride)| Axis { size: *size, stride: *stride });
        View { axes: merge(axes), offset, len: sizes.iter().product() }
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether the result's bytes are the first bytes of the source in their order.
    pub(crate) fn is_dense(&self) -> bool {
        self.offset == 0 && self.axes.iter().all(|axis| axis.stride == 1) && self.axes.len() <= 1
    }

    /// How many neighbors are neighbors in the source too, before the next run of them begins elsewhere.
    pub(crate) fn run(&self) -> usize {
        self.axes.last().map_or(1, |axis| if axis.stride == 1 { axis.size } else { 1 })
    }

    /// Whether every element is element 0 of the view.
    pub(crate) fn is_splat(&self) -> bool {
        self.axes.iter().all(|axis| axis.stride == 0)
    }

    /// The rows and columns of a view that repeats each element of its source side by side.
    pub(crate) fn spread(&self) -> Option<(usize, usize)> {
        match self.axes.as_slice() {
            [Axis { size: rows, stride: 1 }, Axis { size: columns, stride: 0 }] if self.offset == 0 => {
                Some((*rows, *columns))
            }
            _ => None,
        }
    }

    /// The place in the source of element 0.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// After how many elements the view repeats itself; `None` if it does not.
    pub(crate) fn period(&self) -> Option<usize> {
        match self.axes.split_first() {
            Some((Axis { stride: 0, .. }, inner)) => Some(inner.iter().map(|axis| axis.size).product()),
            _ => None,
        }
    }

    /// How many elements to copy together, or a multiple of it: rows that read the same cache lines.
    pub(crate) fn block(&self) -> usize {
        match self.axes.as_slice() {
            [.., Axis { stride: 1, size: rows }, Axis { stride, size }] if *stride != 1 => {
                (*rows).min(BLOCK) * size
            }
            _ => 1,
        }
    }

    /// Where in the source elements `start..start + len` are, if they are neighbors there.
    pub(crate) fn neighbors(&self, start: usize, len: usize) -> Option<usize> {
        let (inner, outer) = self.axes.split_last()?;
        let (row, at) = (start / inner.size, start % inner.size);
        (inner.stride == 1 && at + len <= inner.size).then(|| Walk::new(outer, self.offset, row).place() + at)
    }

    /// Copies elements `start..start + out.len()` of the view.
    pub(crate) fn copy<T: Element>(&self, source: &[T], start: usize, out: &mut [T]) {
        if out.is_empty() {
            return;
        }
        let Some((inner, outer)) = self.axes.split_last() else {
            out.fill(source[self.offset]);
            return;
        };
        if start + out.len() <= inner.size {
            let place = self.offset.wrapping_add_signed(start as isize * inner.stride);
            return copy_run(source, place, inner.stride, out);
        }
        if let Some((Axis { stride: 0, size }, outer)) = outer.split_last() {
            return self.copy_repeated(source, start, outer, (*inner, *size), out);
        }
        // Neighbours, or one element again and again, unless that is soon over.
        let is_run = inner.stride == 1 || (inner.stride == 0 && inner.size >= BLOCK / 2);
        let mut walk = Walk::new(outer, self.offset, start / inner.size);
        let mut at = start % inner.size;
        let mut rest = out;
        loop {
            let rows = walk.columns().min(rest.len() / inner.size).min(BLOCK);
            let (narrow, apart) =
                if inner.stride == 1 && inner.size < NARROW { walk.ahead() } else { (0, 0) };
            let narrow = narrow.min(rest.len() / inner.size);
            if at == 0 && narrow > 1 {
                let (block, tail) = rest.split_at_mut(narrow * inner.size);
                let from = Apart { elements: &source[walk.place..], apart };
                copy_rows(from, Apart { elements: block, apart: inner.size }, inner.size);
                rest = tail;
                walk.advance(narrow);
            } else if at == 0 && rows > 1 && !is_run {
                let (block, tail) = rest.split_at_mut(rows * inner.size);
                transpose(source, walk.place, *inner, block);
                rest = tail;
                walk.advance(rows);
            } else {
                let count = rest.len().min(inner.size - at);
                let (run, tail) = rest.split_at_mut(count);
                copy_run(
                    source,
                    walk.place.wrapping_add_signed(at as isize * inner.stride),
                    inner.stride,
                    run,
                );
                rest = tail;
                at = 0;
                walk.advance(1);
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    /// [`copy`](View::copy) of runs that are each repeated so many times, from where they were copied to first.
    fn copy_repeated<T: Element>(
        &self,
        source: &[T],
        start: usize,
        outer: &[Axis],
        (inner, times): (Axis, usize),
        out: &mut [T],
    ) {
        let period = inner.size * times;
        let mut walk = Walk::new(outer, self.offset, start / period);
        let (mut at, mut rest) = (start % period, out);
        while !rest.is_empty() {
            let count = (period - at).min(rest.len());
            let (part, tail) = rest.split_at_mut(count);
            // The run from where it is begun, and then what is before that.
            let (begun, once) = (at % inner.size, inner.size.min(count));
            let (end, beginning) = part[..once].split_at_mut((inner.size - begun).min(once));
            copy_run(
                source,
                walk.place.wrapping_add_signed(begun as isize * inner.stride),
                inner.stride,
                end,
            );
            copy_run(source, walk.place, inner.stride, beginning);
            repeat(part, once);
            (at, rest) = (0, tail);
            walk.advance(1);
        }
    }
}

/// A position that moves over axes, the last one fastest.
pub(crate) struct Walk<'a> {
    axes: &'a [Axis],
    coordinates: Coordinates,
    place: usize,
}

impl<'a> Walk<'a> {
    /// At the `position`-th coordinates. Coordinates 0 are at `offset`.
    pub(crate) fn new(axes: &'a [Axis], offset: usize, mut position: usize) -> Walk<'a> {
        let mut coordinates = Coordinates::from_elem(0, axes.len());
        let mut place = offset;
        for (axis, coordinate) in axes.iter().zip(&mut coordinates).rev() {
            *coordinate = position % axis.size;
            position /= axis.size;
            place = place.wrapping_add_signed(*coordinate as isize * axis.stride);
        }
        Walk { axes, coordinates, place }
    }

    /// Where it is.
    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// How many steps along the last axis, this one included, are neighbours in the source; 1 if they are not.
    fn columns(&self) -> usize {
        if let (steps, 1) = self.ahead() { steps } else { 1 }
    }

    /// How many steps along the last axis, this one included, and how far apart they are in the source; no step where they go
    /// backwards.
    pub(crate) fn ahead(&self) -> (usize, usize) {
        match (self.axes.last(), self.coordinates.last()) {
            (Some(axis), Some(coordinate)) => {
                usize::try_from(axis.stride).map_or((0, 0), |apart| (axis.size - coordinate, apart))
            }
            _ => (0, 0),
        }
    }

    /// Moves by `steps`, which do not go past the end of the last axis.
    pub(crate) fn advance(&mut self, steps: usize) {
        let mut steps = steps;
        for (axis, coordinate) in self.axes.iter().zip(&mut self.coordinates).rev() {
            *coordinate += steps;
            self.place = self.place.wrapping_add_signed(steps as isize * axis.stride);
            if *coordinate < axis.size {
                return;
            }
            self.place = self.place.wrapping_add_signed(-(axis.size as isize * axis.stride));
            *coordinate = 0;
            steps = 1;
        }
    }
}

/// Fills `elements` by repeating the first `period` of them.
pub(crate) fn repeat<T: Copy>(elements: &mut [T], period: usize) {
    let mut filled = period;
    while filled < elements.len() {
        let (from, to) = elements.split_at_mut(filled);
        let count = filled.min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        filled += count;
    }
}

fn copy_run<T: Copy>(source: &[T], place: usize, stride: isize, run: &mut [T]) {
    match stride {
        1 => run.copy_from_slice(&source[place..place + run.len()]),
        0 => run.fill(source[place]),
        -1 => {
            let from = &source[place + 1 - run.len()..=place];
            run.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
        }
        2.. => {
            let from = source[place..].iter().step_by(stride as usize);
            run.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        _ => {
            let mut place = place;
            for to in run {
                *to = source[place];
                place = place.wrapping_add_signed(stride);
            }
        }
    }
}

/// Fills rows of `inner.size` elements whose starts are neighbours in the source.
fn transpose<T: Element>(source: &[T], place: usize, inner: Axis, rows: &mut [T]) {
    let count = rows.len() / inner.size;
    if let Ok(column) = usize::try_from(inner.stride) {
        return turned(&source[place..], column, count, rows);
    }
    for (row, out) in rows.chunks_exact_mut(inner.size).enumerate() {
        copy_run(source, place + row, inner.stride, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements, one by one from their coordinates.
    fn slowly(sizes: &[usize], strides: &[isize], offset: usize, source: &[i64]) -> Vec<i64> {
        let len: usize = sizes.iter().product();
        let element = |mut position: usize| {
            let mut place = offset as isize;
            for (size, stride) in sizes.iter().zip(strides).rev() {
                place += (position % size) as isize * stride;
                position /= size;
            }
            source[place as usize]
        };
        (0..len).map(element).collect()
    }

    fn check(sizes: &[usize], strides: &[isize], offset: usize) {
        let source: Vec<i64> = (0..6000).collect();
        let view = View::new(sizes, strides, offset);
        let expected = slowly(sizes, strides, offset, &source);
        assert_eq!(view.len(), expected.len());
        for step in [1, 3, 16, 50, 1 << 20] {
            let mut got = vec![-1; expected.len()];
            for (piece, part) in got.chunks_mut(step).enumerate() {
                view.copy(&source, piece * step, part);
            }
            assert_eq!(got, expected, "sizes {sizes:?}, strides {strides:?}, steps of {step}");
        }
    }

    #[test]
    fn copies_equal_the_definition() {
        check(&[], &[], 7);
        check(&[4, 5, 6], &[30, 6, 1], 0);
        check(&[4, 5, 6], &[1, 4, 20], 0);
        check(&[40, 50], &[1, 40], 3);
        check(&[3, 17, 33], &[561, 1, 17], 0);
        check(&[5, 7], &[0, 1], 2);
        check(&[5, 7], &[1, 0], 2);
        check(&[2, 3, 4, 5], &[0, 5, 0, 1], 0);
        check(&[70, 6, 8], &[8, 0, 1], 3);
        check(&[7, 3, 40, 5], &[5, 100, 0, 9], 1);
        check(&[5, 30, 4], &[-4, 0, -1], 19);
        check(&[90, 7], &[0, 1], 4);
        check(&[300, 2], &[5, 1], 1);
        check(&[7, 30, 3], &[160, 5, 1], 0);
        check(&[40, 3], &[-7, 1], 280);
        check(&[4, 5], &[-5, -1], 19);
        check(&[4, 5], &[20, 3], 1);
        check(&[4, 5], &[-2, -3], 30);
        check(&[4, 0, 5], &[5, 5, 1], 0);
        check(&[1, 6, 1], &[99, 1, 99], 0);
    }

    #[test]
    fn neighbors_are_found_where_they_are_neighbors_in_the_source() {
        let repeated = View::new(&[3, 4, 5], &[0, 5, 1], 2);
        assert_eq!(repeated.neighbors(0, 20), Some(2));
        assert_eq!(repeated.neighbors(25, 15), Some(7));
        assert_eq!(repeated.neighbors(25, 16), None, "a copy begins anew");
        let columns = View::new(&[3, 4], &[9, 1], 1);
        assert_eq!(columns.neighbors(4, 4), Some(10));
        assert_eq!(columns.neighbors(3, 2), None, "rows are apart");
        assert_eq!(View::new(&[3, 4], &[1, 3], 0).neighbors(0, 2), None, "columns are rows");
        assert_eq!(View::new(&[6], &[0], 3).neighbors(2, 4), None, "one element is no run");
    }

    #[test]
    fn axes_merge_and_dense_views_are_told() {
        assert!(View::new(&[2, 1, 3], &[3, 7, 1], 0).is_dense());
        assert!(View::new(&[], &[], 0).is_dense());
        assert!(!View::new(&[2, 3], &[1, 2], 0).is_dense());
        assert!(!View::new(&[2, 3], &[3, 1], 1).is_dense());
        assert!(View::new(&[2, 3], &[0, 0], 1).is_splat());
        assert_eq!(View::new(&[2, 3, 4], &[0, 4, 1], 0).period(), Some(12));
        assert_eq!(View::new(&[2, 3, 4], &[4, 0, 1], 0).period(), None);
        assert_eq!(View::new(&[2, 3, 4], &[12, 4, 1], 0).axes.len(), 1);
        assert_eq!(View::new(&[2, 3, 4], &[0, 0, 1], 0).axes.len(), 2);
    }
}
