//! Movement that is composed of other ops: values against their definitions, and what is refused.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use pullback_graph::DType::{F64, I64};
use pullback_graph::{Builder, Dim, Expr, PadMode, Shape, Tensor, interpret};

/// `op` of the numbers 0, 1, 2, … in this shape.
fn of(sizes: &[usize], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Tensor {
    let x = Tensor::from_fn(sizes, |i| i as f64);
    let b = Builder::new();
    let graph = b.finish([("y", op(b.input("x", F64, sizes)))]).unwrap();
    interpret(&graph, [("x", &x)]).unwrap().output("y").unwrap().clone()
}

/// The same where no size is known when the graph is built.
fn of_unknown(sizes: &[usize], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Tensor {
    let x = Tensor::from_fn(sizes, |i| i as f64);
    let b = Builder::new();
    let dims: Vec<Dim> = (0..sizes.len()).map(|axis| Dim::from(&*format!("n{axis}"))).collect();
    let graph = b.finish([("y", op(b.input("x", F64, dims)))]).unwrap();
    interpret(&graph, [("x", &x)]).unwrap().output("y").unwrap().clone()
}

/// A tensor whose element at `place` is `element(place)`.
fn made(sizes: &[usize], element: impl Fn(&[usize]) -> f64) -> Tensor {
    Tensor::from_fn(sizes, |i| {
        let (mut rest, mut place) = (i, vec![0; sizes.len()]);
        for axis in (0..sizes.len()).rev() {
            place[axis] = rest % sizes[axis];
            rest /= sizes[axis];
        }
        element(&place)
    })
}

/// The number of the element at `place` of a tensor of these sizes.
fn at(sizes: &[usize], place: &[usize]) -> f64 {
    std::iter::zip(sizes, place).fold(0, |number, (size, at)| number * size + at) as f64
}

#[track_caller]
fn refused(message: &str, build: impl for<'g> Fn(&'g Builder) -> Expr<'g>) {
    let b = Builder::new();
    let failed = catch_unwind(AssertUnwindSafe(|| build(&b).id())).unwrap_err();
    let text = *failed.downcast::<String>().unwrap();
    assert!(text.contains(message), "{text}");
}

/// `list(range(n))[start:end:step]`, step by step.
fn python(n: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<f64> {
    let inside = |at: i64, low: i64, high: i64| (if at < 0 { at + n } else { at }).max(low).min(high);
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let mut at = start.map_or(if step > 0 { 0 } else { n - 1 }, |start| inside(start, low, high));
    let end = end.map_or(if step > 0 { n } else { -1 }, |end| inside(end, low, high));
    let mut taken = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        taken.push(at as f64);
        at += step;
    }
    taken
}

#[test]
fn slices_follow_pythons_rules() {
    assert_eq!(python(6, Some(-2), None, -2), [4.0, 2.0, 0.0]);
    let bounds: Vec<Option<i64>> = [None].into_iter().chain((-7..8).map(Some)).collect();
    for n in [0, 1, 5] {
        for step in [-7, -3, -2, -1, 1, 2, 3, 7, i64::MAX, i64::MIN] {
            for start in &bounds {
                for end in &bounds {
                    if (start.is_none() || end.is_none() || step.abs_diff(0) > 7)
                        && n < 5
                        && step.abs_diff(0) > 3
                    {
                        continue;
                    }
                    let got = of(&[n], |x| x.slice_step(0, *start, *end, step));
                    let wide = step.clamp(-100, 100);
                    assert_eq!(
                        got,
                        Tensor::vector(python(n as i64, *start, *end, wide)),
                        "{n} {start:?} {end:?} {step}"
                    );
                }
            }
        }
    }
    let rows = of(&[4, 3], |x| x.slice_step(0, Some(3), Some(0), -2).slice_step(-1, Some(1), None, 1));
    assert_eq!(rows, Tensor::of([2, 2], [10.0, 11.0, 4.0, 5.0]));
    assert_eq!(of_unknown(&[5], |x| x.slice_step(0, Some(1), Some(-1), 1)), Tensor::vector([1.0, 2.0, 3.0]));
    assert_eq!(of_unknown(&[3], |x| x.slice_step(0, None, None, -1)), Tensor::vector([2.0, 1.0, 0.0]));
    refused("in steps of 0 (C3)", |b| b.input("x", F64, [3]).slice_step(0, None, None, 0));
    refused("a step of 2 needs known sizes, got n (C5)", |b| {
        b.input("x", F64, ["n"]).slice_step(0, None, None, 2)
    });
}

#[test]
fn what_is_split_is_joined_again() {
    for (n, count) in [(7, 3), (6, 3), (2, 3), (0, 2), (5, 1)] {
        let same = of(&[n, 2], |x| {
            let parts = x.chunks(count, 0);
            assert_eq!(parts.len(), count);
            parts[0].concat(&parts[1..], 0)
        });
        assert_eq!(same, of(&[n, 2], |x| x));
    }
    let b = Builder::new();
    let x = b.input("x", F64, [2, 7]);
    let sizes =
        |parts: Vec<Expr<'_>>| parts.iter().map(|part| part.shape()[1].known().unwrap()).collect::<Vec<_>>();
    assert_eq!(sizes(x.chunks(3, 1)), [3, 2, 2]);
    assert_eq!(sizes(x.split(-1, &[0, 3, 4])), [0, 3, 4]);
    let wide = b.input("wide", F64, [Dim::from("n") * Dim::Known(2)]);
    assert_eq!(wide.chunks(2, 0)[1].ty().to_string(), "f64[n]");
    assert_eq!(wide.split(0, &[Dim::from("n"), "n".into()]).len(), 2);
    refused("[2, 3] do not add up to that of axis 1 of f64[2, 7] (C3)", |b| {
        b.input("x", F64, [2, 7]).split(1, &[2, 3])[0]
    });
    refused("no 0 parts (C3)", |b| b.input("x", F64, [2]).chunks(0, 0)[0]);
    refused("an axis of size n has no 2 parts (C3)", |b| b.input("x", F64, ["n"]).chunks(2, 0)[0]);
}

#[test]
fn stacks_have_a_new_axis() {
    let sizes = [2, 3];
    for (axis, position) in [(0, 0), (1, 1), (2, 2), (-1, 2), (-3, 0)] {
        let mut stacked = sizes.to_vec();
        stacked.insert(position, 2);
        let got = of(&sizes, |x| x.stack(&[-x], axis));
        let sign = |place: &[usize]| if place[position] == 0 { 1.0 } else { -1.0 };
        let own = |place: &[usize]| [&place[..position], &place[position + 1..]].concat();
        assert_eq!(got, made(&stacked, |place| sign(place) * at(&sizes, &own(place))));
    }
    assert_eq!(of(&[], |x| x.stack(&[x, x], 0)).sizes(), [3]);
    refused("takes tensors of one shape, got f64[2] and f64[3] (C3)", |b| {
        b.input("x", F64, [2]).stack(&[b.input("y", F64, [3])], 0)
    });
    refused("axis 2 is out of range", |b| b.input("x", F64, [2]).stack(&[], 2));
}

#[test]
fn slices_along_an_axis_are_what_stacks_put_together() {
    for (sizes, axis) in [([5, 2, 3], 0), ([2, 7, 3], 1), ([2, 3, 4], -1), ([1, 2, 3], -3)] {
        let again = of(&sizes, |x| {
            let slices = x.unstack(axis);
            slices[0].stack(&slices[1..], axis)
        });
        assert_eq!(again, of(&sizes, |x| x));
    }
    assert!(Builder::new().input("x", F64, [0, 2]).unstack(0).is_empty());
    refused("axis 0 of f64[n] has no known size (C3)", |b| b.input("x", F64, ["n"]).unstack(0)[0]);
}

#[test]
fn a_roll_brings_back_what_leaves() {
    let sizes = [3, 4];
    for shift in [-9, -4, -1, 0, 1, 3, 4, 6, i64::MAX, i64::MIN] {
        let from = |at: usize| (at as i128 - i128::from(shift)).rem_euclid(4) as usize;
        let expected = made(&sizes, |place| at(&sizes, &[place[0], from(place[1])]));
        assert_eq!(of(&sizes, |x| x.roll(&[shift], 1)), expected, "{shift}");
        if shift.abs_diff(0) < 100 {
            assert_eq!(of_unknown(&sizes, |x| x.roll(&[shift], 1)), expected, "{shift}");
        }
    }
    assert_eq!(
        of(&sizes, |x| x.roll(&[-1, 6], [0, 1])),
        made(&sizes, |p| at(&sizes, &[(p[0] + 1) % 3, (p[1] + 2) % 4]))
    );
    assert_eq!(of(&sizes, |x| x.roll(&[1, 1], [0, 0])), of(&sizes, |x| x.roll(&[2], 0)));
    assert_eq!(of(&[0, 4], |x| x.roll(&[3], 0)).sizes(), [0, 4]);
    assert_eq!(of_unknown(&[0, 4], |x| x.roll(&[3], 0)).sizes(), [0, 4]);
    refused("one shift per axis", |b| b.input("x", F64, [2]).roll(&[1, 2], 0));
}

#[test]
fn copies_stand_side_by_side_or_whole() {
    let sizes = [2, 3];
    let tiled = made(&[4, 9], |place| at(&sizes, &[place[0] % 2, place[1] % 3]));
    assert_eq!(of(&sizes, |x| x.tile(&[2, 3])), tiled);
    assert_eq!(of_unknown(&sizes, |x| x.tile(&[2, 3])), tiled);
    assert_eq!(of(&sizes, |x| x.tile(&[2])), made(&[2, 6], |place| at(&sizes, &[place[0], place[1] % 3])));
    assert_eq!(of(&sizes, |x| x.tile(&[2, 1, 1])), made(&[2, 2, 3], |place| at(&sizes, &place[1..])));
    assert_eq!(of(&sizes, |x| x.tile(&[1, 1, 1])).sizes(), [1, 2, 3]);
    assert_eq!(of(&sizes, |x| x.tile(&[])), of(&sizes, |x| x));
    assert_eq!(of(&sizes, |x| x.tile(&[0, 2])).sizes(), [0, 6]);
    assert_eq!(of(&[], |x| x.tile(&[3])), Tensor::vector([0.0; 3]));
    for (axis, position) in [(0, 0), (1, 1), (-1, 1)] {
        let mut wide = sizes;
        wide[position] *= 2;
        let repeated = made(&wide, |place| {
            let mut place = place.to_vec();
            place[position] /= 2;
            at(&sizes, &place)
        });
        assert_eq!(of(&sizes, |x| x.repeat(2, axis)), repeated);
        assert_eq!(of_unknown(&sizes, |x| x.repeat(2, axis)), repeated);
    }
    assert_eq!(of(&sizes, |x| x.repeat(0, 0)).sizes(), [0, 3]);
}

#[test]
fn triangles_and_diagonals_of_stacked_matrices() {
    for sizes in [[2, 3, 4], [2, 4, 3], [1, 3, 3], [2, 0, 3], [2, 3, 0]] {
        for k in -5..6_i64 {
            let distance = |place: &[usize]| place[2] as i64 - place[1] as i64;
            let keep = |is: bool, place: &[usize]| if is { at(&sizes, place) } else { 0.0 };
            assert_eq!(of(&sizes, |x| x.tril(k)), made(&sizes, |place| keep(distance(place) <= k, place)));
            assert_eq!(
                of_unknown(&sizes, |x| x.triu(k)),
                made(&sizes, |place| keep(distance(place) >= k, place))
            );
            let [count, rows, columns] = sizes.map(|size| size as i64);
            let on: Vec<i64> = (0..rows).filter(|row| (0..columns).contains(&(row + k))).collect();
            let place = |p: &[usize]| [p[0], on[p[1]] as usize, (on[p[1]] + k) as usize];
            let expected = made(&[count as usize, on.len()], |p| at(&sizes, &place(p)));
            assert_eq!(of(&sizes, |x| x.diagonal(k)), expected, "{sizes:?} {k}");
        }
    }
    for offset in [i64::MAX, i64::MIN] {
        assert_eq!(of(&[2, 3], |x| x.diagonal(offset)).sizes(), [0]);
    }
    let square = |shape: &[usize]| of_unknown(shape, |x| x.diag().diagonal(0));
    for sizes in [&[3][..], &[2, 3], &[0], &[1]] {
        assert_eq!(square(sizes), of(sizes, |x| x));
        assert_eq!(of(sizes, |x| x.diag().diagonal(0)), of(sizes, |x| x));
    }
    assert_eq!(of(&[2], |x| x.exp().log().diag()), Tensor::of([2, 2], [0.0, 0.0, 0.0, 1.0]));
    refused("takes at least two axes, got f64[3] (C2)", |b| b.input("x", F64, [3]).tril(0));
    refused("takes at least one axis, got f64[] (C2)", |b| b.input("x", F64, ()).diag());
    refused("diagonal 1 of n × n needs known sizes (C3)", |b| b.input("x", F64, ["n", "n"]).diagonal(1));
}

#[test]
fn nothing_is_multiplied_by_a_mask() {
    let b = Builder::new();
    let x = b.constant(Tensor::of([2, 2], [1.0, f64::NAN, f64::INFINITY, 1.0]));
    let whole = b.constant(Tensor::of([2, 2], [1_i64, 2, 3, 4]));
    let graph = b.finish([
        ("low", x.tril(0)),
        ("high", x.triu(1)),
        ("whole", whole.triu(0)),
        ("truth", whole.gt(0_i64).tril(0)),
    ]);
    let values = interpret(&graph.unwrap(), [] as [(&str, &Tensor); 0]).unwrap();
    assert_eq!(values.output("low").unwrap(), &Tensor::of([2, 2], [1.0, 0.0, f64::INFINITY, 1.0]));
    assert!(values.output("high").unwrap().to_f64_vec()[1].is_nan());
    assert_eq!(values.output("whole").unwrap(), &Tensor::of([2, 2], [1_i64, 2, 0, 4]));
    assert_eq!(values.output("truth").unwrap(), &Tensor::of([2, 2], [true, false, true, true]));
}

#[test]
fn padding_repeats_what_is_at_the_edges() {
    let sizes = [3, 4];
    let pads = [(1, 2), (2, 1)];
    let place = |low: i64, size: i64, mode: PadMode, at: usize| {
        let at = at as i64 - low;
        let inside = match mode {
            PadMode::Edge => at.clamp(0, size - 1),
            PadMode::Wrap => at.rem_euclid(size),
            _ if at < 0 => -at,
            _ if at >= size => 2 * (size - 1) - at,
            _ => at,
        };
        inside as usize
    };
    for mode in [PadMode::Edge, PadMode::Wrap, PadMode::Reflect] {
        let expected = made(&[6, 7], |p| at(&sizes, &[place(1, 3, mode, p[0]), place(2, 4, mode, p[1])]));
        assert_eq!(of(&sizes, |x| x.pad_with(pads, mode)), expected, "{mode:?}");
        assert_eq!(of_unknown(&sizes, |x| x.pad_with(pads, mode)), expected, "{mode:?}");
        assert_eq!(of(&sizes, |x| x.pad_with([(0, 0), (0, 0)], mode)), of(&sizes, |x| x));
        // Taken away first, then added.
        let cropped = of(&[5], |x| x.slice(0, 2..5).pad_with([(0, 2)], mode));
        assert_eq!(of(&[5], |x| x.pad_with([(-2, 2)], mode)), cropped);
        assert_eq!(of_unknown(&[5], |x| x.pad_with([(-2, 2)], mode)), cropped);
    }
    assert_eq!(
        of(&sizes, |x| x.pad_with(pads, PadMode::Constant(0.5))),
        of(&sizes, |x| x.pad([(1, 2), (2, 1)], 0.5))
    );
    assert_eq!(of(&[3], |x| x.pad_with([(1, -2)], PadMode::Constant(7.0))), Tensor::vector([7.0, 0.0]));
    assert_eq!(of(&[3], |x| x.pad_with([(-1, -2)], PadMode::Edge)).sizes(), [0]);
    assert_eq!(of(&[0], |x| x.pad_with([(1, 1)], PadMode::Constant(2.0))), Tensor::vector([2.0, 2.0]));
    assert_eq!(of(&[1], |x| x.pad_with([(1, 1)], PadMode::Wrap)), Tensor::vector([0.0; 3]));
}

#[test]
fn padding_goes_as_far_as_its_mode() {
    let pad = |size: usize, pads: (i64, i64), mode| {
        move |b: &Builder| -> pullback_graph::NodeId { b.input("x", F64, [size]).pad_with([pads], mode).id() }
    };
    for (size, pads, mode, constraint) in [
        (3, (3, 0), PadMode::Reflect, "C4"),
        (3, (0, 3), PadMode::Reflect, "C4"),
        (0, (1, 0), PadMode::Reflect, "C4"),
        (3, (4, 0), PadMode::Wrap, "C4"),
        (0, (0, 1), PadMode::Edge, "C4"),
        (3, (-1, 2), PadMode::Reflect, "C4"),
        (3, (-2, -2), PadMode::Constant(0.0), "C5"),
        (3, (i64::MIN, 0), PadMode::Edge, "C5"),
    ] {
        let b = Builder::new();
        let failed = catch_unwind(AssertUnwindSafe(|| pad(size, pads, mode)(&b))).unwrap_err();
        let text = *failed.downcast::<String>().unwrap();
        assert!(text.contains(&format!("({constraint})")), "{size} {pads:?} {mode:?}: {text}");
    }
    refused("a pair of counts per axis", |b| b.input("x", F64, [3]).pad_with([], PadMode::Edge));
    // A size that is not known is judged when it is.
    for mode in [PadMode::Reflect, PadMode::Wrap] {
        let b = Builder::new();
        let graph = b.finish([("y", b.input("x", F64, ["n"]).pad_with([(4, 0)], mode))]).unwrap();
        assert!(interpret(&graph, [("x", &Tensor::vector([1.0, 2.0, 3.0]))]).is_err(), "{mode:?}");
    }
}

#[test]
fn one_size_follows_from_the_others() {
    assert_eq!(of(&[2, 3, 4], |x| x.reshape_infer(&[4, -1])), Tensor::from_fn(&[4, 6], |i| i as f64));
    assert_eq!(of(&[1, 1], |x| x.reshape_infer(&[])).sizes(), [0_usize; 0]);
    assert_eq!(of(&[0, 3], |x| x.reshape_infer(&[-1, 3])).sizes(), [0, 3]);
    assert_eq!(of_unknown(&[2, 3], |x| x.reshape_infer(&[-1])).sizes(), [6]);
    refused("more open than one size", |b| b.input("x", F64, [4]).reshape_infer(&[-1, -1]));
    refused("more open than one size", |b| b.input("x", F64, [4]).reshape_infer(&[-2, 2]));
    refused("has 4 elements, which 3 does not divide (C2)", |b| {
        b.input("x", F64, [4]).reshape_infer(&[3, -1])
    });
    refused("which 0 does not divide (C2)", |b| b.input("x", F64, [0]).reshape_infer(&[0, -1]));
    refused("(C2)", |b| b.input("x", F64, [4]).reshape_infer(&[5]));
}

#[test]
fn axes_change_places() {
    let shape = |op: fn(Expr<'_>) -> Expr<'_>| of(&[2, 3, 4], op).shape();
    assert_eq!(shape(|x| x.swap_axes(0, -1)), Shape::from([4, 3, 2]));
    assert_eq!(shape(|x| x.move_axis(0, -1)), Shape::from([3, 4, 2]));
    assert_eq!(shape(|x| x.move_axis(2, 0)), Shape::from([4, 2, 3]));
    assert_eq!(of(&[2, 3, 4], |x| x.move_axis(2, 0)), of(&[2, 3, 4], |x| x.permute([2, 0, 1])));
}

#[test]
fn draws_keep_to_their_range_and_differ_by_stream_and_key() {
    let b = Builder::new();
    let key = b.input("key", I64, ());
    let keys = b.constant(Tensor::vector([3_i64, 4]));
    let draws = [
        ("uniform", b.uniform(key, 0, F64, [1000], -2.0..3.0)),
        ("unit", b.uniform(key, 0, F64, [1000], 0.0..1.0)),
        ("other", b.uniform(key, 1, F64, [1000], 0.0..1.0)),
        ("narrow", b.uniform(key, 0, F64, [1000], 1.0..1.0 + f64::EPSILON)),
        ("normal", b.normal(key, 0, F64, [4000], 5.0, 0.5)),
        ("never", b.bernoulli(key, 0, [100], 0.0).cast(F64)),
        ("often", b.bernoulli(key, 0, [1000], 0.8).cast(F64)),
        ("always", b.bernoulli(key, 0, [100], 1.0).cast(F64)),
        ("integers", b.integers(key, 2, [1000], -2..3).cast(F64)),
        ("one", b.integers(key, 2, [10], i64::MAX - 1..i64::MAX)),
        ("batch", b.uniform(keys, 0, F64, [1000], 0.0..1.0)),
        ("truncated", b.truncated_normal(key, 3, F64, [4000], -1.0..2.0)),
        ("tail", b.truncated_normal(key, 3, F64, [100], 5.0..6.0)),
        ("whole", b.truncated_normal(key, 3, F64, [4000], -40.0..40.0)),
        ("order", b.permutation(key, 0, 100)),
        ("orders", b.permutation(keys, 0, 100)),
        ("no order", b.permutation(key, 0, 0)),
        ("none", b.normal(key, 0, F64, [0, 3], 0.0, 1.0)),
    ];
    let graph = b.finish(draws).unwrap();
    let values = interpret(&graph, [("key", &Tensor::scalar(3_i64))]).unwrap();
    let of = |name: &str| values.output(name).unwrap().to_f64_vec();
    let mean = |name: &str| of(name).iter().sum::<f64>() / of(name).len() as f64;
    assert!(of("uniform").iter().all(|x| (-2.0..3.0).contains(x)) && (mean("uniform") - 0.5).abs() < 0.2);
    assert!(of("narrow").iter().all(|x| *x == 1.0));
    assert!((mean("normal") - 5.0).abs() < 0.05);
    assert_eq!((mean("never"), mean("always")), (0.0, 1.0));
    assert!((mean("often") - 0.8).abs() < 0.05);
    for value in -2..3 {
        let times = of("integers").iter().filter(|x| **x == f64::from(value)).count();
        assert!((150..250).contains(&times), "{value} {times} times");
    }
    assert_eq!(values.output("one").unwrap(), &Tensor::vector([i64::MAX - 1; 10]));
    assert_ne!(of("unit"), of("other"));
    // Each key of several draws what it draws alone.
    assert_eq!(values.output("batch").unwrap().sizes(), [2, 1000]);
    assert_eq!(of("batch")[..1000], of("unit"));
    assert_ne!(of("batch")[1000..], of("unit"));
    assert_eq!(values.output("none").unwrap().sizes(), [0, 3]);
    // The mean of the part between a and b is (φ(a) - φ(b)) / (Φ(b) - Φ(a)).
    assert!(
        of("truncated").iter().all(|x| (-1.0..=2.0).contains(x)) && (mean("truncated") - 0.2297).abs() < 0.05
    );
    assert!(of("tail").iter().all(|x| (5.0..=6.0).contains(x)));
    assert!(of("whole").iter().all(|x| x.is_finite()) && mean("whole").abs() < 0.05);
    let mut order = of("order");
    assert_eq!(of("orders")[..100], order);
    assert_ne!(of("orders")[100..], order);
    assert!(!order.is_sorted());
    order.sort_by(f64::total_cmp);
    assert_eq!(order, Vec::from_iter((0..100).map(f64::from)));
    assert_eq!(values.output("no order").unwrap().sizes(), [0]);
}

#[test]
fn draws_of_no_distribution_are_refused() {
    let key = |b: &'_ Builder| b.input("key", I64, ()).id();
    refused("cannot draw from 1.0..0.0 (C4)", |b| b.uniform(b.expr(key(b)), 0, F64, [2], 1.0..0.0));
    refused("not negative, got -1 (C4)", |b| b.normal(b.expr(key(b)), 0, F64, [2], 0.0, -1.0));
    refused("normal numbers from 9.0..10.0 (C4)", |b| {
        b.truncated_normal(b.expr(key(b)), 0, F64, [2], 9.0..10.0)
    });
    refused("in 0 … 1, got NaN (C4)", |b| b.bernoulli(b.expr(key(b)), 0, [2], f64::NAN));
    refused("0..0 does not hold", |b| b.integers(b.expr(key(b)), 0, [2], 0..0));
    refused("does not hold", |b| b.integers(b.expr(key(b)), 0, [2], i64::MIN..i64::MAX));
    refused("draws floating-point numbers, not i64 (C3)", |b| {
        b.uniform(b.expr(key(b)), 0, I64, [2], 0.0..1.0)
    });
    refused("a key is of type i64, got f64[] (C2)", |b| b.bernoulli(b.input("key", F64, ()), 0, [2], 0.5));
}
