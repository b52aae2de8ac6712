//! An op of one's own: type rule, value, gradient and samples in one impl.
//!
//! From then on builders, sessions, texts, files and the gradient checker treat it as any other op.

use pullback::DType::F64;
use pullback::autodiff::check::{CheckOptions, check_gradient};
use pullback::graph::op::{Choices, CustomOp, OperandSample, Partials, Registry, Sample, Site, StopGradient};
use pullback::graph::{TensorType, Violation};
use pullback::{Builder, Error, Graph, Session, Tensor, grad};

/// `swish(x) = x · sigmoid(x)`.
#[derive(Debug)]
struct Swish;

impl CustomOp for Swish {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        match operands {
            [x] if x.dtype.is_float() => Ok((*x).clone()),
            _ => Err(Violation::new("C1", format!("takes one floating-point operand, got {operands:?}"))),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let swish = |x: f64| x / (1.0 + (-x).exp());
        let values: Vec<f64> = operands[0].to_f64_vec().into_iter().map(swish).collect();
        Ok(Tensor::from_fn(operands[0].sizes(), |i| values[i]).cast(operands[0].dtype()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        // d/dx x·s(x) = s + x·s·(1 - s) = s + y·(1 - s)
        at.first(|| {
            let s = at.operands[0].sigmoid();
            at.cotangent * (s + at.result * (1.0 - s))
        })
    }

    fn sample(&self, choices: &mut Choices) -> Sample {
        let operands = vec![OperandSample::any(choices.float_type(3))];
        // The op of a custom sample is filled in by whoever asks.
        Sample { op: StopGradient.into(), operands }
    }
}

/// A graph with the op and its gradient, and the registry that knows the op.
pub fn graph() -> Result<(Graph, Registry), Error> {
    let mut registry = Registry::new();
    let swish = registry.add("swish", Swish).expect("the name is free");

    let b = Builder::new();
    let x = b.input("x", F64, [4]);
    let loss = x.apply(swish).sum();
    let [dx] = grad(loss, [x])?;
    Ok((b.finish([("loss", loss), ("dx", dx)])?, registry))
}

#[allow(dead_code, reason = "the tests call `graph` instead")]
fn main() -> Result<(), Error> {
    let (graph, registry) = graph()?;
    println!("{graph}");

    let feed = Tensor::of([4], [-2.0, -0.5, 0.5, 2.0]);
    let out = Session::new(&graph)?.run([("x", feed.clone())])?;
    println!("loss = {}\ndx   = {}", out["loss"], out["dx"]);

    // Texts and files know the op by its name.
    let again = Graph::parse(&graph.to_string(), &registry)?;
    assert_eq!(again, graph);

    // And the checker compares its rule with finite differences, first and second derivatives.
    let report = check_gradient(&graph, "loss", &["x"], &[("x", &feed)], &CheckOptions::default());
    println!("{}", report.expect("the graph can be evaluated"));
    Ok(())
}
