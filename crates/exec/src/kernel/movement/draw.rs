//! Random draws, many at a time: a block of the generator makes two elements, and blocks do not depend on each other.

use std::ops::Range;

use pullback_graph::op::{Distribution, PhiloxBlock, Random};
use pullback_graph::{DType, Element, Graph, NodeId, dispatch_float};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::Scratch;
use crate::kernel::simd::{self, Loop};
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

impl Draw {
    /// The draws of a node.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &Random) -> Draw {
        let (len, keys) = (numel(graph, node), numel(graph, graph.node(node).operands[0]));
        Draw { op: op.clone(), dtype: graph.ty(node).dtype, len, each: len.checked_div(keys).unwrap_or(0) }
    }

    /// Draws the elements from number `first` on with one key.
    fn draw<T: Drawn>(&self, key: i64, first: usize, out: &mut [T]) {
        let begun = (first % 2).min(out.len());
        let (second, rest) = out.split_at_mut(begun);
        let (pairs, last) = rest.as_chunks_mut::<2>();
        let block = first.div_ceil(2);
        let ends = [(first, second), (2 * (block + pairs.len()), last)];
        for (at, element) in ends.into_iter().filter_map(|(at, end)| Some((at, end.first_mut()?))) {
            *element = T::from_f64(self.op.draw(key, at));
        }
        let blocks = Blocks { op: &self.op, key, first: block as u64, pairs };
        match self.op.distribution {
            Distribution::Uniform => simd::run(Uniform(blocks)),
            Distribution::Normal => simd::run(Normal(blocks)),
        }
    }
}

/// Element types that are drawn.
trait Drawn: Element {
    /// Two uniform numbers.
    fn uniform(block: PhiloxBlock) -> [Self; 2];
    /// Two normal numbers.
    fn normal(block: PhiloxBlock) -> [Self; 2];
}

impl Drawn for f32 {
    #[inline(always)]
    fn uniform(block: PhiloxBlock) -> [f32; 2] {
        block.uniform_f32()
    }

    #[inline(always)]
    fn normal(block: PhiloxBlock) -> [f32; 2] {
        block.normal().map(|x| x as f32)
    }
}

impl Drawn for f64 {
    #[inline(always)]
    fn uniform(block: PhiloxBlock) -> [f64; 2] {
        block.uniform_f64()
    }

    #[inline(always)]
    fn normal(block: PhiloxBlock) -> [f64; 2] {
        block.normal()
    }
}

/// The elements of whole blocks.
struct Blocks<'a, T> {
    op: &'a Random,
    key: i64,
    first: u64,
    pairs: &'a mut [[T; 2]],
}

impl<T> Blocks<'_, T> {
    #[inline(always)]
    fn fill(self, pair: impl Fn(PhiloxBlock) -> [T; 2]) {
        for (to, number) in self.pairs.iter_mut().zip(self.first..) {
            *to = pair(self.op.block(self.key, number));
        }
    }
}

struct Uniform<'a, T>(Blocks<'a, T>);

impl<T: Drawn> Loop for Uniform<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.0.fill(T::uniform);
    }
}

struct Normal<'a, T>(Blocks<'a, T>);

impl<T: Drawn> Loop for Normal<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.0.fill(T::normal);
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
    use crate::kernel::simd::{run_as, tests::all};

    fn op(distribution: Distribution, dtype: DType) -> Random {
        Random { distribution, stream: 9, dtype, shape: Shape::scalar() }
    }

    fn check<T: Drawn>(dtype: DType) {
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            let op = op(distribution, dtype);
            let expected = |at: usize| T::from_f64(op.draw(-5, at)).to_f64().to_bits();
            let draw = Draw { op: op.clone(), dtype, len: 0, each: 0 };
            for (first, len) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (3, 701), (40, 31), (511, 512)] {
                let mut out = vec![T::default(); len];
                draw.draw(-5, first, &mut out);
                for (at, x) in out.into_iter().enumerate() {
                    assert_eq!(
                        x.to_f64().to_bits(),
                        expected(first + at),
                        "{distribution:?} {dtype} {first}+{at}"
                    );
                }
            }
            for set in all() {
                let mut pairs = vec![[T::default(); 2]; 333];
                let blocks = Blocks { op: &op, key: -5, first: 7, pairs: &mut pairs };
                match distribution {
                    Distribution::Uniform => run_as(set, Uniform(blocks)),
                    Distribution::Normal => run_as(set, Normal(blocks)),
                }
                for (at, x) in pairs.into_iter().flatten().enumerate() {
                    assert_eq!(
                        x.to_f64().to_bits(),
                        expected(14 + at),
                        "{distribution:?} {dtype} {set:?} {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn draws_have_the_interpreters_bits_on_every_instruction_set() {
        check::<f32>(DType::F32);
        check::<f64>(DType::F64);
    }

    #[test]
    fn each_key_has_draws_of_its_own_however_they_are_cut() {
        let op = op(Distribution::Normal, DType::F64);
        let (keys, each) = ([3, -1, 3, i64::MAX], 7);
        let draw = Draw { op: op.clone(), dtype: DType::F64, len: 28, each };
        for piece in [1, 2, 5, 28] {
            let mut out = vec![0.0_f64; 28];
            for (at, part) in out.chunks_mut(piece).enumerate() {
                let range = at * piece..at * piece + part.len();
                draw.run(range, &[Slice::I64(&keys)], SliceMut::F64(part), &mut Scratch::default()).unwrap();
            }
            let expected: Vec<f64> = (0..28).map(|at| op.draw(keys[at / each], at % each)).collect();
            assert_eq!(out, expected, "pieces of {piece}");
        }
    }
}
