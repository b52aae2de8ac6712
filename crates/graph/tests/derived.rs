//! Derived ops at ordinary and extreme arguments, and where their nodes come from.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::DType::{F32, F64};
use pullback_graph::{Builder, Expr, Tensor, interpret};

/// `op` of these numbers.
fn of(values: &[f64], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let x = b.input("x", F64, [values.len()]);
    let graph = b.finish([("y", op(x))]).unwrap();
    let x = Tensor::vector(values);
    interpret(&graph, [("x", &x)]).unwrap().output("y").unwrap().to_f64_vec()
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= 1e-14 * (1.0 + want.abs()), "{got} is not {want}");
    }
}

#[test]
fn activations_follow_their_formulas() {
    let x = [-3.0, -0.5, 0.0, 0.5, 3.0];
    let formula = |f: fn(f64) -> f64| x.map(f);
    close(&of(&x, |x| x.leaky_relu(0.1)), &formula(|x| if x > 0.0 { x } else { 0.1 * x }));
    close(&of(&x, |x| x.elu(1.5)), &formula(|x| if x > 0.0 { x } else { 1.5 * x.exp_m1() }));
    close(&of(&x, |x| x.silu()), &formula(|x| x / (1.0 + (-x).exp())));
    close(&of(&x, |x| x.log_sigmoid()), &formula(|x| -(-x).exp().ln_1p()));
    close(&of(&x, |x| x.gelu()), &formula(|x| 0.5 * x * libm::erfc(-x / 2.0_f64.sqrt())));
    let constant = (2.0 / std::f64::consts::PI).sqrt();
    let tanh_form: Vec<f64> =
        x.iter().map(|x| 0.5 * x * (1.0 + (constant * (x + 0.044715 * x * x * x)).tanh())).collect();
    close(&of(&x, |x| x.gelu_tanh()), &tanh_form);
}

#[test]
fn activations_stay_finite_at_extreme_arguments() {
    let x = [-1e4, -745.0, -50.0, -1e-8, 1e-8, 50.0, 745.0, 1e4];
    for values in [
        of(&x, |x| x.elu(1.0)),
        of(&x, |x| x.silu()),
        of(&x, |x| x.log_sigmoid()),
        of(&x, |x| x.gelu()),
        of(&x, |x| x.gelu_tanh()),
        of(&x, |x| x.softplus()),
        of(&x, |x| x.log_softmax(0)),
    ] {
        assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
    }
    // The tail keeps its digits: gelu(-10) = -10 Φ(-10), with Φ(-10) = 7.619853024160526e-24.
    let tail = of(&[-10.0], |x| x.gelu())[0];
    assert!((tail / -7.619_853_024_160_526e-23 - 1.0).abs() < 1e-12, "{tail}");
    // The approximation's tail: -10 · sigmoid(2u), with u = √(2/π) · (-10 - 44.715).
    let u = (2.0 / std::f64::consts::PI).sqrt() * -54.715;
    assert!((of(&[-10.0], |x| x.gelu_tanh())[0] / (-10.0 * (2.0 * u).exp()) - 1.0).abs() < 1e-12);
}

#[test]
fn tails_of_gelu_are_constant_before_they_are_subnormal() {
    let x = [-8.0, -10.0, -11.0, -13.5, -1e30, f32::NEG_INFINITY];
    let ops: [for<'g> fn(Expr<'g>) -> Expr<'g>; 2] = [|x| x.gelu(), |x| x.gelu_tanh()];
    for op in ops {
        let b = Builder::new();
        let input = b.input("x", F32, [x.len()]);
        let graph = b.finish([("y", op(input))]).unwrap();
        let y = interpret(&graph, [("x", &Tensor::vector(x))]).unwrap();
        let y = y.output("y").unwrap().values::<f32>();
        assert!(y.iter().all(|y| y.is_normal() && *y < 0.0 && *y > -1e-14), "{y:?}");
        assert!(y[2..].iter().all(|tail| *tail == y[2]), "{y:?}");
    }
}

#[test]
fn bounded_activations_follow_their_formulas() {
    let x = [-1e4, -50.0, -3.0, -1e-8, 0.0, 1e-8, 1.5, 3.0, 7.0, 50.0, 1e4];
    let formula = |f: fn(f64) -> f64| x.map(f);
    close(&of(&x, |x| x.hard_tanh()), &formula(|x| x.clamp(-1.0, 1.0)));
    close(&of(&x, |x| x.relu6()), &formula(|x| x.clamp(0.0, 6.0)));
    close(&of(&x, |x| x.hard_sigmoid()), &formula(|x| (x / 6.0 + 0.5).clamp(0.0, 1.0)));
    close(&of(&x, |x| x.hard_swish()), &formula(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)));
    close(&of(&x, |x| x.softsign()), &formula(|x| x / (1.0 + x.abs())));
    close(&of(&x, |x| x.mish()), &formula(|x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()));
    let selu =
        |x: f64| 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_3 * x.exp_m1() };
    close(&of(&x, |x| x.selu()), &x.map(selu));
}

#[test]
fn masked_elements_take_no_part_in_a_softmax() {
    let b = Builder::new();
    let x = b.input("x", F64, [3, 3]);
    let mask = b.input("mask", pullback_graph::DType::Bool, [3, 3]);
    let graph = b.finish([("y", x.masked_softmax(mask, -1))]).unwrap();
    let inf = f64::INFINITY;
    let x = Tensor::of([3, 3], [f64::NAN, 1000.0, 1000.0, 1.0, inf, -inf, f64::NAN, inf, 2.0]);
    let mask = Tensor::of([3, 3], [false, true, true, true, false, true, false, false, false]);
    let values = interpret(&graph, [("x", &x), ("mask", &mask)]).unwrap();
    close(&values.output("y").unwrap().to_f64_vec(), &[0.0, 0.5, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn softmax_does_not_overflow_and_sums_to_one() {
    let p = of(&[1000.0, 1000.0, -1000.0], |x| x.softmax(0));
    close(&p, &[0.5, 0.5, 0.0]);
    close(&of(&[1000.0, 1000.0], |x| x.logsumexp(0)), &[1000.0 + 2.0_f64.ln()]);
    close(&of(&[0.0, f64::NEG_INFINITY], |x| x.log_softmax(0)), &[0.0, f64::NEG_INFINITY]);
    close(&of(&[f64::NEG_INFINITY; 2], |x| x.logsumexp(0)), &[f64::NEG_INFINITY]);
    close(&of(&[f64::INFINITY, 0.0], |x| x.logsumexp(0)), &[f64::INFINITY]);
}

#[test]
fn spread_and_length_of_ordinary_and_degenerate_vectors() {
    close(&of(&[1.0, 2.0, 4.0, 5.0], |x| x.var_over(0, 0)), &[2.5]);
    close(&of(&[1.0, 2.0, 4.0, 5.0], |x| x.var_over(0, 1)), &[10.0 / 3.0]);
    close(&of(&[7.0; 3], |x| x.std_over(0, 0)), &[0.0]);
    close(&of(&[3.0, 4.0], |x| x.norm()), &[5.0]);
}

#[test]
#[should_panic(expected = "the variance of 1 elements with ddof 1")]
fn a_variance_of_too_few_elements_is_refused() {
    let _ = of(&[1.0], |x| x.var_over(0, 1));
}

#[test]
fn a_mistake_inside_a_derived_op_is_the_callers() {
    let b = Builder::new();
    let x = b.input("x", F64, [2]);
    let line = line!() + 1;
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| x.softmax(3)));
    let message = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains(&format!("derived.rs:{line}")), "{message}");
}

#[test]
fn products_of_stacks_carry_the_callers_line() {
    let b = Builder::new();
    let (x, y) = (b.input("x", F32, [5, 2, 3]), b.input("y", F32, [4, 1, 3, 2]));
    let line = line!() + 1;
    let graph = b.finish([("z", x.matmul(y).mean_over([0, 1]).max())]).unwrap();
    for id in graph.ids().skip(2) {
        let source = graph.source(id).expect("a line");
        assert_eq!((source.file.ends_with("derived.rs"), source.line), (true, line), "{id}: {source}");
    }
}

#[test]
fn every_node_of_a_derived_op_carries_the_callers_line() {
    let b = Builder::new();
    let x = b.input("x", F32, [2, 3]);
    let line = line!() + 1;
    let y = x.softmax(-1).gelu().var_over(0, 1).logsumexp(0);
    let graph = b.finish([("y", y)]).unwrap();
    for id in graph.ids().skip(1) {
        let source = graph.source(id).expect("a line");
        assert_eq!((source.file.ends_with("derived.rs"), source.line), (true, line), "{id}: {source}");
        assert_ne!(graph.scope_path(graph.provenance(id).scope), "", "{id} stands in a box");
    }
}

#[test]
fn activations_with_parameters_follow_their_formulas() {
    let x = [-3.0, -0.5, 0.0, 0.5, 3.0];
    let formula = |f: fn(f64) -> f64| x.map(f);
    close(&of(&x, |x| x.celu(0.5)), &formula(|x| if x > 0.0 { x } else { 0.5 * (2.0 * x).exp_m1() }));
    close(&of(&x, |x| x.softplus_beta(2.5)), &formula(|x| (2.5 * x).exp().ln_1p() / 2.5));
    close(&of(&x, |x| x.tanhshrink()), &formula(|x| x - x.tanh()));
    close(&of(&x, |x| x.soft_shrink(0.5)), &[-2.5, 0.0, 0.0, 0.0, 2.5]);
    close(&of(&x, |x| x.hard_shrink(0.5)), &[-3.0, 0.0, 0.0, 0.0, 3.0]);
    close(&of(&x, |x| x.threshold(0.0, 7.0)), &[7.0, 7.0, 7.0, 0.5, 3.0]);
    close(&of(&x, |x| x.hard_tanh_between(-0.1, 0.9)), &[-0.1, -0.1, 0.0, 0.5, 0.9]);
    close(&of(&x, |x| x.clamp_min(0.3)), &[0.3, 0.3, 0.3, 0.5, 3.0]);
    close(&of(&x, |x| x.clamp_max(0.3)), &[-3.0, -0.5, 0.0, 0.3, 0.3]);
    close(&of(&x, |x| x.softsign()), &formula(|x| x / (1.0 + x.abs())));
    close(&of(&[f64::INFINITY, f64::NAN], |x| x.softsign()), &[1.0, f64::NAN]);
    for shrunk in [of(&[f64::NAN], |x| x.soft_shrink(1.0)), of(&[f64::NAN], |x| x.hard_shrink(1.0))] {
        close(&shrunk, &[f64::NAN]);
    }
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    close(&of(&[1.0, 2.0, 3.0, -4.0], |x| x.glu(-1)), &[logistic(3.0), 2.0 * logistic(-4.0)]);
    close(
        &of(&[-1e-10, -0.5, -0.7, -2.0, -50.0], |x| x.log1mexp()),
        &[
            -23.025850929990458,
            -0.9327521295671886,
            -0.6863410028083852,
            -0.14541345786885906,
            -1.9287498479942364e-22,
        ],
    );
}

#[test]
fn slopes_per_channel_lie_along_axis_1() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [1, 2, 2]), b.input("w", F64, [2]));
    let outputs = [("y", x.prelu(w)), ("lerp", x.lerp(10.0, 0.5)), ("filled", x.masked_fill(x.lt(0.0), 9.0))];
    let graph = b.finish(outputs).unwrap();
    let (x, w) = (Tensor::of([1, 2, 2], [-1.0, 2.0, -3.0, 4.0]), Tensor::vector([0.5, 0.1]));
    let values = interpret(&graph, [("x", &x), ("w", &w)]).unwrap();
    close(&values.output("y").unwrap().to_f64_vec(), &[-0.5, 2.0, -0.3, 4.0]);
    close(&values.output("lerp").unwrap().to_f64_vec(), &[4.5, 6.0, 3.5, 7.0]);
    close(&values.output("filled").unwrap().to_f64_vec(), &[9.0, 2.0, 9.0, 4.0]);
}

#[test]
#[should_panic(expected = "neither one element nor one per channel")]
fn slopes_that_fit_no_channels_are_refused() {
    let b = Builder::new();
    let _ = b.input("x", F64, [2, 3]).prelu(b.input("w", F64, [2]));
}

#[test]
#[should_panic(expected = "an axis of size 3 has no halves (C3)")]
fn an_odd_axis_has_no_halves() {
    let b = Builder::new();
    let _ = b.input("x", F64, [2, 3]).glu(1);
}

#[test]
fn whole_numbers_are_limited_too() {
    let b = Builder::new();
    let x = b.constant(Tensor::vector([-5_i64, 0, 5]));
    let graph = b.finish([("y", x.clamp(-1.0, 2.0)), ("low", x.clamp_min(1.0))]).unwrap();
    let none: [(&str, &Tensor); 0] = [];
    let values = interpret(&graph, none).unwrap();
    assert_eq!(*values.output("y").unwrap(), Tensor::vector([-1_i64, 0, 2]));
    assert_eq!(*values.output("low").unwrap(), Tensor::vector([1_i64, 1, 5]));
}
