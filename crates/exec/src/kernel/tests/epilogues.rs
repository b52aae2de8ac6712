//! Products with the work that is done on their result, against the same graphs node by node.

use pullback_graph::pass::optimize;
use pullback_graph::{Builder, ConvOptions, DType, Expr, Graph, Tensor};

use super::fusion::{check, fused};
use crate::kernel::Kernel;

/// The kernels of a graph's regions but those of inputs, in order.
pub(super) fn kernels(graph: &Graph) -> Vec<&'static str> {
    let is_computed = |node| !graph.inputs().contains(&node);
    let regions = fused(graph).into_iter().filter(|region| is_computed(region.root));
    regions.map(|region| Kernel::lower(graph, &region).name()).collect()
}

/// Numbers whose products add up exactly, in any order.
pub(super) fn quarters(sizes: &[usize], seed: usize) -> Tensor {
    Tensor::from_fn(sizes, |at| ((at + seed) * 37 % 11) as f32 / 4.0 - 1.25)
}

/// Checks a graph of inputs `x`, `w` and `b`, of these sizes, and says what its kernels are.
fn kernels_of<'b, const N: usize>(
    builder: &'b Builder,
    sizes: [&[usize]; 3],
    outputs: impl FnOnce([Expr<'b>; 3]) -> [Expr<'b>; N],
) -> Vec<&'static str> {
    let names = ["x", "w", "b"];
    let inputs = [0, 1, 2].map(|at| builder.input(names[at], DType::F32, sizes[at].to_vec()));
    let names: Vec<String> = (0..N).map(|at| format!("out{at}")).collect();
    let outputs = names.iter().map(String::as_str).zip(outputs(inputs)).collect::<Vec<_>>();
    let graph = optimize(&builder.finish(outputs).unwrap());
    let feeds: Vec<Tensor> = sizes.iter().zip(1..).map(|(sizes, seed)| quarters(sizes, seed)).collect();
    check(&graph, &feeds, &format!("{sizes:?}"));
    kernels(&graph)
}

#[test]
fn a_layer_is_one_kernel() {
    for (m, k, n) in [(4, 2, 4), (4, 4, 1), (150, 70, 33), (700, 64, 64)] {
        let b = Builder::new();
        let layer = kernels_of(&b, [&[m, k], &[k, n], &[n]], |[x, w, b]| [(x.dot(w) + b).tanh()]);
        assert_eq!(layer, ["matmul+fused"]);
    }
}

#[test]
fn a_layer_of_one_sample_is_cut() {
    for (k, n) in [(512, 1200), (2000, 700)] {
        let b = Builder::new();
        let layer = kernels_of(&b, [&[1, k], &[k, n], &[n]], |[x, w, b]| [(x.dot(w) + b).tanh()]);
        assert_eq!(layer, ["matmul+fused"]);
        let graph =
            b.finish([("out", b.constant(quarters(&[1, k], 1)).dot(b.constant(quarters(&[k, n], 2))))]);
        let graph = graph.unwrap();
        let pieces = |region: &_| Kernel::lower(&graph, region).pieces();
        assert!(fused(&graph).iter().map(pieces).max() > Some(1), "{k} × {n}");
    }
}

#[test]
fn rows_of_one_sample_each_are_combined_after_their_product() {
    let b = Builder::new();
    let attention =
        kernels_of(&b, [&[6, 1, 80], &[6, 80, 300], &[300]], |[q, k, b]| [(q.matmul(k) + b).softmax(-1)]);
    assert_eq!(attention, ["matmul+fused"]);
}

#[test]
fn a_product_that_others_read_is_written_too() {
    let b = Builder::new();
    let layer = kernels_of(&b, [&[90, 40], &[40, 50], &[50]], |[x, w, b]| {
        let product = x.dot(w);
        [(product + b).exp(), product]
    });
    assert_eq!(layer, ["matmul+fused"]);
    let b = Builder::new();
    let twice = kernels_of(&b, [&[90, 40], &[40, 40], &[40]], |[x, w, b]| {
        let product = x.dot(w);
        [(product + b).exp(), product.dot(w)]
    });
    assert_eq!(twice, ["matmul+fused", "matmul"]);
}

#[test]
fn rows_are_combined_after_their_product() {
    let b = Builder::new();
    let softmax = kernels_of(&b, [&[200, 32], &[32, 10], &[10]], |[x, w, b]| [(x.dot(w) + b).softmax(1)]);
    assert_eq!(softmax, ["matmul+fused"]);
    // Nothing but a number per row is left of the product.
    let b = Builder::new();
    let sums = kernels_of(&b, [&[200, 32], &[32, 10], &[10]], |[x, w, b]| [(x.dot(w) * b).sum_over(1)]);
    assert_eq!(sums, ["matmul+fused"]);
    // Rows of the region are a part of the product's, or several of them.
    let b = Builder::new();
    let heads = kernels_of(&b, [&[60, 32], &[32, 12], &[12]], |[x, w, b]| {
        [(x.dot(w) * b).reshape([60, 3, 4]).exp().sum_over(2)]
    });
    assert_eq!(heads, ["matmul+fused"]);
    let b = Builder::new();
    let groups = kernels_of(&b, [&[600, 32], &[32, 12], &[12]], |[x, w, b]| {
        [(x.dot(w) * b).reshape([200, 36]).exp().sum_over(1)]
    });
    assert_eq!(groups, ["matmul+fused"]);
    // Or neither: then the product is written.
    let b = Builder::new();
    let across = kernels_of(&b, [&[60, 32], &[32, 12], &[12]], |[x, w, b]| {
        [(x.dot(w) * b).reshape([90, 8]).exp().sum_over(1)]
    });
    assert_eq!(across, ["matmul", "fused"]);
}

#[test]
fn a_result_of_another_type_has_the_product_in_a_buffer() {
    let b = Builder::new();
    let cast = kernels_of(&b, [&[130, 32], &[32, 12], &[12]], |[x, w, b]| {
        [(x.dot(w) + b).cast(DType::F64), x.dot(w).gt(b)]
    });
    assert!(cast.contains(&"matmul+fused"), "{cast:?}");
}

#[test]
fn stacks_and_transposed_operands_have_epilogues() {
    let b = Builder::new();
    let stack = kernels_of(&b, [&[6, 20, 8], &[6, 8, 14], &[14]], |[x, w, b]| [(x.matmul(w) + b).tanh()]);
    assert_eq!(stack, ["matmul+fused"]);
    let b = Builder::new();
    let slope = kernels_of(&b, [&[50, 20], &[30, 20], &[50, 30]], |[x, w, y]| {
        [x.dot(w.permute([1, 0])) * (1.0 - y.square())]
    });
    assert_eq!(slope, ["matmul+fused"]);
}

#[test]
fn what_a_product_comes_to_over_its_rows_is_summed_on_the_way() {
    for rows in [50, 3000] {
        let b = Builder::new();
        let slope = kernels_of(&b, [&[rows, 20], &[30, 20], &[rows, 30]], |[x, w, y]| {
            let slope = x.dot(w.permute([1, 0])) * (1.0 - y.square());
            [slope, slope.sum_over(0), slope.sum()]
        });
        assert_eq!(slope[0], "matmul+fused");
    }
}

#[test]
fn convolutions_have_epilogues() {
    for size in [9, 20] {
        let b = Builder::new();
        let sizes: [&[usize]; 3] = [&[2, 3, size, size], &[8, 3, 3, 3], &[8]];
        let conv = kernels_of(&b, sizes, |[x, w, bias]| {
            [(x.conv(w, &ConvOptions::default()) + bias.reshape([8, 1, 1])).relu6()]
        });
        assert!(conv.iter().any(|name| name.ends_with("+fused")), "{conv:?}");
    }
}

#[test]
fn products_that_can_run_side_by_side_do_not_wait_for_each_other() {
    let b = Builder::new();
    let sum = kernels_of(&b, [&[20, 20], &[20, 20], &[20, 20]], |[x, w, b]| [x.dot(w) + w.dot(b)]);
    assert_eq!(sum, ["matmul", "matmul", "elementwise"]);
    // All threads work on a large one.
    let b = Builder::new();
    let sum = kernels_of(&b, [&[3000, 40], &[40, 40], &[40, 40]], |[x, w, b]| [x.dot(w) + x.dot(b)]);
    assert_eq!(sum, ["matmul", "matmul+fused"]);
    // What is there earlier is no reason to wait.
    let b = Builder::new();
    let sum = kernels_of(&b, [&[20, 20], &[20, 20], &[20, 20]], |[x, w, b]| [x.dot(w).dot(b) + x.dot(b)]);
    assert_eq!(sum, ["matmul", "matmul", "matmul+fused"]);
}

#[test]
fn products_one_after_the_other_are_added_to_what_is_there() {
    let b = Builder::new();
    let layers = kernels_of(&b, [&[40, 40], &[40, 40], &[40]], |[x, w, b]| {
        // Each state comes of the one before, and what is added up of each, as in the gradient of a recurrence.
        let states = (0..3).scan(x, |state, _| Some(std::mem::replace(state, state.dot(w).relu())));
        let added = states.map(|state| state.t().dot(x * b)).reduce(|sum, product| sum + product);
        [added.expect("three of them") * 0.5]
    });
    assert_eq!(layers.iter().filter(|name| **name == "matmul").count(), 1, "{layers:?}");
}
