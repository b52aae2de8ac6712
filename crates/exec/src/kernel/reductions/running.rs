//! Running combinations and linear recurrences: every element of a lane from the one before it.
//!
//! A lane is gone through in order, as the interpreter does and with its arithmetic, so the bits are the same. What is done
//! at once are lanes: where they lie side by side, row after row; where they lie one after the other, some elements of each of a
//! few in turn, so that processors go on with the next while one waits for its last sum.

use std::marker::PhantomData;
use std::ops::Range;

use pullback_graph::op::{self, CumulativeKind, Real};
use pullback_graph::{DType, Element, Graph, NodeId};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::Pieces;
use crate::kernel::reductions::fold::times;
use crate::kernel::reductions::lanes::Lanes;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::simd::{self, Loop};
use crate::kernel::slice::{Slice, SliceMut};

/// Every element combined with all before it.
#[derive(Debug)]
pub(crate) struct Cumulative {
    kind: CumulativeKind,
    walk: Walk,
}

/// Every element added to a multiple of the one before it.
#[derive(Debug)]
pub(crate) struct LinearScan {
    walk: Walk,
    in_place: &'static [usize],
}

/// Lanes that are gone through.
#[derive(Clone, Copy, Debug)]
struct Walk {
    dtype: DType,
    lanes: Lanes,
    reverse: bool,
}

/// Lanes side by side that are gone through together.
const COLUMNS: usize = 1024;

/// Other lanes that are gone through together.
const TOGETHER: usize = 8;

/// Elements of one of them before it is the next one's turn.
const TURN: usize = 16;

/// How the state of a lane follows from the one before.
trait Step<T> {
    /// One of the two numbers that a state is.
    type Part: Banked;

    /// The state after the first element.
    fn first(x: T) -> (Self::Part, Self::Part);
    /// The state after one more element, whose factor only a recurrence looks at.
    fn next(state: (Self::Part, Self::Part), factor: T, x: T) -> (Self::Part, Self::Part);
    /// The result at this place.
    fn value(state: (Self::Part, Self::Part)) -> T;
}

/// `Σ x`.
struct Sum;
/// `Π x`, and whether a factor was not finite.
struct Prod;
/// The largest so far.
struct Max;
/// The smallest so far.
struct Min;
/// The largest so far and `Σ e^(x - largest)`.
struct LogSumExp;
/// `a_t · h_(t-1) + b_t`.
struct Linear;

macro_rules! step {
    ($Step:ident of $($ty:ident)*, in $Part:ident: |$x:ident| $first:expr, |$state:pat_param, $factor:pat_param, $next_x:ident| $next:expr, |$end:pat_param| $value:expr) => {
        $(impl Step<$ty> for $Step {
            type Part = $Part;

            #[inline(always)]
            fn first($x: $ty) -> ($Part, $Part) {
                $first
            }

            #[inline(always)]
            fn next($state: ($Part, $Part), $factor: $ty, $next_x: $ty) -> ($Part, $Part) {
                $next
            }

            #[inline(always)]
            fn value($end: ($Part, $Part)) -> $ty {
                let value = $value;
                value as $ty
            }
        })*
    };
}

step!(Sum of f32 f64, in f64: |x| (0.0 + x.to_f64(), 0.0), |(sum, rest), _, x| (sum + x.to_f64(), rest), |(sum, _)| sum);
step!(Sum of i64, in i64: |x| (x, 0), |(sum, rest), _, x| (sum.wrapping_add(x), rest), |(sum, _)| sum);
step!(Prod of f32 f64, in f64: |x| times((1.0, 0.0), x.to_f64()), |state, _, x| times(state, x.to_f64()), |(product, _)| product);
step!(Prod of i64, in i64: |x| (x, 0), |(product, rest), _, x| (product.wrapping_mul(x), rest), |(product, _)| product);
step!(Max of f32, in f32: |x| (x, 0.0), |(most, rest), _, x| (most.larger(x), rest), |(most, _)| most);
step!(Max of f64, in f64: |x| (x, 0.0), |(most, rest), _, x| (most.larger(x), rest), |(most, _)| most);
step!(Max of i64, in i64: |x| (x, 0), |(most, rest), _, x| (most.max(x), rest), |(most, _)| most);
step!(Min of f32, in f32: |x| (x, 0.0), |(least, rest), _, x| (least.smaller(x), rest), |(least, _)| least);
step!(Min of f64, in f64: |x| (x, 0.0), |(least, rest), _, x| (least.smaller(x), rest), |(least, _)| least);
step!(Min of i64, in i64: |x| (x, 0), |(least, rest), _, x| (least.min(x), rest), |(least, _)| least);
step!(LogSumExp of f32 f64, in f64: |x| with_exp((f64::NEG_INFINITY, 0.0), x.to_f64()), |state, _, x| with_exp(state, x.to_f64()),
    |(largest, sum)| if largest.is_finite() { largest + sum.ln() } else { largest });
step!(Linear of f32 f64, in f64: |x| (x.to_f64(), 0.0),
    |(last, rest), factor, x| (if factor != 0.0 { factor.to_f64() * last + x.to_f64() } else { x.to_f64() }, rest), |(last, _)| last);

/// The largest, and the sum of exponentials seen from it.
#[inline(always)]
fn with_exp((largest, sum): (f64, f64), x: f64) -> (f64, f64) {
    let next = largest.larger(x);
    if !next.is_finite() {
        return (next, sum);
    }
    // The larger of the two is e^0 as seen from itself.
    let (scale, term) = if next == largest { (1.0, (x - next).exp()) } else { ((largest - next).exp(), 1.0) };
    (next, sum * scale + term)
}

impl Walk {
    fn of(graph: &Graph, node: NodeId, axis: usize, reverse: bool) -> Walk {
        Walk { dtype: graph.ty(node).dtype, lanes: Lanes::of(graph, node, axis), reverse }
    }

    /// Whether rows of lanes side by side are long enough to be gone through as rows.
    fn is_wide(&self) -> bool {
        self.lanes.inner >= TOGETHER
    }

    fn pieces(&self) -> Pieces {
        self.lanes.slabs(TOGETHER)
    }

    /// Goes through the lanes of `range`: `source` holds its elements, or if it is empty, `out` does. Factors are as many,
    /// or none.
    fn run<T: Banked, S: Step<T>>(&self, source: &[T], factors: &[T], out: &mut [T], scratch: &mut Scratch) {
        let Lanes { count, inner, .. } = self.lanes;
        let (slab, reverse, step) = (self.lanes.slab(), self.reverse, PhantomData::<S>);
        if inner == 1 {
            return simd::run(Rows { source, factors, out, count, reverse, step });
        }
        if !self.is_wide() {
            return simd::run(Few { source, factors, out, count, inner, reverse, step });
        }
        let (mut first, mut second) =
            (scratch.take::<S::Part>(0, COLUMNS), scratch.take::<S::Part>(1, COLUMNS));
        for (at, out) in out.chunks_exact_mut(slab).enumerate() {
            let same =
                |elements: &'_ [T]| if elements.is_empty() { 0..0 } else { at * slab..(at + 1) * slab };
            let (source, factors) = (&source[same(source)], &factors[same(factors)]);
            for column in (0..inner).step_by(COLUMNS) {
                let width = COLUMNS.min(inner - column);
                let (first, second) = (&mut first[..width], &mut second[..width]);
                let columns = column..column + width;
                simd::run(Columns {
                    source,
                    factors,
                    out,
                    count,
                    inner,
                    columns,
                    reverse,
                    first,
                    second,
                    step,
                });
            }
        }
        scratch.put(0, first);
        scratch.put(1, second);
    }
}

/// Lanes side by side, row after row.
struct Columns<'a, T, S: Step<T>> {
    source: &'a [T],
    factors: &'a [T],
    out: &'a mut [T],
    count: usize,
    inner: usize,
    columns: Range<usize>,
    reverse: bool,
    /// The states of these columns; overwritten.
    first: &'a mut [S::Part],
    second: &'a mut [S::Part],
    step: PhantomData<S>,
}

impl<T: Element, S: Step<T>> Loop for Columns<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { source, factors, out, count, inner, columns, reverse, first, second, .. } = self;
        for at in 0..count {
            let row = if reverse { count - 1 - at } else { at } * inner;
            let places = row + columns.start..row + columns.end;
            let out = &mut out[places.clone()];
            if !source.is_empty() {
                out.copy_from_slice(&source[places.clone()]);
            }
            let states = first.iter_mut().zip(second.iter_mut());
            if at == 0 {
                for (out, (first, second)) in out.iter_mut().zip(states) {
                    (*first, *second) = S::first(*out);
                    *out = S::value((*first, *second));
                }
            } else if factors.is_empty() {
                for (out, (first, second)) in out.iter_mut().zip(states) {
                    (*first, *second) = S::next((*first, *second), T::default(), *out);
                    *out = S::value((*first, *second));
                }
            } else {
                for ((out, (first, second)), factor) in out.iter_mut().zip(states).zip(&factors[places]) {
                    (*first, *second) = S::next((*first, *second), *factor, *out);
                    *out = S::value((*first, *second));
                }
            }
        }
    }
}

/// Lanes one after the other.
struct Rows<'a, T, S> {
    source: &'a [T],
    factors: &'a [T],
    out: &'a mut [T],
    count: usize,
    reverse: bool,
    step: PhantomData<S>,
}

impl<T: Element, S: Step<T>> Loop for Rows<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Rows { source, factors, out, count, reverse, .. } = self;
        if !source.is_empty() {
            out.copy_from_slice(source);
        }
        for (group, out) in out.chunks_mut(TOGETHER * count).enumerate() {
            let mut states = [(S::Part::default(), S::Part::default()); TOGETHER];
            for start in (0..count).step_by(TURN) {
                let end = (start + TURN).min(count);
                let turn = if reverse { count - end..count - start } else { start..end };
                let lanes = out.chunks_exact_mut(count).zip(&mut states).enumerate();
                for (lane, (out, state)) in lanes {
                    let first = (group * TOGETHER + lane) * count;
                    let factors = if factors.is_empty() { factors } else { &factors[first..][turn.clone()] };
                    let elements = out[turn.clone()].iter_mut();
                    *state = match reverse {
                        true => go_on::<T, S>(start == 0, *state, elements.rev(), factors.iter().rev()),
                        false => go_on::<T, S>(start == 0, *state, elements, factors.iter()),
                    };
                }
            }
        }
    }
}

/// Goes on through a lane, or begins it; the state in the end. There is a factor for each element, or none at all.
#[inline(always)]
fn go_on<'a, T: Element, S: Step<T>>(
    begins: bool,
    mut state: (S::Part, S::Part),
    mut elements: impl Iterator<Item = &'a mut T>,
    mut factors: impl ExactSizeIterator<Item = &'a T>,
) -> (S::Part, S::Part) {
    let has_factors = factors.len() > 0;
    if begins && let Some(element) = elements.next() {
        let _ = factors.next();
        state = S::first(*element);
        *element = S::value(state);
    }
    if has_factors {
        for (element, factor) in elements.zip(factors) {
            state = S::next(state, *factor, *element);
            *element = S::value(state);
        }
    } else {
        for element in elements {
            state = S::next(state, T::default(), *element);
            *element = S::value(state);
        }
    }
    state
}

/// Only few lanes side by side.
struct Few<'a, T, S> {
    source: &'a [T],
    factors: &'a [T],
    out: &'a mut [T],
    count: usize,
    inner: usize,
    reverse: bool,
    step: PhantomData<S>,
}

impl<T: Element, S: Step<T>> Loop for Few<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let lanes = self.out.len() / self.count;
        let mut lane = 0;
        while lane + TOGETHER <= lanes {
            self.together::<TOGETHER>(lane);
            lane += TOGETHER;
        }
        while lane < lanes {
            self.together::<1>(lane);
            lane += 1;
        }
    }
}

impl<T: Element, S: Step<T>> Few<'_, T, S> {
    /// Goes through `LANES` lanes in turn.
    #[inline(always)]
    fn together<const LANES: usize>(&mut self, lane: usize) {
        let (count, inner) = (self.count, self.inner);
        let mut places = [0; LANES];
        for (at, place) in places.iter_mut().enumerate() {
            *place = (lane + at) / inner * count * inner + (lane + at) % inner;
        }
        let mut states = [(S::Part::default(), S::Part::default()); LANES];
        for at in 0..count {
            let row = if self.reverse { count - 1 - at } else { at } * inner;
            for (state, place) in states.iter_mut().zip(&places) {
                let place = row + place;
                let x = if self.source.is_empty() { self.out[place] } else { self.source[place] };
                *state = if at == 0 {
                    S::first(x)
                } else {
                    let factor = if self.factors.is_empty() { T::default() } else { self.factors[place] };
                    S::next(*state, factor, x)
                };
                self.out[place] = S::value(*state);
            }
        }
    }
}

/// The elements of an operand that a piece reads; none if they are in its result.
fn part<T: Banked>(read: Slice<'_>, range: Range<usize>) -> &[T] {
    let elements = read.typed::<T>();
    if elements.is_empty() { elements } else { &elements[range] }
}

impl Cumulative {
    /// The running combination that a node is.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &op::Cumulative) -> Cumulative {
        Cumulative { kind: op.kind, walk: Walk::of(graph, node, op.axis, op.reverse) }
    }
}

impl Compute for Cumulative {
    fn name(&self) -> &'static str {
        match self.kind {
            CumulativeKind::Sum => "cumsum",
            CumulativeKind::Prod => "cumprod",
            CumulativeKind::Max => "cummax",
            CumulativeKind::Min => "cummin",
            CumulativeKind::LogSumExp => "logcumsumexp",
        }
    }

    fn pieces(&self) -> Pieces {
        self.walk.pieces()
    }

    fn in_place(&self) -> &[usize] {
        &[0]
    }

    fn flops(&self) -> u64 {
        self.walk.lanes.len() as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return Ok(());
        }
        macro_rules! run {
            ($ty:ty, $Step:ident) => {
                self.walk.run::<$ty, $Step>(part(reads[0], range), &[], write.typed(), scratch)
            };
            ($ty:ty) => {
                match self.kind {
                    CumulativeKind::Sum => run!($ty, Sum),
                    CumulativeKind::Prod => run!($ty, Prod),
                    CumulativeKind::Max => run!($ty, Max),
                    CumulativeKind::Min => run!($ty, Min),
                    CumulativeKind::LogSumExp => run!($ty, LogSumExp),
                }
            };
        }
        match (self.walk.dtype, self.kind) {
            (DType::F32, _) => run!(f32),
            (DType::F64, _) => run!(f64),
            (DType::I64, CumulativeKind::Sum) => run!(i64, Sum),
            (DType::I64, CumulativeKind::Prod) => run!(i64, Prod),
            (DType::I64, CumulativeKind::Max) => run!(i64, Max),
            (DType::I64, CumulativeKind::Min) => run!(i64, Min),
            (DType::I64, CumulativeKind::LogSumExp) | (DType::Bool, _) => {
                return Err("takes floating-point elements".into());
            }
        }
        Ok(())
    }
}

impl LinearScan {
    /// The recurrence that a node is.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &op::LinearScan) -> LinearScan {
        let operands = &graph.node(node).operands;
        // The terms' buffer may become the result's unless it holds the factors too.
        let in_place: &[usize] = if operands[0] == operands[1] { &[] } else { &[1] };
        LinearScan { walk: Walk::of(graph, node, op.axis, op.reverse), in_place }
    }
}

impl Compute for LinearScan {
    fn name(&self) -> &'static str {
        "linear_scan"
    }

    fn pieces(&self) -> Pieces {
        self.walk.pieces()
    }

    fn in_place(&self) -> &[usize] {
        self.in_place
    }

    fn flops(&self) -> u64 {
        2 * self.walk.lanes.len() as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        macro_rules! run {
            ($ty:ty) => {{
                let factors = part(reads[0], range.clone());
                self.walk.run::<$ty, Linear>(part(reads[1], range), factors, write.typed(), scratch)
            }};
        }
        match self.walk.dtype {
            _ if range.is_empty() => {}
            DType::F32 => run!(f32),
            DType::F64 => run!(f64),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}
