//! Gradients of movement and indexing where they are easily wrong: repeated indices, ties, overwritten places, padding,
//! and no elements at all.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::{GradOptions, grad, pullback};
use pullback_graph::DType::{F32, F64, I64};
use pullback_graph::{Builder, Expr, PadMode, Tensor, interpret};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The value, and the cotangents of base and updates, where the result has the cotangent `cotangent`.
fn scattered(
    base: &Tensor,
    indices: &Tensor,
    updates: &Tensor,
    cotangent: &Tensor,
    op: impl for<'g> Fn(Expr<'g>, Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> [Tensor; 3] {
    let b = Builder::new();
    let input = |name, value: &Tensor| b.input(name, value.dtype(), value.sizes());
    let (x, u) = (input("base", base), input("updates", updates));
    let y = op(x, b.constant(indices.clone()), u);
    let slopes = pullback(&[y], &[b.constant(cotangent.clone())], &[x, u], &GradOptions::default()).unwrap();
    let graph = b.finish([("y", y), ("dx", slopes[0]), ("du", slopes[1])]).unwrap();
    let values = interpret(&graph, [("base", base), ("updates", updates)]).unwrap();
    ["y", "dx", "du"].map(|name| values.output(name).unwrap().clone())
}

fn vector(values: &[f64]) -> Tensor {
    Tensor::vector(values)
}

fn ids(values: &[i64]) -> Tensor {
    Tensor::vector(values)
}

#[test]
fn the_last_of_several_updates_of_a_place_remains_and_alone_gets_a_gradient() {
    let (base, updates) = (vector(&[1.0, 2.0, 3.0, 4.0]), vector(&[10.0, 20.0, 30.0, 40.0]));
    let (indices, cotangent) = (ids(&[2, 0, 2, 0]), vector(&[5.0, 6.0, 7.0, 8.0]));
    for along in [false, true] {
        let [y, dx, du] = scattered(&base, &indices, &updates, &cotangent, |x, i, u| match along {
            true => x.scatter_set_along(i, u, 0),
            false => x.scatter_set(i, u, 0),
        });
        assert_eq!(y, vector(&[40.0, 2.0, 30.0, 4.0]));
        assert_eq!(dx, vector(&[0.0, 6.0, 0.0, 8.0]));
        assert_eq!(du, vector(&[0.0, 0.0, 7.0, 5.0]));
    }
    // Unique indices: each update gets the gradient of its place. An infinite one stays where it is.
    let [_, dx, du] =
        scattered(&base, &ids(&[3, 1]), &vector(&[0.0, 0.0]), &vector(&[INF, 6.0, NAN, 8.0]), |x, i, u| {
            x.scatter_set(i, u, 0)
        });
    assert_eq!(dx.to_f64_vec()[..2], [INF, 0.0]);
    assert_eq!(dx.to_f64_vec()[3], 0.0);
    assert_eq!(du, vector(&[8.0, 6.0]));
}

#[test]
fn whole_slices_are_set_along_any_axis() {
    let (base, updates) = (Tensor::full(&[2, 3], 0.0), Tensor::from_fn(&[2, 2, 2], |i| i as f64 + 1.0));
    // Of the four slices along axis 1, that of the last index 1 comes last.
    let indices = Tensor::of([2, 2], [1_i64, 0, 2, 1]);
    let cotangent = Tensor::from_fn(&[2, 3], |i| 10.0 * (i as f64 + 1.0));
    let [y, dx, du] = scattered(&base, &indices, &updates, &cotangent, |x, i, u| x.scatter_set(i, u, 1));
    assert_eq!(y, Tensor::of([2, 3], [2.0, 4.0, 3.0, 6.0, 8.0, 7.0]));
    assert_eq!(dx, Tensor::full(&[2, 3], 0.0));
    assert_eq!(du, Tensor::of([2, 2, 2], [0.0, 10.0, 30.0, 20.0, 0.0, 40.0, 60.0, 50.0]));
}

#[test]
fn additions_pass_the_gradient_to_the_base_and_to_every_update() {
    let [y, dx, du] = scattered(
        &vector(&[1.0, 2.0, 3.0]),
        &ids(&[2, 0, 2]),
        &vector(&[10.0, 20.0, 30.0]),
        &vector(&[5.0, 6.0, 7.0]),
        |x, i, u| x.index_add(i, u, 0),
    );
    assert_eq!(y, vector(&[21.0, 2.0, 43.0]));
    assert_eq!(dx, vector(&[5.0, 6.0, 7.0]));
    assert_eq!(du, vector(&[7.0, 5.0, 7.0]));
}

#[test]
fn all_that_hold_an_extreme_share_its_gradient() {
    let base = vector(&[3.0, 0.0, 5.0, NAN, -INF]);
    let indices = ids(&[0, 0, 0, 1, 1, 2, 4, 4]);
    let updates = vector(&[3.0, 3.0, 1.0, 0.0, -0.0, 4.0, -INF, -INF]);
    let cotangent = vector(&[6.0, 9.0, 4.0, 2.0, 3.0]);
    let sign = |tensor: &Tensor| Tensor::from_fn(tensor.sizes(), |i| -tensor.to_f64_vec()[i]);
    for (along, min) in [(false, false), (true, false), (false, true), (true, true)] {
        let (base, updates) =
            if min { (sign(&base), sign(&updates)) } else { (base.clone(), updates.clone()) };
        let [y, dx, du] = scattered(&base, &indices, &updates, &cotangent, |x, i, u| match (along, min) {
            (false, false) => x.scatter_max(i, u, 0),
            (true, false) => x.scatter_max_along(i, u, 0),
            (false, true) => x.scatter_min(i, u, 0),
            (true, true) => x.scatter_min_along(i, u, 0),
        });
        let y = if min { sign(&y).to_f64_vec() } else { y.to_f64_vec() };
        assert_eq!((y[..3].to_vec(), y[3].is_nan(), y[4]), (vec![3.0, 0.0, 5.0], true, -INF));
        assert_eq!(dx, vector(&[2.0, 3.0, 4.0, 2.0, 1.0]));
        assert_eq!(du, vector(&[2.0, 2.0, 0.0, 3.0, 3.0, 0.0, 1.0, 1.0]));
    }
    // An infinite cotangent reaches those that hold the extreme, and is no NaN beside them.
    let [_, dx, du] =
        scattered(&vector(&[0.0]), &ids(&[0, 0]), &vector(&[1.0, -1.0]), &vector(&[INF]), |x, i, u| {
            x.scatter_max(i, u, 0)
        });
    assert_eq!((dx, du), (vector(&[0.0]), vector(&[INF, 0.0])));
}

/// A way to write updates at indices along an axis.
type Write = for<'g> fn(Expr<'g>, Expr<'g>, Expr<'g>, i64) -> Expr<'g>;

#[test]
fn nothing_written_changes_nothing() {
    let (base, none) = (Tensor::of([2, 2], [1.0, 2.0, 3.0, 4.0]), Tensor::of([0], Vec::<i64>::new()));
    let (updates, cotangent) = (Tensor::full(&[0, 2], 0.0), Tensor::of([2, 2], [5.0, 6.0, 7.0, 8.0]));
    let slices: [Write; 4] = [
        |x, i, u, axis| x.scatter_set(i, u, axis),
        |x, i, u, axis| x.scatter_add(i, u, axis),
        |x, i, u, axis| x.scatter_max(i, u, axis),
        |x, i, u, axis| x.scatter_min(i, u, axis),
    ];
    for op in slices {
        let [y, dx, du] = scattered(&base, &none, &updates, &cotangent, |x, i, u| op(x, i, u, 0));
        assert_eq!((y, dx, du.sizes()), (base.clone(), cotangent.clone(), &[0, 2][..]));
    }
    let along = Tensor::of([0, 2], Vec::<i64>::new());
    let elements: [Write; 4] = [
        |x, i, u, axis| x.scatter_set_along(i, u, axis),
        |x, i, u, axis| x.scatter_add_along(i, u, axis),
        |x, i, u, axis| x.scatter_max_along(i, u, axis),
        |x, i, u, axis| x.scatter_min_along(i, u, axis),
    ];
    for op in elements {
        let [y, dx, du] = scattered(&base, &along, &updates, &cotangent, |x, i, u| op(x, i, u, 0));
        assert_eq!((y, dx, du.sizes()), (base.clone(), cotangent.clone(), &[0, 2][..]));
    }
    // An empty base without updates.
    let empty = Tensor::full(&[0, 2], 0.0);
    let [y, dx, _] = scattered(&empty, &none, &empty, &empty, |x, i, u| x.scatter_set(i, u, 0));
    assert_eq!((y.sizes(), dx.sizes()), (&[0, 2][..], &[0, 2][..]));
}

/// Values and gradients of a function of one tensor, for a cotangent of 1, 2, 3, …
fn one(x: &Tensor, op: impl for<'g> Fn(&'g Builder, Expr<'g>) -> Expr<'g>) -> [Tensor; 2] {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), x.sizes());
    let y = op(&b, input);
    let sizes = y.shape().known().unwrap();
    let cotangent = b.constant(Tensor::from_fn(&sizes, |i| i as f64 + 1.0)).cast(x.dtype());
    let [dx] = grad((y * cotangent).sum(), [input]).unwrap();
    let graph = b.finish([("y", y), ("dx", dx)]).unwrap();
    let values = interpret(&graph, [("x", x)]).unwrap();
    ["y", "dx"].map(|name| values.output(name).unwrap().clone())
}

#[test]
fn repeated_words_add_up_and_padding_gets_nothing() {
    let table = Tensor::from_fn(&[4, 2], |i| i as f64);
    let words = Tensor::of([2, 3], [1_i64, 0, 1, 3, 0, 1]);
    let [y, dx] = one(&table, |b, x| x.embedding(b.constant(words.clone()), Some(0)));
    assert_eq!(y.sizes(), [2, 3, 2]);
    assert_eq!(y.to_f64_vec()[..6], [2.0, 3.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(dx, Tensor::of([4, 2], [0.0, 0.0, 1.0 + 5.0 + 11.0, 2.0 + 6.0 + 12.0, 0.0, 0.0, 7.0, 8.0]));
    let [_, dx] = one(&table, |b, x| x.embedding(b.constant(words.clone()), None));
    assert_eq!(dx.to_f64_vec()[..2], [3.0 + 9.0, 4.0 + 10.0]);
    let b = Builder::new();
    let table = b.input("table", F64, [4, 2]);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.embedding(b.constant(Tensor::scalar(1_i64)), Some(4)).id()
    }));
    let message = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("there is no row 4 in f64[4, 2] (C4)"), "{message}");
}

#[test]
fn segments_are_summed_and_searched() {
    let x = Tensor::of([4, 2], [1.0, 8.0, 2.0, 7.0, 3.0, 7.0, 3.0, 5.0]);
    let segments = ids(&[2, 0, 2, 2]);
    let [y, dx] = one(&x, |b, x| x.segment_sum(b.constant(segments.clone()), 4));
    assert_eq!(y, Tensor::of([4, 2], [2.0, 7.0, 0.0, 0.0, 7.0, 20.0, 0.0, 0.0]));
    assert_eq!(dx, Tensor::of([4, 2], [5.0, 6.0, 1.0, 2.0, 5.0, 6.0, 5.0, 6.0]));
    let [y, dx] = one(&x, |b, x| {
        let most = x.segment_max(b.constant(segments.clone()), 4);
        most.is_finite().select(most, 0.0)
    });
    assert_eq!(y, Tensor::of([4, 2], [2.0, 7.0, 0.0, 0.0, 3.0, 8.0, 0.0, 0.0]));
    assert_eq!(dx, Tensor::of([4, 2], [0.0, 6.0, 1.0, 2.0, 2.5, 0.0, 2.5, 0.0]));
    let b = Builder::new();
    let (whole, ids) = (b.constant(Tensor::vector([3_i64, -5])), b.constant(ids(&[1, 1])));
    let none = b.constant(Tensor::of([0, 2], Vec::<f64>::new()));
    let no_ids = b.constant(Tensor::of([0], Vec::<i64>::new()));
    let outputs = [
        ("max", whole.segment_max(ids, 2)),
        ("min", whole.segment_min(ids, 2)),
        ("none", none.segment_sum(no_ids, 2)),
    ];
    let graph = b.finish(outputs).unwrap();
    let values = interpret(&graph, [] as [(&str, &Tensor); 0]).unwrap();
    assert_eq!(values.output("max").unwrap(), &Tensor::vector([i64::MIN, 3]));
    assert_eq!(values.output("min").unwrap(), &Tensor::vector([i64::MAX, -5]));
    assert_eq!(values.output("none").unwrap(), &Tensor::full(&[2, 2], 0.0));
}

#[test]
fn one_hot_rows_have_no_gradient_and_refuse_ids_beyond_them() {
    let b = Builder::new();
    let words = b.input("words", I64, ["n"]);
    let graph = b
        .finish([("y", words.one_hot(4, F32)), ("truth", words.one_hot(4, pullback_graph::DType::Bool))])
        .unwrap();
    let hot = |words: &[i64]| {
        interpret(&graph, [("words", &ids(words))]).map(|values| values.output("y").unwrap().clone())
    };
    assert_eq!(hot(&[2, 0]).unwrap(), Tensor::of([2, 4], [0.0_f32, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]));
    assert_eq!(hot(&[]).unwrap().sizes(), [0, 4]);
    for bad in [-1, 4] {
        let error = hot(&[0, bad]).unwrap_err().to_string();
        assert!(error.contains(&format!("index {bad} is out of range for an axis of size 4")), "{error}");
    }
    let c = Builder::new();
    let words = c.input("words", I64, [2]);
    let error = grad(words.one_hot(4, F64).sum(), [words]).unwrap_err().to_string();
    assert!(error.contains("i64"), "{error}");
}

#[test]
fn movement_carries_gradients_back_to_where_the_elements_came_from() {
    // An op that moves, repeats and drops elements is a matrix of zeros and ones: on the first 24 powers of two the result
    // names its elements, and the gradient is the sum of the cotangents of each one's copies.
    type Movement = fn(Expr<'_>) -> Expr<'_>;
    let movements: [(&str, Movement); 20] = [
        ("slice_step", |x| x.slice_step(2, Some(-1), None, -2)),
        ("slice_step", |x| x.slice_step(1, None, None, 2)),
        ("slice_step, empty", |x| x.slice_step(0, Some(1), Some(1), 1)),
        ("split", |x| x.split(2, &[1, 3])[1]),
        ("chunks", |x| x.chunks(2, 1)[0]),
        ("stack", |x| x.stack(&[x, x.flip(0)], 1)),
        ("roll", |x| x.roll(&[-1, 6], [1, 2])),
        ("tile", |x| x.tile(&[2, 1, 1, 3])),
        ("repeat", |x| x.repeat(3, 1)),
        ("tril", |x| x.tril(1)),
        ("triu", |x| x.triu(1)),
        ("diagonal", |x| x.diagonal(1)),
        ("diagonal", |x| x.diagonal(-2)),
        ("diagonal, empty", |x| x.diagonal(4)),
        ("diag", |x| x.diag()),
        ("edge", |x| x.pad_with([(0, 1), (2, 0), (3, 1)], PadMode::Edge)),
        ("wrap", |x| x.pad_with([(1, 1), (2, 0), (4, 1)], PadMode::Wrap)),
        ("reflect", |x| x.pad_with([(1, 1), (2, 0), (2, -1)], PadMode::Reflect)),
        ("move_axis", |x| x.move_axis(0, -1)),
        ("reshape_infer", |x| x.reshape_infer(&[-1, 4]).swap_axes(0, 1)),
    ];
    let x = Tensor::from_fn(&[2, 3, 4], |i| (1_u64 << i) as f64);
    for (name, movement) in movements {
        let [y, dx] = one(&x, |_, x| movement(x));
        let mut expected = vec![0.0; 24];
        for (at, value) in y.to_f64_vec().into_iter().enumerate().filter(|(_, value)| *value != 0.0) {
            expected[value.log2() as usize] += at as f64 + 1.0;
        }
        assert_eq!(dx.to_f64_vec(), expected, "{name}");
        assert_eq!(dx.sizes(), x.sizes(), "{name}");
    }
}

/// Cut off one by one, each of 256 slices would give a gradient of the size of all of them.
#[test]
fn the_gradient_of_slices_does_not_cost_their_square() {
    let b = Builder::new();
    let x = b.input("x", F64, [256, 8]);
    let loss = x.unstack(0).into_iter().map(|row| row.square().sum()).reduce(|sum, row| sum + row).unwrap();
    let [dx] = grad(loss, [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let elements: usize = graph.ids().map(|id| graph.ty(id).shape.numel().known().unwrap()).sum();
    assert!(elements < 60 * 256 * 8, "{elements} elements");
    let x = Tensor::from_fn(&[256, 8], |i| i as f64);
    let expected = Tensor::from_fn(&[256, 8], |i| 2.0 * i as f64);
    assert_eq!(interpret(&graph, [("x", &x)]).unwrap().output("dx").unwrap(), &expected);
}
