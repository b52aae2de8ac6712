//! Gradients of derived ops where formulas break down: kinks, zero vectors, rows of -∞, far tails.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::slopes::{close, gradient};
use pullback_autodiff::grad;
use pullback_graph::DType::{Bool, F64};
use pullback_graph::{Builder, Tensor, interpret};

const INF: f64 = f64::INFINITY;

#[test]
fn slopes_at_kinks_are_the_documented_ones() {
    close(&gradient(&[-1.0, 0.0, 1.0], |x| x.leaky_relu(0.1)), &[0.1, 0.1, 1.0]);
    close(&gradient(&[0.0, 1.0], |x| x.elu(0.5)), &[0.5, 1.0]);
    close(&gradient(&[-2.0, -1.0, 0.5, 1.0, 2.0], |x| x.hard_tanh()), &[0.0, 0.0, 1.0, 0.0, 0.0]);
    close(&gradient(&[0.0, 3.0, 6.0], |x| x.relu6()), &[0.0, 1.0, 0.0]);
    close(&gradient(&[-3.0, 0.0, 3.0], |x| x.hard_sigmoid()), &[0.0, 1.0 / 6.0, 0.0]);
    close(&gradient(&[-3.0, 0.0, 3.0], |x| x.hard_swish()), &[0.0, 0.5, 1.0]);
    close(&gradient(&[-1.0, 0.0, 1.0], |x| x.softsign()), &[0.25, 1.0, 0.25]);
}

#[test]
fn slopes_in_the_tails_are_finite() {
    let x = [-1e4, -745.0, -50.0, -1e-8, 0.0, 1e-8, 50.0, 745.0, 1e4];
    let right = [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0];
    for slopes in [gradient(&x, |x| x.gelu()), gradient(&x, |x| x.gelu_tanh()), gradient(&x, |x| x.silu())] {
        for (slope, right) in slopes.iter().zip(right) {
            assert!((slope - right).abs() < 1e-7, "{slope} is not {right}");
        }
    }
    close(
        &gradient(&x, |x| x.log_sigmoid()),
        &[1.0, 1.0, 1.0, 0.5 + 2.5e-9, 0.5, 0.5 - 2.5e-9, (-50.0_f64).exp(), (-745.0_f64).exp(), 0.0],
    );
    for slopes in [gradient(&x, |x| x.mish()), gradient(&x, |x| x.elu(1.0)), gradient(&x, |x| x.selu())] {
        assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
    }
}

#[test]
fn rows_without_a_finite_element() {
    close(&gradient(&[-INF, -INF], |x| x.logsumexp(0)), &[0.0, 0.0]);
    close(&gradient(&[-INF, 0.0], |x| x.logsumexp(0)), &[0.0, 1.0]);
    close(&gradient(&[1000.0, 1000.0], |x| x.logsumexp(0)), &[0.5, 0.5]);
    close(&gradient(&[-INF, 0.0, 0.0], |x| x.softmax(0).slice(0, 1..2)), &[0.0, 0.25, -0.25]);
    close(&gradient(&[-INF, 0.0, 0.0], |x| x.log_softmax(0).slice(0, 1..2)), &[0.0, 0.5, -0.5]);
}

#[test]
fn masked_elements_get_no_gradient_whatever_they_hold() {
    let b = Builder::new();
    let (x, mask) = (b.input("x", F64, [2, 3]), b.input("mask", Bool, [2, 3]));
    let loss = (x.masked_softmax(mask, 1) * b.constant(Tensor::of([3], [1.0, 2.0, 3.0]))).sum();
    let [dx] = grad(loss, [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let x = Tensor::of([2, 3], [f64::NAN, 1.0, 1.0, INF, -INF, f64::NAN]);
    let mask = Tensor::of([2, 3], [false, true, true, false, false, false]);
    let values = interpret(&graph, [("x", &x), ("mask", &mask)]).unwrap();
    close(&values.output("dx").unwrap().to_f64_vec(), &[0.0, -0.25, 0.25, 0.0, 0.0, 0.0]);
}

#[test]
fn lengths_and_spreads_of_nothing_have_gradient_zero() {
    close(&gradient(&[0.0, 0.0], |x| x.norm()), &[0.0, 0.0]);
    close(&gradient(&[3.0, -4.0], |x| x.norm()), &[0.6, -0.8]);
    close(&gradient(&[7.0, 7.0], |x| x.std_over(0, 0)), &[0.0, 0.0]);
    close(&gradient(&[1.0, 3.0], |x| x.std_over(0, 0)), &[-0.5, 0.5]);
    close(&gradient(&[1.0, 2.0, 6.0], |x| x.var_over(0, 1)), &[-2.0, -1.0, 3.0]);
}
