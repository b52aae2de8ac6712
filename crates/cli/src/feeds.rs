//! Values for inputs of graphs that come without any.

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Element, Graph, Op, Tensor, dispatch};

/// Random values for all inputs, floats from `low` to `high`. Whole numbers are 0 or 1, so that they are indices wherever
/// there is something to index.
pub(crate) fn random(graph: &Graph, (low, high): (f64, f64), seed: u64) -> Vec<(String, Tensor)> {
    let mut feeds = Vec::new();
    for (at, id) in graph.inputs().iter().enumerate() {
        let Op::Input(input) = &graph.node(*id).op else { continue };
        let Some(sizes) = input.ty.shape.known() else { continue };
        let stream = at as u64;
        let draws =
            Random { distribution: Distribution::Uniform, stream, dtype: DType::F64, shape: ().into() };
        let number = |i| draws.draw(seed.cast_signed(), i);
        let value = dispatch!(input.ty.dtype, T => Tensor::from_fn(&sizes, |i| {
            let number = number(i);
            <T as Element>::from_f64(match input.ty.dtype {
                DType::F32 | DType::F64 => low + (high - low) * number,
                DType::I64 | DType::Bool => (number * 2.0).floor(),
            })
        }));
        feeds.push((input.name.to_string(), value));
    }
    feeds
}
