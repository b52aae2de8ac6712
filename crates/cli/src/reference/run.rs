//! The graph of a case: outputs, gradients and products with the Hessian, as one graph that is run once.

use pullback_autodiff::{Disconnected, GradOptions, reverse};
use pullback_exec::Session;
use pullback_graph::{Builder, Expr, Graph, KinkPolicy, Tensor, interpret};

use super::answer::{Engine, Options};
use super::call::{Call, Skip};
use super::case::Case;
use super::operations::find;

/// What a case is answered with.
#[derive(Clone, Debug)]
pub(super) struct Results {
    pub(super) outputs: Vec<Tensor>,
    /// One per input, where asked for.
    pub(super) gradients: Vec<Option<Tensor>>,
    pub(super) hvp: Option<Vec<Option<Tensor>>>,
}

/// The graph of a case, and what it is fed.
struct Program {
    graph: Graph,
    feeds: Vec<(String, Tensor)>,
}

/// Builds the case and runs it.
pub(super) fn run(case: &Case, options: &Options) -> Result<Results, Skip> {
    let program = build(case, options.kinks)?;
    let mut values = program.run(&options.engine)?;
    let mut take =
        |name: &str| values.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let of_inputs = |kind: &str, take: &mut dyn FnMut(&str) -> Option<Tensor>| {
        (0..case.inputs.len()).map(|at| take(&format!("{kind}/{at}"))).collect::<Vec<_>>()
    };
    Ok(Results {
        outputs: (0..).map_while(|at| take(&format!("output/{at}"))).collect(),
        gradients: of_inputs("gradient", &mut take),
        hvp: case.vectors.is_some().then(|| of_inputs("hvp", &mut take)),
    })
}

fn build(case: &Case, kinks: KinkPolicy) -> Result<Program, Skip> {
    let unknown = || Skip(format!("the operation {:?} is not known", case.operation));
    let apply = find(&case.operation).ok_or_else(unknown)?;
    let builder = Builder::new().with_kinks(kinks);
    let mut feeds = Vec::new();
    let inputs: Vec<Expr<'_>> = case
        .inputs
        .iter()
        .enumerate()
        .map(|(at, input)| feed(&builder, &mut feeds, format!("{at}/{}", input.name), &input.value))
        .collect();

    let call = Call::new(inputs.clone(), case.attributes.clone());
    let outputs = apply(&call)?;
    if let Some(name) = call.unknown() {
        return Err(Skip(format!("the attribute {name:?} is not known")));
    }
    let mut results: Vec<(String, Expr<'_>)> = numbered("output", outputs.iter().copied().map(Some));

    // Gradients flow from the outputs that have a cotangent.
    if case.cotangents.len() > outputs.len() {
        return Err(Skip(format!("{} cotangents for {} outputs", case.cotangents.len(), outputs.len())));
    }
    let mut seeds = Vec::new();
    for (at, (output, cotangent)) in outputs.iter().zip(&case.cotangents).enumerate() {
        if let Some(cotangent) = cotangent {
            seeds.push((*output, feed(&builder, &mut feeds, format!("cotangent/{at}"), cotangent)));
        }
    }
    let (from, cotangents): (Vec<_>, Vec<_>) = seeds.into_iter().unzip();
    let wanted: Vec<bool> =
        case.inputs.iter().map(|input| input.wants_gradient && !from.is_empty()).collect();
    let gradients = differentiate(&from, &cotangents, &inputs, &wanted)?;
    results.extend(numbered("gradient", gradients.iter().copied()));

    if let Some(vectors) = &case.vectors {
        let mut along = Vec::new();
        for (at, (gradient, vector)) in gradients.iter().zip(vectors).enumerate() {
            if let (Some(gradient), Some(vector)) = (gradient, vector) {
                along.push((*gradient, feed(&builder, &mut feeds, format!("vector/{at}"), vector)));
            }
        }
        let (from, vectors): (Vec<_>, Vec<_>) = along.into_iter().unzip();
        results.extend(numbered("hvp", differentiate(&from, &vectors, &inputs, &wanted)?));
    }
    Ok(Program { graph: builder.finish(results)?, feeds })
}

/// An input of the graph that is fed `value`.
fn feed<'g>(
    builder: &'g Builder,
    feeds: &mut Vec<(String, Tensor)>,
    name: String,
    value: &Tensor,
) -> Expr<'g> {
    let expr = builder.input(&name, value.dtype(), value.shape());
    feeds.push((name, value.clone()));
    expr
}

/// The gradient in each input that is wanted; zeros where the outputs do not depend on it.
fn differentiate<'g>(
    outputs: &[Expr<'g>],
    cotangents: &[Expr<'g>],
    inputs: &[Expr<'g>],
    wanted: &[bool],
) -> Result<Vec<Option<Expr<'g>>>, Skip> {
    let wrt: Vec<Expr<'g>> =
        inputs.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(x, _)| *x).collect();
    let options = GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() };
    let mut found = reverse::pullback(outputs, cotangents, &wrt, &options)?.into_iter();
    Ok(wanted.iter().map(|wanted| if *wanted { found.next() } else { None }).collect())
}

/// Outputs named by kind and position.
fn numbered<'g>(kind: &str, exprs: impl IntoIterator<Item = Option<Expr<'g>>>) -> Vec<(String, Expr<'g>)> {
    let named = exprs.into_iter().enumerate().map(|(at, expr)| Some((format!("{kind}/{at}"), expr?)));
    named.flatten().collect()
}

impl Program {
    /// The outputs' values by name.
    fn run(self, engine: &Engine) -> Result<Vec<(String, Tensor)>, Skip> {
        let named = |(name, value): (&str, &Tensor)| (name.to_string(), value.clone());
        match engine {
            Engine::Session(options) => {
                let mut session = Session::with(&self.graph, options.clone())?;
                Ok(session.run(self.feeds)?.iter().map(named).collect())
            }
            Engine::Interpreter => {
                let feeds = self.feeds.iter().map(|(name, value)| (name, value));
                Ok(interpret(&self.graph, feeds)?.outputs().map(named).collect())
            }
        }
    }
}
