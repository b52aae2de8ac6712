//! Every op of the catalogue over a leading axis, whichever operands have it: the stack of what each element gives.
//!
//! No op is named here but those without a rule, and why they have none.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::{Disconnected, GradError, GradOptions, gradients};
use pullback_graph::op::{Choices, Sample};
use pullback_graph::{BatchError, Builder, Expr, Graph, Op, OpClass, OpRules, Shape, Tensor, interpret, sym};

/// The ops that depend on their operands and have no rule.
const WITHOUT_RULE: [&str; 0] = [];

/// The elements of the leading axis.
const COUNT: usize = 3;

/// Samples of every op that has operands.
fn samples(seeds: u64) -> impl Iterator<Item = (&'static str, Sample, Choices)> {
    Op::catalogue().into_iter().flat_map(move |(name, sample)| {
        (0..seeds).filter_map(move |seed| {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            (sample.op.class() != OpClass::Leaf).then_some((name, sample, choices))
        })
    })
}

fn run(graph: &Graph, feeds: &[(String, Tensor)]) -> Result<Vec<Tensor>, String> {
    let values = interpret(graph, feeds.iter().map(|(name, value)| (name.as_str(), value)));
    let values = values.map_err(|error| error.to_string())?;
    Ok(values.outputs().map(|(_, value)| value.clone()).collect())
}

/// The op applied, or its gradient in every operand that is a float, of the sum of squares.
fn program<'g>(op: &Op, operands: &[Expr<'g>], gradient: bool) -> Result<Vec<Expr<'g>>, GradError> {
    let result = operands[0].apply_to(op.clone(), &operands[1..]);
    if !gradient {
        return Ok(vec![result]);
    }
    let options = GradOptions { disconnected: Disconnected::Zeros, link: false };
    let floats: Vec<Expr<'g>> =
        operands.iter().copied().filter(|operand| operand.dtype().is_float()).collect();
    gradients((result * result).sum(), &floats, &options)
}

/// The program for one element after the other; what each gives.
fn one_by_one(sample: &Sample, values: &[Vec<Tensor>], gradient: bool) -> Option<Vec<Vec<Tensor>>> {
    let b = Builder::new();
    let inputs: Vec<Expr<'_>> = sample
        .operands
        .iter()
        .enumerate()
        .map(|(at, operand)| b.input(&format!("x{at}"), operand.ty.dtype, &operand.ty.shape))
        .collect();
    let outputs = program(&sample.op, &inputs, gradient).ok()?;
    let outputs = outputs.into_iter().enumerate().map(|(at, output)| (at.to_string(), output));
    let graph = b.finish(outputs).unwrap();
    let feeds = |element: usize| -> Vec<(String, Tensor)> {
        let of = |(at, all): (usize, &Vec<Tensor>)| (format!("x{at}"), all[element % all.len()].clone());
        values.iter().enumerate().map(of).collect()
    };
    (0..COUNT).map(|element| run(&graph, &feeds(element)).ok()).collect()
}

/// Tensors of one type, along a new leading axis.
fn stack(all: &[Tensor]) -> Tensor {
    let sizes: Vec<usize> = std::iter::once(all.len()).chain(all[0].sizes().iter().copied()).collect();
    let b = Builder::new();
    let parts: Vec<Expr<'_>> = all.iter().map(|part| b.constant(part.clone()).expand_dims(0)).collect();
    let graph = b.finish([("stack", parts[0].concat(&parts[1..], 0))]).unwrap();
    let found = run(&graph, &[]).unwrap().remove(0);
    assert_eq!(found.sizes(), sizes);
    found
}

fn check(name: &str, sample: &Sample, choices: &mut Choices, gradient: bool, symbolic: bool) {
    for mask in 1..1_usize << sample.operands.len() {
        let is_mapped = |at: usize| mask >> at & 1 == 1;
        let values: Vec<Vec<Tensor>> = sample
            .operands
            .iter()
            .enumerate()
            .map(|(at, operand)| {
                (0..if is_mapped(at) { COUNT } else { 1 }).map(|_| operand.value(choices)).collect()
            })
            .collect();
        let Some(expected) = one_by_one(sample, &values, gradient) else { continue };

        let b = Builder::new();
        let size = if symbolic { sym("n") } else { COUNT.into() };
        let (mut inputs, mut feeds) = (Vec::new(), Vec::new());
        for (at, operand) in sample.operands.iter().enumerate() {
            let shape: Shape = match is_mapped(at) {
                true => std::iter::once(size.clone()).chain(operand.ty.shape.iter().cloned()).collect(),
                false => operand.ty.shape.clone(),
            };
            inputs.push(b.input(&format!("x{at}"), operand.ty.dtype, shape));
            feeds.push((
                format!("x{at}"),
                if is_mapped(at) { stack(&values[at]) } else { values[at][0].clone() },
            ));
        }
        let mapped: Vec<Expr<'_>> =
            (0..inputs.len()).filter(|at| is_mapped(*at)).map(|at| inputs[at]).collect();
        let found = b.over_leading_axis(&mapped, |examples| {
            let mut examples = examples.iter();
            let operand = |at: usize| if is_mapped(at) { *examples.next().unwrap() } else { inputs[at] };
            let operands: Vec<Expr<'_>> = (0..inputs.len()).map(operand).collect();
            program(&sample.op, &operands, gradient)
        });
        let found = match found {
            Ok(found) => found,
            Err(GradError::Batch(BatchError::NoRule { op, .. })) if WITHOUT_RULE.contains(&op.as_str()) => {
                return;
            }
            Err(error) => panic!("{name}, {:?}, mapped {mask:b}: {error}", sample.op),
        };
        let outputs = found.into_iter().enumerate().map(|(at, output)| (at.to_string(), output));
        let graph = b.finish(outputs).unwrap();
        let found =
            run(&graph, &feeds).unwrap_or_else(|error| panic!("{name}, mapped {mask:b}: {error}\n{graph}"));
        for (at, found) in found.iter().enumerate() {
            let expected = stack(&expected.iter().map(|element| element[at].clone()).collect::<Vec<_>>());
            assert_eq!(found.ty(), expected.ty(), "{name}, mapped {mask:b}\n{graph}");
            let agree = found.bits_eq(&expected)
                || found.to_f64_vec().iter().zip(expected.to_f64_vec()).all(|(a, b)| {
                    a.to_bits() == b.to_bits()
                        || (a - b).abs() <= 1e-11 * (1.0 + b.abs())
                        || (a.is_nan() && b.is_nan())
                });
            assert!(agree, "{name}, {:?}, mapped {mask:b}: {found} and {expected}\n{graph}", sample.op);
        }
    }
}

#[test]
fn every_op_is_mapped_over_any_of_its_operands() {
    for (name, sample, mut choices) in samples(12) {
        check(name, &sample, &mut choices, false, false);
    }
}

#[test]
fn the_size_of_the_axis_may_be_a_symbol() {
    for (name, sample, mut choices) in samples(4) {
        check(name, &sample, &mut choices, false, true);
    }
}

#[test]
fn every_gradient_is_mapped_over() {
    for (name, sample, mut choices) in samples(6) {
        let types: Vec<_> = sample.operands.iter().map(|operand| &operand.ty).collect();
        if sample.op.infer(&types).is_ok_and(|ty| ty.dtype.is_float()) {
            check(name, &sample, &mut choices, true, false);
        }
    }
}

#[test]
fn jacobians_need_no_more_nodes_for_more_rows() {
    let nodes = |rows: usize| {
        let b = Builder::new();
        let x = b.input("x", pullback_graph::DType::F64, [rows]);
        let jacobian = pullback_autodiff::jacobian((x * x.sum()).tanh(), x).unwrap();
        assert_eq!(jacobian.ty().to_string(), format!("f64[{rows}, {rows}]"));
        b.len()
    };
    assert_eq!(nodes(3), nodes(300));
}
