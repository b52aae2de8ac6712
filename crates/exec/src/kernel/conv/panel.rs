//! Operands copied side by side: what one load of a register then takes from as many of them.

use pullback_graph::DType;

use crate::kernel::conv::taps::Distances;
use crate::kernel::matmul::Multiply;
use crate::kernel::simd::InstructionSet;

/// Elements of some operands, side by side in rows.
#[derive(Debug)]
pub(super) struct Panel {
    /// How many operands there are: two of the widest registers, or four that are half as wide.
    pub(super) wide: usize,
    /// Where each row is.
    pub(super) rows: Distances,
}

impl Panel {
    /// With so many rows of elements of a type.
    pub(super) fn new(dtype: DType, rows: usize) -> Panel {
        let wide = if dtype == DType::F32 { 32 } else { 16 };
        let rows: Vec<usize> = (0..rows).map(|at| at * wide).collect();
        Panel { wide, rows: rows.into() }
    }
}

/// Elements of a type that are in a register here.
pub(super) fn lanes(dtype: DType) -> usize {
    match dtype {
        DType::F32 => f32::lanes(InstructionSet::detected()),
        _ => f64::lanes(InstructionSet::detected()),
    }
}
