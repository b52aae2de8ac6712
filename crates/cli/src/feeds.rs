//! Values for inputs of graphs that come without any.

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Element, Graph, Op, OpClass, OpRules, Tensor, dispatch};

/// Random values for all inputs of a bound graph, floats from `low` to `high`. Indices are of the whole axis that they
/// index, so that reading there costs what it does with real ones. Other whole numbers are 0 or 1, so that they are
/// indices, too, whatever is computed of them.
pub(crate) fn random(graph: &Graph, (low, high): (f64, f64), seed: u64) -> Vec<(String, Tensor)> {
    let mut feeds = Vec::new();
    let bounds = index_bounds(graph);
    for (at, id) in graph.inputs().iter().enumerate() {
        let Op::Input(input) = &graph.node(*id).op else { continue };
        let Some(sizes) = input.ty.shape.known() else { continue };
        let stream = at as u64;
        let draws =
            Random { distribution: Distribution::Uniform, stream, dtype: DType::F64, shape: ().into() };
        let number = |i| draws.draw(seed.cast_signed(), i);
        let count = bounds[id.index()].unwrap_or(2) as f64;
        let value = dispatch!(input.ty.dtype, T => Tensor::from_fn(&sizes, |i| {
            let number = number(i);
            <T as Element>::from_f64(match input.ty.dtype {
                DType::F32 | DType::F64 => low + (high - low) * number,
                DType::I64 => (number * count).floor(),
                DType::Bool => (number * 2.0).floor(),
            })
        }));
        feeds.push((input.name.to_string(), value));
    }
    feeds
}

/// For each node how many indices are valid wherever its elements are used as such: `None` if they are nowhere. Those of
/// which indices are computed are 0 or 1.
fn index_bounds(graph: &Graph) -> Vec<Option<usize>> {
    let mut bounds: Vec<Option<usize>> = vec![None; graph.len()];
    for (at, node) in graph.nodes().iter().enumerate().rev() {
        let axis = match &node.op {
            Op::Gather(op) => Some(op.axis),
            Op::GatherAlong(op) => Some(op.axis),
            Op::Scatter(op) => Some(op.axis),
            Op::ScatterAlong(op) => Some(op.axis),
            _ => None,
        };
        let own = bounds[at];
        for (position, operand) in node.operands.iter().enumerate() {
            let bound = match (axis, position) {
                (Some(axis), 1) => Some(graph.ty(node.operands[0]).shape[axis].known().unwrap_or(1)),
                (Some(_), _) => own,
                _ if node.op.class() == OpClass::Movement || matches!(node.op, Op::Select(_)) => own,
                _ => own.map(|own| own.min(2)),
            };
            let slot = &mut bounds[operand.index()];
            *slot = slot.iter().copied().chain(bound).min();
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use pullback_graph::Builder;

    use super::*;

    #[test]
    fn indices_are_drawn_from_the_whole_axis_that_they_index() {
        let b = Builder::new();
        let table = b.input("table", DType::F32, [1000, 2]);
        let [ids, both, computed, count] =
            ["ids", "both", "computed", "count"].map(|name| b.input(name, DType::I64, [400]));
        let graph = b.finish([
            ("rows", table.gather(ids.reshape([20, 20]), 0)),
            ("other rows", table.gather(both, 0)),
            ("columns", table.gather(both, 1)),
            ("next", table.gather(computed + 1_i64, 0)),
            ("counted", count * 3_i64),
        ]);
        let feeds = random(&graph.expect("a valid graph"), (-1.0, 1.0), 0);
        let largest = |name: &str| {
            let (_, value) = feeds.iter().find(|(known, _)| known == name).expect("an input");
            *value.values::<i64>().iter().max().expect("elements")
        };
        assert!((900..1000).contains(&largest("ids")), "{}", largest("ids"));
        assert_eq!([largest("both"), largest("computed"), largest("count")], [1, 1, 1]);
    }
}
