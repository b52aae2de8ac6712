//! Random ops and graphs, as proptest strategies over streams of choices.
//!
//! A stream is a list of numbers. proptest shortens the list and makes the numbers smaller, which makes shapes smaller
//! and graphs shorter, so a failure is found at a small sample before the checker shrinks the graph itself.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::TestCaseError;
use pullback_graph::op::{Choices, OperandSample, Sample};
use pullback_graph::{Builder, GraphSpec, Op, Output, generate};

use crate::check::case::Case;
use crate::check::options::CheckOptions;
use crate::check::report::CheckReport;

/// A stream of choices, at most `length` long.
pub fn choices(length: usize) -> impl Strategy<Value = Choices> {
    vec(any::<u32>(), 0..=length).prop_map(Choices::new)
}

/// Any op of the catalogue, applied to operands of small random shapes and values.
pub fn op_sample() -> impl Strategy<Value = Case> {
    let entries = Op::catalogue();
    (0..entries.len(), choices(SAMPLE_LENGTH)).prop_map(move |(at, mut choices)| {
        let (name, sample) = entries[at];
        let sample = sample(name, &mut choices);
        case_of(&sample, &mut choices)
    })
}

/// One op of the catalogue, applied to operands of small random shapes and values.
///
/// # Panics
/// When there is no op of that name.
pub fn sample_of(name: &str) -> impl Strategy<Value = Case> + use<> {
    let found = Op::catalogue().into_iter().find(|(known, _)| *known == name);
    let Some((name, sample)) = found else { panic!("there is no op named {name:?}") };
    choices(SAMPLE_LENGTH).prop_map(move |mut choices| {
        let sample = sample(name, &mut choices);
        case_of(&sample, &mut choices)
    })
}

/// Enough choices for the shapes and values of a sample.
const SAMPLE_LENGTH: usize = 256;

/// A random program of many ops, differentiated in every input that is a float.
///
/// ```
/// use proptest::prelude::*;
/// use pullback_autodiff::check::strategies::{check_graph, random_graph};
/// use pullback_graph::GraphSpec;
///
/// proptest! {
///     fn any_small_graph_is_differentiated_right(case in random_graph(GraphSpec::default())) {
///         check_graph(&case).prop_assert()?;
///     }
/// }
/// ```
pub fn random_graph(spec: GraphSpec) -> impl Strategy<Value = Case> {
    choices(GRAPH_LENGTH).prop_map(move |mut choices| {
        let made = generate(&mut choices, &spec);
        let feeds: Vec<_> =
            made.feeds.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let floats = feeds.iter().filter(|(_, value)| value.dtype().is_float());
        let wrt = floats.map(|(name, _)| name.clone()).collect();
        Case { graph: made.graph, output: "loss".into(), wrt, feeds }
    })
}

/// Enough choices for a program of the default size.
const GRAPH_LENGTH: usize = 192;

/// The check of a case with few comparisons, for many random ones.
///
/// # Panics
/// When there is nothing to compare: an op has no derivative.
#[track_caller]
pub fn check_graph(case: &Case) -> CheckReport {
    match case.check(&CheckOptions { draws: 1, elements: 4, ..CheckOptions::default() }) {
        Ok(report) => report,
        Err(error) => panic!("{error}\n{}", case.graph),
    }
}

/// The graph of a sample: an input per operand, the op, one output; differentiated in every operand that is a float.
///
/// # Panics
/// When the sample is not well typed.
pub fn case_of(sample: &Sample, choices: &mut Choices) -> Case {
    let builder = Builder::new();
    let (mut inputs, mut feeds) = (Vec::new(), Vec::new());
    for (at, operand) in sample.operands.iter().enumerate() {
        let name = ["a", "b", "c"].get(at).map_or_else(|| format!("x{at}"), |name| (*name).into());
        inputs.push(builder.input(&name, operand.ty.dtype, &operand.ty.shape));
        feeds.push((name, operand.value(choices)));
    }
    let result = match builder.push(sample.op.clone(), &inputs) {
        Ok(result) => result,
        Err(error) => panic!("a sample is not well typed: {error}"),
    };
    if let Op::Input(input) = &sample.op {
        feeds.push((input.name.to_string(), OperandSample::any(input.ty.clone()).value(choices)));
    }
    let graph = builder.finish([Output::new("out", result.id())]).expect("the names differ");
    // The value that a rule of the user's stands for is no variable of that rule.
    let given = usize::from(matches!(sample.op, Op::CustomVjp(_)));
    let floats = feeds.iter().skip(given).filter(|(_, value)| value.dtype().is_float());
    let wrt = floats.map(|(name, _)| name.clone()).collect();
    Case { graph, output: "out".into(), wrt, feeds }
}

impl CheckReport {
    /// The report as the result of a property.
    ///
    /// # Errors
    /// When something failed.
    pub fn prop_assert(&self) -> Result<(), TestCaseError> {
        if self.is_ok() { Ok(()) } else { Err(TestCaseError::fail(self.to_string())) }
    }
}
