//! What an instruction computes, apart from where its operands are.

use std::sync::Arc;

use pullback_graph::DType;
use pullback_graph::op::{BinaryOp, Clamp, CompareOp, LogicOp, UnaryOp};

use crate::kernel::program::chain_loop::{ChainLoop, chain_loop};
use crate::kernel::program::instruction::{Action, Place};
use crate::kernel::routine::{BinaryLoop, Chain, Polygamma, Routines, Then, UnaryLoop};
use crate::kernel::simd::InstructionSet;

/// An elementwise function and the element type it is for; a routine where there is one.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    RoutineF32(UnaryLoop<f32>),
    RoutineF64(UnaryLoop<f64>),
    RoutineOfTwoF32(BinaryLoop<f32>),
    RoutineOfTwoF64(BinaryLoop<f64>),
    PolygammaF32(Arc<Polygamma>),
    PolygammaF64(Arc<Polygamma>),
    Chain(ChainLoop),
    Pass(Pass),
}

/// A function that is no more than a pass over slices, compiled with the [machine](crate::kernel::program::blocks).
#[derive(Clone, Debug)]
pub(crate) enum Pass {
    UnaryF32(UnaryOp),
    UnaryF64(UnaryOp),
    UnaryInt(UnaryOp),
    BinaryF32(BinaryOp),
    BinaryF64(BinaryOp),
    BinaryInt(BinaryOp),
    Compare(CompareOp, DType),
    Logic(LogicOp),
    /// `y` where `x` holds, else `z`.
    Select(DType),
    ClampF32(Clamp),
    ClampF64(Clamp),
    Cast(DType, DType),
    /// Each row's number along the row.
    Spread(DType),
}

impl Code {
    /// Whether the result may take the place of an operand: each element is read before the one at its position is written.
    pub(crate) fn may_overwrite(&self) -> bool {
        matches!(self, Code::Chain(_))
    }
}

/// An operand: where it is, and of which type.
pub(crate) type Operand = (Place, DType);

/// The code of an action, its operands (the last one again where there are fewer than four) and its result's type;
/// `None` if it goes through whole tiles.
pub(crate) fn code(action: &Action) -> Option<(Code, [Operand; 4], DType)> {
    let floating = |dtype: DType, single: Code, double: Code, int: Option<Pass>| match dtype {
        DType::F32 => Some(single),
        DType::F64 => Some(double),
        DType::I64 => int.map(Code::Pass),
        DType::Bool => None,
    };
    let (code, operands, result) = match action {
        Action::Unary { op, dtype, x } => {
            let single = f32::unary_loop(*op).map_or(Code::Pass(Pass::UnaryF32(*op)), Code::RoutineF32);
            let double = f64::unary_loop(*op).map_or(Code::Pass(Pass::UnaryF64(*op)), Code::RoutineF64);
            let code = floating(*dtype, single, double, Some(Pass::UnaryInt(*op)))?;
            (code, [(*x, *dtype); 4], *dtype)
        }
        Action::Binary { op, dtype, x, y } => {
            let single =
                f32::binary_loop(*op).map_or(Code::Pass(Pass::BinaryF32(*op)), Code::RoutineOfTwoF32);
            let double =
                f64::binary_loop(*op).map_or(Code::Pass(Pass::BinaryF64(*op)), Code::RoutineOfTwoF64);
            let code = match Chain::of(*op, Then::Nothing).and_then(|chain| chained(chain, *dtype)) {
                Some(code) => code,
                None => floating(*dtype, single, double, Some(Pass::BinaryInt(*op)))?,
            };
            (code, [x, y, y, y].map(|place| (*place, *dtype)), *dtype)
        }
        Action::Chain { chain, dtype, operands } => {
            (chained(*chain, *dtype)?, operands.map(|place| (place, *dtype)), *dtype)
        }
        Action::Clamp { op, dtype, x } => {
            let code =
                floating(*dtype, Code::Pass(Pass::ClampF32(*op)), Code::Pass(Pass::ClampF64(*op)), None)?;
            (code, [(*x, *dtype); 4], *dtype)
        }
        Action::Polygamma { op, dtype, x } => {
            let routine = Arc::new(Polygamma::new(*op));
            let single = Code::PolygammaF32(Arc::clone(&routine));
            let code = floating(*dtype, single, Code::PolygammaF64(routine), None)?;
            (code, [(*x, *dtype); 4], *dtype)
        }
        Action::Compare { op, dtype, x, y } => {
            (Code::Pass(Pass::Compare(*op, *dtype)), [x, y, y, y].map(|place| (*place, *dtype)), DType::Bool)
        }
        Action::Logic { op, x, y } => {
            (Code::Pass(Pass::Logic(*op)), [x, y, y, y].map(|place| (*place, DType::Bool)), DType::Bool)
        }
        Action::Select { dtype, condition, x, y } => {
            let [x, y] = [x, y].map(|place| (*place, *dtype));
            (Code::Pass(Pass::Select(*dtype)), [(*condition, DType::Bool), x, y, y], *dtype)
        }
        Action::Cast { op, dtype, x } => {
            (Code::Pass(Pass::Cast(*dtype, op.dtype)), [(*x, *dtype); 4], op.dtype)
        }
        Action::Spread { dtype, x } => (Code::Pass(Pass::Spread(*dtype)), [(*x, *dtype); 4], *dtype),
        Action::Load { .. } | Action::Fold { .. } | Action::Accumulate { .. } => return None,
    };
    Some((code, operands, result))
}

fn chained(chain: Chain, dtype: DType) -> Option<Code> {
    let set = InstructionSet::detected();
    match dtype {
        DType::F32 => chain_loop::<f32>(chain, set).map(Code::Chain),
        DType::F64 => chain_loop::<f64>(chain, set).map(Code::Chain),
        DType::I64 | DType::Bool => None,
    }
}
