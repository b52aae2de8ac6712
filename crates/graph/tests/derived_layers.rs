//! Normalizations, attention and recurrent cells: values written out, symbolic sizes, edges, refusals.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::DType::{Bool, F64};
use pullback_graph::{AttentionOptions, Builder, Expr, RecurrentWeights, Tensor, interpret, sym};

/// `build` of these values.
fn eval<const N: usize>(
    values: [Tensor; N],
    build: impl for<'g> FnOnce([Expr<'g>; N]) -> Expr<'g>,
) -> Tensor {
    let b = Builder::new();
    let names: [String; N] = std::array::from_fn(|at| format!("x{at}"));
    let inputs = std::array::from_fn(|at| b.input(&names[at], values[at].dtype(), values[at].shape()));
    let graph = b.finish([("y", build(inputs))]).unwrap();
    interpret(&graph, names.iter().zip(&values)).unwrap().output("y").unwrap().clone()
}

/// Numbers that look random.
fn drawn(sizes: &[usize], seed: f64) -> Tensor {
    Tensor::from_fn(sizes, |i| ((i as f64 + 1.0) * 12.9898 + seed * 78.233).sin())
}

#[track_caller]
fn close(got: &Tensor, want: &[f64]) {
    let got = got.to_f64_vec();
    let far = got.iter().zip(want).any(|(got, want)| (got - want).abs() > 1e-12 * (1.0 + want.abs()));
    assert!(!far && got.len() == want.len(), "{got:?} is not {want:?}");
}

fn refusal<'g>(build: impl FnOnce() -> Expr<'g>) -> String {
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build().id()));
    let message = *failed.unwrap_err().downcast::<String>().unwrap();
    message.lines().next().unwrap().to_string()
}

/// Mean 0 and variance 1.
fn standard(values: &[f64], eps: f64) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    values.iter().map(|x| (x - mean) / (variance + eps).sqrt()).collect()
}

#[test]
fn normalizations_are_the_formulas_written_out() {
    let x = drawn(&[2, 4, 3], 1.0);
    let values = x.to_f64_vec();
    let rows = |size: usize| values.chunks(size).flat_map(|row| standard(row, 1e-3)).collect::<Vec<f64>>();
    close(&eval([x.clone()], |[x]| x.layer_norm(1, None, None, 1e-3)), &rows(3));
    close(&eval([x.clone()], |[x]| x.layer_norm(2, None, None, 1e-3)), &rows(12));
    close(&eval([x.clone()], |[x]| x.group_norm(1, None, None, 1e-3)), &rows(12));
    close(&eval([x.clone()], |[x]| x.group_norm(2, None, None, 1e-3)), &rows(6));
    close(&eval([x.clone()], |[x]| x.group_norm(4, None, None, 1e-3)), &rows(3));
    close(&eval([x.clone()], |[x]| x.instance_norm(None, None, 1e-3)), &rows(3));
    let root = |row: &[f64]| (row.iter().map(|x| x * x).sum::<f64>() / 3.0 + 1e-3).sqrt();
    let rms: Vec<f64> = values.chunks(3).flat_map(|row| row.iter().map(move |x| x / root(row))).collect();
    close(&eval([x.clone()], |[x]| x.rms_norm(1, None, 1e-3)), &rms);

    // Scaled and shifted along the last axis, respectively per channel.
    let (last, channel) = ([drawn(&[3], 2.0), drawn(&[3], 3.0)], [drawn(&[4], 2.0), drawn(&[4], 3.0)]);
    let affine = |parameters: &[Tensor; 2], at: &dyn Fn(usize) -> usize| {
        let [weight, bias] = [parameters[0].to_f64_vec(), parameters[1].to_f64_vec()];
        rows(3).iter().enumerate().map(|(i, x)| x * weight[at(i)] + bias[at(i)]).collect::<Vec<f64>>()
    };
    let [w, b] = last.clone();
    close(
        &eval([x.clone(), w, b], |[x, w, b]| x.layer_norm(1, Some(w), Some(b), 1e-3)),
        &affine(&last, &|i| i % 3),
    );
    let [w, b] = channel.clone();
    let got = eval([x.clone(), w, b], |[x, w, b]| x.instance_norm(Some(w), Some(b), 1e-3));
    close(&got, &affine(&channel, &|i| i / 3 % 4));

    // A mean of a hundred million leaves the digits of what varies.
    let offset = Tensor::of([1, 4], [1e8, 1e8 + 1.0, 1e8 + 2.0, 1e8 + 3.0]);
    close(&eval([offset], |[x]| x.layer_norm(1, None, None, 0.0)), &standard(&[0.0, 1.0, 2.0, 3.0], 0.0));
}

#[test]
fn a_batch_is_normalized_per_channel_whatever_its_size() {
    let b = Builder::new();
    let x = b.input("x", F64, [sym("n"), 2.into()]);
    let [w, bias, mean, var] = ["w", "b", "mean", "var"].map(|name| b.input(name, F64, [2]));
    let (y, new_mean, new_var) = x.batch_norm_train(Some(w), Some(bias), (mean, var), 0.25, 1e-3);
    let z = x.batch_norm_eval(Some(w), Some(bias), (mean, var), 1e-3);
    let graph = b.finish([("y", y), ("mean'", new_mean), ("var'", new_var), ("z", z)]).unwrap();
    let parameters = [[2.0, 3.0], [10.0, 20.0], [0.5, 1.0], [4.0, 1.0]].map(|pair| Tensor::of([2], pair));
    for x in [vec![1.0, 5.0, 3.0, 5.0, 8.0, 8.0], vec![1.0, 2.0]] {
        let rows = x.len() / 2;
        let value = Tensor::new(&[rows, 2], x.clone()).unwrap();
        let feeds = ["w", "b", "mean", "var"].into_iter().zip(&parameters).chain([("x", &value)]);
        let values = interpret(&graph, feeds).unwrap();
        let column = |at: usize| (0..rows).map(|row| x[2 * row + at]).collect::<Vec<f64>>();
        let normal = [standard(&column(0), 1e-3), standard(&column(1), 1e-3)];
        let want: Vec<f64> =
            (0..2 * rows).map(|i| normal[i % 2][i / 2] * [2.0, 3.0][i % 2] + [10.0, 20.0][i % 2]).collect();
        close(values.output("y").unwrap(), &want);
        let batch = [column(0), column(1)].map(|column| {
            let count = column.len() as f64;
            let mean = column.iter().sum::<f64>() / count;
            (mean, column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0))
        });
        close(values.output("mean'").unwrap(), &[0, 1].map(|at| 0.75 * [0.5, 1.0][at] + 0.25 * batch[at].0));
        close(values.output("var'").unwrap(), &[0, 1].map(|at| 0.75 * [4.0, 1.0][at] + 0.25 * batch[at].1));
        let by_running = |i: usize| (x[i] - [0.5, 1.0][i % 2]) / ([4.0, 1.0][i % 2] + 1e-3_f64).sqrt();
        let want: Vec<f64> =
            (0..2 * rows).map(|i| by_running(i) * [2.0, 3.0][i % 2] + [10.0, 20.0][i % 2]).collect();
        close(values.output("z").unwrap(), &want);
    }
}

#[test]
fn directions_are_bounded_below() {
    let x = Tensor::of([2, 2], [3.0, 4.0, 0.0, 0.0]);
    close(&eval([x.clone()], |[x]| x.l2_normalize(1, 1e-12)), &[0.6, 0.8, 0.0, 0.0]);
    close(&eval([x.clone()], |[x]| x.l2_normalize(1, 10.0)), &[0.3, 0.4, 0.0, 0.0]);
    close(
        &eval([x.clone(), Tensor::of([2], [4.0, 3.0])], |[x, y]| x.cosine_similarity(y, -1, 1e-8)),
        &[0.96, 0.0],
    );
    close(&eval([x], |[x]| x.cosine_similarity(x, 0, 1e-8)), &[1.0, 1.0]);
}

#[test]
fn attention_weighs_values() {
    // Queries that know one key each, strongly.
    let q = Tensor::of([2, 2], [100.0, 0.0, 0.0, 100.0]);
    let k = Tensor::of([3, 2], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let v = Tensor::of([3, 1], [1.0, 2.0, 4.0]);
    let of = |options: fn(Expr<'_>) -> AttentionOptions<'_>| {
        eval([q.clone(), k.clone(), v.clone()], |[q, k, v]| q.attention(k, v, &options(q)))
    };
    close(&of(|_| AttentionOptions::default()), &[1.0, 2.0]);
    close(&of(|_| AttentionOptions::default().scale(0.0)), &[7.0 / 3.0, 7.0 / 3.0]);
    // Query i sees keys 0..=i, also where there are more keys than queries, or fewer.
    close(&of(|_| AttentionOptions::default().scale(0.0).causal(true)), &[1.0, 1.5]);
    let all =
        eval([drawn(&[3, 2], 1.0), drawn(&[2, 2], 2.0), Tensor::of([2, 1], [1.0, 3.0])], |[q, k, v]| {
            q.attention(k, v, &AttentionOptions::default().scale(0.0).causal(true))
        });
    close(&all, &[1.0, 2.0, 2.0]);

    // A mask broadcasts over heads and batches; what is masked altogether is 0.
    let mask = Tensor::of([2, 1, 2, 3], (0..12).map(|i| i % 4 == 1).collect::<Vec<bool>>());
    let (q, k, v) = (drawn(&[1, 4, 2, 5], 1.0), drawn(&[4, 3, 5], 2.0), drawn(&[3, 2], 3.0));
    let y = eval([q, k, v.clone(), mask], |[q, k, v, mask]| {
        q.attention(k, v, &AttentionOptions::default().mask(mask))
    });
    assert_eq!(y.sizes(), [2, 4, 2, 2]);
    // One key is that key's value; none is 0.
    let (y, v) = (y.to_f64_vec(), v.to_f64_vec());
    for (at, row) in y.chunks(2).enumerate() {
        let masked = [0, 1].map(|query| {
            let first = (at / 8 * 2 + query) * 3;
            (0..3).filter(|key| (first + key) % 4 == 1).collect::<Vec<usize>>()
        });
        if let [key] = masked[at % 2][..] {
            assert!((row[0] - v[2 * key]).abs() < 1e-12 && (row[1] - v[2 * key + 1]).abs() < 1e-12);
        } else if masked[at % 2].is_empty() {
            assert_eq!(row, [0.0, 0.0]);
        }
    }

    let b = Builder::new();
    let x = b.input("x", F64, [sym("n"), sym("t"), 6.into()]);
    let heads = x.split_heads(3);
    assert_eq!(heads.ty().to_string(), "f64[n, 3, t, 2]");
    let y = heads.attention(heads, heads, &AttentionOptions::default().causal(true)).merge_heads();
    assert_eq!(y.ty(), x.ty());
}

#[test]
fn cells_are_the_formulas_written_out() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let scalar = |value: f64| Tensor::of([1, 1], [value]);
    let column = |values: &[f64]| Tensor::new(&[values.len(), 1], values.to_vec()).unwrap();
    let (x, h, c) = (0.7, -0.4, 0.3);
    let (w, u) = ([0.5, -0.3, 0.8, 1.1], [0.2, 0.9, -0.6, 0.4]);
    let (p, q) = ([0.1, 0.2, 0.3, 0.4], [-0.1, 0.3, -0.2, 0.5]);
    let sums: Vec<f64> = (0..4).map(|at| w[at] * x + p[at] + u[at] * h + q[at]).collect();

    let take = |gates: usize| {
        let vector = |values: &[f64]| Tensor::new(&[gates], values[..gates].to_vec()).unwrap();
        [column(&w[..gates]), column(&u[..gates]), vector(&p), vector(&q)]
    };
    let [a, b, d, e] = take(1);
    let got = eval([scalar(x), scalar(h), a, b, d, e], |[x, h, w, u, p, q]| {
        x.rnn_cell(h, &weights_of([w, u, p, q]))
    });
    close(&got, &[sums[0].tanh()]);
    let [a, b, d, e] = take(4);
    let got = eval([scalar(x), scalar(h), scalar(c), a, b, d, e], |[x, h, c, w, u, p, q]| {
        let (h, c) = x.lstm_cell(h, c, &weights_of([w, u, p, q]));
        h.concat(&[c], 0)
    });
    let next = sigmoid(sums[1]) * c + sigmoid(sums[0]) * sums[2].tanh();
    close(&got, &[sigmoid(sums[3]) * next.tanh(), next]);
    let [a, b, d, e] = take(3);
    let got = eval([scalar(x), scalar(h), a, b, d, e], |[x, h, w, u, p, q]| {
        x.gru_cell(h, &weights_of([w, u, p, q]))
    });
    let candidate = (w[2] * x + p[2] + sigmoid(sums[0]) * (u[2] * h + q[2])).tanh();
    close(&got, &[(1.0 - sigmoid(sums[1])) * candidate + sigmoid(sums[1]) * h]);
}

fn weights_of([w, u, p, q]: [Expr<'_>; 4]) -> RecurrentWeights<'_> {
    RecurrentWeights::new(w, u).biases(p, q)
}

#[test]
fn sequences_are_steps_and_may_be_empty() {
    let b = Builder::new();
    let batch = sym("n");
    let x = b.input("x", F64, [3.into(), batch.clone(), 2.into()]);
    let (h, c) = (b.input("h", F64, [batch.clone(), 4.into()]), b.input("c", F64, [batch, 4.into()]));
    let (w, u) = (b.input("w", F64, [16, 2]), b.input("u", F64, [16, 4]));
    let weights = RecurrentWeights::new(w, u);
    let (all, last, cell) = x.lstm(h, c, &weights);
    let (mut step, mut state) = (h, c);
    for at in 0..3 {
        (step, state) = x.slice(0, at..at + 1).squeeze(0).lstm_cell(step, state, &weights);
    }
    let differences = [(last, step), (cell, state), (all.slice(0, 2..3).squeeze(0), step)];
    let far = differences.map(|(a, b)| (a - b).abs().max());
    let none = x.slice(0, 0..0).lstm(h, c, &weights);
    assert_eq!(none.0.ty().to_string(), "f64[0, n, 4]");
    assert_eq!(none.1.id(), h.id());
    let graph = b.finish([("a", far[0]), ("b", far[1]), ("c", far[2])]).unwrap();
    let feeds = [
        ("x", drawn(&[3, 2, 2], 1.0)),
        ("h", drawn(&[2, 4], 2.0)),
        ("c", drawn(&[2, 4], 3.0)),
        ("w", drawn(&[16, 2], 4.0)),
        ("u", drawn(&[16, 4], 5.0)),
    ];
    let values = interpret(&graph, feeds.iter().map(|(name, value)| (*name, value))).unwrap();
    for (name, value) in values.outputs() {
        assert_eq!(value.item(), Some(0.0), "{name}");
    }
}

#[test]
fn misuse_is_answered_with_the_constraint() {
    let b = Builder::new();
    let x = b.input("x", F64, [2, 4, 3]);
    let (w, long) = (b.input("w", F64, [4]), b.input("long", F64, [sym("t"), 2.into(), 3.into()]));
    let mask = b.input("mask", Bool, [5, 4]);
    for (got, want) in [
        (
            refusal(|| x.layer_norm(4, None, None, 1e-5)),
            "layer_norm: f64[2, 4, 3] has fewer than 4 axes (C2)",
        ),
        (
            refusal(|| x.layer_norm(1, Some(w), None, 1e-5)),
            "layer_norm: weight and bias have the shape of the last axes, [3], got f64[4] (C3)",
        ),
        (
            refusal(|| x.group_norm(3, None, None, 1e-5)),
            "group_norm: 3 groups do not divide the 4 channels of f64[2, 4, 3] (C4)",
        ),
        (
            refusal(|| w.instance_norm(None, None, 1e-5)),
            "instance_norm: takes [batch, channels, …] of at least 3 axes, got f64[4] (C2)",
        ),
        (
            refusal(|| x.t().batch_norm_eval(None, None, (w, w), 1e-5)),
            "batch_norm_eval: takes one number per channel, [3], got f64[4] (C3)",
        ),
        (
            refusal(|| x.attention(x, x.t(), &AttentionOptions::default())),
            "attention: takes […, L, D], […, S, D] and […, S, E], got f64[2, 4, 3], f64[2, 4, 3] and f64[2, 3, 4] (C2)",
        ),
        (
            refusal(|| x.attention(x, x, &AttentionOptions::default().mask(mask))),
            "attention: the mask bool[5, 4] does not fit f64[2, 4, 4] (C3)",
        ),
        (
            refusal(|| x.split_heads(2)),
            "split_heads: 2 heads do not divide the last axis of f64[2, 4, 3] (C2)",
        ),
        (
            refusal(|| x.gru_cell(x, &RecurrentWeights::new(x, x))),
            "gru_cell: the weights of 3 gates are [3·hidden, input] and [3·hidden, hidden], got f64[2, 4, 3] and f64[2, 4, 3] (C2)",
        ),
        (
            refusal(|| {
                let (w, u) = (b.input("v", F64, [4, 3]), b.input("u", F64, [4, 4]));
                long.rnn(x, &RecurrentWeights::new(w, u)).0
            }),
            "rnn: takes a sequence [time, …, input] of known length, got f64[t, 2, 3] (C3)",
        ),
        (
            refusal(|| x.linear(w, None)),
            "linear: takes […, in], a weight [out, in] and a bias [out], got f64[2, 4, 3] (C2)",
        ),
        (
            refusal(|| x.linear(b.input("turned", F64, [3, 5]), None)),
            "linear: takes […, in] and a weight [out, in], got f64[2, 4, 3] and f64[3, 5] (C5)",
        ),
    ] {
        assert!(got.ends_with(want), "{got} is not {want}");
    }
}
