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
    /// Where instructions find it.
    pub(crate) fn place(&self) -> Place {
        match self.value {
            FixedValue::Repeat { .. } => Place::Repeated(self.register),
            FixedValue::Literal(_) | FixedValue::Element { .. } => Place::Register(self.register),
        }
    }
}

/// What a [`Fixed`] register holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FixedValue {
    /// A number of the program.
    Literal(Scalar),
    /// An element of an input.
    Element { input: usize, at: usize },
    /// A view that repeats itself from lap to lap.
    Repeat { input: usize, view: View },
}
