//! Kernels that go through the same rows together, against the same graphs node by node.

use pullback_graph::pass::optimize;
use pullback_graph::{AttentionOptions, Builder, DType, Expr, Graph, Tensor};

use super::epilogues::{kernels, quarters};
use super::fusion::{check, fused};
use super::{ORDERS, run_regions};
use crate::kernel::strip::again_from;

/// Checks a graph of inputs `a`, `b`, `c` and `d`, of these sizes, and says what its kernels are.
fn kernels_of<const N: usize, const M: usize>(
    dtype: DType,
    sizes: [&[usize]; N],
    outputs: impl for<'b> FnOnce([Expr<'b>; N]) -> [Expr<'b>; M],
) -> Vec<&'static str> {
    let builder = Builder::new();
    let names = ["a", "b", "c", "d"];
    let inputs = std::array::from_fn(|at| builder.input(names[at], dtype, sizes[at].to_vec()));
    let names: Vec<String> = (0..M).map(|at| format!("out{at}")).collect();
    let graph = optimize(&builder.finish(names.iter().map(String::as_str).zip(outputs(inputs))).unwrap());
    let feeds: Vec<Tensor> =
        sizes.iter().zip(1..).map(|(sizes, seed)| quarters(sizes, seed).cast(dtype)).collect();
    check(&graph, &feeds, &format!("{sizes:?} of {dtype}"));
    kernels(&graph)
}

#[test]
fn what_attends_is_never_in_memory() {
    for dtype in [DType::F32, DType::F64] {
        for (stack, queries, keys) in [(1, 600, 33), (6, 97, 97), (3, 200, 513), (20, 33, 1030)] {
            let sizes: [&[usize]; 3] = [&[stack, queries, 20], &[stack, keys, 20], &[stack, keys, 7]];
            let plain = kernels_of(dtype, sizes, |[q, k, v]| [q.matmul(k.t()).softmax(-1).matmul(v)]);
            assert_eq!(plain.last(), Some(&"matmul+fused+matmul"), "{sizes:?} of {dtype}");
            let causal = kernels_of(dtype, sizes, |[q, k, v]| {
                [q.attention(k, v, &AttentionOptions::default().causal(true)).exp()]
            });
            assert_eq!(causal.last(), Some(&"matmul+fused+matmul+fused"), "{sizes:?} of {dtype}");
        }
    }
}

#[test]
fn heads_are_read_where_they_are() {
    let sizes: [&[usize]; 3] = [&[2, 150, 24]; 3];
    let heads = kernels_of(DType::F32, sizes, |[q, k, v]| {
        let [q, k, v] = [q, k, v].map(|x| x.split_heads(3));
        [q.attention(k, v, &AttentionOptions::default()).merge_heads()]
    });
    assert!(heads.contains(&"matmul+fused+matmul"), "{heads:?}");
}

#[test]
fn a_hidden_layer_is_never_in_memory() {
    for (rows, width, hidden) in [(513, 10, 40), (600, 33, 530), (4090, 5, 2000)] {
        let sizes: [&[usize]; 4] = [&[rows, width], &[width, hidden], &[hidden], &[hidden, width]];
        let layer = kernels_of(DType::F32, sizes, |[x, w, bias, v]| [(x.dot(w) + bias).tanh().dot(v)]);
        assert_eq!(layer, ["matmul+fused+matmul"]);
        // What is added to the result is read on the way as well.
        let added = kernels_of(DType::F32, sizes, |[x, w, bias, v]| {
            let y = (x.dot(w) + bias).tanh().dot(v) + x;
            [y, y.sum_over(0), y.cast(DType::F64)]
        });
        assert_eq!(added[0], "matmul+fused+matmul+fused");
        let linear = kernels_of(DType::F32, [sizes[0], sizes[1], sizes[3]], |[x, w, v]| [x.dot(w).dot(v)]);
        assert_eq!(linear, ["matmul+matmul"]);
    }
}

#[test]
fn of_three_products_none_waits_for_all_of_the_one_before() {
    let sizes: [&[usize]; 4] = [&[600, 20], &[20, 30], &[30, 40], &[40, 50]];
    let layers = kernels_of(DType::F32, sizes, |[x, u, v, w]| [x.dot(u).tanh().dot(v).tanh().dot(w)]);
    assert_eq!(layers, ["strip"]);
}

/// Attention and its gradient, as the rules of the ops write it: the result, and the gradients of queries, keys and values.
fn differentiated<'b>([q, k, v]: [Expr<'b>; 3], slope: impl FnOnce(Expr<'b>) -> Expr<'b>) -> [Expr<'b>; 4] {
    let scaled = q * 0.5;
    let weights = scaled.matmul(k.t()).softmax(-1);
    let y = weights.matmul(v);
    let dy = slope(y);
    let dw = dy.matmul(v.t());
    let ds = weights * (dw - (dw * weights).sum_over(-1).expand_dims(-1));
    [y, ds.matmul(k) * 0.5, scaled.t().matmul(ds).t(), weights.t().matmul(dy)]
}

/// Elements of the largest value that a kernel writes, inputs aside.
fn largest(graph: &Graph) -> usize {
    let written = fused(graph).into_iter().filter(|region| !graph.inputs().contains(&region.root));
    let len = |node| graph.ty(node).shape.known_numel().unwrap();
    written.flat_map(|region| region.outputs).map(len).max().unwrap()
}

#[test]
fn the_gradient_of_attention_is_one_kernel() {
    for dtype in [DType::F32, DType::F64] {
        // Keys that are one and several blocks of the contracted axis, and queries that are no whole number of blocks of rows.
        for (stack, queries, keys) in [(8, 64, 40), (9, 97, 300), (8, 290, 33)] {
            let sizes: [&[usize]; 4] =
                [&[stack, queries, 12], &[stack, keys, 12], &[stack, keys, 20], &[stack, queries, 20]];
            let feeds: Vec<Tensor> =
                sizes.iter().zip(1..).map(|(sizes, seed)| quarters(sizes, seed).cast(dtype)).collect();
            let graph = |waits: bool| {
                let builder = Builder::new();
                let [q, k, v, dy] = std::array::from_fn(|at| {
                    builder.input(["q", "k", "v", "dy"][at], dtype, sizes[at].to_vec())
                });
                let outputs = differentiated([q, k, v], |y| if waits { dy * y.max() } else { dy });
                optimize(&builder.finish(["y", "dq", "dk", "dv"].into_iter().zip(outputs)).unwrap())
            };
            let what = format!("{sizes:?} of {dtype}");
            // The slope of each row is known once the row is.
            let at_once = graph(false);
            assert!(again_from(&at_once, 1).is_none(), "{what}: nothing of that size is in memory");
            assert!(largest(&at_once) < stack * queries * keys, "{what}: {:?}", kernels(&at_once));
            assert!(kernels(&at_once).contains(&"strip"), "{what}: {:?}", kernels(&at_once));
            check(&at_once, &feeds, &what);
            // That of the first follows from the last.
            let graph = graph(true);
            check(&graph, &feeds, &what);
            let again =
                again_from(&graph, 1).unwrap_or_else(|| panic!("{what}: {:?}", kernels(&graph))).graph;
            assert!(largest(&again) < stack * queries * keys, "{what}: {:?}", kernels(&again));
            check(&again, &feeds, &what);
            let expected = run_regions(&graph, &fused(&graph), &feeds, ORDERS[0]);
            let got = run_regions(&again, &fused(&again), &feeds, ORDERS[0]);
            for (one, other) in graph.outputs().iter().zip(again.outputs()) {
                let (expected, got) = (&expected[one.node.index()], &got[other.node.index()]);
                assert!(got.as_ref().unwrap().bits_eq(expected.as_ref().unwrap()), "{what}: {}", one.name);
            }
        }
    }
}

#[test]
fn rows_of_two_values_that_are_held_are_multiplied_and_added_up() {
    for dtype in [DType::F32, DType::F64] {
        let builder = Builder::new();
        let inputs: [Expr<'_>; 3] =
            std::array::from_fn(|at| builder.input(["q", "k", "v"][at], dtype, [8, 290, 6]));
        // Weights and slopes are both made row by row.
        let outputs = differentiated(inputs, |y| y + y).into_iter().skip(1);
        let graph = optimize(&builder.finish(["dq", "dk", "dv"].into_iter().zip(outputs)).unwrap());
        assert!(again_from(&graph, 1).is_none());
        assert!(largest(&graph) < 8 * 290 * 290, "{:?}", kernels(&graph));
        let feeds: Vec<Tensor> = (1..4).map(|seed| quarters(&[8, 290, 6], seed).cast(dtype)).collect();
        check(&graph, &feeds, "both are held");
    }
}

#[test]
fn few_matrices_are_not_added_up_by_one_thread_each() {
    let builder = Builder::new();
    let sizes: [&[usize]; 4] = [&[2, 300, 12], &[2, 90, 12], &[2, 90, 20], &[2, 300, 20]];
    let [q, k, v, dy] =
        std::array::from_fn(|at| builder.input(["q", "k", "v", "dy"][at], DType::F32, sizes[at].to_vec()));
    let outputs = differentiated([q, k, v], |_| dy);
    let graph = optimize(&builder.finish(["y", "dq", "dk", "dv"].into_iter().zip(outputs)).unwrap());
    assert!(again_from(&graph, 1).is_none());
    assert!(!kernels(&graph).contains(&"strip"), "{:?}", kernels(&graph));
}

#[test]
fn what_others_read_is_written() {
    let sizes: [&[usize]; 3] = [&[600, 20], &[20, 30], &[30, 30]];
    let result = kernels_of(DType::F32, sizes, |[x, w, v]| {
        let hidden = x.dot(w).tanh();
        [hidden.dot(v), hidden]
    });
    assert_eq!(result, ["matmul+fused", "matmul"]);
    let again = kernels_of(DType::F32, sizes, |[x, w, v]| {
        let hidden = x.dot(w).tanh();
        [hidden.dot(v) + hidden]
    });
    assert_eq!(again, ["matmul+fused+matmul+fused"]);
    let both = kernels_of(DType::F32, [sizes[0], sizes[1]], |[x, w]| {
        let hidden = x.dot(w).tanh();
        [hidden.dot(hidden.t())]
    });
    assert_eq!(both, ["matmul+fused", "matmul"]);
}

#[test]
fn only_whole_rows_of_a_left_operand_are_chained() {
    let right =
        kernels_of(DType::F32, [&[600, 20], &[20, 30], &[40, 600]], |[x, w, v]| [v.dot(x.dot(w).tanh())]);
    assert_eq!(right, ["matmul+fused", "matmul"]);
    let columns = kernels_of(DType::F32, [&[600, 20], &[20, 600], &[600, 40]], |[x, w, v]| {
        [x.dot(w).tanh().t().dot(v)]
    });
    assert_eq!(columns, ["matmul+fused", "matmul"]);
}

#[test]
fn what_saves_little_is_not_chained() {
    let few =
        kernels_of(DType::F32, [&[100, 20], &[20, 30], &[30, 40]], |[x, w, v]| [x.dot(w).tanh().dot(v)]);
    assert_eq!(few, ["matmul+fused", "matmul"]);
}

#[test]
fn what_would_pack_much_for_little_is_not_chained() {
    let layer = |rows, width, hidden| {
        kernels_of(DType::F32, [&[rows, width], &[width, hidden], &[hidden, width]], |[x, w, v]| {
            [x.dot(w).tanh().dot(v)]
        })
    };
    assert_eq!(layer(1100, 300, 20), ["matmul+fused", "matmul"]);
    assert_eq!(layer(1100, 200, 20), ["matmul+fused+matmul"]);
    // Matrices of few rows are packed once for all of those.
    let sizes: [&[usize]; 3] = [&[30, 25, 300], &[30, 300, 20], &[30, 20, 300]];
    let stack = kernels_of(DType::F32, sizes, |[x, w, v]| [x.matmul(w).tanh().matmul(v)]);
    assert_eq!(stack, ["matmul+fused+matmul"]);
}
