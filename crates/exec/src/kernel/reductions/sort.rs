//! Positions in the order of values.
//!
//! Elements become whole numbers in the same order, NaN the largest of them, and lanes of up to four billion elements of
//! 32 bits one number each with the position below. Numbers that differ need no stable sort.

use std::ops::Range;

use pullback_graph::{DType, Graph, NodeId, Order, op};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::Pieces;
use crate::kernel::reductions::lanes::Lanes;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// The positions of the elements of each lane, sorted.
#[derive(Debug)]
pub(crate) struct ArgSort {
    order: Order,
    dtype: DType,
    lanes: Lanes,
}

/// Lanes side by side that are read and written together, so that whole cache lines are used.
const TOGETHER: usize = 16;

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
        ArgSort { order: op.order, dtype: graph.ty(operand).dtype, lanes: Lanes::of(graph, node, op.axis) }
    }

    fn sort<T: Key>(&self, source: &[T], out: &mut [i64], scratch: &mut Scratch) {
        let Lanes { count, inner, .. } = self.lanes;
        let together = if inner == 1 { 1 } else { TOGETHER.min(inner) };
        let mut keys = scratch.take::<i64>(0, together * count);
        let mut positions = scratch.take::<i64>(1, count);
        let slab = self.lanes.slab();
        for (source, out) in source.chunks_exact(slab).zip(out.chunks_exact_mut(slab)) {
            for column in (0..inner).step_by(together) {
                let columns = column..inner.min(column + together);
                self.read(source, columns.clone(), &mut keys);
                for keys in keys.chunks_exact_mut(count).take(columns.len()) {
                    if T::IS_NARROW && u32::try_from(count).is_ok() {
                        sort_narrow(keys);
                    } else {
                        sort_wide(keys, &mut positions[..count]);
                    }
                }
                for (row, out) in out.chunks_exact_mut(inner).enumerate() {
                    for (at, out) in out[columns.clone()].iter_mut().enumerate() {
                        *out = keys[at * count + row];
                    }
                }
            }
        }
        scratch.put(0, keys);
        scratch.put(1, positions);
    }

    /// The keys of these columns of a slab, column after column.
    fn read<T: Key>(&self, source: &[T], columns: Range<usize>, keys: &mut [i64]) {
        let Lanes { count, inner, .. } = self.lanes;
        // All bits turned around are in the opposite order.
        let mask = if self.order == Order::Ascending { 0 } else { -1 };
        for (row, source) in source.chunks_exact(inner).enumerate() {
            for (at, element) in source[columns.clone()].iter().enumerate() {
                keys[at * count + row] = element.key() ^ mask;
            }
        }
    }
}

/// Replaces keys of 32 bits by their positions in order.
fn sort_narrow(keys: &mut [i64]) {
    for (position, key) in keys.iter_mut().enumerate() {
        *key = *key << 32 | position as i64;
    }
    keys.sort_unstable();
    for key in keys {
        *key &= i64::from(u32::MAX);
    }
}

/// Replaces keys by their positions in order.
fn sort_wide(keys: &mut [i64], positions: &mut [i64]) {
    for (at, position) in positions.iter_mut().enumerate() {
        *position = at as i64;
    }
    positions.sort_unstable_by_key(|position| (keys[*position as usize], *position));
    keys.copy_from_slice(positions);
}

impl Compute for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn pieces(&self) -> Pieces {
        self.lanes.slabs(1)
    }

    fn flops(&self) -> u64 {
        self.lanes.len() as u64 * u64::from(self.lanes.count.max(1).ilog2())
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
            DType::F32 => self.sort(&reads[0].typed::<f32>()[range], out, scratch),
            DType::F64 => self.sort(&reads[0].typed::<f64>()[range], out, scratch),
            DType::I64 => self.sort(&reads[0].typed::<i64>()[range], out, scratch),
            DType::Bool => self.sort(&reads[0].typed::<bool>()[range], out, scratch),
        }
        Ok(())
    }
}
