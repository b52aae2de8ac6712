//! What rounding does to a graph's values: the same graph, with every number moved by a unit in the last place or two.
//!
//! How far the results move is how far rounding errors carry, cancellation included, and no op needs to be known for it
//! (Parker, "Monte Carlo arithmetic", 1997). What happens inside one op is seen through its operands, which move too.

use std::collections::HashSet;

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Graph, Op, OpRules, Shape, Tensor};

/// How often each graph is evaluated.
pub(crate) const SAMPLES: u64 = 4;

/// How far a number moves at most, relative to its size.
const AMPLITUDE: f64 = 2.0 * f64::EPSILON;

/// The value of every node of a bound graph of which no number is exact; `None` where an op fails.
pub(crate) fn jittered<'a>(
    graph: &Graph,
    feeds: impl Iterator<Item = (&'a str, &'a Tensor)> + Clone,
    sample: u64,
) -> Option<Vec<Tensor>> {
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.len());
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let operands: Vec<&Tensor> = node.operands.iter().map(|operand| &values[operand.index()]).collect();
        let exact = match &node.op {
            Op::Input(input) => feeds.clone().find(|(name, _)| **name == *input.name)?.1.clone(),
            op => op.evaluate(&operands, &node.ty).ok()?,
        };
        values.push(match node.ty.dtype {
            DType::F64 => jitter(&exact, &operands, sample << 32 | id.index() as u64),
            _ => exact,
        });
    }
    Some(values)
}

/// The tensor with each element moved, but for those that an operand has: what is copied is not rounded.
fn jitter(exact: &Tensor, operands: &[&Tensor], stream: u64) -> Tensor {
    let doubles = operands.iter().filter(|operand| operand.dtype() == DType::F64);
    let copied: HashSet<u64> =
        doubles.flat_map(|operand| operand.values::<f64>()).map(|x| x.abs().to_bits()).collect();
    let draws =
        Random { distribution: Distribution::Uniform, stream, dtype: DType::F64, shape: Shape::scalar() };
    let values = exact.values::<f64>();
    Tensor::from_fn(exact.sizes(), |at| match values[at] {
        x if copied.contains(&x.abs().to_bits()) => x,
        x => x * (1.0 + AMPLITUDE * (2.0 * draws.draw(0, at) - 1.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_graph::Builder;

    /// The largest distance of an element of `y(x)` from its exact value.
    fn spread(x: &[f64], y: impl for<'g> Fn(pullback_graph::Expr<'g>) -> pullback_graph::Expr<'g>) -> f64 {
        let b = Builder::new();
        let input = b.input("x", DType::F64, [x.len()]);
        let graph = b.finish([("y", y(input))]).unwrap();
        let x = Tensor::vector(x);
        let exact = pullback_graph::interpret(&graph, [("x", &x)]).unwrap();
        let exact = exact.output("y").unwrap();
        let moved = (0..SAMPLES).map(|sample| jittered(&graph, [("x", &x)].into_iter(), sample).unwrap());
        moved.map(|values| values[graph.len() - 1].max_abs_diff(exact)).fold(0.0, f64::max)
    }

    #[test]
    fn cancellation_is_seen() {
        let small = spread(&[0.3, 0.4], |x| x.exp() * 2.0);
        assert!((1e-17..4e-15).contains(&small), "{small}");
        let large = spread(&[0.3, 0.4], |x| (x.exp() + 1e8) - 1e8);
        assert!((1e-9..1e-6).contains(&large), "{large}");
        // Inside of one op.
        let sum = spread(&[1e8, -1e8, 0.3], |x| x.sum());
        assert!((1e-9..1e-6).contains(&sum), "{sum}");
    }

    #[test]
    fn what_is_copied_stays_equal() {
        assert_eq!(spread(&[0.3, 0.7], |x| x.max() - x.maximum(x.flip(0)).slice(0, 0..1).reshape(())), 0.0);
        assert_eq!(spread(&[0.3, 0.7], |x| x - x), 0.0);
    }
}
