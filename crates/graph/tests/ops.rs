//! Known answers for every op's `evaluate`, worked by hand or with NumPy, and the edges of the elementwise rows.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_graph::DType::{Bool, F32, F64, I64};
use pullback_graph::op::{
    BinaryOp, CompareOp, Distribution, DotGeneral, Pad, Random, ReduceKind, Scalar, Slice, UnaryOp,
};
use pullback_graph::op::{Gather, Iota, Literal, Permute, Reduce, Reverse};
use pullback_graph::{
    Builder, Dim, Expr, GraphError, Op, OpRules, Shape, Tensor, TensorType, interpret, sym,
};

/// The value of an op of known sizes.
#[track_caller]
fn value(op: impl Into<Op>, operands: &[&Tensor]) -> Tensor {
    try_value(op, operands).unwrap()
}

fn try_value(op: impl Into<Op>, operands: &[&Tensor]) -> Result<Tensor, String> {
    let op = op.into();
    let types: Vec<TensorType> = operands.iter().map(|operand| operand.ty()).collect();
    let result = op.infer(&types.iter().collect::<Vec<_>>()).map_err(|violation| violation.message)?;
    let value = op.evaluate(operands, &result)?;
    assert_eq!(value.ty(), result);
    Ok(value)
}

/// The value of a function of one tensor, through builder and interpreter.
#[track_caller]
fn run(x: &Tensor, function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Tensor {
    try_run(x, function).unwrap()
}

fn try_run(x: &Tensor, function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Result<Tensor, GraphError> {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), x.shape());
    let graph = b.finish([("y", function(input))])?;
    interpret(&graph, [("x", x)])?.output("y").cloned()
}

fn f64s<const N: usize>(values: [f64; N]) -> Tensor {
    Tensor::vector(values)
}

/// `0, 1, 2, …` as f64.
fn counted(sizes: &[usize]) -> Tensor {
    Tensor::from_fn(sizes, |i| i as f64)
}

fn known(sizes: &[usize]) -> Vec<Dim> {
    sizes.iter().map(|size| Dim::Known(*size)).collect()
}

#[test]
fn leaves_have_their_values() {
    assert_eq!(value(Literal { value: Scalar::from(2.5), shape: [2].into() }, &[]), f64s([2.5, 2.5]));
    assert_eq!(value(Literal { value: Scalar::from(2.5), shape: [2, 0].into() }, &[]).len(), 0);
    assert_eq!(
        value(Iota { shape: [2, 3].into(), axis: 1 }, &[]),
        Tensor::of([2, 3], [0_i64, 1, 2, 0, 1, 2])
    );
    assert_eq!(
        value(Iota { shape: [2, 3].into(), axis: 0 }, &[]),
        Tensor::of([2, 3], [0_i64, 0, 0, 1, 1, 1])
    );
    assert_eq!(value(Iota { shape: [0, 3].into(), axis: 0 }, &[]).len(), 0);
    assert!(try_value(Iota { shape: Shape::scalar(), axis: 0 }, &[]).is_err());
}

#[test]
fn reductions_give_numpys_numbers() {
    let x = Tensor::of([2, 3], [1.0, -2.0, 3.0, 4.0, 5.0, -6.0]);
    let reduce = |kind, axes: &[usize]| value(Reduce { kind, axes: axes.to_vec().into() }, &[&x]);
    assert_eq!(reduce(ReduceKind::Sum, &[0]), f64s([5.0, 3.0, -3.0]));
    assert_eq!(reduce(ReduceKind::Sum, &[1]), f64s([2.0, 3.0]));
    assert_eq!(reduce(ReduceKind::Max, &[0, 1]), Tensor::scalar(5.0));
    assert_eq!(reduce(ReduceKind::Min, &[1]), f64s([-2.0, -6.0]));
    assert_eq!(reduce(ReduceKind::Sum, &[]), x);
    assert_eq!(run(&x, |x| x.argmax(-1)), Tensor::vector([2_i64, 1]));
    assert_eq!(run(&x, |x| x.argmax(0)), Tensor::vector([1_i64, 1, 0]));
}

#[test]
fn no_elements_sum_to_plus_zero_and_have_no_largest() {
    let empty = Tensor::of([2, 0], Vec::<f64>::new());
    assert_eq!(run(&empty, |x| x.sum_over(1)), f64s([0.0, 0.0]));
    assert_eq!(run(&empty, |x| x.sum_over(0)), f64s([]));
    assert_eq!(run(&empty, |x| x.max_over(0)), f64s([]));
    assert!(run(&empty, |x| x.mean()).item().unwrap().is_nan());
    for kind in [ReduceKind::Max, ReduceKind::Min] {
        let error = try_value(Reduce { kind, axes: [1].into() }, &[&empty]).unwrap_err();
        assert_eq!(error, "f64[2, 0] has no elements to choose from");
    }
}

#[test]
fn nan_is_the_largest_the_smallest_and_the_first() {
    let x = f64s([1.0, f64::NAN, f64::INFINITY]);
    assert!(run(&x, |x| x.max()).item().unwrap().is_nan());
    assert!(run(&x, |x| x.min()).item().unwrap().is_nan());
    assert_eq!(run(&x, |x| x.argmax(0)), Tensor::scalar(1_i64));
    assert_eq!(run(&f64s([3.0, 3.0]), |x| x.argmax(0)), Tensor::scalar(0_i64));
}

#[test]
fn movement_places_elements_as_numpy_does() {
    let x = counted(&[2, 3]);
    assert_eq!(run(&f64s([1.0, 2.0]), |x| x.broadcast_to([2, 2])), Tensor::of([2, 2], [1.0, 2.0, 1.0, 2.0]));
    assert_eq!(run(&Tensor::scalar(7.0), |x| x.broadcast_to([2, 0])).sizes(), [2, 0]);
    assert_eq!(run(&x, |x| x.reshape([3, 2])), Tensor::of([3, 2], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    assert_eq!(run(&x, |x| x.t()), Tensor::of([3, 2], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    // numpy.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[3, 1, 2] is element 1, 2, 3 of the operand.
    let cube = value(Permute { order: [2, 0, 1].into() }, &[&counted(&[2, 3, 4])]);
    assert_eq!((cube.sizes(), cube.values::<f64>()[3 * 6 + 3 + 2]), (&[4_usize, 2, 3][..], 23.0));
    assert_eq!(
        value(Reverse { axes: [0, 1].into() }, &[&x]),
        Tensor::of([2, 3], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    );
    assert_eq!(run(&x, |x| x.flip(-1)), Tensor::of([2, 3], [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]));
    let joined = run(&x, |x| x.slice(1, 0..0).concat(&[x, x.slice(-1, 2..3)], -1));
    assert_eq!(joined, Tensor::of([2, 4], [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0]));
}

#[test]
fn slices_take_steps_and_may_be_empty() {
    let x = counted(&[7]);
    let slice = |start: usize, end: usize, step| {
        value(Slice { starts: known(&[start]), ends: known(&[end]), steps: vec![step] }, &[&x])
    };
    assert_eq!(slice(1, 7, 2), f64s([1.0, 3.0, 5.0]));
    assert_eq!(slice(1, 6, 3), f64s([1.0, 4.0]));
    assert_eq!(slice(6, 7, 5), f64s([6.0]));
    assert_eq!(slice(7, 7, 3), f64s([]));
    assert_eq!(slice(0, 7, usize::MAX / 2), f64s([0.0]));
    for (start, end, step) in [(3, 2, 1), (0, 8, 1), (0, 7, 0), (0, 7, usize::MAX)] {
        let op = Slice { starts: known(&[start]), ends: known(&[end]), steps: vec![step] };
        assert!(op.infer(&[&x.ty()]).is_err(), "{start}..{end} by {step}");
    }
}

#[test]
fn a_symbolic_slice_that_must_be_out_of_range_is_refused() {
    let ty = TensorType::new(F64, ["n"]);
    let beyond = Slice { starts: known(&[0]), ends: vec![sym("n") + 1.into()], steps: vec![1] };
    let backward = Slice { starts: vec![sym("n")], ends: vec![sym("n") - 1.into()], steps: vec![1] };
    let inside = Slice { starts: known(&[1]), ends: vec![sym("n") - 1.into()], steps: vec![1] };
    assert_eq!(beyond.infer(&[&ty]).unwrap_err().constraint, "C4");
    assert_eq!(backward.infer(&[&ty]).unwrap_err().constraint, "C4");
    assert_eq!(inside.infer(&[&ty]).unwrap().to_string(), "f64[n - 2]");
}

#[test]
fn padding_goes_before_between_and_after() {
    let pad = |x: &Tensor, low, high, inner: usize| {
        let op =
            Pad { low: known(&[low]), high: known(&[high]), inner: vec![inner], value: Scalar::from(-1.0) };
        value(op, &[x])
    };
    assert_eq!(pad(&f64s([1.0, 2.0]), 1, 2, 0), f64s([-1.0, 1.0, 2.0, -1.0, -1.0]));
    assert_eq!(pad(&f64s([1.0, 2.0, 3.0]), 0, 1, 2), f64s([1.0, -1.0, -1.0, 2.0, -1.0, -1.0, 3.0, -1.0]));
    assert_eq!(pad(&f64s([1.0]), 0, 0, 5), f64s([1.0]));
    // There is nothing between no elements.
    assert_eq!(pad(&f64s([]), 1, 1, 5), f64s([-1.0, -1.0]));
}

#[test]
fn contractions_follow_their_axes() {
    // numpy.einsum("kbm,nbk->bmn", a, b), by the same sums written out.
    let (a, b) = (counted(&[2, 3, 4]), counted(&[5, 3, 2]));
    let product = value(DotGeneral::new([1], [1], [0], [2]), &[&a, &b]);
    let (left, right) = (a.values::<f64>(), b.values::<f64>());
    let expected = Tensor::from_fn(&[3, 4, 5], |i| {
        let (batch, m, n) = (i / 20, i / 5 % 4, i % 5);
        (0..2).map(|k| left[k * 12 + batch * 4 + m] * right[n * 6 + batch * 2 + k]).sum::<f64>()
    });
    assert_eq!(product, expected);
    assert_eq!(product.values::<f64>()[..3], [0.0 * 0.0 + 12.0, 12.0 * 7.0 + 0.0, 12.0 * 13.0 + 0.0]);
    // Two contracted axes in another order: Σ a[i, j] b[j, i] is the trace of the product, 1·5 + 2·7 + 3·6 + 4·8.
    let (a, b) = (Tensor::of([2, 2], [1.0, 2.0, 3.0, 4.0]), Tensor::of([2, 2], [5.0, 6.0, 7.0, 8.0]));
    assert_eq!(value(DotGeneral::new([], [], [0, 1], [1, 0]), &[&a, &b]), Tensor::scalar(69.0));
    assert_eq!(
        value(DotGeneral::new([], [], [1], [0]), &[&a, &b]),
        Tensor::of([2, 2], [19.0, 22.0, 43.0, 50.0])
    );
    // No axis at all: the product of scalars. Nothing to sum: zeros, and positive ones.
    let two = Tensor::scalar(2.0);
    assert_eq!(value(DotGeneral::new([], [], [], []), &[&two, &two]), Tensor::scalar(4.0));
    let (tall, wide) = (counted(&[2, 0]), counted(&[0, 3]));
    assert_eq!(value(DotGeneral::new([], [], [1], [0]), &[&tall, &wide]), Tensor::full(&[2, 3], 0.0));
    assert_eq!(
        value(DotGeneral::new([], [], [0], [1]), &[&tall, &Tensor::of([3, 2], [1.0; 6])]).sizes(),
        [0, 3]
    );
}

#[test]
fn gathers_read_and_scatters_add_duplicates_up() {
    let b = Builder::new();
    let x = b.input("x", F64, [3, 2]);
    let indices = b.constant(Tensor::vector([2_i64, 0, 2]));
    let along = b.constant(Tensor::of([1, 2], [2_i64, 1]));
    let none = b.constant(Tensor::of([0], Vec::<i64>::new()));
    let one = b.constant(Tensor::scalar(1_i64));
    let graph = b
        .finish([
            ("gather", x.gather(indices, 0)),
            ("gather_one", x.gather(one, -1)),
            ("gather_none", x.gather(none, 0)),
            ("along", x.gather_along(along, 0)),
            ("scatter", x.scatter_add(indices, x, 0)),
            ("scatter_along", x.scatter_add_along(along, along.cast(F64), 0)),
            ("scatter_none", x.scatter_add(none, x.slice(0, 0..0), 0)),
        ])
        .unwrap();
    let fed = counted(&[3, 2]);
    let values = interpret(&graph, [("x", &fed)]).unwrap();
    let output = |name| values.output(name).unwrap().clone();
    assert_eq!(output("gather"), Tensor::of([3, 2], [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]));
    assert_eq!(output("gather_one"), f64s([1.0, 3.0, 5.0]));
    assert_eq!(output("gather_none").sizes(), [0, 2]);
    assert_eq!(output("along"), Tensor::of([1, 2], [4.0, 3.0]));
    // Row 2 gets rows 0 and 2 of the updates.
    assert_eq!(output("scatter"), Tensor::of([3, 2], [2.0, 4.0, 2.0, 3.0, 8.0, 11.0]));
    assert_eq!(output("scatter_along"), Tensor::of([3, 2], [0.0, 1.0, 2.0, 4.0, 6.0, 5.0]));
    assert_eq!(output("scatter_none"), fed);
}

#[test]
fn an_index_out_of_range_is_named() {
    for index in [-1_i64, 3, i64::MIN, i64::MAX] {
        let error = try_value(Gather { axis: 0 }, &[&counted(&[3]), &Tensor::vector([index])]).unwrap_err();
        assert_eq!(error, format!("index {index} is out of range for an axis of size 3"));
    }
}

#[test]
fn draws_are_the_same_for_the_same_key_and_prefix() {
    let draws = |distribution, stream, key: i64, shape: &[usize]| {
        let op = Random { distribution, stream, dtype: F64, shape: shape.into() };
        value(op, &[&Tensor::scalar(key)])
    };
    for distribution in [Distribution::Uniform, Distribution::Normal] {
        let first = draws(distribution, 1, 42, &[5]);
        assert_eq!(first, draws(distribution, 1, 42, &[5]));
        assert_eq!(first.values::<f64>(), &draws(distribution, 1, 42, &[2, 4]).values::<f64>()[..5]);
        assert_ne!(first, draws(distribution, 2, 42, &[5]));
        assert_ne!(first, draws(distribution, 1, -42, &[5]));
        assert_eq!(draws(distribution, 1, 42, &[0]).len(), 0);
    }
    // The published words for key 0, counter 0: 0x6627e8d5 e169c58d and bc57ac4c 9b00dbd8, as 53 bits each.
    let expected =
        [0x6627_e8d5_e169_c58d_u64, 0xbc57_ac4c_9b00_dbd8].map(|word| (word >> 11) as f64 / 2_f64.powi(53));
    assert_eq!(draws(Distribution::Uniform, 0, 0, &[2]), f64s(expected));
}

#[test]
fn selection_clamping_and_conversion_have_edges() {
    let x = f64s([-1.5, -0.0, 2.7, f64::NAN, f64::INFINITY]);
    let clamped = run(&x, |x| x.clamp(-1.0, 2.0));
    assert_eq!(clamped.values::<f64>()[..3], [-1.0, 0.0, 2.0]);
    assert!(clamped.values::<f64>()[3].is_nan() && clamped.values::<f64>()[4] == 2.0);
    // The upper bound wins.
    assert_eq!(run(&f64s([0.0]), |x| x.clamp(1.0, -1.0)), f64s([-1.0]));
    assert_eq!(run(&x, |x| x.cast(I64)), Tensor::vector([-1_i64, 0, 2, 0, i64::MAX]));
    assert_eq!(run(&x, |x| x.cast(Bool)), Tensor::vector([true, false, true, true, true]));
    assert_eq!(run(&f64s([1e300, 1e-46]), |x| x.cast(F32)), Tensor::vector([f32::INFINITY, 0.0]));
    assert_eq!(run(&x, |x| x.is_nan().select(x.zeros_like(), x)).values::<f64>()[3], 0.0);
    assert_eq!(run(&x, |x| x.is_finite()), Tensor::vector([true, true, true, false, false]));
}

#[test]
fn unary_rows_keep_the_rules_of_ieee_at_the_edges() {
    const INF: f64 = f64::INFINITY;
    let tiny = f64::from_bits(1);
    let table = [
        (UnaryOp::Neg, 0.0, -0.0),
        (UnaryOp::Abs, -0.0, 0.0),
        (UnaryOp::Sign, -tiny, -1.0),
        (UnaryOp::Relu, -tiny, 0.0),
        (UnaryOp::Relu, tiny, tiny),
        (UnaryOp::Exp, -INF, 0.0),
        (UnaryOp::Expm1, -0.0, -0.0),
        (UnaryOp::Expm1, tiny, tiny),
        (UnaryOp::Log, 0.0, -INF),
        (UnaryOp::Log1p, -1.0, -INF),
        (UnaryOp::Log1p, tiny, tiny),
        (UnaryOp::Sqrt, -0.0, -0.0),
        (UnaryOp::Rsqrt, 0.0, INF),
        (UnaryOp::Rsqrt, INF, 0.0),
        (UnaryOp::Atan, INF, std::f64::consts::FRAC_PI_2),
        (UnaryOp::Tanh, -1e3, -1.0),
        (UnaryOp::Asinh, -INF, -INF),
        (UnaryOp::Acosh, 1.0, 0.0),
        (UnaryOp::Atanh, 1.0, INF),
        (UnaryOp::Sigmoid, -800.0, 0.0),
        (UnaryOp::Sigmoid, 800.0, 1.0),
        (UnaryOp::Softplus, 1e300, 1e300),
        (UnaryOp::Softplus, -INF, 0.0),
        (UnaryOp::Erfc, INF, 0.0),
        (UnaryOp::Floor, -0.5, -1.0),
        (UnaryOp::Ceil, -0.5, -0.0),
        (UnaryOp::Round, 2.5, 2.0),
        (UnaryOp::Trunc, -2.9, -2.0),
    ];
    for (op, x, expected) in table {
        assert_eq!(value(op, &[&Tensor::scalar(x)]), Tensor::scalar(expected), "{op:?} of {x:e}");
    }
    for op in UnaryOp::ALL {
        assert!(op.value(f64::NAN).is_nan() && op.value(f32::NAN).is_nan(), "{op:?} of NaN");
    }
    for (op, x) in [(UnaryOp::Log, -1.0), (UnaryOp::Sqrt, -1.0), (UnaryOp::Asin, 1.5), (UnaryOp::Acosh, 0.5)]
    {
        assert!(op.value::<f64>(x).is_nan(), "{op:?} of {x}");
    }
}

#[test]
fn binary_rows_keep_the_rules_of_ieee_at_the_edges() {
    const INF: f64 = f64::INFINITY;
    let table = [
        (BinaryOp::Add, -0.0, 0.0, 0.0),
        (BinaryOp::Sub, 1.0, INF, -INF),
        (BinaryOp::Mul, -0.0, 3.0, -0.0),
        (BinaryOp::Div, -1.0, 0.0, -INF),
        (BinaryOp::Div, 1.0, -INF, -0.0),
        (BinaryOp::Pow, 0.0, 0.0, 1.0),
        (BinaryOp::Pow, 0.0, -1.0, INF),
        (BinaryOp::Pow, -2.0, 3.0, -8.0),
        (BinaryOp::Maximum, -INF, INF, INF),
        (BinaryOp::Minimum, 2.0, 2.0, 2.0),
        (BinaryOp::Rem, -7.5, 2.0, -1.5),
        (BinaryOp::Rem, 3.0, INF, 3.0),
        (BinaryOp::Atan2, 0.0, -1.0, std::f64::consts::PI),
        (BinaryOp::Atan2, -0.0, 1.0, -0.0),
    ];
    for (op, a, b, expected) in table {
        let found = value(op, &[&Tensor::scalar(a), &Tensor::scalar(b)]);
        assert_eq!(found, Tensor::scalar(expected), "{op:?} of {a} and {b}");
    }
    for (op, a, b) in
        [(BinaryOp::Maximum, f64::NAN, 1.0), (BinaryOp::Minimum, 1.0, f64::NAN), (BinaryOp::Rem, 1.0, 0.0)]
    {
        assert!(op.value::<f64>(a, b).is_nan(), "{op:?} of {a} and {b}");
    }
    let nan = Tensor::scalar(f64::NAN);
    for op in CompareOp::ALL {
        assert_eq!(value(*op, &[&nan, &nan]), Tensor::scalar(*op == CompareOp::Ne), "{op:?}");
    }
    assert_eq!(value(CompareOp::Eq, &[&Tensor::scalar(0.0), &Tensor::scalar(-0.0)]), Tensor::scalar(true));
}

#[test]
fn whole_numbers_wrap_and_are_not_divided_by_zero() {
    let pair = |op: BinaryOp, a: i64, b: i64| try_value(op, &[&Tensor::scalar(a), &Tensor::scalar(b)]);
    assert_eq!(pair(BinaryOp::Add, i64::MAX, 1), Ok(Tensor::scalar(i64::MIN)));
    assert_eq!(pair(BinaryOp::Mul, i64::MIN, -1), Ok(Tensor::scalar(i64::MIN)));
    assert_eq!(pair(BinaryOp::Div, -7, 2), Ok(Tensor::scalar(-3_i64)));
    assert_eq!(pair(BinaryOp::Rem, -7, 2), Ok(Tensor::scalar(-1_i64)));
    // Wraps as the other ops do: it is no division by zero.
    assert_eq!(pair(BinaryOp::Div, i64::MIN, -1), Ok(Tensor::scalar(i64::MIN)));
    assert_eq!(pair(BinaryOp::Rem, i64::MIN, -1), Ok(Tensor::scalar(0_i64)));
    for op in [BinaryOp::Div, BinaryOp::Rem] {
        assert_eq!(pair(op, 1, 0).unwrap_err(), "a whole number was divided by zero");
    }
    assert!(pair(BinaryOp::Pow, 2, 3).is_err());
    let error = try_run(&Tensor::vector([1_i64, 0]), |x| x / x);
    let message = error.unwrap_err().to_string();
    assert!(message.starts_with("div at %") && message.contains("ops.rs"), "{message}");
}

#[test]
fn numbers_may_stand_on_either_side() {
    let x = f64s([1.0, 4.0]);
    assert_eq!(run(&x, |x| 1.0 - x * 2.0 + x / 2 - 0.5_f32), f64s([-1.0, -5.5]));
    assert_eq!(run(&x, |x| x.maximum(2.0).pow(2)), f64s([4.0, 16.0]));
    // Whole numbers beyond 2^53 keep every digit.
    let big = (1_i64 << 53) + 1;
    assert_eq!(run(&Tensor::scalar(0_i64), |x| x + big), Tensor::scalar(big));
    assert_eq!(run(&Tensor::scalar(7_i64), |x| x % 4), Tensor::scalar(3_i64));
    assert_eq!(run(&Tensor::scalar(0_i64), |x| x.full_like(i64::MIN as f64)), Tensor::scalar(i64::MIN));
}

/// What a closure panics with.
fn message_of(build: impl FnOnce(&Builder) + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(|| build(&Builder::new())).unwrap_err();
    panic.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn misuse_is_answered_with_the_users_line() {
    let number = message_of(|b| {
        let _ = b.input("n", I64, [2]) + 0.5;
    });
    assert!(number.starts_with("error: literal: 0.5 is not a whole number of 64 bits"), "{number}");
    assert!(
        number.contains("--> crates/graph/tests/ops.rs:") && number.contains("operand 0: %0 \"n\": i64[2]"),
        "{number}"
    );
    let mean = message_of(|b| {
        let _ = b.input("n", I64, [2]).mean();
    });
    assert!(
        mean.contains("mean: takes floating-point elements, got i64[2]")
            && mean.contains("--> crates/graph/tests/ops.rs:"),
        "{mean}"
    );
    let twice = message_of(|b| {
        let _ = b.input("x", F32, [2, 3]).sum_over([0, -2]);
    });
    assert!(twice.contains("none twice"), "{twice}");
    let axis = message_of(|b| {
        let _ = b.input("x", F32, [2, 3]).max_over(2);
    });
    assert!(
        axis.contains("axis 2 is out of range for f32[2, 3]")
            && axis.contains("--> crates/graph/tests/ops.rs"),
        "{axis}"
    );
}

#[test]
fn boxes_have_names_of_their_own() {
    let b = Builder::new();
    let names: Vec<String> =
        ["a_1", "a", "a", "a", "a_1"].map(|name| b.scope(name, || b.scope_path())).into();
    assert_eq!(names, ["a_1", "a", "a_2", "a_3", "a_1_1"]);
}
