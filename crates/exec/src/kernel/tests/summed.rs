//! Sums of products that are taken together, against the sums as they were written.

use pullback_graph::{Builder, DType, Expr, Graph, NodeId, Op, Tensor, einsum, interpret};

use crate::kernel::regions::summed::summed;

/// Numbers whose products add up exactly, in any order.
fn feeds(graph: &Graph) -> Vec<(String, Tensor)> {
    let feed = |id: &NodeId| {
        let sizes = graph.ty(*id).shape.known().unwrap();
        let value = |at: usize| ((at + 5 * id.index()) * 37 % 11) as f32 / 4.0 - 1.25;
        let tensor = Tensor::from_fn(&sizes, value);
        let tensor = if graph.ty(*id).dtype == DType::F64 { tensor.cast(DType::F64) } else { tensor };
        (graph.label(*id).unwrap().to_string(), tensor)
    };
    graph.inputs().iter().map(feed).collect()
}

/// The products of the graph as it is rewritten, by how much they contract, and that it computes the same.
fn depths(graph: &Graph) -> Vec<usize> {
    let rewritten = summed(graph);
    let rewritten = rewritten.as_ref().unwrap_or(graph);
    let feeds = feeds(graph);
    let feeds = || feeds.iter().map(|(name, tensor)| (&**name, tensor));
    let (expected, got) = (interpret(graph, feeds()).unwrap(), interpret(rewritten, feeds()).unwrap());
    for output in graph.outputs() {
        assert_eq!(got.output(&output.name).unwrap(), expected.output(&output.name).unwrap(), "{rewritten}");
    }
    let depth = |id: NodeId| match &rewritten.node(id).op {
        Op::DotGeneral(op) => {
            let sizes = rewritten.ty(rewritten.node(id).operands[0]).shape.known().unwrap();
            Some(op.contract_left.iter().map(|axis| sizes[axis]).product())
        }
        _ => None,
    };
    rewritten.ids().filter_map(depth).collect()
}

/// Products of `rows` rows each: gradients of a parameter that is used so many times.
fn products<'b>(b: &'b Builder, count: usize, rows: usize) -> Vec<Expr<'b>> {
    let input = |name: &str, at: usize, width: usize| {
        b.input(&format!("{name}{rows}_{at}"), DType::F32, [rows, width])
    };
    (0..count).map(|at| input("x", at, 40).t().dot(input("g", at, 50))).collect()
}

fn sum<'b>(terms: impl IntoIterator<Item = Expr<'b>>) -> Expr<'b> {
    terms.into_iter().reduce(|sum, term| sum + term).unwrap()
}

#[test]
fn products_are_taken_together_until_they_fill_a_block() {
    for (count, rows, expected) in [
        (20, 16, vec![256, 64]),
        (17, 16, vec![256, 16]),
        (3, 20, vec![60]),
        (5, 22, vec![110]),
        (1, 16, vec![16]),
    ] {
        let b = Builder::new();
        let products = products(&b, count, rows);
        let graph = b.finish([("sum", sum(products))]).unwrap();
        assert_eq!(depths(&graph), expected, "{count} products of {rows} rows");
    }
}

#[test]
fn any_tree_of_sums_is_one_sum() {
    let b = Builder::new();
    let [small, large] = [4, 16].map(|rows| products(&b, 6, rows));
    let other = b.input("other", DType::F32, [40, 50]);
    let [left, right] = [0..3, 3..6].map(|part| sum(small[part.clone()].iter().chain(&large[part]).copied()));
    let whole = (left + other) + (right + other.abs());
    let graph = b.finish([("double", whole * 2.0)]).unwrap();
    let mut found = depths(&graph);
    found.sort_unstable();
    assert_eq!(found, [24, 96]);
}

#[test]
fn what_others_read_stays() {
    let b = Builder::new();
    let products = products(&b, 4, 16);
    let first = products[0] + products[1];
    let graph =
        b.finish([("first", first), ("sum", first + products[2] + products[3]), ("last", products[3])]);
    assert_eq!(depths(&graph.unwrap()), [32, 16, 16]);
}

#[test]
fn what_is_larger_than_it_comes_to_stays() {
    let b = Builder::new();
    let products = products(&b, 4, 30);
    let graph = b.finish([("sum", sum(products))]).unwrap();
    assert!(summed(&graph).is_none());
}

#[test]
fn stacks_and_several_contracted_axes_are_joined_along_the_first() {
    let b = Builder::new();
    let term = |at: usize| {
        let x = b.input(&format!("x{at}"), DType::F64, [3, 2, 20, 5]);
        let g = b.input(&format!("g{at}"), DType::F64, [3, 5, 2, 20]);
        einsum("baic,bcaj->bij", &[x, g])
    };
    let graph = b.finish([("sum", sum((0..5).map(term)))]).unwrap();
    assert_eq!(depths(&graph), [50]);
}
