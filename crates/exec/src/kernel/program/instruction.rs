//! Instructions: what is done to elements, where they are, and where the outcome goes.

use std::ops::Range;

use pullback_graph::DType;
use pullback_graph::op::{BinaryOp, Cast, Clamp, CompareOp, LogicOp, Polygamma, ReduceKind, UnaryOp};

use crate::kernel::movement::view::View;
use crate::kernel::routine::Chain;

/// Where an instruction finds an operand's tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The input, at the position of the tile.
    Input(usize),
    /// The register of the operand's element type: as long as a block.
    Register(usize),
    /// The register of the operand's element type that is as long as a tile.
    Tiled(usize),
    /// The register of the operand's element type that is as long as a lap, and is read from its start in each.
    Repeated(usize),
    /// A view of an input: in the input where the tile's elements are neighbors there, or else copied to the register of the
    /// operand's element type that is as long as a tile.
    Loaded(usize),
    /// The register of the operand's element type that has one element per row of a tile.
    Row(usize),
    /// The result, at the position of the tile: an earlier instruction has written it.
    Result(usize),
}

/// Which elements of a tile an instruction goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    /// All.
    Elements,
    /// One per row.
    Rows,
    /// Of a result alone: so many for each piece of the program, or part of one.
    Groups { columns: usize, piece: usize },
}

/// Where an instruction writes; never what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The register of the result's element type: as long as a block.
    Register(usize),
    /// The register of the result's element type that is as long as a tile.
    Tiled(usize),
    /// The same register, for a view of an input, which need not be copied there.
    Loaded(usize),
    /// The register of the result's element type that has one element per row of a tile.
    Row(usize),
    /// A result of the program, which no other instruction writes.
    Result(usize),
}

/// One loop over elements.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) action: Action,
    /// Where the result is, and the operands unless the action says otherwise.
    pub(crate) space: Space,
    pub(crate) target: Target,
}

/// What an instruction does. `dtype` is the element type of the operands `x` and `y`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Load {
        input: usize,
        dtype: DType,
        // Boxed, for few instructions have one and all would be as large.
        view: Box<View>,
    },
    Unary {
        op: UnaryOp,
        dtype: DType,
        x: Place,
    },
    Binary {
        op: BinaryOp,
        dtype: DType,
        x: Place,
        y: Place,
    },
    /// Several functions, one after the other; the last operand again where the chain has fewer than four.
    Chain {
        chain: Chain,
        dtype: DType,
        operands: [Place; 4],
    },
    Compare {
        op: CompareOp,
        dtype: DType,
        x: Place,
        y: Place,
    },
    Logic {
        op: LogicOp,
        x: Place,
        y: Place,
    },
    Select {
        dtype: DType,
        condition: Place,
        x: Place,
        y: Place,
    },
    Clamp {
        op: Clamp,
        dtype: DType,
        x: Place,
    },
    Polygamma {
        op: Polygamma,
        dtype: DType,
        x: Place,
    },
    Cast {
        op: Cast,
        dtype: DType,
        x: Place,
    },
    /// Combines the elements of each row; what they come to times others, if there are any, in sums of floats alone.
    Fold {
        kind: ReduceKind,
        dtype: DType,
        x: Place,
        times: Option<Place>,
    },
    /// Repeats each row's number along the row.
    Spread {
        dtype: DType,
        x: Place,
    },
    /// Adds the tile to what the piece has come to, rows of so many columns to each other; times others as in a fold.
    Accumulate {
        kind: ReduceKind,
        dtype: DType,
        x: Place,
        times: Option<Place>,
        columns: usize,
    },
}

impl Instruction {
    /// Whether it goes through whole tiles at once.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.action, Action::Load { .. } | Action::Fold { .. } | Action::Accumulate { .. })
    }
}

impl Space {
    /// What belongs to the elements `range`, which are whole rows of `columns`.
    pub(crate) fn part(self, range: Range<usize>, columns: usize) -> Range<usize> {
        match self {
            Space::Elements => range,
            Space::Rows => range.start / columns..range.end / columns,
            Space::Groups { columns, piece } => {
                range.start.div_ceil(piece) * columns..range.end.div_ceil(piece) * columns
            }
        }
    }
}

impl Action {
    /// The action over operands that are all the same: equal for what does the same to other operands.
    pub(crate) fn kind(&self) -> Action {
        let mut kind = self.clone();
        kind.places_mut().for_each(|place| *place = Place::Input(0));
        kind
    }

    /// How many functions it is.
    pub(crate) fn functions(&self) -> usize {
        if let Action::Chain { chain, .. } = self { chain.functions() } else { 1 }
    }

    /// Every operand.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + Clone + use<> {
        let places = match self {
            Action::Load { .. } => [None; 4],
            Action::Unary { x, .. }
            | Action::Clamp { x, .. }
            | Action::Polygamma { x, .. }
            | Action::Cast { x, .. }
            | Action::Spread { x, .. } => [Some(*x), None, None, None],
            Action::Fold { x, times, .. } | Action::Accumulate { x, times, .. } => {
                [Some(*x), *times, None, None]
            }
            Action::Binary { x, y, .. } | Action::Compare { x, y, .. } | Action::Logic { x, y, .. } => {
                [Some(*x), Some(*y), None, None]
            }
            Action::Select { condition: x, x: y, y: z, .. } => [Some(*x), Some(*y), Some(*z), None],
            Action::Chain { operands, .. } => operands.map(Some),
        };
        places.into_iter().flatten()
    }

    /// Every operand, to be replaced.
    pub(crate) fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let places = match self {
            Action::Load { .. } => [None, None, None, None],
            Action::Unary { x, .. }
            | Action::Clamp { x, .. }
            | Action::Polygamma { x, .. }
            | Action::Cast { x, .. }
            | Action::Spread { x, .. } => [Some(x), None, None, None],
            Action::Fold { x, times, .. } | Action::Accumulate { x, times, .. } => {
                [Some(x), times.as_mut(), None, None]
            }
            Action::Binary { x, y, .. } | Action::Compare { x, y, .. } | Action::Logic { x, y, .. } => {
                [Some(x), Some(y), None, None]
            }
            Action::Select { condition: x, x: y, y: z, .. } => [Some(x), Some(y), Some(z), None],
            Action::Chain { operands, .. } => operands.each_mut().map(Some),
        };
        places.into_iter().flatten()
    }
}
