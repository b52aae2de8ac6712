//! Registers that keep what they hold.

use pullback_graph::DType;
use pullback_graph::op::Scalar;

use crate::kernel::movement::view::View;
use crate::kernel::program::instruction::Place;

/// A register that is filled once for all tiles of a piece.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) register: usize,
    pub(crate) dtype: DType,
    pub(crate) value: FixedValue,
}

impl Fixed {
    /// Whether the register is as long as a tile.
    pub(crate) fn is_tiled(&self) -> bool {
        matches!(self.value, FixedValue::Repeat { .. })
    }

    /// Where instructions find it.
    pub(crate) fn place(&self) -> Place {
        if self.is_tiled() { Place::Tiled(self.register) } else { Place::Register(self.register) }
    }
}

/// What a [`Fixed`] register holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FixedValue {
    /// A number of the program.
    Literal(Scalar),
    /// An element of an input.
    Element { input: usize, at: usize },
    /// A view that repeats itself from tile to tile.
    Repeat { input: usize, view: View },
}
