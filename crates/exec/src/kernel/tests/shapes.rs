//! Shapes that make kernels take their other paths: many pieces, scattered axes, empty ones.

use pullback_graph::op::{
    ArgMax, ArgMin, ArgSort, BinaryOp, Broadcast, Cast, Choices, CompareOp, Concat, Cumulative,
    CumulativeKind, DotGeneral, Fold, Gather, GatherAlong, LinearScan, Pad, Permute, Ranks, Reduce,
    ReduceKind, Reverse, Scalar, Scatter, ScatterAlong, ScatterKind, Select, Slice, UnaryOp, Unfold, Window,
};
use pullback_graph::{AxisList, DType, Dim, Op, OpRules, Order, Tensor};

use super::{check, graph_of, values};
use crate::kernel::{Kernel, Region};

fn numbers(sizes: &[usize], seed: u64) -> Tensor {
    let mut choices = Choices::seeded(seed);
    // The stream is shorter than the tensors: repeat it with a drift, so that no two places hold the same.
    let stream: Vec<f64> = (0..1021).map(|_| choices.between(-2.0, 2.0, &[])).collect();
    Tensor::from_fn(sizes, |i| (stream[i % 1021] + i as f64 * 1e-5) as f32)
}

fn indices(sizes: &[usize], below: usize) -> Tensor {
    Tensor::from_fn(sizes, |i| ((i * 7919 + i / 13) % below) as i64)
}

fn passes(op: impl Into<Op>, operands: &[Tensor]) {
    let op = op.into();
    assert!(check(&op, operands, &format!("{op:?}")), "{op:?} does not fit {operands:?}");
}

#[test]
fn elementwise_ops_of_many_pieces() {
    let (x, y) = (numbers(&[70_001], 1), numbers(&[70_001], 2));
    passes(UnaryOp::Neg, std::slice::from_ref(&x));
    passes(BinaryOp::Mul, &[x.clone(), y.clone()]);
    passes(CompareOp::Lt, &[x.clone(), y.clone()]);
    passes(Cast { dtype: DType::I64 }, std::slice::from_ref(&x));
    passes(Select, &[x.cast(DType::Bool), x.clone(), y.clone()]);
    let wide = values(DType::F64, &[3, 5, 7], &mut Choices::seeded(3));
    for op in UnaryOp::ALL {
        passes(*op, std::slice::from_ref(&wide));
        passes(*op, &[wide.cast(DType::F32)]);
    }
    for op in BinaryOp::ALL {
        let other = values(DType::F64, &[3, 5, 7], &mut Choices::seeded(4));
        passes(*op, &[wide.clone(), other.clone()]);
        passes(*op, &[wide.cast(DType::F32), other.cast(DType::F32)]);
    }
}

#[test]
fn reductions_over_any_axes() {
    let shapes: [&[usize]; 12] = [
        &[],
        &[1],
        &[5000],
        &[3, 4, 5],
        &[100, 300],
        &[300, 100],
        &[2, 3, 4, 5, 6],
        &[7, 1, 2000],
        &[40, 1, 40, 30],
        &[0, 4],
        &[4, 0],
        &[1030, 5],
    ];
    for sizes in shapes {
        for mask in 0..1_usize << sizes.len() {
            let axes: AxisList = (0..sizes.len()).filter(|axis| mask >> axis & 1 == 1).collect();
            for kind in [ReduceKind::Sum, ReduceKind::Prod, ReduceKind::Max, ReduceKind::Min] {
                let op = Op::from(Reduce { kind, axes: axes.clone() });
                let x = numbers(sizes, 5);
                check(&op, &[indices(sizes, 100).cast(DType::Bool)], &format!("{op:?}"));
                check(&op, &[Tensor::full(sizes, false)], &format!("{op:?}"));
                check(&op, std::slice::from_ref(&x), &format!("{op:?}"));
                check(&op, &[x.cast(DType::F64)], &format!("{op:?}"));
                check(&op, &[x.cast(DType::I64)], &format!("{op:?}"));
            }
        }
    }
    passes(
        Reduce { kind: ReduceKind::Max, axes: [1].into() },
        &[values(DType::F32, &[40, 33], &mut Choices::seeded(6))],
    );
    for columns in [1, 20] {
        let x = Tensor::from_fn(&[OUT_OF_RANGE.len(), 2, columns], |i| OUT_OF_RANGE[i / columns / 2]);
        for op in [
            Reduce { kind: ReduceKind::Prod, axes: [0].into() },
            Reduce { kind: ReduceKind::Prod, axes: [0, 1].into() },
        ] {
            passes(op, std::slice::from_ref(&x));
        }
        // And without what is not finite.
        let x = Tensor::from_fn(&[5, 2, columns], |i| OUT_OF_RANGE[i / columns / 2]);
        passes(Reduce { kind: ReduceKind::Prod, axes: [0].into() }, &[x]);
    }
}

/// Factors whose product leaves the range of numbers, then a zero, and later an infinity.
const OUT_OF_RANGE: [f64; 7] = [1e200, -1e200, 0.5, -0.0, 3.0, f64::INFINITY, 2.0];

/// Sizes that have lanes one after the other, few and many side by side, short and long ones, and none.
const LANES: [&[usize]; 9] = [
    &[5000],
    &[300, 100],
    &[3, 30, 40],
    &[40, 30, 3],
    &[2, 20, 1100],
    &[4000, 1, 5],
    &[1, 3, 20],
    &[0, 4],
    &[4, 0, 3],
];

/// Ordinary values, ones with many equal to each other, and zeros of both signs, infinities and NaN among them.
fn lanes_of(sizes: &[usize]) -> [Tensor; 3] {
    let special: [f32; 7] = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -2.0];
    let x = numbers(sizes, 31);
    let mixed = x.to_f64_vec();
    let mixed = Tensor::from_fn(sizes, |i| match i * 2_654_435_761 % 4_294_967_291 % 30 {
        at @ 0..7 => special[at],
        _ => mixed[i] as f32,
    });
    [x, indices(sizes, 5).cast(DType::F32), mixed]
}

/// None, the first, some of the first, in the middle and last, all but some, and all of so many.
fn ranks_of(size: usize) -> [Option<Ranks>; 10] {
    let ranks = |start, end| Some(Ranks { start, end });
    [
        None,
        ranks(0, 0),
        ranks(size, size),
        ranks(0, size.min(1)),
        ranks(0, size / 9),
        ranks(size / 2, size / 2 + usize::from(size > 0)),
        ranks(size / 3, size / 2),
        ranks(size.saturating_sub(1), size),
        ranks(size / 4, size),
        ranks(0, size),
    ]
}

#[test]
fn lanes_of_many_pieces() {
    let kinds = [
        CumulativeKind::Sum,
        CumulativeKind::Prod,
        CumulativeKind::Max,
        CumulativeKind::Min,
        CumulativeKind::LogSumExp,
    ];
    for sizes in LANES {
        for axis in 0..sizes.len() {
            let mut ops: Vec<Op> = vec![ArgMax { axis }.into(), ArgMin { axis }.into()];
            let sort = |order| Op::from(ArgSort { axis, order, ranks: None });
            ops.extend([Order::Ascending, Order::Descending].map(sort));
            for reverse in [false, true] {
                ops.extend(kinds.map(|kind| Op::from(Cumulative { kind, axis, reverse })));
            }
            for x in lanes_of(sizes) {
                for op in &ops {
                    for dtype in DType::ALL {
                        check(op, &[x.cast(dtype)], &format!("{op:?}"));
                    }
                }
                for reverse in [false, true] {
                    for dtype in [DType::F32, DType::F64] {
                        let factors = lanes_of(sizes)[2].cast(dtype);
                        passes(LinearScan { axis, reverse }, &[factors, x.cast(dtype)]);
                    }
                }
            }
        }
    }
    for columns in [1, 20] {
        let out_of_range = Tensor::from_fn(&[7, columns], |i| OUT_OF_RANGE[i / columns]);
        passes(Cumulative { kind: CumulativeKind::Prod, axis: 0, reverse: false }, &[out_of_range]);
    }
}

#[test]
fn ranks_of_many_pieces() {
    let shapes: [&[usize]; 7] =
        [&[300], &[90, 200], &[200, 90], &[40, 33, 3], &[1, 3, 20], &[0, 4], &[4, 0, 3]];
    for sizes in shapes {
        for axis in 0..sizes.len() {
            for x in lanes_of(sizes) {
                for (ranks, dtype) in
                    ranks_of(sizes[axis]).into_iter().flat_map(|ranks| DType::ALL.map(|dtype| (ranks, dtype)))
                {
                    for order in [Order::Ascending, Order::Descending] {
                        passes(ArgSort { axis, order, ranks }, &[x.cast(dtype)]);
                    }
                }
            }
        }
    }
}

#[test]
fn movements_of_many_pieces() {
    for order in [[0, 2, 1], [2, 1, 0], [1, 0, 2], [2, 0, 1], [1, 2, 0]] {
        passes(Permute { order: order.into() }, &[numbers(&[40, 30, 50], 7)]);
    }
    passes(Permute { order: [1, 0].into() }, &[numbers(&[300, 200], 8)]);
    passes(Permute { order: [1, 0].into() }, &[numbers(&[3, 0], 8)]);
    for (from, axes) in
        [(vec![200], vec![1]), (vec![300], vec![0]), (vec![], vec![]), (vec![300, 1], vec![0, 1])]
    {
        let op = Broadcast { shape: [300, 200].into(), axes: axes.into() };
        passes(op, &[numbers(&from, 9)]);
    }
    passes(Reverse { axes: [0, 2].into() }, &[numbers(&[30, 20, 70], 10)]);
    passes(Reverse { axes: [1].into() }, &[numbers(&[3, 0, 2], 10)]);
    let slice = Slice {
        starts: vec![Dim::Known(3), Dim::Known(0), Dim::Known(1)],
        ends: vec![Dim::Known(50), Dim::Known(40), Dim::Known(37)],
        steps: vec![2, 1, 3],
    };
    passes(slice, &[numbers(&[60, 40, 40], 11)]);
    let dims = |sizes: [usize; 3]| sizes.map(Dim::Known).to_vec();
    for inner in [[0, 0, 0], [0, 1, 0], [1, 0, 2]] {
        let pad = |value| Pad { low: dims([1, 2, 0]), high: dims([0, 3, 0]), inner: inner.to_vec(), value };
        passes(pad(Scalar::of(DType::F32, -1.0).unwrap()), &[numbers(&[20, 30, 40], 12)]);
        passes(pad(Scalar::of(DType::F32, -1.0).unwrap()), &[numbers(&[20, 0, 40], 12)]);
    }
    passes(
        Pad { low: vec![], high: vec![], inner: vec![], value: Scalar::of(DType::F32, 1.0).unwrap() },
        &[numbers(&[], 1)],
    );
    for axis in 0..3 {
        let part = |size: usize| {
            let mut sizes = [30, 20, 40];
            sizes[axis] = size;
            numbers(&sizes, size as u64)
        };
        passes(Concat { axis }, &[part(7), part(0), part(50), part(1)]);
    }
}

const KINDS: [ScatterKind; 4] = [ScatterKind::Set, ScatterKind::Add, ScatterKind::Max, ScatterKind::Min];

#[test]
fn indexing_of_many_pieces_and_out_of_range() {
    for axis in 0..3 {
        let mut sizes = [30, 50, 20];
        let x = numbers(&sizes, 13);
        let bound = sizes[axis];
        let slices = indices(&[9, 8], bound);
        passes(Gather { axis }, &[x.clone(), slices.clone()]);
        let mut taken = sizes.to_vec();
        taken.splice(axis..=axis, [9, 8]);
        sizes[axis] = 70;
        let aligned = indices(&sizes, bound);
        passes(GatherAlong { axis }, &[x.clone(), aligned.clone()]);
        for kind in KINDS {
            passes(Scatter { kind, axis }, &[x.clone(), slices.clone(), numbers(&taken, 14)]);
            passes(ScatterAlong { kind, axis }, &[x.clone(), aligned.clone(), numbers(&sizes, 15)]);
            let whole = |tensor: &Tensor| tensor.cast(DType::I64);
            passes(ScatterAlong { kind, axis }, &[whole(&x), aligned.clone(), whole(&numbers(&sizes, 15))]);
        }
    }
    // Few elements after the axis, and none of it in the indices.
    for (sizes, taken, axis) in
        [([9000, 4, 1], [9000, 3, 1], 1), ([50, 70, 3], [50, 900, 3], 1), ([9, 5, 7], [9, 0, 7], 1)]
    {
        let (x, aligned) = (numbers(&sizes, 26), indices(&taken, sizes[axis]));
        passes(GatherAlong { axis }, &[x.clone(), aligned.clone()]);
        passes(Gather { axis }, &[x.clone(), indices(&taken[1..], sizes[axis])]);
        for kind in KINDS {
            passes(ScatterAlong { kind, axis }, &[x.clone(), aligned.clone(), numbers(&taken, 27)]);
        }
    }
    for kind in KINDS {
        // An embedding's gradient: many rows of one axis, cut among pieces.
        let (base, rows) = (numbers(&[3000, 40], 16), indices(&[500], 3000));
        passes(Scatter { kind, axis: 0 }, &[base, rows, numbers(&[500, 40], 17)]);
        // Zeros of both signs, infinities and NaN on both sides.
        let special = |sizes: &[usize], seed| values(DType::F32, sizes, &mut Choices::seeded(seed));
        let (base, aligned) = (special(&[40, 30], 21), indices(&[90, 30], 40));
        passes(ScatterAlong { kind, axis: 0 }, &[base, aligned, special(&[90, 30], 22)]);
    }
    let set = ScatterAlong { kind: ScatterKind::Set, axis: 0 };
    passes(set, &[Tensor::full(&[4], true), indices(&[7], 4), indices(&[7], 2).cast(DType::Bool)]);
    for bad in [-1_i64, 4, i64::MAX] {
        let (x, index) = (numbers(&[4, 3], 18), Tensor::of([2], [0, bad]));
        passes(Gather { axis: 0 }, &[x.clone(), index.clone()]);
        let aligned = Tensor::of([1, 3], [0, 1, bad]);
        passes(GatherAlong { axis: 0 }, &[x.clone(), aligned.clone()]);
        for kind in KINDS {
            passes(Scatter { kind, axis: 0 }, &[x.clone(), index.clone(), numbers(&[2, 3], 19)]);
            passes(ScatterAlong { kind, axis: 0 }, &[x.clone(), aligned.clone(), numbers(&[1, 3], 20)]);
        }
    }
    // A base without elements is no excuse, and neither are slices without.
    for bound in [1, 2] {
        passes(Gather { axis: 0 }, &[numbers(&[bound, 0], 1), Tensor::vector([0_i64, 1])]);
    }
    for kind in KINDS {
        let index = Tensor::vector([0_i64, 1]);
        passes(Scatter { kind, axis: 0 }, &[numbers(&[0], 1), index.clone(), numbers(&[2], 1)]);
        passes(ScatterAlong { kind, axis: 0 }, &[numbers(&[0], 1), index.clone(), numbers(&[2], 1)]);
        passes(Scatter { kind, axis: 0 }, &[numbers(&[1, 0], 1), index.clone(), numbers(&[2, 0], 1)]);
        passes(Scatter { kind, axis: 0 }, &[numbers(&[2, 0], 1), index, numbers(&[2, 0], 1)]);
    }
}

/// In how many pieces an op is done.
fn pieces(op: impl Into<Op>, operands: &[Tensor]) -> usize {
    let types: Vec<_> = operands.iter().map(Tensor::ty).collect();
    let (graph, node) = graph_of(&op.into(), &types).unwrap();
    Kernel::lower(&graph, &Region::single(&graph, node)).pieces()
}

#[test]
fn scattered_slices_of_many_pieces() {
    // A base that is cut and one that is not near; few wide rows; slabs, cut and whole; what is too narrow to be cut, and
    // what is not since there are few updates.
    let cases: [(&[usize], usize, usize, usize); 9] = [
        (&[600, 48], 0, 2000, 3),
        (&[2000, 40], 0, 3000, 4),
        (&[3, 20_000], 0, 7, 3),
        (&[1, 300], 0, 500, 1),
        (&[2, 610, 48], 1, 1100, 8),
        (&[70, 90, 5], 1, 60, 4),
        (&[3000, 3], 0, 9000, 1),
        (&[40_000], 0, 70, 2),
        (&[700, 60], 0, 0, 2),
    ];
    for (sizes, axis, count, expected) in cases {
        let bound = sizes[axis];
        let mut taken = sizes.to_vec();
        taken[axis] = count;
        let (base, updates) = (numbers(sizes, 28), numbers(&taken, 29));
        let scattered = indices(&[count], bound);
        let sorted = Tensor::from_fn(&[count], |i| (i * bound / count) as i64);
        let one = Tensor::full(&[count], bound as i64 / 2);
        let operands = |indices: &Tensor| [base.clone(), indices.clone(), updates.clone()];
        for (kind, dtype) in KINDS.into_iter().zip([DType::Bool, DType::F64, DType::I64, DType::F64]) {
            passes(Scatter { kind, axis }, &operands(&scattered));
            let [base, updates] = [&base, &updates].map(|tensor| tensor.cast(dtype));
            passes(Scatter { kind, axis }, &[base, scattered.clone(), updates]);
        }
        let add = Scatter { kind: ScatterKind::Add, axis };
        assert_eq!(pieces(add, &operands(&scattered)), expected, "{sizes:?}, {count} updates");
        for indices in [sorted, one] {
            passes(add, &operands(&indices));
        }
        // Out of range in the first chunk and in the last, where most pieces have nothing to do.
        for (at, bad) in [(0, -1), (count.saturating_sub(1), bound as i64), (count / 2, i64::MIN)] {
            let index = |i| if i == at { bad } else { 0 };
            passes(add, &operands(&Tensor::from_fn(&[count], index)));
        }
    }
}

#[test]
fn windows_of_many_pieces() {
    let window = |size, stride, dilation, before, after| Window { size, stride, dilation, before, after };
    let cases: [(&[usize], &[Window]); 9] = [
        (&[3, 50, 60], &[window(3, 1, 1, 1, 1), window(5, 1, 1, 2, 2)]),
        (&[3, 50, 61], &[window(3, 2, 3, 0, 4), window(2, 3, 1, 1, 0)]),
        (&[70, 9, 8], &[window(2, 2, 1, 0, 0), window(2, 2, 1, 0, 0)]),
        (&[5000], &[window(7, 1, 5, 3, 0)]),
        (&[2, 20, 9, 11], &[window(3, 2, 1, 1, 1), window(1, 1, 1, 0, 0), window(2, 1, 4, 0, 3)]),
        (&[40, 30], &[]),
        // Windows on nothing but padding, and no leading element.
        (&[3, 0, 4], &[window(2, 1, 1, 2, 2), window(2, 1, 1, 0, 0)]),
        (&[3, 4, 0], &[window(2, 1, 1, 0, 0), window(2, 1, 1, 3, 0)]),
        (&[0, 4, 4], &[window(2, 1, 1, 0, 0), window(2, 1, 1, 0, 0)]),
    ];
    for (sizes, windows) in cases {
        let x = numbers(sizes, 24);
        let unfold = Unfold { windows: windows.into() };
        let unfolded = unfold.infer(&[&x.ty()]).unwrap().shape.known().unwrap();
        let fold = Fold {
            windows: windows.into(),
            sizes: sizes[sizes.len() - windows.len()..].iter().map(|size| Dim::Known(*size)).collect(),
        };
        for dtype in [DType::F32, DType::F64, DType::I64] {
            passes(unfold.clone(), &[x.cast(dtype)]);
            passes(fold.clone(), &[numbers(&unfolded, 25).cast(dtype)]);
        }
    }
}

#[test]
fn products_of_any_layout() {
    let matrices: [(&[usize], &[usize], DotGeneral); 25] = [
        (&[130, 70], &[70, 90], DotGeneral::new([], [], [1], [0])),
        (&[70, 130], &[70, 90], DotGeneral::new([], [], [0], [0])),
        (&[130, 70], &[90, 70], DotGeneral::new([], [], [1], [1])),
        (&[70, 130], &[90, 70], DotGeneral::new([], [], [0], [1])),
        (&[4, 2], &[2, 4], DotGeneral::new([], [], [1], [0])),
        (&[600], &[600], DotGeneral::new([], [], [0], [0])),
        (&[1, 700], &[700, 40], DotGeneral::new([], [], [1], [0])),
        (&[1, 700], &[40, 700], DotGeneral::new([], [], [1], [1])),
        (&[300, 70], &[70], DotGeneral::new([], [], [1], [0])),
        (&[70, 300], &[70], DotGeneral::new([], [], [0], [0])),
        (&[30], &[40], DotGeneral::new([], [], [], [])),
        // Vectors times matrices, in several pieces; stacks of them; the vector a column among others.
        (&[600], &[600, 1000], DotGeneral::new([], [], [0], [0])),
        (&[1, 600], &[1000, 600], DotGeneral::new([], [], [1], [1])),
        (&[3000, 100], &[100], DotGeneral::new([], [], [1], [0])),
        (&[100, 3000, 1], &[100], DotGeneral::new([], [], [0], [0])),
        (&[4, 1, 90], &[4, 90, 50], DotGeneral::new([0], [0], [2], [1])),
        (&[4, 90], &[50, 4, 90], DotGeneral::new([0], [1], [1], [2])),
        (&[1, 50, 3], &[60, 50, 3], DotGeneral::new([2], [2], [1], [1])),
        // Attention: batch and heads, heads inside.
        (&[2, 30, 4, 16], &[2, 20, 4, 16], DotGeneral::new([0, 2], [0, 2], [3], [3])),
        (&[2, 4, 30, 20], &[2, 20, 4, 16], DotGeneral::new([0, 1], [0, 2], [3], [1])),
        // The gradient of a weight: contracted over batch and time.
        (&[8, 30, 40], &[8, 30, 50], DotGeneral::new([], [], [0, 1], [0, 1])),
        // Contracted axes in another order on the right: one side is packed.
        (&[20, 6, 7], &[7, 6, 30], DotGeneral::new([], [], [1, 2], [1, 0])),
        (&[6, 20, 7], &[30, 7, 9, 6], DotGeneral::new([], [], [0, 2], [3, 1])),
        // Scattered rows and columns.
        (&[20, 30, 5], &[6, 30, 7], DotGeneral::new([], [], [1], [1])),
        (&[5, 0], &[0, 6], DotGeneral::new([], [], [1], [0])),
    ];
    for (left, right, op) in matrices {
        let (x, y) = (numbers(left, 21), numbers(right, 22));
        passes(op.clone(), &[x.clone(), y.clone()]);
        passes(op, &[x.cast(DType::F64), y.cast(DType::F64)]);
    }
}
