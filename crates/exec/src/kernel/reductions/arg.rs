//! Positions of the largest and the smallest elements along one axis.
//!
//! Lanes of neighbours are searched twice, first for the extreme and then for its first place; where lanes lie side by
//! side, rows are compared column by column.

use std::marker::PhantomData;
use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::fold::{Fold, Max, Min, total};
use crate::kernel::reductions::lanes::Lanes;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::{self, Loop};
use crate::kernel::slice::{Slice, SliceMut};

/// Which element of a lane is looked for, the first of equal ones; NaN if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extreme {
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

/// The position of an extreme of each lane.
#[derive(Debug)]
pub(crate) struct Arg {
    extreme: Extreme,
    dtype: DType,
    lanes: Lanes,
}

/// Columns that are compared at a time.
const COLUMNS: usize = 256;

/// Elements among which the first place is looked for at once.
const BLOCK: usize = 64;

/// An extreme of elements of type `T`.
pub(crate) trait Wanted<T>: Fold<T> {
    /// Positions, as wide as the elements: they are chosen together.
    type Position: Copy + Default;
    /// A position in this type; lanes are not longer than it can tell.
    fn position(at: usize) -> Self::Position;
    /// A position as an element of the result.
    fn widen(position: Self::Position) -> i64;
    /// Whether an element takes the place of the best before it.
    fn beats(new: T, best: T) -> bool;
    /// Whether an element is what the lane's extreme is.
    fn is(element: T, extreme: T) -> bool;
}

macro_rules! wanted {
    ($($Fold:ident of $ty:ident, at $Position:ident: |$new:ident, $best:ident| $beats:expr, |$x:ident, $extreme:ident| $is:expr;)*) => {
        $(impl Wanted<$ty> for $Fold {
            type Position = $Position;

            #[inline(always)]
            fn position(at: usize) -> $Position {
                at as $Position
            }

            #[inline(always)]
            fn widen(position: $Position) -> i64 {
                i64::from(position)
            }

            #[inline(always)]
            fn beats($new: $ty, $best: $ty) -> bool {
                $beats
            }

            #[inline(always)]
            fn is($x: $ty, $extreme: $ty) -> bool {
                $is
            }
        })*
    };
}

wanted! {
    Max of f32, at i32: |new, best| (new > best) | (new.is_nan() & !best.is_nan()), |x, most| (x == most) | (x.is_nan() & most.is_nan());
    Max of f64, at i64: |new, best| (new > best) | (new.is_nan() & !best.is_nan()), |x, most| (x == most) | (x.is_nan() & most.is_nan());
    Max of i64, at i64: |new, best| new > best, |x, most| x == most;
    Min of f32, at i32: |new, best| (new < best) | (new.is_nan() & !best.is_nan()), |x, least| (x == least) | (x.is_nan() & least.is_nan());
    Min of f64, at i64: |new, best| (new < best) | (new.is_nan() & !best.is_nan()), |x, least| (x == least) | (x.is_nan() & least.is_nan());
    Min of i64, at i64: |new, best| new < best, |x, least| x == least;
}

impl Arg {
    /// The positions that a node finds; `None` where there is nothing to choose from, which is for the reference to refuse,
    /// or more than a position can tell.
    pub(crate) fn of(graph: &Graph, node: NodeId, axis: usize, extreme: Extreme) -> Option<Arg> {
        let operand = graph.node(node).operands[0];
        let lanes = Lanes::of(graph, node, axis);
        let fits = (1..=i32::MAX as usize).contains(&lanes.count);
        fits.then_some(Arg { extreme, dtype: graph.ty(operand).dtype, lanes })
    }

    fn find<T: Banked, F: Wanted<T>>(&self, range: Range<usize>, source: &[T], out: &mut [i64]) {
        let Lanes { count, inner, .. } = self.lanes;
        let mut rest = out;
        let mut lane = range.start;
        while !rest.is_empty() {
            let side_by_side = if inner == 1 { rest.len() } else { (inner - lane % inner).min(COLUMNS) };
            let (out, tail) = rest.split_at_mut(side_by_side.min(rest.len()));
            let start = self.lanes.start(lane);
            lane += out.len();
            let fold = PhantomData::<F>;
            if inner == 1 {
                simd::run(Rows { elements: &source[start..start + out.len() * count], count, out, fold });
            } else {
                simd::run(Columns { elements: &source[start..], count, inner, out, fold });
            }
            rest = tail;
        }
    }
}

impl Compute for Arg {
    fn name(&self) -> &'static str {
        match self.extreme {
            Extreme::Largest => "argmax",
            Extreme::Smallest => "argmin",
        }
    }

    fn pieces(&self) -> Pieces {
        let Lanes { outer, count, inner } = self.lanes;
        // A piece of columns reads whole cache lines.
        Pieces::of(outer * inner, (2 * GRAIN / count).max(inner.min(COLUMNS)))
    }

    fn flops(&self) -> u64 {
        self.lanes.len() as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let out = write.typed::<i64>();
        match (self.dtype, self.extreme) {
            (DType::F32, Extreme::Largest) => self.find::<f32, Max>(range, reads[0].typed(), out),
            (DType::F64, Extreme::Largest) => self.find::<f64, Max>(range, reads[0].typed(), out),
            (DType::I64, Extreme::Largest) => self.find::<i64, Max>(range, reads[0].typed(), out),
            (DType::F32, Extreme::Smallest) => self.find::<f32, Min>(range, reads[0].typed(), out),
            (DType::F64, Extreme::Smallest) => self.find::<f64, Min>(range, reads[0].typed(), out),
            (DType::I64, Extreme::Smallest) => self.find::<i64, Min>(range, reads[0].typed(), out),
            (DType::Bool, _) => return Err("truth values have no order".into()),
        }
        Ok(())
    }
}

/// Lanes one after the other.
struct Rows<'a, T, F> {
    elements: &'a [T],
    count: usize,
    out: &'a mut [i64],
    fold: PhantomData<F>,
}

impl<T: Copy, F: Wanted<T>> Loop for Rows<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, row) in self.out.iter_mut().zip(self.elements.chunks_exact(self.count)) {
            *out = if self.count < BLOCK {
                one_by_one::<T, F>(row)
            } else {
                first::<T, F>(row, F::finish(total::<T, F>(F::NOTHING, row)))
            } as i64;
        }
    }
}

/// Where the first extreme of a short row is.
#[inline(always)]
fn one_by_one<T: Copy, F: Wanted<T>>(row: &[T]) -> usize {
    let (mut best, mut place) = (row[0], 0);
    for (at, element) in row.iter().enumerate() {
        let beats = F::beats(*element, best);
        best = if beats { *element } else { best };
        place = if beats { at } else { place };
    }
    place
}

/// Where the first element is that is `extreme`.
#[inline(always)]
fn first<T: Copy, F: Wanted<T>>(row: &[T], extreme: T) -> usize {
    let mut at = 0;
    // Whole blocks are asked first: that takes no branch per element.
    for block in row.chunks_exact(BLOCK) {
        let mut found = false;
        for element in block {
            found |= F::is(*element, extreme);
        }
        if found {
            break;
        }
        at += BLOCK;
    }
    for element in &row[at..] {
        if F::is(*element, extreme) {
            break;
        }
        at += 1;
    }
    at
}

/// Up to [`COLUMNS`] lanes side by side.
struct Columns<'a, T, F> {
    /// From the first element of the first lane on.
    elements: &'a [T],
    count: usize,
    inner: usize,
    out: &'a mut [i64],
    fold: PhantomData<F>,
}

impl<T: Copy + Default, F: Wanted<T>> Loop for Columns<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { elements, count, inner, out, .. } = self;
        let columns = out.len();
        let (mut best, mut places) = ([T::default(); COLUMNS], [F::Position::default(); COLUMNS]);
        let (best, places) = (&mut best[..columns], &mut places[..columns]);
        best.copy_from_slice(&elements[..columns]);
        for row in 1..count {
            let at = F::position(row);
            let elements = &elements[row * inner..row * inner + columns];
            for ((best, place), element) in best.iter_mut().zip(&mut *places).zip(elements) {
                let beats = F::beats(*element, *best);
                *best = if beats { *element } else { *best };
                *place = if beats { at } else { *place };
            }
        }
        for (out, place) in out.iter_mut().zip(places) {
            *out = F::widen(*place);
        }
    }
}
