//! W1, W2, W10: a classifier of dense layers with ReLU between them; its training by Adam, and its Hessian times a vector.

use std::time::Instant;

use pullback::graph::Output;
use pullback::nn::{Adam, Reduction, cross_entropy};
use pullback::{Builder, Error, Expr, hvp};

use crate::inputs::{Named, fan, integers, uniform};
use crate::workloads::workload::{Workload, declare};

/// Training of `widths[0]-widths[1]-…` on `batch` samples, with the tensors of workload `tag`.
///
/// # Errors
/// When the step cannot be built.
pub fn mlp(tag: &str, widths: &[usize], batch: usize) -> Result<Workload, Error> {
    Workload::training(parameters(tag, widths), data(tag, widths, batch), Adam::new(1e-3), loss)
}

/// The product of the Hessian of a network's loss with a vector. The network has three layers.
///
/// # Errors
/// When there is no such derivative.
pub fn hessian_vector(tag: &str, widths: [usize; 4], batch: usize) -> Result<Workload, Error> {
    let weights = parameters(tag, &widths);
    let data = data(tag, &widths, batch);
    let vector: Vec<Named> = weights
        .iter()
        .enumerate()
        .map(|(at, (_, value))| (format!("v{at}"), uniform(&format!("W10/v{at}"), value.sizes(), 1.0)))
        .collect();
    let begin = Instant::now();
    let builder = Builder::new();
    let wrt: [Expr<'_>; 6] = declare(&builder, &weights).try_into().expect("three layers");
    let along: [Expr<'_>; 6] = declare(&builder, &vector).try_into().expect("three layers");
    let products = hvp(loss(&wrt, &declare(&builder, &data)), wrt, along)?;
    let outputs =
        products.iter().enumerate().map(|(at, product)| Output::new(format!("h{at}"), product.id()));
    let graph = builder.finish(outputs)?;
    Ok(Workload::pure(graph, [weights, vector, data].concat(), begin.elapsed()))
}

/// Weights and biases of the layers, counted from 1.
pub(super) fn parameters(tag: &str, widths: &[usize]) -> Vec<Named> {
    let layers = widths.windows(2).enumerate();
    let layer = layers.flat_map(|(at, sizes)| {
        let (at, scale) = (at + 1, fan(sizes[0]));
        [
            (format!("w{at}"), uniform(&format!("{tag}/w{at}"), sizes, scale)),
            (format!("b{at}"), uniform(&format!("{tag}/b{at}"), &sizes[1..], scale)),
        ]
    });
    layer.collect()
}

fn data(tag: &str, widths: &[usize], batch: usize) -> Vec<Named> {
    let classes = widths[widths.len() - 1] as u64;
    vec![
        ("x".to_string(), uniform(&format!("{tag}/x"), &[batch, widths[0]], 1.0)),
        ("y".to_string(), integers(&format!("{tag}/y"), &[batch], classes)),
    ]
}

fn loss<'g>(parameters: &[Expr<'g>], data: &[Expr<'g>]) -> Expr<'g> {
    cross_entropy(layers(parameters, data[0]), data[1], Reduction::Mean)
}

/// Dense layers of these parameters, with ReLU between them.
pub(super) fn layers<'g>(parameters: &[Expr<'g>], x: Expr<'g>) -> Expr<'g> {
    let (layers, _) = parameters.as_chunks::<2>();
    let (last, hidden) = layers.split_last().expect("a network has layers");
    let x = hidden.iter().fold(x, |x, [w, b]| (x.dot(*w) + *b).relu());
    x.dot(last[0]) + last[1]
}
