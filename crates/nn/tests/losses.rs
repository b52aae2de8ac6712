//! Losses to train with: closed forms, the extremes, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]
#![allow(clippy::result_large_err, reason = "the error is the graph crate's")]

mod common;

use common::assert_close;
use pullback_autodiff::grad;
use pullback_graph::DType::{Bool, F32, F64, I64};
use pullback_graph::{Builder, Expr, GraphError, Tensor, TensorType, Values, interpret, sym};
use pullback_nn::{
    BinaryCrossentropy, CategoricalCrossentropy, Huber, Loss, MeanSquaredError, NnError, Reduction,
    SparseCategoricalCrossentropy, cross_entropy, huber, mae, mse,
};

/// The value and its gradient in the prediction, weighted with `cotangent`.
fn run(
    prediction: &Tensor,
    target: &Tensor,
    cotangent: Option<&Tensor>,
    build: impl for<'g> FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> Result<(Tensor, Tensor), GraphError> {
    let b = Builder::new();
    let [x, t] =
        [("x", prediction), ("t", target)].map(|(name, value)| b.input(name, value.dtype(), value.shape()));
    let value = build(x, t);
    let weighted = match cotangent {
        Some(cotangent) => (value * b.constant(cotangent.clone())).sum(),
        None => value,
    };
    let [gradient] = grad(weighted, [x]).unwrap();
    let graph = b.finish([("value", value), ("gradient", gradient)])?;
    let values = interpret(&graph, [("x", prediction), ("t", target)])?;
    Ok((values.output("value")?.clone(), values.output("gradient")?.clone()))
}

#[test]
fn cross_entropy_is_exact_at_extreme_logits() {
    let logits = Tensor::of([3, 3], [0.0, 1000.0, -1000.0, 1e300, 0.0, 0.0, -5.0, -5.0, -5.0]);
    let labels = Tensor::of([3], [2_i64, 0, 1]);
    let (value, gradient) = run(&logits, &labels, Some(&Tensor::of([3], [1.0; 3])), |x, t| {
        SparseCategoricalCrossentropy::from_logits().elements(x, t)
    })
    .unwrap();
    let third = 3.0_f64.ln();
    assert_close("values", &value, &Tensor::of([3], [2000.0, 0.0, third]));
    let (p, q) = (1.0 / 3.0, -2.0 / 3.0);
    // softmax - one_hot, in every row.
    assert_close("gradient", &gradient, &Tensor::of([3, 3], [0.0, 1.0, -1.0, 0.0, 0.0, 0.0, p, q, p]));
}

#[test]
fn binary_cross_entropy_loses_no_digits_and_is_smooth_at_zero() {
    let logits = Tensor::of([6], [40.0, -40.0, 0.0, 800.0, -800.0, 0.0]);
    let targets = Tensor::of([6], [1.0, 0.0, 1.0, 0.0, 1.0, 0.25]);
    let (value, gradient) = run(&logits, &targets, Some(&Tensor::of([6], [1.0; 6])), |x, t| {
        BinaryCrossentropy::from_logits().elements(x, t)
    })
    .unwrap();
    let (tiny, half) = ((-40.0_f64).exp().ln_1p(), 2.0_f64.ln());
    for (found, expected) in value.to_f64_vec().into_iter().zip([tiny, tiny, half, 800.0, 800.0, half]) {
        assert!((found - expected).abs() <= 1e-12 * expected, "{found} for {expected}");
    }
    assert_close("gradient", &gradient, &Tensor::of([6], [-tiny, tiny, -0.5, 1.0, -1.0, 0.25]));
}

#[test]
fn probabilities_of_zero_and_one_stay_finite() {
    let p = Tensor::of([4], [0.0, 1.0, 0.0, 1.0]);
    let t = Tensor::of([4], [1.0, 0.0, 0.0, 1.0]);
    let ones = Tensor::of([4], [1.0; 4]);
    let (value, gradient) =
        run(&p, &t, Some(&ones), |x, t| BinaryCrossentropy::from_probabilities().elements(x, t)).unwrap();
    let worst = -(1e-7_f64.ln());
    assert!(
        value.to_f64_vec().iter().zip([worst, worst, 0.0, 0.0]).all(|(a, b)| (a - b).abs() < 2e-7),
        "{value}"
    );
    assert!(gradient.to_f64_vec().iter().all(|value| value.is_finite()), "{gradient}");

    let (p, label) = (Tensor::of([1, 2], [0.0, 1.0]), Tensor::of([1], [0_i64]));
    let (value, gradient) =
        run(&p, &label, None, |x, t| SparseCategoricalCrossentropy::from_probabilities().loss(x, t)).unwrap();
    assert!((value.item().unwrap() - worst).abs() < 1e-12);
    assert!(gradient.to_f64_vec().iter().all(|value| value.is_finite()));
}

#[test]
fn kinks_have_the_derivative_between() {
    let zero = Tensor::of([1], [0.0]);
    assert_eq!(run(&zero, &zero, None, |x, t| mae(x, t, Reduction::Mean)).unwrap().1, zero);
    assert_eq!(run(&zero, &zero, None, |x, t| mse(x, t, Reduction::Mean)).unwrap().1, zero);
    // Huber's derivative is the difference, limited: no jump at delta, from either side.
    for difference in [-3.0_f64, -1.5, -1.0, 0.0, 0.5, 1.5, 2.0] {
        let (value, gradient) =
            run(&Tensor::of([1], [difference]), &zero, None, |x, t| huber(x, t, 1.5, Reduction::Mean))
                .unwrap();
        let expected = if difference.abs() <= 1.5 {
            difference * difference / 2.0
        } else {
            1.5 * (difference.abs() - 0.75)
        };
        assert_eq!((value.item(), gradient.item()), (Some(expected), Some(difference.clamp(-1.5, 1.5))));
    }
    assert_eq!(
        run(&Tensor::of([1], [3.0]), &zero, None, |x, t| huber(x, t, 0.0, Reduction::Mean)).unwrap().1,
        zero
    );
}

fn labelled(labels: &[i64], loss: SparseCategoricalCrossentropy) -> Result<(Tensor, Tensor), GraphError> {
    let logits = Tensor::from_fn(&[labels.len(), 3], |i| i as f64 * 0.1);
    run(&logits, &Tensor::vector(labels.to_vec()), None, |x, t| loss.loss(x, t))
}

#[test]
fn labels_out_of_range_are_errors_of_the_run() {
    for label in [-1, 3, i64::MAX] {
        let error = labelled(&[0, label], SparseCategoricalCrossentropy::from_logits()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(&format!("index {label} is out of range for an axis of size 3")),
            "{message}"
        );
        assert!(message.contains("losses.rs"), "the user's line: {message}");
        assert!(matches!(error, GraphError::Eval(_)));
    }
}

#[test]
fn ignored_labels_do_not_count() {
    let ignoring = SparseCategoricalCrossentropy::from_logits().ignoring(-1);
    let (some, gradient) = labelled(&[2, -1, 0, -1], ignoring).unwrap();
    let (first, _) = labelled(&[2], ignoring).unwrap();
    // Rows differ by a constant only, which softmax does not see.
    let (third, _) = labelled(&[0], ignoring).unwrap();
    let mean = (first.item().unwrap() + third.item().unwrap()) / 2.0;
    assert!((some.item().unwrap() - mean).abs() < 1e-12);
    let gradient = gradient.to_f64_vec();
    assert!(gradient[3..6].iter().chain(&gradient[9..]).all(|value| *value == 0.0), "{gradient:?}");
    let (none, gradient) = labelled(&[-1, -1], ignoring).unwrap();
    assert_eq!(none.item(), Some(0.0));
    assert!(gradient.to_f64_vec().iter().all(|value| *value == 0.0));
}

#[test]
fn the_mean_is_over_the_batch_whatever_its_size() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 3.into()]);
    let t = b.input("t", I64, [sym("batch")]);
    let graph = b.finish([("loss", cross_entropy(x, t, Reduction::Mean))]).unwrap();
    for batch in [1, 4] {
        let labels = Tensor::full(&[batch], 1_i64);
        let feeds = [("x", &Tensor::full(&[batch, 3], 2.0_f32)), ("t", &labels)];
        let values: Values = interpret(&graph, feeds).unwrap();
        assert!((values.output("loss").unwrap().item().unwrap() - 3.0_f64.ln()).abs() < 1e-6);
    }
}

#[test]
fn smoothing_moves_targets_to_the_middle() {
    let logits = Tensor::of([1], [2.0]);
    let value = |smoothing: f64, target: f64| {
        let target = Tensor::of([1], [target]);
        let loss = BinaryCrossentropy::from_logits().label_smoothing(smoothing);
        run(&logits, &target, None, |x, t| loss.loss(x, t)).unwrap().0.item().unwrap()
    };
    assert!((value(0.2, 1.0) - value(0.0, 0.9)).abs() < 1e-12);
    assert_eq!(value(1.0, 0.0), value(0.0, 0.5));
}

#[test]
fn smoothing_labels_is_smoothing_one_hot_rows() {
    let logits = Tensor::from_fn(&[2, 3], |i| (i as f64 * 1.7).sin());
    let labels = Tensor::of([2], [2_i64, 0]);
    let one_hot = Tensor::of([2, 3], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let sparse = SparseCategoricalCrossentropy::from_logits().label_smoothing(0.1);
    let dense = CategoricalCrossentropy::from_logits().label_smoothing(0.1);
    let (value, gradient) = run(&logits, &labels, None, |x, t| sparse.loss(x, t)).unwrap();
    let (expected, slope) = run(&logits, &one_hot, None, |x, t| dense.loss(x, t)).unwrap();
    assert_close("value", &value, &expected);
    assert_close("gradient", &gradient, &slope);
}

#[test]
fn targets_may_be_whole_numbers_or_truth_values() {
    let logits = Tensor::of([2], [1.0, -1.0]);
    let value = |target: Tensor| {
        run(&logits, &target, None, |x, t| BinaryCrossentropy::from_logits().loss(x, t)).unwrap().0
    };
    let expected = value(Tensor::of([2], [1.0, 0.0]));
    assert_eq!(value(Tensor::of([2], [1_i64, 0])), expected);
    assert_eq!(value(Tensor::of([2], [true, false])), expected);
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_help() {
    let ty = |dtype, shape: &[usize]| TensorType::new(dtype, shape);
    let check =
        |loss: &dyn Loss, prediction, target| loss.check(&prediction, &target).unwrap_err().to_string();
    let message = check(&MeanSquaredError, ty(F32, &[8, 1]), ty(F32, &[8]));
    assert!(message.contains("f32[8, 1] and f32[8]") && message.contains("expand_dims(-1)"), "{message}");
    let sparse = SparseCategoricalCrossentropy::from_logits();
    assert!(check(&sparse, ty(F32, &[8, 3]), ty(F32, &[8, 3])).contains("categorical cross-entropy"));
    assert!(check(&sparse, ty(F32, &[8, 3]), ty(F32, &[8])).contains("i64"));
    assert!(check(&sparse, ty(F32, &[]), ty(I64, &[])).contains("classes"));
    assert!(check(&sparse, ty(I64, &[8, 3]), ty(I64, &[8])).contains("floating-point"));
    let dense = CategoricalCrossentropy::from_logits();
    assert!(check(&dense, ty(F64, &[8, 3]), ty(I64, &[8])).contains("sparse"));
    assert!(
        check(&dense.label_smoothing(1.5), ty(F64, &[8, 3]), ty(F64, &[8, 3])).contains("between 0 and 1")
    );
    assert!(check(&Huber::new(-1.0), ty(F64, &[8]), ty(F64, &[8])).contains("delta is -1"));
    assert!(BinaryCrossentropy::from_logits().check(&ty(F32, &[8]), &ty(Bool, &[8])).is_ok());
    assert!(matches!(mse_error(), NnError::Input { .. }));
}

fn mse_error() -> NnError {
    MeanSquaredError.check(&TensorType::new(I64, [2]), &TensorType::new(I64, [2])).unwrap_err()
}

#[test]
#[should_panic(expected = "got f32[4, 1] and f32[4]\n  --> crates/nn/tests/losses.rs")]
fn a_loss_written_by_hand_stops_at_the_users_line() {
    let b = Builder::new();
    let (x, t) = (b.input("x", F32, [4, 1]), b.input("t", F32, [4]));
    let _ = mse(x, t, Reduction::Mean);
}
