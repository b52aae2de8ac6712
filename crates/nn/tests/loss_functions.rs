//! Losses as functions of a graph: gradients of both orders, edges, options, symbolic sizes. Values are judged by the
//! reference cases of the command.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]

mod common;

use common::assert_close;
use common::losses::{close, labels, right, run};
use pullback_autodiff::check::{InputSpec, check_gradients, f64_in};
use pullback_autodiff::grad;
use pullback_graph::DType::{F32, F64, I64};
use pullback_graph::{Bindings, Builder, Expr, Tensor, interpret, sym};
use pullback_nn::Reduction::{BatchMean, Mean, None as Each, Sum};
use pullback_nn::{
    BinaryCrossEntropyOptions, BinaryFocalCrossentropy, CosineSimilarity, CrossEntropyOptions, CtcOptions,
    Hinge, KlDivergence, LogCosh, Loss, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Poisson,
    SquaredHinge, TripletMarginOptions, binary_cross_entropy, binary_cross_entropy_of_probabilities,
    cosine_embedding, cross_entropy, cross_entropy_soft, ctc, gaussian_nll, hinge_embedding, huber, kl_div,
    kl_div_of_logs, mae, margin_ranking, mse, nll, poisson_nll, smooth_l1, soft_margin, triplet_margin,
};

const INF: f64 = f64::INFINITY;

fn vector(values: &[f64]) -> Tensor {
    Tensor::vector(values)
}

fn signs(values: &[f64]) -> InputSpec {
    f64_in([0]).value(vector(values))
}

#[test]
fn gradients_of_losses_over_differences_are_right() {
    let pair = || [f64_in([3, 2]), f64_in([3, 2])];
    right(&check_gradients(|[x, t]| mse(x, t, Mean), pair()));
    right(&check_gradients(|[x, t]| mae(x, t, Sum), pair()));
    right(&check_gradients(|[x, t]| huber(x, t, 0.7, Each), pair()));
    right(&check_gradients(|[x, t]| smooth_l1(x, t, 0.7, BatchMean), pair()));
    right(&check_gradients(|[x, t]| smooth_l1(x, t, 0.0, Mean), pair()));
    right(&check_gradients(|[x, t]| LogCosh.reduced(x, t, Each), pair()));
    let positive = || f64_in([3, 2]).between(0.1, 3.0);
    right(&check_gradients(|[x, t]| MeanSquaredLogarithmicError.loss(x, t), [positive(), positive()]));
    right(&check_gradients(|[x, t]| MeanAbsolutePercentageError.loss(x, t), [f64_in([3, 2]), positive()]));
}

#[test]
fn gradients_of_cross_entropies_are_right() {
    let targets = || labels(&[4], &[2, 0, 7, 1]);
    let options = CrossEntropyOptions::from(Mean).ignoring(7);
    right(&check_gradients(|[x, t]| cross_entropy(x, t, options), [f64_in([4, 3]), targets()]));
    right(&check_gradients(|[x, t]| nll(x, t, options.reduction(Each)), [f64_in([4, 3]), targets()]));
    right(&check_gradients(
        |[x, t, w]| {
            let options = CrossEntropyOptions::from(Mean).ignoring(7).label_smoothing(0.2).class_weights(w);
            cross_entropy(x, t, options)
        },
        [f64_in([4, 3]), targets(), f64_in([3]).between(0.5, 2.0)],
    ));
    let spatial = CrossEntropyOptions::from(Sum).axis(1).label_smoothing(0.1);
    let t = labels(&[2, 2], &[0, 1, 2, 2]);
    right(&check_gradients(|[x, t]| cross_entropy(x, t, spatial), [f64_in([2, 3, 2]), t]));
    right(&check_gradients(
        |[x, t, w]| {
            cross_entropy_soft(x, t, CrossEntropyOptions::default().label_smoothing(0.1).class_weights(w))
        },
        [f64_in([2, 3]), f64_in([2, 3]).between(0.1, 1.0), f64_in([3]).between(0.5, 2.0)],
    ));
    let yes = || f64_in([3, 2]).between(0.1, 0.9);
    right(&check_gradients(
        |[x, t, w, p]| {
            let options = BinaryCrossEntropyOptions::default().weights(w).positive_weights(p);
            binary_cross_entropy(x, t, options)
        },
        [f64_in([3, 2]), yes(), f64_in([3, 1]).between(0.5, 2.0), f64_in([2]).between(0.5, 2.0)],
    ));
    right(&check_gradients(|[p, t]| binary_cross_entropy_of_probabilities(p, t, Each), [yes(), yes()]));
    let focal = BinaryFocalCrossentropy::from_logits().gamma(1.5).alpha(0.25);
    right(&check_gradients(|[x, t]| focal.loss(x, t), [f64_in([3, 2]), yes()]));
}

#[test]
fn gradients_of_losses_of_distributions_are_right() {
    let pair = || [f64_in([2, 3]), f64_in([2, 3]).between(0.1, 0.9)];
    right(&check_gradients(|[q, p]| kl_div(q, p, BatchMean), pair()));
    right(&check_gradients(|[q, p]| kl_div_of_logs(q, p, Mean), pair()));
    right(&check_gradients(|[q, p]| KlDivergence.loss(q.sigmoid(), p), pair()));
    right(&check_gradients(|[x, t]| poisson_nll(x, t, Sum), pair()));
    right(&check_gradients(|[x, t]| Poisson::from_rates().loss(x.exp(), t), pair()));
    right(&check_gradients(
        |[m, t, v]| gaussian_nll(m, t, v, 0.5, Each),
        [f64_in([3, 2]), f64_in([3, 2]), f64_in([3, 2]).between(0.1, 2.0)],
    ));
}

#[test]
fn gradients_of_losses_with_a_margin_are_right() {
    let y = || signs(&[1.0, -1.0, 1.0, -1.0]);
    let x = || f64_in([4]);
    right(&check_gradients(|[x, y]| Hinge.loss(x, y), [x(), y()]));
    right(&check_gradients(|[x, y]| SquaredHinge.loss(x, y), [x(), y()]));
    right(&check_gradients(|[x, y]| hinge_embedding(x, y, 0.8, Each), [x(), y()]));
    right(&check_gradients(|[x, y]| soft_margin(x, y, Mean), [x(), y()]));
    right(&check_gradients(|[a, b, y]| margin_ranking(a, b, y, 0.3, Sum), [x(), x(), y()]));
    let rows = || f64_in([4, 3]);
    right(&check_gradients(|[a, b, y]| cosine_embedding(a, b, y, 0.1, Mean), [rows(), rows(), y()]));
    right(&check_gradients(|[a, b]| CosineSimilarity.loss(a, b), [rows(), rows()]));
    let near = TripletMarginOptions::from(Each).margin(2.0).nearer_negative();
    right(&check_gradients(|[a, p, n]| triplet_margin(a, p, n, near), [rows(), rows(), rows()]));
}

#[test]
fn what_has_no_weight_may_be_infinite() {
    // Distributions with certain classes, in either operand.
    let certain = [Tensor::of([1, 3], [0.0, -INF, 0.0]), Tensor::of([1, 3], [0.5, 0.0, 0.5])];
    let (value, [slope, _]) = run::<2>(&certain, |x| cross_entropy_soft(x[0], x[1], Mean));
    close(&value, &[2.0_f64.ln()]);
    close(&slope, &[0.0; 3]);
    let (value, [in_q, in_p]) = run::<2>(&certain, |x| kl_div(x[0], x[1], Sum));
    close(&value, &[0.5_f64.ln()]);
    close(&in_q, &[-0.5, 0.0, -0.5]);
    assert!(in_p.iter().all(|slope| slope.is_finite()), "{in_p:?}");
    let logs = [Tensor::of([3], [0.0, -INF, 0.0]), Tensor::of([3], [0.0, -INF, -INF])];
    let (value, [in_q, in_p]) = run::<2>(&logs, |x| kl_div_of_logs(x[0], x[1], Each));
    close(&value, &[0.0; 3]);
    close(&in_q, &[-1.0, 0.0, 0.0]);
    close(&in_p, &[1.0, 0.0, 0.0]);
    // Scores that are infinitely sure.
    let sure = [vector(&[INF, -INF, -INF]), vector(&[1.0, 0.0, 1.0])];
    let (value, [slope]) = run(&sure, |x| binary_cross_entropy(x[0], x[1], Each));
    close(&value, &[0.0, 0.0, INF]);
    close(&slope, &[0.0, 0.0, -1.0]);
    let (value, [slope]) =
        run(&[vector(&[-INF, 0.0]), vector(&[0.0, 2.0])], |x| poisson_nll(x[0], x[1], Each));
    close(&value, &[0.0, 1.0]);
    close(&slope, &[0.0, -1.0]);
    // A class of weight 0, which a score excludes.
    let classes = [Tensor::of([1, 2], [0.0, -INF]), Tensor::of([1], [1_i64]), vector(&[1.0, 0.0])];
    let (value, [slope]) =
        run(&classes, |x| cross_entropy(x[0], x[1], CrossEntropyOptions::from(Sum).class_weights(x[2])));
    close(&value, &[0.0]);
    close(&slope, &[0.0, 0.0]);
}

#[test]
fn probabilities_of_zero_and_one_are_cut_off() {
    let p = vector(&[0.0, 1.0, 0.0, 1.0, 0.25]);
    let t = vector(&[1.0, 0.0, 0.0, 1.0, 1.0]);
    let (value, [slope]) = run(&[p, t], |x| binary_cross_entropy_of_probabilities(x[0], x[1], Each));
    close(&value, &[100.0, 100.0, 0.0, 0.0, 4.0_f64.ln()]);
    close(&slope, &[0.0, 0.0, 1.0, -1.0, -4.0]);
    let (value, _) = run::<1>(&[vector(&[1.5, -0.5]), vector(&[0.0, 1.0])], |x| {
        binary_cross_entropy_of_probabilities(x[0], x[1], Each)
    });
    assert!(value.iter().all(|value| value.is_nan()), "{value:?}");
}

#[test]
fn a_mean_over_no_labels_is_not_a_number_and_has_no_gradient() {
    let nothing = [Tensor::of([2, 3], [1.0; 6]), Tensor::of([2], [-100_i64, -100])];
    for smoothing in [0.0, 0.1, 1.0] {
        let options = CrossEntropyOptions::default().ignoring(-100).label_smoothing(smoothing);
        let (value, [slope]) = run(&nothing, |x| cross_entropy(x[0], x[1], options));
        assert!(value[0].is_nan());
        close(&slope, &[0.0; 6]);
        let (value, _) = run::<1>(&nothing, |x| cross_entropy(x[0], x[1], options.reduction(Each)));
        close(&value, &[0.0, 0.0]);
    }
}

#[test]
fn weights_and_smoothing_follow_their_formula() {
    let log_p = [[-1.0, -2.0, -3.0], [-0.5, -4.0, -1.5]];
    let operands =
        [Tensor::of([2, 3], log_p.concat()), Tensor::of([2], [2_i64, 0]), vector(&[2.0, 1.0, 4.0])];
    let spread = |row: [f64; 3]| -(2.0 * row[0] + row[1] + 4.0 * row[2]) / 3.0;
    let each = [0.7 * 4.0 * 3.0 + 0.3 * spread(log_p[0]), 0.7 * 2.0 * 0.5 + 0.3 * spread(log_p[1])];
    let (value, _) = run::<1>(&operands, |x| {
        nll(x[0], x[1], CrossEntropyOptions::from(Each).label_smoothing(0.3).class_weights(x[2]))
    });
    close(&value, &each);
    let (value, _) = run::<1>(&operands, |x| {
        nll(x[0], x[1], CrossEntropyOptions::from(Mean).label_smoothing(0.3).class_weights(x[2]))
    });
    close(&value, &[(each[0] + each[1]) / 6.0]);
    let (value, _) = run::<1>(&operands, |x| {
        nll(x[0], x[1], CrossEntropyOptions::from(BatchMean).label_smoothing(0.3).class_weights(x[2]))
    });
    close(&value, &[(each[0] + each[1]) / 2.0]);
}

#[test]
fn kinks_have_the_derivative_of_the_flat_side() {
    let (ones, half) = (vector(&[1.0]), vector(&[0.5]));
    assert_eq!(run::<1>(&[ones.clone(), ones.clone()], |x| Hinge.loss(x[0], x[1])).1, [[0.0]]);
    let against = [half.clone(), vector(&[-1.0])];
    assert_eq!(run::<1>(&against, |x| hinge_embedding(x[0], x[1], 0.5, Sum)).1, [[0.0]]);
    let ranked = [ones.clone(), half, ones];
    assert_eq!(run::<2>(&ranked, |x| margin_ranking(x[0], x[1], x[2], 0.5, Sum)).1, [[0.0], [0.0]]);
    // Both pieces of Huber's loss meet with one slope; the absolute error has slope 0 at equality.
    let at_delta = [vector(&[0.7, -0.7]), vector(&[0.0, 0.0])];
    close(&run::<1>(&at_delta, |x| smooth_l1(x[0], x[1], 0.7, Each)).1[0], &[1.0, -1.0]);
    let equal = [vector(&[0.3]), vector(&[0.3])];
    close(&run::<1>(&equal, |x| smooth_l1(x[0], x[1], 0.0, Each)).1[0], &[0.0]);
}

#[test]
fn what_is_easily_right_counts_less() {
    let (p, logit) = (0.9_f64, 9.0_f64.ln());
    let operands = [vector(&[logit, logit, 900.0, -900.0]), vector(&[1.0, 0.0, 0.0, 0.0])];
    let focal = BinaryFocalCrossentropy::from_logits().alpha(0.25);
    let (value, [slope]) = run(&operands, |x| focal.reduced(x[0], x[1], Each));
    close(&value, &[0.25 * 0.01 * -p.ln(), 0.75 * 0.81 * -0.1_f64.ln(), 0.75 * 900.0, 0.0]);
    close(&slope[2..], &[0.75, 0.0]);
    let (plain, _) = run::<1>(&operands, |x| focal.gamma(0.0).alpha(0.5).reduced(x[0], x[1], Sum));
    let (half, _) = run::<1>(&operands, |x| binary_cross_entropy(x[0], x[1], Sum) * 0.5);
    close(&plain, &half);
}

#[test]
fn extreme_arguments_keep_their_digits() {
    let zero = vector(&[0.0; 4]);
    let (value, [slope]) =
        run(&[vector(&[1e-8, -1.0, 1.0, -1e6]), zero], |x| LogCosh.reduced(x[0], x[1], Each));
    let one = 1.0_f64.cosh().ln();
    close(&value[1..], &[one, one, 1e6 - 2.0_f64.ln()]);
    assert!((value[0] - 5e-17).abs() < 1e-24, "{}", value[0]);
    close(&slope, &[1e-8, -1.0_f64.tanh(), 1.0_f64.tanh(), -1.0]);
    let (value, _) =
        run::<1>(&[vector(&[800.0, -800.0]), vector(&[1.0, 1.0])], |x| soft_margin(x[0], x[1], Each));
    close(&value, &[0.0, 800.0]);
    // Vectors of zeros, and equal ones, have a finite slope.
    let zeros = [Tensor::of([1, 2], [0.0; 2]), Tensor::of([1, 2], [3.0, 4.0]), Tensor::of([1, 2], [0.0; 2])];
    let (value, [slope]) = run(&zeros, |x| CosineSimilarity.reduced(x[0], x[1], Each));
    close(&value, &[0.0]);
    assert!(slope.iter().all(|slope| slope.is_finite()));
    let (_, slopes) = run::<3>(&zeros, |x| triplet_margin(x[0], x[1], x[2], Sum));
    assert!(slopes.concat().iter().all(|slope| slope.is_finite()));
}

#[test]
fn symbolic_batches_give_the_same_losses() {
    let b = Builder::new();
    let batch = || sym("batch");
    let rows = |name: &str| b.input(name, F32, [batch(), 3.into()]);
    let (x, p) = (rows("x"), rows("p"));
    let (t, n) = (b.input("t", I64, [batch()]), b.input("n", I64, [batch()]));
    let spelled = b.input("spelled", I64, [batch(), 2.into()]);
    let over_time = b.input("over_time", F32, [4.into(), batch(), 3.into()]);
    let weights = b.input("weights", F32, [3]);
    let y = t.cast(F32) * 2.0 - 1.0;
    let ignoring = CrossEntropyOptions::default().ignoring(1).label_smoothing(0.1).class_weights(weights);
    let losses = [
        mse(x, p, BatchMean),
        smooth_l1(x, p, 0.5, Mean),
        LogCosh.loss(x, p),
        binary_cross_entropy(x, p, BinaryCrossEntropyOptions::default().positive_weights(weights)),
        binary_cross_entropy_of_probabilities(p, p, Mean),
        cross_entropy(x, t, ignoring),
        cross_entropy_soft(x, p, CrossEntropyOptions::from(BatchMean).label_smoothing(0.1)),
        kl_div(x, p, BatchMean),
        kl_div_of_logs(x, p, Mean),
        hinge_embedding(x, p, 1.0, Mean),
        margin_ranking(x, p, p, 1.0, Mean),
        soft_margin(x, p, BatchMean),
        triplet_margin(x, p, p + 1.0, Mean),
        cosine_embedding(x, p, y, 0.1, Mean),
        gaussian_nll(x, p, p, 1e-6, Mean),
        poisson_nll(x, p, Mean),
        ctc(over_time, spelled, n, t, Mean),
    ];
    let total = losses.iter().fold(b.full(F32, (), 0.0), |total, loss| total + *loss);
    let [dx] = grad(total, [x]).unwrap();
    let graph = b.finish([("total", total), ("dx", dx)]).unwrap();
    for batch in [1, 3] {
        let (x, p) = (Tensor::random([batch, 3], 1), Tensor::full(&[batch, 3], 0.4_f32));
        let feeds = [
            ("x", &x),
            ("p", &p),
            ("t", &Tensor::from_fn(&[batch], |i| i as i64 % 2)),
            ("n", &Tensor::full(&[batch], 4_i64)),
            ("spelled", &Tensor::full(&[batch, 2], 1_i64)),
            ("over_time", &Tensor::random([4, batch, 3], 2)),
            ("weights", &Tensor::full(&[3], 1.5_f32)),
        ];
        let free = interpret(&graph, feeds).unwrap();
        let bound = graph.bind(&Bindings::from([("batch".into(), batch)])).unwrap();
        let bound = interpret(&bound, feeds).unwrap();
        for name in ["total", "dx"] {
            let value = free.output(name).unwrap();
            assert!(value.to_f64_vec().iter().all(|value| value.is_finite()), "{value}");
            assert_close(name, value, bound.output(name).unwrap());
        }
    }
}

/// The message with which a loss of these types stops.
fn refusal(
    types: &[(pullback_graph::DType, &[usize])],
    build: impl for<'g> Fn(&[Expr<'g>]) -> Expr<'g>,
) -> String {
    let build = std::panic::AssertUnwindSafe(|| {
        let b = Builder::new();
        let x: Vec<_> = types
            .iter()
            .zip('a'..)
            .map(|((dtype, sizes), name)| b.input(&name.to_string(), *dtype, *sizes))
            .collect();
        let _ = build(&x);
    });
    *std::panic::catch_unwind(build).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn what_does_not_fit_is_refused_at_the_users_line() {
    let expect = |message: String, part: &str| {
        assert!(message.contains(part) && message.contains("loss_functions.rs"), "{message}");
    };
    let (rows, ids): ((_, &[usize]), (_, &[usize])) = ((F64, &[4, 3]), (I64, &[4]));
    expect(refusal(&[rows, (I64, &[3])], |x| cross_entropy(x[0], x[1], Mean)), "one label per row");
    expect(
        refusal(&[rows, ids, (F64, &[4])], |x| {
            nll(x[0], x[1], CrossEntropyOptions::default().class_weights(x[2]))
        }),
        "one weight for each of 3 classes",
    );
    let far = CrossEntropyOptions::default().axis(2);
    expect(refusal(&[rows, ids], |x| cross_entropy(x[0], x[1], far)), "classes on axis 2");
    let ignoring = CrossEntropyOptions::default().ignoring(1);
    expect(refusal(&[rows, rows], |x| cross_entropy_soft(x[0], x[1], ignoring)), "no label 1 to ignore");
    let smooth = CrossEntropyOptions::default().label_smoothing(1.5);
    expect(refusal(&[rows, ids], |x| cross_entropy(x[0], x[1], smooth)), "between 0 and 1");
    expect(
        refusal(&[rows, rows, (F64, &[4])], |x| {
            binary_cross_entropy(x[0], x[1], BinaryCrossEntropyOptions::default().weights(x[2]))
        }),
        "broadcast to f64[4, 3]",
    );
    expect(refusal(&[rows, rows], |x| smooth_l1(x[0], x[1], -1.0, Mean)), "beta is -1");
    expect(
        refusal(&[rows, rows], |x| soft_margin(x[0].sum(), x[1].sum(), BatchMean)),
        "axis 0 is out of range",
    );
    expect(
        refusal(&[rows, rows, rows], |x| cosine_embedding(x[0], x[1], x[2], 0.0, Mean)),
        "one target per vector",
    );
    let time: (_, &[usize]) = (F64, &[5, 4, 3]);
    let spelled: (_, &[usize]) = (I64, &[4, 2]);
    let blank = CtcOptions::default().blank(3);
    expect(refusal(&[time, spelled, ids, ids], |x| ctc(x[0], x[1], x[2], x[3], blank)), "the blank is 3");
    expect(refusal(&[time, ids, ids, ids], |x| ctc(x[0], x[1], x[2], x[3], Mean)), "i64[4, labels]");
    expect(
        refusal(&[rows, spelled, ids, ids], |x| ctc(x[0], x[1], x[2], x[3], Mean)),
        "[steps, batch, classes]",
    );
}
