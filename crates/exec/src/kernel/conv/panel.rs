//! Operands copied side by side: what one load of a register then takes from as many of them.

use pullback_graph::DType;

use crate::kernel::conv::taps::Distances;
use crate::kernel::matmul::{Matrix, Turned};
use crate::kernel::register::Registers;
use crate::kernel::simd::InstructionSet;

/// How elements of some operands lie side by side in rows.
#[derive(Debug)]
pub(super) struct Panel {
    /// How many operands there are at most.
    pub(super) wide: usize,
    /// Where each row is.
    pub(super) rows: Distances,
}

/// Bytes of a row: two of the widest registers, or four that are half as wide.
const ROW: usize = 128;

impl Panel {
    /// With so many rows of elements of a type.
    pub(super) fn new(dtype: DType, rows: usize) -> Panel {
        let wide = ROW / dtype.bytes();
        let rows: Vec<usize> = (0..rows).map(|at| at * wide).collect();
        Panel { wide, rows: rows.into() }
    }

    /// Copies the elements of the operands that start in `from` there, each element a row.
    pub(super) fn fill<T: Registers>(
        &self,
        from: &[T],
        starts: &[usize],
        elements: &[usize],
        mut to: &mut [T],
    ) {
        let column = starts.get(1).map_or(0, |second| second.saturating_sub(starts[0]));
        // Operands that are as far apart are columns of one matrix, where elements are neighbors its rows.
        let are_alike = starts.windows(2).all(|pair| pair[0] + column == pair[1]);
        let columns = if are_alike { self.wide } else { 1 };
        for run in elements.chunk_by(|element, next| element + 1 == *next) {
            for (at, starts) in starts.chunks(columns).enumerate() {
                let turned = Turned {
                    from: Matrix { elements: &from[starts[0] + run[0]..], row: 1, column },
                    rows: run.len(),
                    columns: starts.len(),
                    to: &mut to[at..],
                    row: self.wide,
                };
                T::in_registers(InstructionSet::detected(), turned);
            }
            to = &mut to[self.wide * run.len()..];
        }
    }
}
