//! Fused graphs against the same graphs node by node.

use pullback_graph::op::{BinaryOp, Choices, CompareOp, LogicOp, UnaryOp};
use pullback_graph::pass::optimize;
use pullback_graph::{Builder, DType, Expr, Graph, NodeId, Op, Tensor, interpret};

use super::{ORDERS, assert_close, run_regions, values};
use crate::kernel::regions::region::Extent;
use crate::kernel::{Kernel, Region, regions, strips};

/// Regions for the outputs of a graph.
pub(super) fn fused(graph: &Graph) -> Vec<Region> {
    let keep = |id| graph.outputs().iter().any(|output| output.node == id);
    strips(graph, regions(graph, &keep), &keep)
}

/// Runs a graph fused and unfused, and compares the outputs' bits.
pub(super) fn check(graph: &Graph, feeds: &[Tensor], what: &str) {
    let single: Vec<Region> = graph.ids().map(|id| Region::single(graph, id)).collect();
    let expected = run_regions(graph, &single, feeds, ORDERS[0]);
    for order in ORDERS {
        let got = run_regions(graph, &fused(graph), feeds, order);
        for output in graph.outputs() {
            let (got, expected) = (&got[output.node.index()], &expected[output.node.index()]);
            assert_close(got.as_ref().unwrap(), expected.as_ref().unwrap(), None, what);
        }
    }
}

/// The regions' nodes, as numbers.
fn layout(graph: &Graph) -> Vec<Vec<usize>> {
    let numbers = |region: Region| region.nodes.into_iter().map(NodeId::index).collect();
    fused(graph).into_iter().map(numbers).collect()
}

#[test]
fn a_chain_becomes_one_region_with_its_outputs() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [100]);
    let y = (x * 2.0 + 1.0).tanh();
    let z = (y * y).exp() / x;
    let graph = b.finish([("y", y), ("z", z)]).unwrap();
    assert_eq!(layout(&graph), [vec![0], (1..=8).collect()]);
    assert_eq!(fused(&graph)[1].outputs.to_vec(), [y.id(), z.id()]);
    check(&graph, &[Tensor::random([100], 1)], "a chain");
}

#[test]
fn what_reads_the_same_is_one_region() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [10]);
    let shared = x.sin();
    let y = shared * shared + shared;
    let graph = b.finish([("y", y)]).unwrap();
    assert_eq!(layout(&graph), [vec![0], vec![1, 2, 3]]);

    let b = Builder::new();
    let x = b.input("x", DType::F32, [10]);
    let shared = x.sin();
    let (y, z) = (shared.exp(), shared.tanh());
    let graph = b.finish([("y", y), ("z", z)]).unwrap();
    assert_eq!(layout(&graph), [vec![0], vec![1, 2, 3]]);
    check(&graph, &[Tensor::random([10], 1)], "siblings");
}

#[test]
fn values_and_gradients_of_many_elements_are_one_region() {
    let b = Builder::new();
    let [x, y] = ["x", "y"].map(|name| b.input(name, DType::F32, [80, 64]));
    let value = (x * y).sin() * x;
    let total = value.sum();
    let slope = (x * y).cos();
    let (dx, dy) = (slope * y * x + value / x, slope * x * x);
    let graph = b.finish([("total", total), ("dx", dx), ("dy", dy)]).unwrap();
    let names: Vec<&str> =
        fused(&graph)[2..].iter().map(|region| Kernel::lower(&graph, region).name()).collect();
    assert_eq!(names, ["fused"]);
    let feeds = [Tensor::random([80, 64], 1), Tensor::random([80, 64], 2)];
    check(&graph, &feeds, "values and gradients");

    // What must run in between keeps regions apart.
    let w = b.input("w", DType::F32, [64, 64]);
    let hidden = (x * y).tanh();
    let both = hidden.dot(w) + hidden;
    let graph = b.finish([("both", both)]).unwrap();
    let names: Vec<&str> =
        fused(&graph)[3..].iter().map(|region| Kernel::lower(&graph, region).name()).collect();
    assert_eq!(names, ["fused", "matmul+fused"]);
    check(&graph, &[feeds[0].clone(), feeds[1].clone(), Tensor::random([64, 64], 3)], "apart");
}

#[test]
fn parts_are_read_where_they_are() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [70, 390]);
    let gate = |at: usize| x.slice(-1, 130 * at..130 * (at + 1));
    let y = gate(0).sigmoid() * gate(1).tanh() + gate(2).softmax(-1);
    let graph = optimize(&b.finish([("y", y), ("last", x.slice(0, 69..70).exp())]).unwrap());
    let names: Vec<&str> =
        fused(&graph)[1..].iter().map(|region| Kernel::lower(&graph, region).name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let feed = Tensor::random([70, 390], 1);
    check(&graph, std::slice::from_ref(&feed), "gates");

    // What a part is of may itself be read through, and another kernel may need the part's own buffer.
    let b = Builder::new();
    let (x, w) = (b.input("x", DType::F32, [390]), b.input("w", DType::F32, [130, 8]));
    let rows = x.broadcast_to([70, 390]);
    let part = rows.slice(-1, 130..260);
    let graph = b.finish([("y", rows.exp()), ("z", part.tanh()), ("product", part.dot(w) * 2.0)]).unwrap();
    check(&graph, &[Tensor::random([390], 1), Tensor::random([130, 8], 2)], "parts of what is read through");
}

#[test]
fn polygamma_is_fused_with_what_is_around_it() {
    let b = Builder::new();
    let x = b.input("x", DType::F64, [1000]);
    let y = (x.exp().digamma() * 2.0 + (x * x).polygamma(1)).tanh();
    let graph = b.finish([("y", y)]).unwrap();
    let names: Vec<&str> =
        fused(&graph)[1..].iter().map(|region| Kernel::lower(&graph, region).name()).collect();
    assert_eq!(names, ["fused"]);
    let feed = Tensor::random([1000], 1).cast(DType::F64);
    check(&graph, &[feed], "polygamma");

    // Single numbers, some of which go through the routine together.
    let b = Builder::new();
    let x = b.input("x", DType::F32, [0; 0]);
    let many = (1..6).map(|at| (x * at as f32).digamma()).reduce(|sum, term| sum + term).unwrap();
    let graph = b.finish([("y", many * x.polygamma(2))]).unwrap();
    check(&graph, &[Tensor::scalar(0.7_f32)], "polygamma of single numbers");
}

#[test]
fn a_node_joins_no_region_that_comes_after_a_reader_of_it() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [4, 4]);
    let shared = x.sin();
    let product = shared.dot(x);
    let y = shared + product;
    let graph = b.finish([("y", y)]).unwrap();
    assert_eq!(layout(&graph), [vec![0], vec![1], vec![2, 3]]);
    check(&graph, &[Tensor::random([4, 4], 1)], "a reader in between");
}

#[test]
fn rows_are_reduced_and_spread_out_again_in_one_region() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [7, 3, 50]);
    let bias = b.input("bias", DType::F32, [50]);
    let softmax = ((x + bias) * 2.0).softmax(-1);
    let centered = softmax - softmax.mean_over([-1]).expand_dims(-1);
    let spread = centered.square().mean_over([-1]);
    let graph = optimize(&b.finish([("softmax", softmax), ("spread", spread)]).unwrap());
    let regions = fused(&graph);
    assert_eq!(regions.len(), 3, "{:?}", layout(&graph));
    let outputs: Vec<NodeId> = graph.outputs().iter().map(|output| output.node).collect();
    assert_eq!(regions[2].outputs.to_vec(), outputs);
    check(&graph, &[Tensor::random([7, 3, 50], 1), Tensor::random([50], 2)], "rows");
}

#[test]
fn numbers_of_rows_are_read_again_in_later_blocks_and_stages() {
    for columns in [255, 256, 300, 700, 1024] {
        let b = Builder::new();
        let x = b.input("x", DType::F32, [11, columns]);
        let scale = x.abs().max_over([-1]).expand_dims(-1);
        let scaled = x / scale;
        let sum = scaled.exp().sum_over([-1]).expand_dims(-1);
        let both = scaled * sum + x * scale;
        let spread = (both - scale).square().sum_over([-1]).expand_dims(-1);
        let graph = b.finish([("y", both / spread - scale)]).unwrap();
        assert_eq!(fused(&graph).len(), 2, "{:?}", layout(&graph));
        check(&graph, &[Tensor::random([11, columns], 1)], "rows");
    }
}

/// What repeats itself is read from its start in every lap: laps shorter and longer than rows, tiles of one and of several.
#[test]
fn what_repeats_itself_is_read_again_in_every_lap() {
    for columns in [3, 100, 256, 300, 700, 1024, 1500] {
        let rows = 70_000 / columns;
        let b = Builder::new();
        let x = b.input("x", DType::F32, [rows, columns]);
        let [gain, shift] = ["gain", "shift"].map(|name| b.input(name, DType::F32, [columns]));
        // Without rows, and with numbers of rows beside what repeats itself, which is also added up itself.
        let flat = x * gain.exp() + shift;
        let centered = x - x.mean_over([-1]).expand_dims(-1);
        let normal = centered / centered.square().mean_over([-1]).expand_dims(-1).sqrt();
        let gains = (gain + x * 0.0).sum_over([-1]);
        // Of another length, and truth values.
        let mask = b.input("mask", DType::Bool, [columns]);
        let whole = normal.cast(DType::F64) * b.input("wide", DType::F64, [columns]);
        let masked = whole.masked_fill(mask, 3.0);
        let results = [("flat", flat), ("rows", normal * gain + shift), ("gains", gains), ("masked", masked)];
        let graph = b.finish(results).unwrap();
        let [gain, shift] = [2, 3].map(|seed| Tensor::random([columns], seed));
        let mask = Tensor::vector((0..columns).map(|at| at % 3 == 0).collect::<Vec<bool>>());
        let wide = Tensor::vector((0..columns).map(|at| at as f64).collect::<Vec<f64>>());
        let feeds = [Tensor::random([rows, columns], 1), gain, shift, mask, wide];
        check(&graph, &feeds, &format!("rows of {columns}"));
    }
}

#[test]
fn what_is_spread_out_over_the_rows_of_a_region_is_no_row_of_it() {
    let b = Builder::new();
    let x = b.input("x", DType::F64, [3, 2, 2]);
    let scale = b.input("scale", DType::F64, [3, 1]);
    // Six rows of two elements; one of three numbers for each two of these rows.
    let y = x.exp().sum_over(2) * scale;
    let graph = b.finish([("y", y)]).unwrap();
    let feeds = [Tensor::random([3, 2, 2], 1).cast(DType::F64), Tensor::random([3, 1], 2).cast(DType::F64)];
    check(&graph, &feeds, "two kinds of rows");
}

#[test]
fn a_view_of_no_elements_repeats_itself_after_none() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [1, 2, 1]);
    let y = x.broadcast_to([4, 2, 0]).log2() + 1.0;
    let graph = b.finish([("y", y)]).unwrap();
    check(&graph, &[Tensor::random([1, 2, 1], 1)], "no elements");
}

#[test]
fn all_numbers_between_two_larger_steps_are_one_region() {
    let b = Builder::new();
    let [x, y, z] = ["x", "y", "z"].map(|name| b.input(name, DType::F32, ()));
    let long = b.input("long", DType::F32, [40]);
    // Neither reads the other, and both are read by what is larger, and by numbers after it.
    let (first, second) = ((x * y).tanh() + x, (z - 1.0).exp());
    let total = (long * first.broadcast_to([40]) * second.broadcast_to([40])).sum();
    let last = (total - first) * second.sin();
    let graph = b.finish([("first", first), ("second", second), ("last", last)]).unwrap();
    let of_numbers = fused(&graph).into_iter().filter(|region| {
        region.extent == Extent::Flat(1) && !matches!(graph.node(region.root).op, Op::Input(_))
    });
    let outputs: Vec<usize> = of_numbers.map(|region| region.outputs.len()).collect();
    assert!(outputs.contains(&2), "the numbers before the sum are one region: {outputs:?}");
    let feeds = [1, 2, 3].map(|seed| Tensor::random([], seed)).into_iter().chain([Tensor::random([40], 4)]);
    check(&graph, &feeds.collect::<Vec<_>>(), "numbers");
}

#[test]
fn broadcasts_literals_and_transposes_are_read_in_place() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [6, 5]);
    let bias = b.input("bias", DType::F32, [5]);
    let scale = b.input("scale", DType::F32, [6, 1]);
    let whole = b.input("whole", DType::F32, ());
    let y = (x * scale + bias).relu() / whole - 0.5;
    let w = b.input("w", DType::F32, [7, 5]);
    let z = y.dot(w.t());
    let graph = b.finish([("z", z)]).unwrap();
    let regions = fused(&graph);
    let kernels: Vec<(&str, usize)> =
        regions.iter().map(|region| (Kernel::lower(&graph, region).name(), region.operands.len())).collect();
    assert_eq!(kernels[4..], [("fused", 4), ("reference", 0), ("matmul", 2)]);
    let feeds = [[6, 5], [1, 5], [6, 1], [1, 1], [7, 5]].map(|sizes| Tensor::random(sizes, 2));
    let [x, bias, scale, whole, w] = feeds;
    let feeds = [x, bias.reshape(&[5]).unwrap(), scale, whole.reshape(&[]).unwrap(), w];
    check(&graph, &feeds, "broadcasts");
}

#[test]
fn products_read_through_transposes_and_broadcasts() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [3, 20, 30]);
    let w = b.input("w", DType::F32, [1, 30, 40]);
    let row = b.input("row", DType::F32, [30]);
    let batched = x.matmul(w);
    let turned = x.permute([2, 0, 1]).dot(x.permute([1, 0, 2]).reshape([20, 90]).broadcast_to([20, 90]));
    let spread = x.reshape([60, 30]).dot(row.broadcast_to([5, 30]).t());
    let down = row.reshape([30, 1]).broadcast_to([30, 7]);
    let graph = b
        .finish([("batched", batched), ("turned", turned), ("spread", spread), ("down", x.dot(down))])
        .unwrap();
    let [x, w] = [[3, 20, 30], [1, 30, 40]].map(|sizes| Tensor::random(sizes, 4));
    check(&graph, &[x, w, Tensor::random([30], 5)], "products");
}

#[test]
fn one_element_gives_the_bits_of_many() {
    for seed in 0..60 {
        for dtype in [DType::F32, DType::F64] {
            let of = |sizes: &[usize]| {
                let mut choices = Choices::seeded(seed);
                let b = Builder::new();
                let mut pool = vec![b.input("x", dtype, sizes), b.input("y", dtype, sizes)];
                for _ in 0..40 {
                    let (x, y) = (pool[choices.below(pool.len())], pool[choices.below(pool.len())]);
                    pool.push(match choices.below(6) {
                        0 | 1 => x.apply(UnaryOp::ALL[choices.below(UnaryOp::ALL.len())]),
                        2 | 3 => x.apply_to(BinaryOp::ALL[choices.below(BinaryOp::ALL.len())], &[y]),
                        4 => x.gt(y).or(x.lt(0.5)).select(x, y * 0.5),
                        _ => x.clamp(-1.0, 2.0).cast(DType::F32).cast(dtype),
                    });
                }
                let last = pool[pool.len() - 1] + pool[pool.len() - 3];
                let graph = b.finish([("last", last), ("other", pool[10])]).unwrap();
                let mut feeds = Choices::seeded(seed + 1000);
                let value =
                    |feeds: &mut Choices| Tensor::full(sizes, feeds.between(-2.0, 2.0, &[])).cast(dtype);
                let feeds = [value(&mut feeds), value(&mut feeds)];
                let values = run_regions(&graph, &fused(&graph), &feeds, ORDERS[0]);
                let bits = |name: &str| {
                    values[graph.output(name).unwrap().node.index()].clone().unwrap().to_f64_vec()[0]
                };
                [bits("last").to_bits(), bits("other").to_bits()]
            };
            let (one, many) = (of(&[]).map(f64::from_bits), of(&[3, 7]).map(f64::from_bits));
            for (one, many) in one.iter().zip(many) {
                let same = one.to_bits() == many.to_bits() || (one.is_nan() && many.is_nan());
                assert!(same, "seed {seed}, {dtype}: {one:e}, {many:e}");
            }
        }
    }
}

#[test]
fn convolutions_never_write_their_windows_out() {
    use pullback_graph::ConvOptions;
    for (sizes, kernel, options) in [
        ([3, 4, 9, 10], [6, 4, 3, 3], ConvOptions::default().padding([1, 1])),
        ([2, 4, 11, 8], [4, 2, 5, 2], ConvOptions::default().stride([2, 1]).groups(2)),
        ([5, 1, 7, 7], [2, 1, 7, 7], ConvOptions::default()),
        // Outputs side by side, for more images than a call has, and another kernel for each group.
        ([24, 16, 9, 9], [40, 16, 3, 3], ConvOptions::default().padding([1, 1])),
        ([3, 32, 9, 9], [80, 16, 3, 3], ConvOptions::default().groups(2)),
    ] {
        let b = Builder::new();
        let x = b.input("x", DType::F32, sizes);
        let w = b.input("w", DType::F32, kernel);
        let y = x.conv(w, &options);
        let back = y.conv_transpose(w, &Default::default());
        let graph = b.finish([("y", y), ("back", back)]).unwrap();
        let names: Vec<&str> =
            fused(&graph).iter().map(|region| Kernel::lower(&graph, region).name()).collect();
        assert!(!names.contains(&"unfold") && !names.contains(&"fold"), "{names:?}");
        // Of whole numbers every sum is exact, and fused ones may add up in another order.
        let whole = |sizes: &[usize]| Tensor::from_fn(sizes, |at| (at * 37 % 11) as f32 - 5.0);
        check(&graph, &[whole(&sizes), whole(&kernel)], "a convolution");
    }
}

#[test]
fn kernels_may_be_in_any_order() {
    use pullback_graph::op::{DotGeneral, Window};
    let window = Window { size: 3, stride: 1, dilation: 1, before: 1, after: 1 };
    for dtype in [DType::F32, DType::F64] {
        for order in [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [1, 0, 4, 2, 3]] {
            let b = Builder::new();
            let x = b.input("x", dtype, [8, 9, 9]);
            let sizes = order.map(|axis| [6, 8, 8, 3, 3][axis]);
            let mut back = [0; 5];
            order.iter().enumerate().for_each(|(at, axis)| back[*axis] = at);
            let w = b.input("w", dtype, sizes);
            let w = w.permute(back.to_vec());
            let y = w.apply_to(DotGeneral::new([], [], [2, 3, 4], [0, 1, 2]), &[x.unfold(&[window; 2])]);
            let back = w.apply_to(DotGeneral::new([], [], [2], [0]), &[x]).fold(&[window; 2], [9, 9]);
            let graph = b.finish([("y", y), ("back", back)]).unwrap();
            let whole =
                |sizes: &[usize]| Tensor::from_fn(sizes, |at| (at * 37 % 11) as f32 - 5.0).cast(dtype);
            check(&graph, &[whole(&[8, 9, 9]), whole(&sizes)], "a kernel with its axes in another order");
        }
    }
}

#[test]
fn what_is_written_into_a_number_is_not_read() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [40, 30]);
    let at = b.input("at", DType::I64, [40, 3]);
    let y = x.full_like(0.5).scatter_add_along(at, x.slice(1, 0..3), 1);
    let graph = b.finish([("y", y)]).unwrap();
    let region = fused(&graph).pop().unwrap();
    assert_eq!((region.root, region.operands.len()), (y.id(), 2));
    let places = Tensor::from_fn(&[40, 3], |i| (i * 7 % 30) as i64);
    check(&graph, &[Tensor::random([40, 30], 1), places], "writing into a number");
}

#[test]
fn nodes_that_nothing_needs_are_in_no_region() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [3]);
    let _unused = x.exp().sum();
    let y = x.sin();
    let graph = b.finish([("y", y)]).unwrap();
    assert_eq!(layout(&graph), [vec![0], vec![3]]);
}

#[test]
fn long_chains_make_bounded_regions_without_recursion() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [2]);
    let mut y = x;
    for _ in 0..50_000 {
        y = y * 0.5 + x;
    }
    let graph = b.finish([("y", y)]).unwrap();
    let found = fused(&graph);
    assert!(found.iter().all(|region| region.nodes.len() <= 2 * 1024 + 2), "regions stay bounded");
    check(&graph, &[Tensor::random([2], 3)], "a long chain");
}

/// A random expression over everything that can meet in a region.
pub(super) fn grow<'g>(b: &'g Builder, choices: &mut Choices, steps: usize) -> (Vec<Expr<'g>>, Vec<Tensor>) {
    // Now and then there are no rows at all.
    let (rows, columns) = (choices.below(40), 1 + choices.below(60));
    let dtype = [DType::F32, DType::F64][choices.below(2)];
    let shapes: [&[usize]; 6] =
        [&[rows, columns], &[columns], &[rows, 1], &[], &[1, columns], &[rows, columns]];
    let (mut pool, mut feeds) = (Vec::new(), Vec::new());
    for (at, sizes) in shapes.iter().enumerate() {
        pool.push(b.input(&format!("x{at}"), dtype, *sizes));
        feeds.push(values(dtype, sizes, choices));
    }
    for _ in 0..steps {
        let x = pool[choices.below(pool.len())];
        let y = pool[choices.below(pool.len())];
        let fits = x.shape().broadcast(&y.shape()).is_some();
        let made = match choices.below(12) {
            0 | 1 => x.apply(UnaryOp::ALL[choices.below(UnaryOp::ALL.len())]),
            2..=4 if fits => {
                let op = BinaryOp::ALL[choices.below(BinaryOp::ALL.len())];
                let shape = x.shape().broadcast(&y.shape()).unwrap();
                x.broadcast_to(&shape).apply_to(op, &[y.broadcast_to(&shape)])
            }
            5 if fits => {
                let shape = x.shape().broadcast(&y.shape()).unwrap();
                let op = CompareOp::ALL[choices.below(CompareOp::ALL.len())];
                let (x, y) = (x.broadcast_to(&shape), y.broadcast_to(&shape));
                let truth = x.apply_to(op, &[y]);
                let other = y.gt(0.0).apply_to(LogicOp::ALL[choices.below(LogicOp::ALL.len())], &[truth]);
                if choices.below(2) == 0 { other.select(x, y) } else { truth.cast(dtype) }
            }
            6 => x.clamp(-1.0, 0.75) * 2.0,
            7 => x.reshape([x.shape().numel()]).exp().reshape(x.shape()),
            8 if x.rank() > 0 => match choices.below(4) {
                0 => x.sum_over(0),
                1 if rows > 0 => x.max_over(0),
                2 => x.sum(),
                _ => x.sum_over(-1),
            },
            9 if x.rank() == 2 && y.rank() == 2 && x.shape()[1] == y.shape()[1] => x.dot(y.t()).sum_over([1]),
            10 => x.stop_gradient(),
            11 => 1.0 - x.cast(DType::F32).cast(dtype),
            _ => x + 1.5,
        };
        pool.push(made);
    }
    (pool, feeds)
}

#[test]
fn random_graphs_have_the_same_bits_fused_and_unfused() {
    for seed in 0..150 {
        let mut choices = Choices::seeded(seed);
        let b = Builder::new();
        let (pool, feeds) = grow(&b, &mut choices, 4 + seed as usize % 30);
        let mut outputs = vec![("last".to_string(), pool[pool.len() - 1])];
        if choices.below(2) == 1 {
            outputs.push(("other".to_string(), pool[choices.below(pool.len())]));
        }
        let graph = b.finish(outputs).unwrap();
        check(&graph, &feeds, &format!("seed {seed}"));
        let names: Vec<String> = (0..feeds.len()).map(|at| format!("x{at}")).collect();
        let truth = interpret(&graph, names.iter().zip(&feeds)).unwrap();
        let got = run_regions(&graph, &fused(&graph), &feeds, ORDERS[0]);
        for output in graph.outputs() {
            let (got, truth) = (got[output.node.index()].as_ref().unwrap(), truth.node(output.node));
            assert_eq!(got.ty(), truth.ty());
        }
    }
}
