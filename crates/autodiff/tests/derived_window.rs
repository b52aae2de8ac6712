//! Gradients of convolutions, of first and second order.

use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_graph::{ConvOptions, ConvTransposeOptions, Expr};

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
