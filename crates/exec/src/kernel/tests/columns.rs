//! Reductions over leading axes as parts of programs.

use pullback_graph::op::{Choices, ReduceKind};
use pullback_graph::pass::optimize;
use pullback_graph::{AxisList, Builder, DType, Expr, Graph, Op, Tensor, interpret};

use super::fusion::{check, fused};
use super::{ORDERS, assert_close, run_regions, values};
use crate::kernel::{Kernel, Region};

/// Operands and the axes to reduce: few and many columns, groups that rows fill and not, axes on both sides.
const CASES: [(&[usize], &[usize]); 18] = [
    (&[2, 3], &[0]),
    (&[2, 3], &[0, 1]),
    (&[50_001], &[0]),
    (&[33, 64], &[0]),
    (&[700, 65], &[0]),
    (&[5000, 4], &[0]),
    (&[4001, 10], &[0]),
    (&[3000, 63], &[0]),
    (&[200, 1000], &[0]),
    (&[70, 1500], &[0, 1]),
    (&[3, 3000], &[0]),
    (&[9, 100, 64], &[0, 1]),
    (&[9, 30, 64], &[0]),
    (&[1, 90, 1, 130], &[0, 1]),
    (&[6, 40, 7, 9], &[0, 2, 3]),
    (&[50, 3, 30, 31], &[0, 2, 3]),
    (&[300, 70, 2], &[0, 2]),
    (&[40, 1, 2000], &[0, 2]),
];

fn reduced<'g>(x: Expr<'g>, kind: ReduceKind, axes: &[usize]) -> Expr<'g> {
    let axes: AxisList = axes.iter().copied().collect();
    x.apply(pullback_graph::op::Reduce { kind, axes })
}

/// The kernels of what is not an input.
fn kernels(graph: &Graph) -> Vec<&'static str> {
    let is_computed = |region: &&Region| !matches!(graph.node(region.root).op, Op::Input(_));
    fused(graph).iter().filter(is_computed).map(|region| Kernel::lower(graph, region).name()).collect()
}

#[test]
fn what_is_reduced_over_leading_axes_is_not_written() {
    for (at, (sizes, axes)) in CASES.into_iter().enumerate() {
        for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
            for dtype in [DType::F32, DType::F64, DType::I64] {
                let b = Builder::new();
                let [x, y] = ["x", "y"].map(|name| b.input(name, dtype, sizes));
                let graph = b.finish([("z", reduced(x * y + x, kind, axes))]).unwrap();
                let what = format!("{kind:?} of {dtype} {sizes:?} over {axes:?}");
                assert_eq!(kernels(&graph), ["fused"], "{what}");
                let mut choices = Choices::seeded(at as u64);
                let feeds = [5, 11].map(|step| match kind {
                    // Of one sign, so that errors are measured by the sum itself, and summed exactly by `f64`.
                    ReduceKind::Sum => {
                        Tensor::from_fn(sizes, |i| (i * step % 1009) as f64 * 0.375 + 0.125).cast(dtype)
                    }
                    _ => values(dtype, sizes, &mut choices),
                });
                let truth = interpret(&graph, ["x", "y"].into_iter().zip(&feeds)).unwrap();
                let truth = truth.node(graph.output("z").unwrap().node).clone();
                let epsilon = if dtype == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
                let sizes_of_truth = truth.to_f64_vec();
                let tolerance = Tensor::from_fn(truth.sizes(), |i| sizes_of_truth[i].abs() * 40.0 * epsilon);
                let tolerance = (kind == ReduceKind::Sum).then_some(&tolerance);
                let mut first: Option<Tensor> = None;
                for order in ORDERS {
                    let got = run_regions(&graph, &fused(&graph), &feeds, order);
                    let got = got[graph.output("z").unwrap().node.index()].clone().unwrap();
                    assert_close(&got, &truth, tolerance, &what);
                    let first = first.get_or_insert_with(|| got.clone());
                    assert_close(&got, first, None, &format!("{what}, {order:?}"));
                }
            }
        }
    }
}

#[test]
fn gradients_of_a_layer_are_one_program() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [300, 80]);
    let [gain, shift] = ["gain", "shift"].map(|name| b.input(name, DType::F32, [80]));
    let seed = b.input("seed", DType::F32, [300, 80]);
    let y = (x * gain + shift).softmax(-1);
    let slope = y * (seed - (seed * y).sum_over([-1]).expand_dims(-1));
    let outputs = [
        ("loss", (y * seed).sum()),
        ("dx", slope * gain),
        ("dgain", (slope * x).sum_over([0])),
        ("dshift", slope.sum_over([0])),
    ];
    let graph = optimize(&b.finish(outputs).unwrap());
    assert_eq!(kernels(&graph), ["fused"]);
    let feeds = [[300, 80], [1, 80], [1, 80], [300, 80]].map(|sizes| Tensor::random(sizes, 7));
    let [x, gain, shift, seed] = feeds;
    let flat = |tensor: Tensor| tensor.reshape(&[80]).unwrap();
    check(&graph, &[x, flat(gain), flat(shift), seed], "gradients of a layer");
}

#[test]
fn what_reads_a_reduction_over_leading_axes_comes_after_it() {
    let b = Builder::new();
    // As many rows as columns, so that one element per column looks like one per row.
    let x = b.input("x", DType::F32, [64, 64]);
    let y = (x * 2.0).exp();
    let mean = y.sum_over([0]) * (1.0 / 64.0);
    let centered = y - mean;
    let spread = centered.square().sum_over([0]);
    let both = centered * (spread + 1.0).rsqrt() + y.sum_over([1]).expand_dims(-1);
    let graph = b.finish([("both", both), ("mean", mean.exp() + spread)]).unwrap();
    check(&graph, &[Tensor::random([64, 64], 5)], "reductions one after another");
}

#[test]
fn numbers_of_rows_are_reduced_with_the_rows() {
    for (rows, columns) in [(50, 7), (900, 64), (3000, 10)] {
        let b = Builder::new();
        let x = b.input("x", DType::F32, [rows, columns]);
        let per_row = x.exp().sum_over([-1]).log();
        let graph = b
            .finish([
                ("loss", per_row.sum()),
                ("worst", per_row.max()),
                ("gradient", x.exp() / per_row.expand_dims(-1)),
            ])
            .unwrap();
        assert_eq!(kernels(&graph), ["fused"]);
        check(&graph, &[Tensor::random([rows, columns], 3)], "a loss");
    }
}

#[test]
fn totals_take_no_operand_s_place() {
    let b = Builder::new();
    // Groups of one: the result has as many elements as an operand that is read row by row.
    let x = b.input("x", DType::F32, [40, 40]);
    let scale = b.input("scale", DType::F32, [40]);
    let y = (x * scale.expand_dims(-1)).sum_over([0]);
    let graph = b.finish([("y", y)]).unwrap();
    let region = fused(&graph).pop().unwrap();
    let kernel = Kernel::lower(&graph, &region);
    let over = kernel.in_place().iter().map(|operand| region.operands[*operand]);
    assert_eq!(over.filter(|operand| *operand == scale.id()).count(), 0);
}

#[test]
fn a_number_everywhere_is_combined_as_often_as_it_is_there() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [300, 40]);
    let half = x.full_like(0.5);
    let rows = half.sum_over([1]);
    let graph = b
        .finish([
            ("columns", half.sum_over([0])),
            ("all", half.sum() + x.sum()),
            ("rows", (x * 2.0).sum_over([1]) + rows),
            ("scaled", (x * rows.expand_dims(-1)).max_over([0])),
        ])
        .unwrap();
    let feeds = [Tensor::from_fn(&[300, 40], |at| (at % 17) as f32)];
    check(&graph, &feeds, "a number everywhere");
    let got = run_regions(&graph, &fused(&graph), &feeds, ORDERS[0]);
    let of = |name: &str| got[graph.output(name).unwrap().node.index()].clone().unwrap().to_f64_vec();
    assert_eq!(of("columns"), [150.0; 40]);
    assert_eq!(of("rows").len(), 300);
    assert!(
        (0..300).all(|row| of("rows")[row]
            == (0..40).map(|at| 2.0 * ((row * 40 + at) % 17) as f64).sum::<f64>() + 20.0)
    );
}
