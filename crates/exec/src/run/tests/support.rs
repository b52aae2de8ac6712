//! Ops that sleep, fail or panic, and a comparison of sessions with the interpreter.

use std::time::Duration;

use pullback_graph::op::{Choices, Custom, CustomOp, Partials, Registry, Sample, Site};
use pullback_graph::{Graph, Tensor, TensorType, Violation, interpret};

use crate::Outputs;

/// What a test op does besides passing its first operand on.
#[derive(Debug)]
pub(crate) enum Act {
    Sleep(Duration),
    /// Fails with this message when the first element is negative.
    FailIfNegative(&'static str),
    /// Panics with this message when the first element is negative.
    PanicIfNegative(&'static str),
}

impl CustomOp for Act {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let negative = operands[0].to_f64_vec().first().is_some_and(|value| *value < 0.0);
        match self {
            Act::Sleep(time) => std::thread::sleep(*time),
            Act::FailIfNegative(message) if negative => return Err((*message).to_string()),
            Act::PanicIfNegative(message) if negative => panic!("{message}"),
            Act::FailIfNegative(_) | Act::PanicIfNegative(_) => {}
        }
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn sample(&self, _choices: &mut Choices) -> Sample {
        unreachable!("no suite draws samples of this op")
    }
}

/// The op of this name that does this.
pub(crate) fn op(name: &str, act: Act) -> Custom {
    Registry::new().add(name, act).expect("a name that is free")
}

/// Compares the outputs of a run with what the interpreter says, but for the order of sums.
pub(crate) fn assert_as_interpreted(graph: &Graph, feeds: &[(&str, Tensor)], outputs: &Outputs) {
    let values =
        interpret(graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).expect("it can be interpreted");
    for (name, tensor) in outputs.iter() {
        let expected = values.output(name).expect("the interpreter knows it");
        let scale = expected.to_f64_vec().into_iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
        assert!(tensor.max_abs_diff(expected) <= 1e-5 * scale, "{name}: {tensor} is not {expected}");
    }
}
