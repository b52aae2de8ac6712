//! Positions in the order of values.
//!
//! Elements become whole numbers in the same order, NaN the largest of them, and lanes of up to four billion elements of
//! 32 bits one number each with the position below. Numbers that differ need no stable sort. Where only some ranks are asked
//! for, elements of other ranks are separated from them first, and then not sorted.

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId, Order, op};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::{GRAIN, Pieces};
use crate::kernel::reductions::lanes::Lanes;
use crate::kernel::scratch::Scratch;
use crate::kernel::simd::{self, Loop};
use crate::kernel::slice::{Slice, SliceMut};

/// The positions of the elements of each lane, sorted.
#[derive(Debug)]
pub(crate) struct ArgSort {
    order: Order,
    dtype: DType,
    lanes: Lanes,
    /// The places of the order that are asked for.
    ranks: Range<usize>,
}

/// Lanes side by side that are read and written together, so that whole cache lines are used.
const TOGETHER: usize = 16;

/// Lanes up to which it is not worth selecting what is to be sorted.
const SHORT: usize = 32;

/// Elements as whole numbers in the same order; equal ones are the same.
trait Key: Copy {
    /// Whether keys are numbers of 32 bits.
    const IS_NARROW: bool;
    /// The number.
    fn key(self) -> i64;
}

impl Key for f32 {
    const IS_NARROW: bool = true;

    #[inline(always)]
    fn key(self) -> i64 {
        // The bits of positive floats are in their order, those of negative ones in the opposite. Adding 0 to -0 is 0.
        let bits = (self + 0.0).to_bits() as i32;
        i64::from(if self.is_nan() { i32::MAX } else { bits ^ ((bits >> 31) & i32::MAX) })
    }
}

impl Key for f64 {
    const IS_NARROW: bool = false;

    #[inline(always)]
    fn key(self) -> i64 {
        let bits = (self + 0.0).to_bits() as i64;
        if self.is_nan() { i64::MAX } else { bits ^ ((bits >> 63) & i64::MAX) }
    }
}

impl Key for i64 {
    const IS_NARROW: bool = false;

    #[inline(always)]
    fn key(self) -> i64 {
        self
    }
}

impl Key for bool {
    const IS_NARROW: bool = true;

    #[inline(always)]
    fn key(self) -> i64 {
        i64::from(self)
    }
}

impl ArgSort {
    /// The positions that a node finds.
    pub(crate) fn of(graph: &Graph, node: NodeId, op: &op::ArgSort) -> ArgSort {
        let operand = graph.node(node).operands[0];
        let lanes = Lanes::of(graph, node, op.axis);
        ArgSort { order: op.order, dtype: graph.ty(operand).dtype, lanes, ranks: op.places(lanes.count) }
    }

    /// The number of positions of lanes that lie side by side.
    fn slab(&self) -> usize {
        self.ranks.len() * self.lanes.inner
    }

    /// Sorts the lanes whose positions `range` of the result holds.
    fn sort<T: Key>(&self, range: Range<usize>, source: &[T], out: &mut [i64], scratch: &mut Scratch) {
        let Lanes { count, inner, .. } = self.lanes;
        let together = if inner == 1 { 1 } else { TOGETHER.min(inner) };
        let is_narrow = T::IS_NARROW && u32::try_from(count).is_ok();
        let mut keys = scratch.take::<i64>(0, together * count);
        let mut positions = scratch.take::<i64>(1, if is_narrow { 0 } else { count });
        let source = &source[range.start / self.slab() * self.lanes.slab()..];
        let slabs = source.chunks_exact(self.lanes.slab()).zip(out.chunks_exact_mut(self.slab()));
        for (source, out) in slabs {
            for column in (0..inner).step_by(together) {
                let columns = column..inner.min(column + together);
                self.read(source, columns.clone(), is_narrow, &mut keys);
                for keys in keys.chunks_exact_mut(count).take(columns.len()) {
                    if is_narrow {
                        sort_narrow(keys, self.ranks.clone());
                    } else {
                        sort_wide(keys, &mut positions[..count], self.ranks.clone());
                    }
                }
                if inner == 1 {
                    out.copy_from_slice(&keys[self.ranks.clone()]);
                    continue;
                }
                for (rank, out) in self.ranks.clone().zip(out.chunks_exact_mut(inner)) {
                    for (at, out) in out[columns.clone()].iter_mut().enumerate() {
                        *out = keys[at * count + rank];
                    }
                }
            }
        }
        scratch.put(0, keys);
        scratch.put(1, positions);
    }

    /// The keys of these columns of a slab, column after column; narrow ones with their positions.
    fn read<T: Key>(&self, source: &[T], columns: Range<usize>, is_narrow: bool, keys: &mut [i64]) {
        let Lanes { count, inner, .. } = self.lanes;
        // All bits turned around are in the opposite order.
        let mask = if self.order == Order::Ascending { 0 } else { -1 };
        if inner == 1 {
            return simd::run(Row { source, mask, is_narrow, keys: &mut keys[..count] });
        }
        for (row, source) in source.chunks_exact(inner).enumerate() {
            for (at, element) in source[columns.clone()].iter().enumerate() {
                let key = element.key() ^ mask;
                keys[at * count + row] = if is_narrow { key << 32 | row as i64 } else { key };
            }
        }
    }
}

/// The keys of neighbors.
struct Row<'a, T> {
    source: &'a [T],
    mask: i64,
    is_narrow: bool,
    keys: &'a mut [i64],
}

impl<T: Key> Loop for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let elements = self.keys.iter_mut().zip(self.source);
        if self.is_narrow {
            for (position, (key, element)) in elements.enumerate() {
                *key = (element.key() ^ self.mask) << 32 | position as i64;
            }
        } else {
            for (key, element) in elements {
                *key = element.key() ^ self.mask;
            }
        }
    }
}

/// Replaces keys with their positions by those positions at `ranks` of the order. What is elsewhere is of no use.
fn sort_narrow(keys: &mut [i64], ranks: Range<usize>) {
    rank(keys, ranks.clone(), |key| *key);
    for key in &mut keys[ranks] {
        *key &= i64::from(u32::MAX);
    }
}

/// Replaces keys by the positions at `ranks` of the order. What is elsewhere is of no use.
fn sort_wide(keys: &mut [i64], positions: &mut [i64], ranks: Range<usize>) {
    for (at, position) in positions.iter_mut().enumerate() {
        *position = at as i64;
    }
    rank(positions, ranks.clone(), |position| (keys[*position as usize], *position));
    keys[ranks.clone()].copy_from_slice(&positions[ranks]);
}

/// Brings to `ranks` what is there when all is sorted by keys, which differ.
fn rank<K: Ord>(elements: &mut [i64], ranks: Range<usize>, key: impl Fn(&i64) -> K) {
    let Range { start, end } = ranks;
    if elements.len() <= SHORT || 2 * (end - start) >= elements.len() {
        return elements.sort_unstable_by_key(key);
    }
    if start == end {
        return;
    }
    elements.select_nth_unstable_by_key(end - 1, &key);
    // The last one is in its place.
    let first = &mut elements[..end - 1];
    if 0 < start && start < first.len() {
        first.select_nth_unstable_by_key(start, &key);
    }
    first[start..].sort_unstable_by_key(key);
}

impl Compute for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn pieces(&self) -> Pieces {
        let slabs = (GRAIN / self.lanes.slab().max(1)).max(1);
        Pieces::of(self.lanes.outer * self.slab(), slabs.saturating_mul(self.slab()))
    }

    fn flops(&self) -> u64 {
        let whole = self.lanes.len() as u64;
        // To select takes a few comparisons of each element.
        let sorted = (self.lanes.outer * self.slab()) as u64;
        2 * (whole - sorted) + sorted * u64::from(self.ranks.len().max(1).ilog2())
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let out = write.typed::<i64>();
        match self.dtype {
            _ if range.is_empty() => {}
            DType::F32 => self.sort(range, reads[0].typed::<f32>(), out, scratch),
            DType::F64 => self.sort(range, reads[0].typed::<f64>(), out, scratch),
            DType::I64 => self.sort(range, reads[0].typed::<i64>(), out, scratch),
            DType::Bool => self.sort(range, reads[0].typed::<bool>(), out, scratch),
        }
        Ok(())
    }
}
