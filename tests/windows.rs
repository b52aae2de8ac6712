//! Convolutions, transposed ones, pools and their gradients against the interpreter, to the bit: of small whole numbers every
//! sum is exact, in whatever order kernels add.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use proptest::prelude::*;
use pullback::graph::op::Choices;
use pullback::graph::{ConvOptions, ConvTransposeOptions, PoolOptions};
use pullback::{Builder, DType, Expr, Session, Tensor, grad, interpret};

/// Whole numbers from -2 to 2.
fn small(dtype: DType, sizes: &[usize], seed: usize) -> Tensor {
    Tensor::from_fn(sizes, |at| ((((at * 7 + seed) * 2_654_435_761) >> 7) % 5) as f64 - 2.0).cast(dtype)
}

/// Checks `op` of an image and a kernel, and the gradients of a sum of the result weighted by whole numbers.
fn check(
    dtype: DType,
    sizes: &[usize],
    kernel: &[usize],
    op: impl for<'g> Fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
) {
    let b = Builder::new();
    let (x, w) = (b.input("x", dtype, sizes.to_vec()), b.input("w", dtype, kernel.to_vec()));
    let y = op(x, w);
    let weights = b.constant(small(dtype, &y.shape().known().unwrap(), 3));
    let [dx, dw] = grad((y * weights).sum(), [x, w]).unwrap();
    let graph = b.finish([("y", y), ("dx", dx), ("dw", dw)]).unwrap();
    let feeds = [("x", small(dtype, sizes, 1)), ("w", small(dtype, kernel, 2))];
    let truth = interpret(&graph, feeds.iter().map(|(name, value)| (*name, value))).unwrap();
    let mut session = Session::new(&graph).unwrap();
    for _ in 0..2 {
        let out = session.run(feeds.clone()).unwrap();
        for (name, want) in truth.outputs() {
            assert_eq!(out[name].to_f64_vec(), want.to_f64_vec(), "{name} of {sizes:?} and {kernel:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_whole_numbers_are_exact(stream in prop::collection::vec(any::<u32>(), 40)) {
        let mut choices = Choices::new(stream);
        let mut one_to = |most: usize| 1 + choices.below(most);
        let axes = one_to(3);
        let (groups, dtype) = (one_to(3), [DType::F32, DType::F64][one_to(2) - 1]);
        let (channels, outputs) = (groups * one_to(3), groups * one_to(40 / groups));
        let longest = [60, 24, 9][axes - 1];
        let mut per_axis = |most: usize| (0..axes).map(|_| one_to(most)).collect::<Vec<usize>>();
        let (kernel, stride, dilation) = (per_axis(4), per_axis(2), per_axis(2));
        let padding: Vec<(usize, usize)> = per_axis(3).iter().zip(per_axis(3)).map(|(a, b)| (a - 1, b - 1)).collect();
        let sizes: Vec<usize> = per_axis(longest).iter().map(|size| size + 8).collect();
        let stride = if groups == 2 { vec![1; axes] } else { stride };
        let images = |channels: usize| [vec![3, channels], sizes.clone()].concat();
        let kernels = |outer: usize, inner: usize| [vec![outer, inner], kernel.clone()].concat();
        let options = ConvOptions::default().stride(stride.clone()).padding(padding.clone());
        let options = options.dilation(dilation.clone()).groups(groups);
        check(dtype, &images(channels), &kernels(outputs, channels / groups), |x, w| x.conv(w, &options));
        let options = ConvTransposeOptions::default().stride(stride).padding(padding);
        let options = options.dilation(dilation).groups(groups);
        check(dtype, &images(outputs), &kernels(outputs, channels / groups), |x, w| x.conv_transpose(w, &options));
    }
}

#[test]
fn pools_choose_what_the_interpreter_chooses() {
    for (sizes, options) in [
        (vec![2, 3, 28, 30], PoolOptions::new([2, 2])),
        (vec![2, 40, 41], PoolOptions::new([3, 4]).stride([2, 1]).dilation([2, 3])),
        (vec![1, 2, 9, 20], PoolOptions::new([3, 3]).stride(2).padding(1)),
        (vec![3, 70], PoolOptions::new([5]).stride(3)),
        (vec![2, 5, 6, 21], PoolOptions::new([2, 3, 2])),
        (vec![4, 11, 7], PoolOptions::new([4, 2]).stride(3).ceil_mode(true)),
    ] {
        check(DType::F32, &sizes, &[1], |x, w| x.max_pool(&options) * w.sum());
        check(DType::F64, &sizes, &[1], |x, w| -(-x).max_pool(&options) * w.sum());
    }
}

#[test]
fn padding_is_chosen_nowhere() {
    for (sizes, options) in [
        (vec![3, 12, 13], PoolOptions::new([3, 3]).stride(2).padding(1)),
        (vec![2, 2, 40], PoolOptions::new([4]).stride(1).padding(2).dilation(2)),
        (vec![2, 7, 8, 9], PoolOptions::new([3, 2, 3]).stride(2).padding(vec![(1, 0), (1, 1), (0, 1)])),
        (vec![2, 21, 20], PoolOptions::new([5, 4]).stride([3, 4]).padding(2).ceil_mode(true)),
    ] {
        // Windows of nothing but -∞ among others.
        let walls = Tensor::from_fn(&sizes, |at| if at / 9 % 2 == 0 { 0.0 } else { f64::NEG_INFINITY });
        check(DType::F32, &sizes, &[1], |x, w| {
            (x + x.builder().constant(walls.cast(DType::F32))).max_pool(&options) + w.sum() * 0.0
        });
        check(DType::F64, &sizes, &[1], |x, w| -(-x).max_pool(&options) * w.sum());
    }
}

#[test]
fn strides_that_kernels_reach_over_or_not() {
    for (kernel, stride, dilation) in [(4, 3, 2), (1, 2, 1), (2, 5, 1), (5, 4, 3), (7, 2, 1)] {
        let options = ConvOptions::default().stride(stride).dilation(dilation).padding(2);
        check(DType::F32, &[2, 20, 23, 30], &[34, 20, kernel, kernel], |x, w| x.conv(w, &options));
        let options = options.groups(20);
        check(DType::F32, &[2, 20, 23, 30], &[20, 1, kernel, kernel], |x, w| x.conv(w, &options));
    }
}

#[test]
fn large_images_and_many_channels() {
    let options = ConvOptions::default().padding([2, 2]);
    check(DType::F32, &[2, 3, 70, 65], &[40, 3, 5, 5], |x, w| x.conv(w, &options));
    check(DType::F32, &[3, 48, 17, 19], &[70, 48, 3, 3], |x, w| x.conv(w, &ConvOptions::default()));
    check(DType::F64, &[1, 1, 90], &[1, 1, 9], |x, w| x.conv(w, &ConvOptions::default().stride(3)));
}

#[test]
fn stacks_of_images_that_are_cut_into_groups() {
    for dtype in [DType::F32, DType::F64] {
        let options = ConvOptions::default().padding([1, 1]);
        check(dtype, &[37, 4, 12, 15], &[33, 4, 3, 3], |x, w| x.conv(w, &options));
        check(dtype, &[23, 1, 30, 32], &[2, 1, 3, 3], |x, w| x.conv(w, &options));
        check(dtype, &[19, 6, 16, 16], &[10, 3, 3, 3], |x, w| x.conv(w, &options.clone().groups(2)));
    }
}
