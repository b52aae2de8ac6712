//! Gradients of what walks along axes: zeros in products, ties, infinities, and orders 1 to 4.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::slopes::{close, gradient};
use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_autodiff::{grad, hessian};
use pullback_graph::DType::{F32, F64};
use pullback_graph::{Builder, Dim, Expr, Order, Tensor, interpret, sym};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The gradient of `Σ weights · op(x)`.
#[track_caller]
fn pulled(x: &Tensor, weights: &[f64], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), x.shape());
    let y = op(input);
    let weights = b.constant(Tensor::vector(weights).cast(x.dtype())).reshape(y.shape());
    let [dx] = grad((y * weights).sum(), [input]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    interpret(&graph, [("x", x)]).unwrap().output("dx").unwrap().to_f64_vec()
}

/// Derivatives of order 1 to 4 along a direction, each against the difference quotient of the one before.
#[track_caller]
fn four_orders(x: &[f64], op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) {
    let b = Builder::new();
    let input = b.input("x", F64, [x.len()]);
    let direction: Vec<f64> = (0..x.len()).map(|i| 0.5 + 0.3 * (i as f64 * 2.3).sin()).collect();
    let along = b.constant(Tensor::vector(direction.clone()));
    let y = op(input);
    let weights = Tensor::from_fn(&y.shape().known().unwrap(), |i| 1.0 + 0.7 * (i as f64 * 1.7).cos());
    let mut orders = vec![(y * b.constant(weights)).sum()];
    for order in 0..4 {
        let [slope] = grad(orders[order], [input]).unwrap();
        orders.push((slope * along).sum());
    }
    let names = ["0", "1", "2", "3", "4"];
    let graph = b.finish(names.iter().copied().zip(orders)).unwrap();
    let at = |step: f64| {
        let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
        let values = interpret(&graph, [("x", &Tensor::vector(moved))]).unwrap();
        names.map(|name| values.output(name).unwrap().item().unwrap())
    };
    const STEP: f64 = 2e-3;
    let (here, points) = (at(0.0), [-2.0, -1.0, 1.0, 2.0].map(|place| at(place * STEP)));
    for order in 1..=4 {
        let [far_below, below, above, far_above] = points.map(|values| values[order - 1]);
        let quotient = (8.0 * (above - below) - (far_above - far_below)) / (12.0 * STEP);
        let error = (quotient - here[order]).abs();
        assert!(
            error <= 1e-7 * (1.0 + here[order].abs()),
            "order {order} at {x:?}: {} is not {quotient}",
            here[order]
        );
    }
}

#[test]
fn products_divide_by_nothing() {
    close(&gradient(&[2.0, 0.0, 3.0, 4.0], |x| x.prod()), &[0.0, 24.0, 0.0, 0.0]);
    close(&gradient(&[2.0, 3.0, -4.0], |x| x.prod()), &[-12.0, -8.0, 6.0]);
    close(&gradient(&[0.0, 0.0, 3.0], |x| x.prod()), &[0.0; 3]);
    close(&gradient(&[0.0], |x| x.prod()), &[1.0]);
    close(&gradient(&[], |x| x.prod()), &[]);
    let x = Tensor::of([2, 2, 2], [1.0, 2.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    // Over the outer axes: columns 1·0·5·7 and 2·4·6·8.
    let dx = pulled(&x, &[1.0, 10.0], |x| x.prod_over([0, 2]).sum_over(&[][..]));
    // Rows of the kept axis 1: 1·2·5·6 = 60 and 0·4·7·8 = 0.
    close(&dx, &[60.0, 30.0, 2240.0, 0.0, 12.0, 10.0, 0.0, 0.0]);
}

#[test]
fn a_product_that_leaves_the_range_of_numbers_has_no_nan() {
    let dx = gradient(&[1e200, 1e200, 0.0, 2.0], |x| x.prod());
    close(&dx, &[0.0, 0.0, INF, 0.0]);
    let x = Tensor::vector([1e13_f32, 1e13, 1e13, 1e13, 0.0]);
    close(&pulled(&x, &[1.0], |x| x.prod()), &[0.0, 0.0, 0.0, 0.0, INF]);
    let dx = pulled(&x, &[1.0; 5], |x| x.cumprod(0));
    assert!(dx.iter().all(|slope| !slope.is_nan()), "{dx:?}");
    let second = pulled(&x, &[1.0; 5], |x| grad(x.prod(), [x]).unwrap()[0]);
    assert!(second.iter().all(|slope| !slope.is_nan()), "{second:?}");
}

#[test]
fn running_products_divide_by_nothing() {
    close(&gradient(&[2.0, 0.0, 3.0, 4.0], |x| x.cumprod(0)), &[1.0, 32.0, 0.0, 0.0]);
    close(&gradient(&[0.0, 0.0, 3.0], |x| x.cumprod(0)), &[1.0, 0.0, 0.0]);
    close(&gradient(&[4.0, 3.0, 0.0, 2.0], |x| x.cumprod_reversed(0)), &[0.0, 0.0, 32.0, 1.0]);
}

#[test]
fn second_derivatives_of_products_at_zero() {
    // ∂²(xy)/∂x∂y is 1, wherever it is taken.
    let products: [for<'g> fn(Expr<'g>) -> Expr<'g>; 2] =
        [|x| x.prod(), |x| x.cumprod(0).slice(0, 1..2).sum()];
    for point in [[0.0, 1.0], [0.0, 0.0], [2.0, 3.0]] {
        for product in products {
            let b = Builder::new();
            let x = b.input("x", F64, [2]);
            let graph = b.finish([("h", hessian(product(x), x).unwrap())]).unwrap();
            let values = interpret(&graph, [("x", &Tensor::vector(point))]).unwrap();
            close(&values.output("h").unwrap().to_f64_vec(), &[0.0, 1.0, 1.0, 0.0]);
        }
    }
}

#[test]
fn products_have_four_derivatives() {
    for x in [vec![0.7, -1.2, 1.5, 0.4, 2.0], vec![0.7, 0.0, 1.5, 0.4, 2.0], vec![0.0, 0.3, 0.0, -1.0, 0.0]] {
        four_orders(&x, |x| x.prod());
        four_orders(&x, |x| x.cumprod(0));
        four_orders(&x, |x| x.cumprod_reversed(0));
        four_orders(&x, |x| x.linear_scan(x.sin(), 0));
        four_orders(&x, |x| x.linear_scan_reversed(x * x, 0));
        four_orders(&x, |x| x.logcumsumexp(0));
        four_orders(&x, |x| x.logcumsumexp_reversed(0));
        four_orders(&x, |x| x.cumsum(0).sin());
        four_orders(&x, |x| x.reshape([5, 1]).broadcast_to([5, 2]).prod_over([0, 1]));
    }
}

#[test]
fn norms_and_orders_have_four_derivatives() {
    let x = [0.7, -1.2, 1.5, 0.4, 2.0];
    for p in [-1.5, 0.5, 1.0, 1.5, 3.0, 4.0, INF] {
        four_orders(&x, |x| (x * x * x).p_norm_over(p, 0));
    }
    four_orders(&x, |x| x.sort(0, Order::Descending) * x.exp());
    four_orders(&x, |x| x.top_k(2, 0, Order::Ascending).0.square().prod());
    four_orders(&x, |x| x.exp().median());
    four_orders(&x, |x| x.exp().quantile_over(0.3, 0));
    four_orders(&x, |x| x.std_over(0, 1));
    four_orders(&x, |x| x.cummax(0) * x.exp());
}

#[test]
fn running_extremes_give_to_the_latest_of_equal_ones() {
    let at = |x: [f64; 5], op: for<'g> fn(Expr<'g>) -> Expr<'g>| {
        pulled(&Tensor::vector(x), &[1.0, 10.0, 100.0, 1000.0, 10000.0], op)
    };
    close(&at([1.0, 3.0, 2.0, 3.0, 0.0], |x| x.cummax(0)), &[1.0, 110.0, 0.0, 11000.0, 0.0]);
    close(&at([3.0, 1.0, 2.0, 1.0, 5.0], |x| x.cummin(0)), &[1.0, 110.0, 0.0, 11000.0, 0.0]);
    close(&at([0.0, 3.0, 2.0, 3.0, 1.0], |x| x.cummax_reversed(0)), &[0.0, 11.0, 0.0, 1100.0, 10000.0]);
    // From a NaN on the result is NaN, which the latest one holds.
    close(&at([1.0, NAN, 2.0, NAN, 3.0], |x| x.cummax(0)), &[1.0, 110.0, 0.0, 11000.0, 0.0]);
    // An infinite cotangent stays where it belongs.
    close(&gradient(&[0.0, 1.0, 4.0], |x| x.cummax(0).sqrt()), &[INF, 0.5, 0.25]);
}

#[test]
fn running_logsumexp_has_gradient_zero_at_minus_infinity() {
    close(&gradient(&[-INF, -INF], |x| x.logcumsumexp(0)), &[0.0, 0.0]);
    close(&gradient(&[-INF, 0.0, 0.0, -INF], |x| x.logcumsumexp(0)), &[0.0, 2.0, 1.0, 0.0]);
    close(&gradient(&[1000.0, 1000.0], |x| x.logcumsumexp(0)), &[1.5, 0.5]);
    close(&gradient(&[-1e4, 0.0, 1e4], |x| x.logcumsumexp(0)), &[1.0, 1.0, 1.0]);
    // Infinite elements share: the sums are 1, ∞, ∞, ∞ of 0, 1, 1, 2 of them.
    close(&gradient(&[1.0, INF, 2.0, INF], |x| x.logcumsumexp(0)), &[1.0, 2.5, 0.0, 0.5]);
    let hessian_row =
        gradient(&[-INF, 0.0, 0.0], |x| grad(x.logcumsumexp(0).sum(), [x]).unwrap()[0].square());
    assert!(hessian_row.iter().all(|slope| slope.is_finite()), "{hessian_row:?}");
}

#[test]
fn gradients_follow_the_order_of_elements() {
    let ties = Tensor::vector([2.0, 1.0, 2.0, 1.0, 0.0]);
    let weights = [1.0, 2.0, 3.0, 4.0, 5.0];
    close(&pulled(&ties, &weights, |x| x.sort(0, Order::Ascending)), &[4.0, 2.0, 5.0, 3.0, 1.0]);
    close(&pulled(&ties, &weights, |x| x.sort(0, Order::Descending)), &[1.0, 3.0, 2.0, 4.0, 5.0]);
    close(&pulled(&ties, &[1.0, 2.0], |x| x.top_k(2, 0, Order::Descending).0), &[1.0, 0.0, 2.0, 0.0, 0.0]);
    // The median is one element: the lower in the middle, the first of equal ones, the first NaN if there is one.
    close(&gradient(&[4.0, 1.0, 3.0, 2.0], |x| x.median()), &[0.0, 0.0, 0.0, 1.0]);
    close(&gradient(&[4.0, NAN, 3.0, NAN], |x| x.median()), &[0.0, 1.0, 0.0, 0.0]);
    close(&gradient(&[3.0, 2.0, 2.0, 2.0], |x| x.median()), &[0.0, 1.0, 0.0, 0.0]);
    close(&gradient(&[4.0, 1.0, 3.0, 2.0], |x| x.quantile_over(0.25, 0)), &[0.0, 0.25, 0.0, 0.75]);
}

#[test]
fn norms_are_flat_at_zeros() {
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF, -INF, -1.0] {
        close(&gradient(&[0.0, 0.0], |x| x.p_norm_over(p, 0)), &[0.0, 0.0]);
        let beside = gradient(&[0.0, 2.0], |x| x.p_norm_over(p, 0));
        let want = if p > 0.0 { 1.0 } else { 0.0 };
        close(&beside, &[0.0, want]);
    }
    // Equal largest magnitudes share.
    close(&gradient(&[3.0, -3.0, 1.0], |x| x.p_norm_over(INF, 0)), &[0.5, -0.5, 0.0]);
    close(&gradient(&[3.0, -1.0, 1.0], |x| x.p_norm_over(-INF, 0)), &[0.0, -0.5, 0.5]);
    for scale in [1e-200, 1e200] {
        for p in [0.5, 1.5, 3.0, -2.0] {
            let slopes = gradient(&[scale, -scale], |x| x.p_norm_over(p, 0));
            close(&slopes, &[2_f64.powf(1.0 / p - 1.0), -2_f64.powf(1.0 / p - 1.0)]);
        }
    }
    // The distance of equal points.
    let distance = gradient(&[1.5, -2.0], |x| (x - x.stop_gradient()).p_norm_over(2.0, 0));
    close(&distance, &[0.0, 0.0]);
}

#[test]
fn equal_elements_have_a_spread_of_gradient_zero() {
    for value in [0.1, 1.0 / 3.0, 7.0] {
        let x = Tensor::full(&[3], value);
        close(&pulled(&x, &[1.0], |x| x.std_over(0, 0)), &[0.0; 3]);
        close(&pulled(&x.cast(F32), &[1.0], |x| x.std_over(0, 1)), &[0.0; 3]);
        close(&pulled(&x, &[1.0], |x| x.var_over(0, 1)), &[0.0; 3]);
    }
}

type Function = for<'g> fn(Expr<'g>) -> Expr<'g>;

/// Functions of a vector that have a gradient.
const FUNCTIONS: [(&str, Function); 18] = [
    ("prod", |x| x.prod()),
    ("cumsum", |x| x.cumsum(0)),
    ("cumprod", |x| x.cumprod(0)),
    ("cumprod_reversed", |x| x.cumprod_reversed(0)),
    ("cummax", |x| x.cummax(0)),
    ("cummin_reversed", |x| x.cummin_reversed(0)),
    ("logcumsumexp", |x| x.logcumsumexp(0)),
    ("logcumsumexp_reversed", |x| x.logcumsumexp_reversed(0)),
    ("linear_scan", |x| x.linear_scan(x * x, 0)),
    ("linear_scan_reversed", |x| x.linear_scan_reversed(x * x, 0)),
    ("sort", |x| x.sort(0, Order::Descending)),
    ("norm 0.5", |x| x.p_norm_over(0.5, 0)),
    ("norm 3", |x| x.p_norm_over(3.0, 0)),
    // These need an element.
    ("norm inf", |x| x.p_norm_over(INF, 0)),
    ("median", |x| x.median()),
    ("quantile", |x| x.quantile_over(0.3, 0)),
    ("var", |x| x.var_over(0, 0)),
    ("std", |x| x.std_over(0, 0)),
];

/// The gradient of `Σ function(x)²` for an operand whose size is not known when it is written.
fn gradient_of_unknown_size(x: &[f64], size: impl Into<Dim>, function: Function) -> Vec<f64> {
    let b = Builder::new();
    let input = b.input("x", F64, [size.into()]);
    let [dx] = grad(function(input).square().sum(), [input]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    interpret(&graph, [("x", &Tensor::vector(x))]).unwrap().output("dx").unwrap().to_f64_vec()
}

#[test]
fn sizes_may_be_known_later() {
    let x = [0.7, -1.2, 0.0, 0.4, 2.0];
    for (name, function) in FUNCTIONS {
        let known = gradient_of_unknown_size(&x, 5, function);
        assert_eq!(gradient_of_unknown_size(&x, sym("n"), function), known, "{name}");
    }
    // Axes that are not neighbors, all of unknown sizes.
    let b = Builder::new();
    let input = b.input("x", F64, [sym("n"), sym("m"), sym("n")]);
    let [dx] = grad(input.prod_over([0, 2]).sum(), [input]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let x = Tensor::of([2, 2, 2], [1.0, 2.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let values = interpret(&graph, [("x", &x)]).unwrap();
    close(&values.output("dx").unwrap().to_f64_vec(), &[60.0, 30.0, 224.0, 0.0, 12.0, 10.0, 0.0, 0.0]);
}

#[test]
fn of_nothing_the_gradient_is_nothing() {
    for (name, function) in &FUNCTIONS[..13] {
        for size in [Dim::Known(0), sym("n")] {
            assert!(gradient_of_unknown_size(&[], size, *function).is_empty(), "{name}");
        }
    }
    // No elements along the axis, but lanes of them: their products are 1, whatever else there is.
    let empty = Tensor::of([2, 0], Vec::<f64>::new());
    assert!(pulled(&empty, &[1.0, 1.0], |x| x.prod_over(1)).is_empty());
    assert!(pulled(&empty, &[1.0, 1.0], |x| x.mean_over(1)).is_empty());
}

#[test]
fn the_values_agree_where_there_is_a_derivative() {
    let rows = [
        [0.3, -1.2, 2.0],
        [0.0, 1.5, -0.7],
        [0.0, 0.0, 2.0],
        [0.0; 3],
        [800.0, -800.0, 1.0],
        [1e-8, 1.0, 1e3],
    ];
    for (name, function) in FUNCTIONS {
        for row in rows {
            let report = check_gradients(|[x]| function(x), [f64_in([3]).value(Tensor::vector(row))]);
            assert!(report.is_ok(), "{name} at {row:?}: {report}");
        }
    }
    // Zeros are no kinks of products: nothing is left out.
    for (name, function) in FUNCTIONS.iter().filter(|(name, _)| name.contains("prod")) {
        for row in &rows[..3] {
            let report = check_gradients(|[x]| function(x), [f64_in([3]).value(Tensor::vector(*row))]);
            assert!(report.skipped.is_empty(), "{name} at {row:?}: {report}");
        }
    }
}
