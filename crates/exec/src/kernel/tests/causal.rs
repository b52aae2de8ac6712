//! Products under a mask that compares positions, against the interpreter.

use pullback_graph::{Builder, DType, Expr, Graph, Op, Tensor, interpret};

use super::epilogues::quarters;
use super::fusion::fused;
use super::{ORDERS, assert_close, run_regions};
use crate::kernel::products::dot::Dot;

/// Which scores count.
type Mask = for<'b> fn(Expr<'b>) -> Expr<'b>;

/// Masks that hold for no column far behind the row.
const MASKS: [(&str, Mask); 6] = [
    ("at or before", |x| row(x).ge(column(x))),
    ("before", |x| column(x).lt(row(x))),
    ("not behind", |x| column(x).gt(row(x)).not()),
    ("up to 40 behind", |x| column(x).le(row(x) + 40)),
    ("from 70 before on", |x| (row(x) - column(x)).ge(70)),
    ("a window", |x| row(x).ge(column(x)).and((row(x) - 20).le(column(x)))),
];

fn row(x: Expr<'_>) -> Expr<'_> {
    x.iota_like(-2)
}

fn column(x: Expr<'_>) -> Expr<'_> {
    x.iota_like(-1)
}

/// Which of the products of attention and its gradient a graph is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The result.
    Held,
    /// The result and the gradient of values.
    Forward,
    /// The gradients of queries and keys, and what the slopes of weights come to.
    Backward,
}

/// What attention and its gradient multiply, without the exponential function: so all is exact.
fn graph(dtype: DType, [stack, queries, keys]: [usize; 3], mask: Mask, part: Part) -> Graph {
    let builder = Builder::new();
    let input = |name: &str, rows: usize| builder.input(name, dtype, [stack, rows, DEPTH]);
    let (q, k, v, dy) = (input("q", queries), input("k", keys), input("v", keys), input("dy", queries));
    let outputs = match part {
        Part::Held | Part::Forward => {
            let scores = q.matmul(k.t());
            let weights = mask(scores).select(scores * 2.0, 0.0);
            let mut outputs = vec![("y", weights.matmul(v))];
            if part == Part::Forward {
                outputs.push(("dv", weights.t().matmul(dy)));
            }
            outputs
        }
        Part::Backward => {
            let slopes = dy.matmul(v.t());
            let mask = mask(slopes);
            let total = (slopes * mask.select(slopes.ones_like(), 0.0)).sum_over(-1);
            let ds = mask.select(slopes + 0.25, 0.0);
            vec![("total", total), ("dq", ds.matmul(k)), ("dk", ds.t().matmul(q))]
        }
    };
    builder.finish(outputs).unwrap()
}

const DEPTH: usize = 8;

/// How many products of a graph's kernels need not be computed as a whole.
fn spared(graph: &Graph) -> usize {
    let regions = fused(graph).into_iter();
    let regions = regions.flat_map(|region| match region.strip {
        Some(strip) => strip.regions,
        None => vec![region],
    });
    let spares = |region: crate::kernel::Region| {
        let nodes = region.nodes.iter().filter(|node| match &graph.node(**node).op {
            Op::DotGeneral(op) => Dot::of(graph, &region, **node, op).spares(),
            _ => false,
        });
        nodes.count()
    };
    regions.map(spares).sum()
}

fn check(graph: &Graph, feeds: &[Tensor], what: &str) {
    let names = ["q", "k", "v", "dy"];
    let expected = interpret(graph, names.into_iter().zip(feeds)).unwrap();
    for order in ORDERS {
        let got = run_regions(graph, &fused(graph), feeds, order);
        for output in graph.outputs() {
            let got = got[output.node.index()].as_ref().unwrap();
            assert_close(got, expected.node(output.node), None, &format!("{what}, {}", output.name));
        }
    }
}

fn feeds(dtype: DType, [stack, queries, keys]: [usize; 3]) -> Vec<Tensor> {
    let sizes = [queries, keys, keys, queries].map(|rows| [stack, rows, DEPTH]);
    sizes.iter().zip(1..).map(|(sizes, seed)| quarters(sizes, seed).cast(dtype)).collect()
}

#[test]
fn what_the_mask_spares_changes_nothing() {
    const SIZES: [(DType, [usize; 3]); 3] =
        [(DType::F32, [2, 200, 330]), (DType::F64, [3, 270, 260]), (DType::F32, [9, 200, 200])];
    for (at, (what, mask)) in MASKS.into_iter().enumerate() {
        for (dtype, sizes) in SIZES.into_iter().take(if at == 0 { SIZES.len() } else { 1 }) {
            for (part, products) in [(Part::Held, 2), (Part::Forward, 3), (Part::Backward, 3)] {
                let what = format!("{what}, {sizes:?} of {dtype}, {part:?}");
                let graph = graph(dtype, sizes, mask, part);
                assert_eq!(spared(&graph), products, "{what}");
                check(&graph, &feeds(dtype, sizes), &what);
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_found_where_it_would_be_spared() {
    let sizes = [2, 200, 330];
    let feeds = feeds(DType::F32, sizes);
    let with = |input: usize, at: usize, value: f32| {
        let mut feeds = feeds.clone();
        feeds[input].make_mut::<f32>().unwrap()[at] = value;
        feeds
    };
    for part in [Part::Held, Part::Forward, Part::Backward] {
        let graph = graph(DType::F32, sizes, MASKS[0].1, part);
        for input in 0..4 {
            for (row, value) in [(5, f32::NAN), (70, f32::INFINITY), (190, f32::NEG_INFINITY)] {
                let at = (sizes[[1, 2, 2, 1][input]] + row) * DEPTH + 3;
                let what = format!("{value} in row {row} of {input}, {part:?}");
                check(&graph, &with(input, at, value), &what);
            }
        }
        // Both finite, but not their product.
        let large = 2.0_f32.powi(83);
        let mut feeds = with(2, 199 * DEPTH, large);
        feeds[3].make_mut::<f32>().unwrap()[20 * DEPTH] = large;
        check(&graph, &feeds, "slopes beyond the largest number");
    }
}

#[test]
fn what_others_read_is_computed_as_a_whole() {
    let builder = Builder::new();
    let [q, k, v] = ["q", "k", "v"].map(|name| builder.input(name, DType::F32, [2, 200, DEPTH]));
    let scores = q.matmul(k.t());
    let weights = row(scores).ge(column(scores)).select(scores, 0.0);
    // The scores are read outside too, and the second sum is one of numbers that are not the same along a row.
    let outputs = [weights.sum_over(-1) + scores.max_over(-1), (weights + scores).matmul(v).sum_over(-1)];
    let graph = builder.finish(["one", "two"].into_iter().zip(outputs)).unwrap();
    assert_eq!(spared(&graph), 0);
    let feeds: Vec<Tensor> = (1..4).map(|seed| quarters(&[2, 200, DEPTH], seed)).collect();
    check(&graph, &feeds, "read outside");
}

#[test]
fn rows_are_gone_through_to_the_limit() {
    let sizes = [2, 130, 600];
    for (what, mask) in MASKS {
        let builder = Builder::new();
        let [x, bias] = [("x", [2, 130, 600]), ("bias", [1, 1, 600])]
            .map(|(name, sizes)| builder.input(name, DType::F32, sizes));
        let mask = mask(x);
        let shifted = mask.select(x - mask.select(x, -3.0).max_over(-1).expand_dims(-1), 0.25);
        let exp = mask.select(shifted.exp(), 0.0);
        let sum = exp.sum_over(-1).expand_dims(-1);
        let outputs = [exp / (sum + 1.0), shifted, sum, mask.select(x + bias, sum)];
        let names = ["weights", "shifted", "sum", "biased"];
        let graph = builder.finish(names.into_iter().zip(outputs)).unwrap();
        let narrow = fused(&graph).into_iter().filter(|region| region.narrow.is_some());
        assert!(narrow.count() > 0, "{what}");
        let feeds = [quarters(&sizes, 1), quarters(&[1, 1, 600], 2)];
        super::fusion::check(&graph, &feeds, what);
    }
}

#[test]
fn attention_of_many_keys_is_that_of_its_nodes() {
    for stack in [1, 9] {
        let part = Part::Backward;
        let sizes = [stack, 130, 600];
        let graph = graph(DType::F32, sizes, MASKS[0].1, part);
        let narrow = fused(&graph).into_iter().flat_map(|region| match region.strip {
            Some(strip) => strip.regions,
            None => vec![region],
        });
        assert!(narrow.filter(|region| region.narrow.is_some()).count() > 0, "{part:?}");
        check(&graph, &feeds(DType::F32, sizes), &format!("{part:?}"));
        let mut feeds = feeds(DType::F32, sizes);
        feeds[2].make_mut::<f32>().unwrap()[(600 * stack - 4) * DEPTH] = f32::NAN;
        check(&graph, &feeds, &format!("{part:?} with NaN"));
    }
}
