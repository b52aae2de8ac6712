//! Random draws, many at a time: a block of the generator makes two elements, and blocks do not depend on each other.
//!
//! Uniform draws have the bits of the interpreter's. Normal ones are of the same two numbers, by the [routines](crate::kernel::routine)
//! for logarithm, sine and cosine in `f64`: as `f64` they differ by a few units in the last place, as `f32` hardly ever.

use std::ops::Range;

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Element, Graph, NodeId, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::regions::role::numel;
use crate::kernel::routine::{COSINE, LOGARITHM, SINE};
use crate::kernel::scratch::Scratch;
use crate::kernel::simd::{self, InstructionSet, Loop};
use crate::kernel::slice::{Slice, SliceMut};

/// Random draws: element `i` of those with one key is a function of that key and `i` alone.
#[derive(Debug)]
pub(crate) struct Draw {
    op: Random,
    dtype: DType,
    len: usize,
    /// The number of draws with each key.
    each: usize,
}

/// Blocks whose words are computed at once: as many as fill one of the widest registers.
const TOGETHER: usize = 16;

/// Blocks at a time: what lies between two functions stays in the first-level cache.
const BLOCKS: usize = 8 * TOGETHER;

/// Two elements of each.
const ELEMENTS: usize = 2 * BLOCKS;

impl Draw {
    /// The draws of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &Random) -> Draw {
        let (len, keys) = (numel(graph, node), numel(graph, graph.node(node).operands[0]));
        Draw { op: op.clone(), dtype: graph.ty(node).dtype, len, each: len.checked_div(keys).unwrap_or(0) }
    }

    /// Draws `out.len()` elements from number `first` on.
    fn draw<T: Unit>(&self, key: i64, first: usize, out: &mut [T]) {
        let mut buffer = [T::default(); ELEMENTS];
        let (mut at, mut rest) = (first, out);
        while !rest.is_empty() {
            let (block, skipped) = (at / 2, at % 2);
            let count = (ELEMENTS - skipped).min(rest.len());
            let wanted = &mut buffer[..(skipped + count).next_multiple_of(2 * TOGETHER)];
            match self.op.distribution {
                Distribution::Uniform => self.uniform(key, block, wanted),
                Distribution::Normal => self.normal(key, block, wanted),
            }
            let (part, tail) = rest.split_at_mut(count);
            part.copy_from_slice(&wanted[skipped..][..count]);
            (at, rest) = (at + count, tail);
        }
    }

    fn uniform<T: Unit>(&self, key: i64, block: usize, out: &mut [T]) {
        simd::run(Uniform { op: &self.op, key, block: block as u64, out });
    }

    /// By the method of Box and Muller: the numbers of a block are a radius and an angle.
    fn normal<T: Unit>(&self, key: i64, block: usize, out: &mut [T]) {
        let mut pairs = [0.0_f64; ELEMENTS];
        let mut sides = [[0.0_f64; BLOCKS]; 5];
        let pairs = &mut pairs[..out.len()];
        let [distance, logarithm, angle, cosine, sine] =
            sides.each_mut().map(|side| &mut side[..out.len() / 2]);
        self.uniform(key, block, pairs);
        for ((pair, distance), angle) in pairs.as_chunks::<2>().0.iter().zip(&mut *distance).zip(&mut *angle)
        {
            (*distance, *angle) = (1.0 - pair[0], std::f64::consts::TAU * pair[1]);
        }
        let set = InstructionSet::detected();
        LOGARITHM(set, distance, logarithm);
        COSINE(set, angle, cosine);
        SINE(set, angle, sine);
        simd::run(Points { logarithm, cosine, sine, out });
    }
}

/// Element types that are drawn.
trait Unit: Element {
    /// Two words as a number in [0, 1).
    fn unit(high: u32, low: u32) -> Self;
    /// A double, rounded.
    fn rounded(x: f64) -> Self;
}

impl Unit for f32 {
    #[inline(always)]
    fn unit(high: u32, _low: u32) -> f32 {
        Random::unit_f32(high)
    }

    #[inline(always)]
    fn rounded(x: f64) -> f32 {
        x as f32
    }
}

impl Unit for f64 {
    #[inline(always)]
    fn unit(high: u32, low: u32) -> f64 {
        Random::unit_f64(high, low)
    }

    #[inline(always)]
    fn rounded(x: f64) -> f64 {
        x
    }
}

/// Uniform draws of whole blocks.
struct Uniform<'a, T> {
    op: &'a Random,
    key: i64,
    block: u64,
    out: &'a mut [T],
}

impl<T: Unit> Loop for Uniform<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Uniform { op, key, block, out } = self;
        for (at, out) in out.as_chunks_mut::<{ 2 * TOGETHER }>().0.iter_mut().enumerate() {
            let [a, b, c, d] = op.words::<TOGETHER>(key, block + (at * TOGETHER) as u64);
            for (lane, pair) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                *pair = [T::unit(a[lane], b[lane]), T::unit(c[lane], d[lane])];
            }
        }
    }
}

/// The two coordinates of each point.
struct Points<'a, T> {
    logarithm: &'a [f64],
    cosine: &'a [f64],
    sine: &'a [f64],
    out: &'a mut [T],
}

impl<T: Unit> Loop for Points<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Points { logarithm, cosine, sine, out } = self;
        let points = logarithm.iter().zip(cosine).zip(sine);
        for (pair, ((logarithm, cosine), sine)) in out.as_chunks_mut::<2>().0.iter_mut().zip(points) {
            let radius = (-2.0 * logarithm).sqrt();
            *pair = [T::rounded(radius * cosine), T::rounded(radius * sine)];
        }
    }
}

impl Compute for Draw {
    fn name(&self) -> &'static str {
        "draw"
    }

    fn pieces(&self) -> Pieces {
        Pieces::of(self.len, GRAIN / 2)
    }

    fn flops(&self) -> u64 {
        self.len as u64 * if self.op.distribution == Distribution::Normal { 50 } else { 20 }
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let keys = reads[0].typed::<i64>();
        dispatch_float!(self.dtype, T => {
            let (mut at, mut rest) = (range.start, write.typed::<T>());
            while !rest.is_empty() {
                let (key, first) = (at / self.each, at % self.each);
                let count = (self.each - first).min(rest.len());
                let (part, tail) = rest.split_at_mut(count);
                self.draw::<T>(keys[key], first, part);
                (at, rest) = (at + count, tail);
            }
            Ok(())
        }, else Err(format!("draws floating-point numbers, not {}", self.dtype)))
    }
}

#[cfg(test)]
mod tests {
    use pullback_graph::Shape;

    use super::*;

    #[test]
    fn draws_are_the_interpreters() {
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            for dtype in [DType::F32, DType::F64] {
                let op = Random { distribution, stream: 9, dtype, shape: Shape::scalar() };
                let draw = Draw { op: op.clone(), dtype, len: 0, each: 0 };
                for (first, len) in [(0, 1), (1, 1), (3, 700), (40, 31), (511, 512), (0, 5000)] {
                    let mut found = vec![0.0_f64; len];
                    if dtype == DType::F32 {
                        let mut out = vec![0.0_f32; len];
                        draw.draw(-5, first, &mut out);
                        found.iter_mut().zip(out).for_each(|(found, x)| *found = f64::from(x));
                    } else {
                        draw.draw(-5, first, &mut found);
                    }
                    for (at, found) in found.into_iter().enumerate() {
                        let (exact, unit) = match dtype {
                            DType::F32 => {
                                (f64::from(op.draw(-5, first + at) as f32), f64::from(f32::EPSILON))
                            }
                            _ => (op.draw(-5, first + at), f64::EPSILON),
                        };
                        let units = if distribution == Distribution::Uniform { 0.0 } else { 4.0 };
                        let bound = units * unit * exact.abs();
                        assert!(
                            (found - exact).abs() <= bound,
                            "{distribution:?} {dtype} {at}: {found} {exact}"
                        );
                    }
                }
            }
        }
    }
}
