//! Gradients of windows, convolutions, pools and resizing, of first and second order.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_autodiff::grad;
use pullback_graph::{Builder, ConvOptions, ConvTransposeOptions, Expr, PoolOptions, Tensor, interpret};

/// A function with a curvature everywhere, so that second derivatives are not all zero.
fn bend(y: Expr<'_>) -> Expr<'_> {
    (y * y * 0.5 + y.tanh()).sum()
}

#[test]
fn convolutions() {
    let plain = ConvOptions::default();
    let odd = ConvOptions::default().stride([2, 1]).padding([(1, 0), (0, 2)]).dilation([1, 2]);
    check_gradients(|[x, w]| bend(x.conv(w, &plain)), [f64_in([2, 2, 4]), f64_in([3, 2, 2])]).assert();
    check_gradients(|[x, w]| bend(x.conv(w, &odd)), [f64_in([2, 2, 5, 4]), f64_in([3, 2, 2, 3])]).assert();
    check_gradients(
        |[x, w]| bend(x.conv(w, &odd.clone().groups(2))),
        [f64_in([2, 4, 3, 3]), f64_in([2, 2, 2, 2])],
    )
    .assert();
    check_gradients(
        |[x, w]| bend(x.conv(w, &plain.clone().same())),
        [f64_in([1, 1, 2, 3, 2]), f64_in([2, 1, 2, 1, 2])],
    )
    .assert();
    check_gradients(|[x, w]| bend(x.conv(w, &plain)), [f64_in([2, 3, 2, 2]), f64_in([2, 3, 1, 1])]).assert();
}

#[test]
fn transposed_convolutions() {
    let odd = ConvTransposeOptions::default()
        .stride([2, 1])
        .padding([(1, 0), (0, 2)])
        .output_padding([1, 0])
        .dilation([1, 2]);
    check_gradients(|[x, w]| bend(x.conv_transpose(w, &odd)), [f64_in([2, 2, 3, 3]), f64_in([2, 2, 2, 3])])
        .assert();
    check_gradients(
        |[x, w]| bend(x.conv_transpose(w, &odd.clone().groups(2))),
        [f64_in([1, 4, 2, 3]), f64_in([4, 1, 3, 2])],
    )
    .assert();
}

/// The gradient of the sum of `op(x)` weighted by 1, 2, 3, ….
fn gradient(x: &Tensor, op: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Vec<f64> {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), x.shape());
    let y = op(input);
    let sizes = y.shape().known().unwrap();
    let weights = b.constant(Tensor::from_fn(&sizes, |at| at as f64 + 1.0));
    let [dx] = grad((y * weights).sum(), [input]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    interpret(&graph, [("x", x)]).unwrap().output("dx").unwrap().to_f64_vec()
}

#[test]
fn pools() {
    let largest =
        PoolOptions::new([3, 2]).stride([2, 1]).padding([(1, 0), (0, 1)]).dilation([1, 2]).ceil_mode(true);
    check_gradients(|[x]| bend(x.max_pool(&largest)), [f64_in([2, 5, 4])]).assert();
    let mean = PoolOptions::new([3, 2]).stride([2, 2]).padding(1).ceil_mode(true);
    for options in [mean.clone(), mean.count_include_pad(false), PoolOptions::new([2, 2])] {
        check_gradients(|[x]| bend(x.avg_pool(&options)), [f64_in([2, 4, 4])]).assert();
    }
    for sizes in [[2, 3], [1, 2], [5, 4]] {
        check_gradients(|[x]| bend(x.adaptive_avg_pool(&sizes)), [f64_in([2, 5, 4])]).assert();
        check_gradients(|[x]| bend(x.adaptive_max_pool(&sizes)), [f64_in([2, 5, 4])]).assert();
    }
    check_gradients(|[x]| bend(x.global_avg_pool()), [f64_in([2, 2, 3, 2])]).assert();
    check_gradients(|[x]| bend(x.global_max_pool()), [f64_in([2, 2, 3, 2])]).assert();
}

#[test]
fn the_first_of_equal_elements_gets_the_gradient() {
    const INF: f64 = f64::INFINITY;
    let equal = Tensor::of([3, 3], [1.0; 9]);
    let options = PoolOptions::new([2, 2]).stride(1);
    assert_eq!(gradient(&equal, |x| x.max_pool(&options)), [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(
        gradient(&equal, |x| x.adaptive_max_pool(&[2, 2])),
        [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]
    );
    // Padding gets none, not even where it is as small as the elements are.
    let padded = PoolOptions::new([2]).stride(1).padding(1);
    assert_eq!(gradient(&Tensor::vector([-INF, -INF]), |x| x.max_pool(&padded)), [3.0, 3.0]);
    let nan = Tensor::vector([1.0, f64::NAN, 2.0]);
    assert_eq!(gradient(&nan, |x| x.max_pool(&padded)), [1.0, 5.0, 4.0]);
    let all = Tensor::of([1, 1, 3], [5.0, 5.0, 5.0]);
    assert_eq!(gradient(&all, |x| x.global_max_pool()), [1.0, 0.0, 0.0]);
}

#[test]
fn what_is_not_in_a_window_gets_no_gradient() {
    let wild = Tensor::vector([1.0, 2.0, f64::INFINITY, f64::NAN]);
    assert_eq!(gradient(&wild, |x| x.avg_pool(&PoolOptions::new([2]).padding(1))), [0.5, 1.0, 1.0, 1.5]);
    assert_eq!(gradient(&wild, |x| x.adaptive_avg_pool(&[3])), [0.5, 1.5, 2.5, 1.5]);
    assert_eq!(gradient(&wild, |x| x.resize_linear(&[7], true)), [2.0, 6.0, 10.0, 10.0]);
}

#[test]
fn resizing() {
    check_gradients(|[x]| bend(x.resize_nearest(&[2, 3])), [f64_in([2, 2, 2])]).assert();
    check_gradients(|[x]| bend(x.resize_nearest_to(&[5, 2])), [f64_in([2, 3, 3])]).assert();
    for corners in [true, false] {
        check_gradients(|[x]| bend(x.resize_bilinear([5, 2], corners)), [f64_in([2, 3, 4])]).assert();
    }
    let options = ConvOptions::default().stride(2).padding(1);
    check_gradients(|[x]| bend(x.im2col(&[2, 3], &options)), [f64_in([1, 2, 3, 4])]).assert();
    check_gradients(|[x]| bend(x.col2im(&[3, 4], &[2, 3], &options)), [f64_in([1, 12, 4])]).assert();
    check_gradients(|[x]| bend(x.pixel_unshuffle(2).pixel_shuffle(2)), [f64_in([1, 1, 2, 4])]).assert();
    check_gradients(|[x]| bend(x.local_response_norm(3, 0.7, 0.75, 1.5)), [f64_in([2, 4, 2])]).assert();
}
