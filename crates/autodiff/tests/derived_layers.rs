//! Gradients of normalizations, attention and recurrent cells: orders 1 to 4, zero variance, zero vectors, masked rows.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_autodiff::{grad, jvp};
use pullback_graph::DType::{Bool, F64};
use pullback_graph::{AttentionOptions, Builder, Expr, RecurrentWeights, Tensor, interpret};

/// Numbers that look random.
fn drawn(sizes: &[usize], seed: f64) -> Tensor {
    Tensor::from_fn(sizes, |i| ((i as f64 + 1.0) * 12.9898 + seed * 78.233).sin())
}

/// The first four derivatives of `t ↦ f(x + t·v)` at 0: by forward mode, and by reverse mode over reverse mode.
fn derivatives(x: &Tensor, v: &Tensor, f: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> [[f64; 4]; 2] {
    let b = Builder::new();
    let (at, along) = (b.input("x", F64, x.shape()), b.input("v", F64, v.shape()));
    let (mut forward, mut reverse) = (f(at), f(at));
    let mut outputs = Vec::new();
    for order in 1..=4 {
        forward = jvp(forward, [at], [along]).unwrap();
        let [slope] = grad(reverse, [at]).unwrap();
        reverse = (slope * along).sum();
        outputs.extend([(format!("forward{order}"), forward), (format!("reverse{order}"), reverse)]);
    }
    let graph = b.finish(outputs).unwrap();
    let values = interpret(&graph, [("x", x), ("v", v)]).unwrap();
    ["forward", "reverse"].map(|mode| {
        std::array::from_fn(|at| values.output(&format!("{mode}{}", at + 1)).unwrap().item().unwrap())
    })
}

/// The same by central differences of the values, extrapolated by Richardson's method.
fn differences(x: &Tensor, v: &Tensor, f: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> [f64; 4] {
    let b = Builder::new();
    let at = b.input("x", F64, x.shape());
    let graph = b.finish([("y", f(at))]).unwrap();
    let value = |t: f64| {
        let moved = x.values::<f64>().iter().zip(v.values::<f64>()).map(|(x, v)| x + t * v).collect();
        let moved = Tensor::new::<f64>(x.sizes(), moved).unwrap();
        interpret(&graph, [("x", &moved)]).unwrap().output("y").unwrap().item().unwrap()
    };
    let central = |order: usize, h: f64| match order {
        1 => (value(h) - value(-h)) / (2.0 * h),
        2 => (value(h) - 2.0 * value(0.0) + value(-h)) / h.powi(2),
        3 => (value(2.0 * h) - 2.0 * value(h) + 2.0 * value(-h) - value(-2.0 * h)) / (2.0 * h.powi(3)),
        _ => {
            let near = value(h) + value(-h);
            (value(2.0 * h) + value(-2.0 * h) - 4.0 * near + 6.0 * value(0.0)) / h.powi(4)
        }
    };
    std::array::from_fn(|at| {
        let mut column: Vec<f64> = (0..5).map(|k| central(at + 1, 0.08 / f64::from(1 << k))).collect();
        for level in 1..5 {
            let factor = f64::from(1 << (2 * level));
            column = column.windows(2).map(|pair| (factor * pair[1] - pair[0]) / (factor - 1.0)).collect();
        }
        column[0]
    })
}

#[track_caller]
fn four_orders(x: &Tensor, f: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) {
    let v = drawn(x.sizes(), 9.0);
    let want = differences(x, &v, &f);
    for (mode, got) in ["forward", "reverse"].into_iter().zip(derivatives(x, &v, &f)) {
        for order in 0..4 {
            let tolerance = [1e-9, 1e-8, 1e-6, 1e-4][order] * (1.0 + want[order].abs());
            let far = (got[order] - want[order]).abs();
            assert!(far <= tolerance, "order {}, {mode}: {} is not {}", order + 1, got[order], want[order]);
        }
    }
}

/// A number that depends on every element in a way of its own.
fn weighed(y: Expr<'_>) -> Expr<'_> {
    let sizes = y.shape().known().unwrap();
    (y.sin() * y.builder().constant(drawn(&sizes, 5.0))).sum()
}

/// One parameter per element of the last axis, or per channel.
fn parameter<'g>(x: Expr<'g>, size: usize, seed: f64) -> Option<Expr<'g>> {
    Some(x.builder().constant(drawn(&[size], seed)))
}

#[test]
fn normalizations_have_four_derivatives() {
    four_orders(&drawn(&[3, 5], 1.0), |x| {
        weighed(x.layer_norm(1, parameter(x, 5, 2.0), parameter(x, 5, 3.0), 1e-5))
    });
    four_orders(&drawn(&[2, 2, 3], 1.0), |x| weighed(x.layer_norm(2, None, None, 1e-3)));
    four_orders(&drawn(&[3, 5], 1.0), |x| weighed(x.rms_norm(1, parameter(x, 5, 2.0), 1e-6)));
    four_orders(&drawn(&[4, 2, 3], 1.0), |x| {
        let running = (parameter(x, 2, 4.0).unwrap(), parameter(x, 2, 5.0).unwrap());
        let (y, _, _) = x.batch_norm_train(parameter(x, 2, 2.0), parameter(x, 2, 3.0), running, 0.1, 1e-5);
        weighed(y)
    });
    four_orders(&drawn(&[2, 4, 3], 1.0), |x| {
        weighed(x.group_norm(2, parameter(x, 4, 2.0), parameter(x, 4, 3.0), 1e-5))
    });
    four_orders(&drawn(&[2, 2, 5], 1.0), |x| {
        weighed(x.instance_norm(parameter(x, 2, 2.0), parameter(x, 2, 3.0), 1e-5))
    });
    four_orders(&drawn(&[3, 4], 1.0), |x| weighed(x.l2_normalize(1, 1e-12)));
}

/// The gradient of `f` at `x`, summed over outputs with weights, and the gradient of its squared length.
fn two_gradients(x: &Tensor, f: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> [Vec<f64>; 2] {
    let b = Builder::new();
    let at = b.input("x", F64, x.shape());
    let [first] = grad(weighed(f(at)), [at]).unwrap();
    let [second] = grad(first.square().sum(), [at]).unwrap();
    let graph = b.finish([("first", first), ("second", second)]).unwrap();
    let values = interpret(&graph, [("x", x)]).unwrap();
    ["first", "second"].map(|name| values.output(name).unwrap().to_f64_vec())
}

#[test]
fn equal_elements_and_a_batch_of_one_are_finite() {
    let equal = Tensor::full(&[2, 3], 7.0);
    let of_one = drawn(&[1, 3], 1.0);
    for gradients in [
        two_gradients(&equal, |x| x.layer_norm(1, None, None, 1e-5)),
        two_gradients(&equal, batch_norm),
        two_gradients(&of_one, batch_norm),
        two_gradients(&of_one, |x| x.layer_norm(1, None, None, 1e-5)),
        two_gradients(&Tensor::full(&[2, 3], 0.0), |x| x.rms_norm(1, None, 1e-6)),
        two_gradients(&Tensor::full(&[2, 2, 3], 1.0), |x| x.group_norm(1, None, None, 1e-5)),
        two_gradients(&Tensor::full(&[2, 2, 1], 1.0), |x| x.instance_norm(None, None, 1e-5)),
    ] {
        for gradient in gradients {
            assert!(gradient.iter().all(|value| value.is_finite()), "{gradient:?}");
        }
    }
}

/// Normalized over its batch.
fn batch_norm(x: Expr<'_>) -> Expr<'_> {
    let channels = x.shape()[1].known().unwrap();
    let running = (parameter(x, channels, 4.0).unwrap(), parameter(x, channels, 5.0).unwrap());
    x.batch_norm_train(None, None, running, 0.1, 1e-5).0
}

#[test]
fn zero_vectors_have_no_direction() {
    let b = Builder::new();
    let (x, y) = (b.input("x", F64, [3, 2]), b.input("y", F64, [3, 2]));
    let normalized = x.l2_normalize(1, 0.5);
    let cosine = x.cosine_similarity(y, 1, 0.5);
    let [dx] = grad(normalized.sum(), [x]).unwrap();
    let [da, db] = grad(cosine.sum(), [x, y]).unwrap();
    let graph = b.finish([("dx", dx), ("da", da), ("db", db)]).unwrap();
    let at = Tensor::of([3, 2], [0.0, 0.0, 3.0, 4.0, 0.1, 0.0]);
    let other = Tensor::of([3, 2], [0.6, 0.8, 3.0, 4.0, 0.0, 0.0]);
    let values = interpret(&graph, [("x", &at), ("y", &other)]).unwrap();
    let close = |name: &str, want: [f64; 6]| {
        let got = values.output(name).unwrap().to_f64_vec();
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12), "{name}: {got:?}");
    };
    close("dx", [2.0, 2.0, 0.032, -0.024, 2.0, 2.0]);
    close("da", [1.2, 1.6, 0.0, 0.0, 0.0, 0.0]);
    close("db", [0.0, 0.0, 0.0, 0.0, 0.4, 0.0]);
}

#[test]
fn attention_has_the_gradient_of_its_values() {
    let inputs = || [f64_in([2, 3, 2]), f64_in([2, 4, 2]), f64_in([4, 3])];
    check_gradients(|[q, k, v]| q.attention(k, v, &AttentionOptions::default()), inputs()).assert();
    check_gradients(
        |[q, k, v]| q.attention(k, v, &AttentionOptions::default().causal(true).scale(0.7)),
        inputs(),
    )
    .assert();
    check_gradients(
        |[x]| {
            x.split_heads(2)
                .attention(x.split_heads(2), x.split_heads(2), &AttentionOptions::default())
                .merge_heads()
        },
        [f64_in([3, 4])],
    )
    .assert();
}

#[test]
fn queries_that_attend_to_nothing_get_no_gradient() {
    let b = Builder::new();
    let (q, k, v) = (b.input("q", F64, [2, 2]), b.input("k", F64, [3, 2]), b.input("v", F64, [3, 2]));
    let mask = b.input("mask", Bool, [2, 3]);
    let y = q.attention(k, v, &AttentionOptions::default().mask(mask));
    let [dq, dk, dv] = grad(weighed(y), [q, k, v]).unwrap();
    let [ddq] = grad(dq.square().sum() + dk.square().sum() + dv.square().sum(), [q]).unwrap();
    let graph = b.finish([("y", y), ("dq", dq), ("dk", dk), ("dv", dv), ("ddq", ddq)]).unwrap();
    let mask = Tensor::of([2, 3], [true, true, false, false, false, false]);
    let [q, k, v] = [drawn(&[2, 2], 1.0), drawn(&[3, 2], 2.0), drawn(&[3, 2], 3.0)];
    let values = interpret(&graph, [("q", &q), ("k", &k), ("v", &v), ("mask", &mask)]).unwrap();
    let of = |name: &str| values.output(name).unwrap().to_f64_vec();
    for (name, zeros) in [("y", 2..4), ("dq", 2..4), ("ddq", 2..4), ("dk", 4..6), ("dv", 4..6)] {
        let got = of(name);
        assert!(got.iter().all(|value| value.is_finite()), "{name}: {got:?}");
        assert!(got[zeros].iter().all(|value| *value == 0.0), "{name}: {got:?}");
        assert!(got[..2].iter().any(|value| *value != 0.0), "{name}: {got:?}");
    }
}

#[test]
fn recurrent_cells_have_the_gradients_of_their_values() {
    let weights = |gates: usize| {
        [f64_in([gates * 2, 3]), f64_in([gates * 2, 2]), f64_in([gates * 2]), f64_in([gates * 2])]
    };
    let [a, b, c, d] = weights(1);
    check_gradients(
        |[x, h, w, u, b, c]| x.rnn_cell(h, &RecurrentWeights::new(w, u).biases(b, c)),
        [f64_in([2, 3]), f64_in([2, 2]), a, b, c, d],
    )
    .assert();
    let [a, b, c, d] = weights(3);
    check_gradients(
        |[x, h, w, u, b, c]| x.gru(h, &RecurrentWeights::new(w, u).biases(b, c)).0,
        [f64_in([3, 2, 3]), f64_in([2, 2]), a, b, c, d],
    )
    .assert();
    let [a, b, c, d] = weights(4);
    check_gradients(
        |[x, h, s, w, u, b, c]| {
            let (all, h, s) = x.lstm(h, s, &RecurrentWeights::new(w, u).biases(b, c));
            all.concat(&[h.expand_dims(0), s.expand_dims(0)], 0)
        },
        [f64_in([2, 1, 3]), f64_in([1, 2]), f64_in([1, 2]), a, b, c, d],
    )
    .assert();
}
