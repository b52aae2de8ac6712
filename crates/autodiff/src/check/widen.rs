//! The same graph in double precision.
//!
//! A difference quotient in f32 has three digits, so graphs are checked in f64. What is checked is the rules, and they
//! do not depend on the precision.

use pullback_graph::op::{Cast, Input, Pad, Scalar};
use pullback_graph::{Builder, DType, Expr, Graph, GraphError, NodeId, Op, OpClass, OpRules, TypeError};

use crate::check::transcribe::{Transcript, transcribe};

/// The part of `graph` that `roots` depend on, with f64 in the place of f32.
///
/// Inputs take f64, conversions to f32 convert to f64, and what makes f32 out of nothing (literals, constants, draws) is
/// converted after, so that it keeps its value.
pub(crate) fn widen(
    graph: &Graph,
    roots: impl IntoIterator<Item = NodeId>,
) -> Result<Transcript, GraphError> {
    transcribe(graph, roots, |builder, id, operands| write(builder, &graph.node(id).op, operands))
}

fn write<'g>(builder: &'g Builder, op: &Op, operands: &[Expr<'g>]) -> Result<Expr<'g>, Box<TypeError>> {
    let wide = |dtype| if dtype == DType::F32 { DType::F64 } else { dtype };
    let op = match op {
        Op::Input(input) => Input { ty: input.ty.with_dtype(wide(input.ty.dtype)), ..input.clone() }.into(),
        Op::Cast(cast) => Cast { dtype: wide(cast.dtype) }.into(),
        Op::Pad(pad) if pad.value.dtype() == DType::F32 => {
            Pad { value: Scalar::from(pad.value.to_f64()), ..pad.clone() }.into()
        }
        other => other.clone(),
    };
    let made = builder.push(op.clone(), operands)?;
    match op.class() {
        OpClass::Leaf | OpClass::Random => Ok(made.cast(wide(made.dtype()))),
        _ => Ok(made),
    }
}
