//! Windows and convolutions against nests of loops.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use pullback_graph::DType::{F32, F64};
use pullback_graph::op::{Choices, Window};
use pullback_graph::{Builder, ConvOptions, ConvTransposeOptions, Expr, Tensor, interpret, sym};

/// `op` of these tensors.
fn of<const N: usize>(operands: [&Tensor; N], op: impl for<'g> FnOnce([Expr<'g>; N]) -> Expr<'g>) -> Tensor {
    let b = Builder::new();
    let names: Vec<String> = (0..N).map(|at| format!("x{at}")).collect();
    let inputs = std::array::from_fn(|at| b.input(&names[at], operands[at].dtype(), operands[at].shape()));
    let graph = b.finish([("y", op(inputs))]).unwrap();
    let feeds = names.iter().map(String::as_str).zip(operands);
    interpret(&graph, feeds).unwrap().output("y").unwrap().clone()
}

/// What `build` panics with over inputs of these sizes.
fn refused<const N: usize>(
    sizes: [&[usize]; N],
    op: impl for<'g> FnOnce([Expr<'g>; N]) -> Expr<'g>,
) -> String {
    let b = Builder::new();
    let inputs = std::array::from_fn(|at| b.input(&format!("x{at}"), F32, sizes[at]));
    let panic = catch_unwind(AssertUnwindSafe(|| op(inputs).ty())).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

fn draw(sizes: &[usize], choices: &mut Choices) -> Tensor {
    Tensor::from_fn(sizes, |_| choices.between(-2.0, 2.0, &[]))
}

fn close(got: &Tensor, sizes: &[usize], want: &[f64]) {
    assert_eq!(got.sizes(), sizes);
    for (got, want) in got.to_f64_vec().iter().zip(want) {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= 1e-12 * (1.0 + want.abs()), "{got} is not {want}");
    }
}

/// Every position of a tensor of these sizes, in row-major order.
fn positions(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..sizes.iter().product()).map(move |mut at: usize| {
        let mut position = vec![0; sizes.len()];
        for (coordinate, size) in position.iter_mut().zip(sizes).rev() {
            (*coordinate, at) = (at % size, at / size);
        }
        position
    })
}

/// The element at a position, and `None` outside.
fn at(tensor: &Tensor, position: &[i64]) -> Option<f64> {
    let mut place = 0;
    for (coordinate, size) in position.iter().zip(tensor.sizes()) {
        place = place * size + usize::try_from(*coordinate).ok().filter(|coordinate| coordinate < size)?;
    }
    Some(tensor.values::<f64>()[place])
}

/// A convolution that was drawn: the sizes and the options of each axis.
#[derive(Clone, Debug)]
struct Problem {
    n: usize,
    groups: usize,
    /// Channels and outputs per group.
    channels: usize,
    outputs: usize,
    sizes: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    padding: Vec<(usize, usize)>,
    seed: u64,
}

impl Problem {
    fn options(&self) -> ConvOptions {
        ConvOptions::default()
            .stride(self.stride.clone())
            .dilation(self.dilation.clone())
            .padding(self.padding.clone())
            .groups(self.groups)
    }

    fn x(&self) -> Vec<usize> {
        [self.n, self.groups * self.channels].into_iter().chain(self.sizes.clone()).collect()
    }

    fn w(&self) -> Vec<usize> {
        [self.groups * self.outputs, self.channels].into_iter().chain(self.kernel.clone()).collect()
    }

    fn y(&self) -> Vec<usize> {
        let count = |axis: usize| {
            let padded = self.sizes[axis] + self.padding[axis].0 + self.padding[axis].1;
            (padded - self.dilation[axis] * (self.kernel[axis] - 1) - 1) / self.stride[axis] + 1
        };
        [self.n, self.groups * self.outputs].into_iter().chain((0..self.sizes.len()).map(count)).collect()
    }

    /// The sum of products, for every output.
    fn slowly(&self, x: &Tensor, w: &Tensor) -> Vec<f64> {
        let y = self.y();
        positions(&y)
            .map(|y| {
                let group = y[1] / self.outputs;
                let mut sum = 0.0;
                for j in positions(&self.w()[1..]) {
                    let mut place = vec![y[0] as i64, (group * self.channels + j[0]) as i64];
                    for axis in 0..self.sizes.len() {
                        let at = y[2 + axis] * self.stride[axis] + j[1 + axis] * self.dilation[axis];
                        place.push(at as i64 - self.padding[axis].0 as i64);
                    }
                    let weight: Vec<i64> = [y[1]].iter().chain(&j).map(|at| *at as i64).collect();
                    sum += at(x, &place).unwrap_or(0.0) * at(w, &weight).unwrap();
                }
                sum
            })
            .collect()
    }
}

fn problem() -> impl Strategy<Value = Problem> {
    let axis = (1..6_usize, 1..4_usize, 1..4_usize, 1..3_usize, (0..3_usize, 0..3_usize));
    let axes = prop::collection::vec(axis, 1..=3);
    (0..3_usize, 1..3_usize, 1..3_usize, 1..3_usize, axes, any::<u64>()).prop_map(
        |(n, groups, channels, outputs, axes, seed)| Problem {
            n,
            groups,
            channels,
            outputs,
            // Large enough for the kernel.
            sizes: axes.iter().map(|axis| axis.0.max((axis.1 - 1) * axis.3 + 1)).collect(),
            kernel: axes.iter().map(|axis| axis.1).collect(),
            stride: axes.iter().map(|axis| axis.2).collect(),
            dilation: axes.iter().map(|axis| axis.3).collect(),
            padding: axes.iter().map(|axis| axis.4).collect(),
            seed,
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn convolutions_are_sums_of_products(problem in problem()) {
        let mut choices = Choices::seeded(problem.seed);
        let (x, w) = (draw(&problem.x(), &mut choices), draw(&problem.w(), &mut choices));
        let y = of([&x, &w], |[x, w]| x.conv(w, &problem.options()));
        close(&y, &problem.y(), &problem.slowly(&x, &w));
    }

    #[test]
    fn a_transposed_convolution_is_the_adjoint_of_the_convolution(problem in problem()) {
        let mut choices = Choices::seeded(problem.seed);
        let (x, w, y) =
            (draw(&problem.x(), &mut choices), draw(&problem.w(), &mut choices), draw(&problem.y(), &mut choices));
        let forth = of([&x, &w], |[x, w]| x.conv(w, &problem.options()));
        // What the windows leave out at the end.
        let left: Vec<usize> = (0..problem.sizes.len())
            .map(|axis| {
                let padded = problem.sizes[axis] + problem.padding[axis].0 + problem.padding[axis].1;
                (padded - problem.dilation[axis] * (problem.kernel[axis] - 1) - 1) % problem.stride[axis]
            })
            .collect();
        let options = ConvTransposeOptions::default()
            .stride(problem.stride.clone())
            .dilation(problem.dilation.clone())
            .padding(problem.padding.clone())
            .output_padding(left)
            .groups(problem.groups);
        let back = of([&y, &w], |[y, w]| y.conv_transpose(w, &options));
        prop_assert_eq!(back.sizes(), x.sizes());
        let dot = |a: &Tensor, b: &Tensor| -> f64 {
            a.to_f64_vec().iter().zip(b.to_f64_vec()).map(|(a, b)| a * b).sum()
        };
        let (left, right) = (dot(&forth, &y), dot(&x, &back));
        prop_assert!((left - right).abs() < 1e-9 * (1.0 + left.abs()), "{left} is not {right}");
    }
}

#[test]
fn windows_and_their_sums_by_hand() {
    let x = Tensor::vector([1.0, 2.0, 3.0, 4.0, 5.0]);
    let window = Window { size: 2, stride: 2, dilation: 2, before: 1, after: 1 };
    // Windows start at -1, 1 and 3, and their second places are two further.
    let windows = of([&x], |[x]| x.unfold(&[window]));
    close(&windows, &[2, 3], &[0.0, 2.0, 4.0, 2.0, 4.0, 0.0]);
    close(&of([&windows], |[x]| x.fold(&[window], [5])), &[5], &[0.0, 4.0, 0.0, 8.0, 0.0]);
    // No window at all is no movement.
    close(&of([&x], |[x]| x.unfold(&[])), &[5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    // Whole numbers and truth values have windows, too; what is not there is false.
    let truth =
        of([&Tensor::vector([true, true])], |[x]| x.unfold(&[Window { size: 2, after: 1, ..Window::UNIT }]));
    assert_eq!(truth, Tensor::of([2, 2], [true, true, true, false]));
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let window = |size, stride| Window { size, stride, ..Window::UNIT };
    for (windows, constraint) in [
        (vec![Window::UNIT; 3], "(C2)"),
        (vec![window(0, 1)], "(C3)"),
        (vec![window(1, 0)], "(C3)"),
        (vec![Window { dilation: 0, ..window(1, 1) }], "(C3)"),
        (vec![window(6, 1)], "(C4)"),
        (vec![window(usize::MAX, 1)], "(C4)"),
        (vec![Window { dilation: usize::MAX, ..window(3, 1) }], "(C3)"),
        (vec![Window { before: usize::MAX, after: 1, ..window(1, 1) }], "(C4)"),
    ] {
        let message = refused([&[4, 5]], |[x]| x.unfold(&windows));
        assert!(message.contains(constraint), "{windows:?}: {message}");
    }
    assert!(refused([&[2, 4]], |[x]| x.fold(&[window(2, 1)], [6])).contains("(C6)"));
    assert!(refused([&[2]], |[x]| x.fold(&[window(2, 1)], [6])).contains("(C6)"));
    assert!(refused([&[2, 5]], |[x]| x.fold(&[window(2, 1)], [6, 6])).contains("(C2)"));
}

#[test]
fn convolutions_that_do_not_fit_are_refused() {
    let plain = ConvOptions::default();
    let refused =
        |x: &[usize], w: &[usize], options: &ConvOptions| refused([x, w], |[x, w]| x.conv(w, options));
    assert!(refused(&[1, 2, 3, 3], &[1, 2, 4, 1], &plain).contains("do not fit an axis of size 3"));
    assert!(refused(&[1, 2, 3, 3], &[1, 3, 2, 2], &plain).contains("channels"));
    assert!(refused(&[1, 4, 3, 3], &[3, 2, 2, 2], &plain.clone().groups(2)).contains("in 2 groups"));
    assert!(refused(&[1, 4, 3, 3], &[3, 2, 2, 2], &plain.clone().groups(0)).contains("in 0 groups"));
    assert!(refused(&[3, 3], &[1, 2, 2, 2], &plain).contains("(C2)"));
    assert!(refused(&[1, 2, 3, 3], &[2, 2], &plain).contains("(C2)"));
    assert!(
        refused(&[1, 2, 3, 3], &[1, 2, 2, 2], &plain.clone().stride([1, 1, 1]))
            .contains("for each of 2 axes")
    );
    assert!(refused(&[1, 2, 3, 3], &[1, 2, 2, 2], &plain.stride(0)).contains("(C3)"));
}

#[test]
fn same_padding_gives_a_window_per_stride() {
    for (size, kernel, stride, dilation) in
        [(5, 3, 1, 1), (5, 3, 2, 1), (6, 4, 3, 2), (4, 1, 2, 1), (3, 5, 1, 1)]
    {
        let options = ConvOptions::default().same().stride(stride).dilation(dilation);
        let y = of([&Tensor::full(&[1, 1, size], 1.0), &Tensor::full(&[1, 1, kernel], 1.0)], |[x, w]| {
            x.conv(w, &options)
        });
        assert_eq!(y.sizes(), [1, 1, size.div_ceil(stride)], "{size} {kernel} {stride} {dilation}");
    }
    // An odd place of padding comes after.
    let (x, w) = (Tensor::of([1, 1, 3], [1.0, 2.0, 3.0]), Tensor::of([1, 1, 2], [1.0, 10.0]));
    close(&of([&x, &w], |[x, w]| x.conv(w, &ConvOptions::default().same())), &[1, 1, 3], &[21.0, 32.0, 3.0]);
}

#[test]
fn an_output_padding_beyond_the_padding_is_zeros() {
    let (x, w) = (Tensor::of([1, 1, 2], [1.0, 2.0]), Tensor::of([1, 1, 2], [1.0, 10.0]));
    let options = ConvTransposeOptions::default().stride(3).output_padding(1);
    close(
        &of([&x, &w], |[x, w]| x.conv_transpose(w, &options)),
        &[1, 1, 6],
        &[1.0, 10.0, 0.0, 2.0, 20.0, 0.0],
    );
    // With padding, it is what the padding would have cut off.
    let options = options.padding([(0, 1)]);
    close(&of([&x, &w], |[x, w]| x.conv_transpose(w, &options)), &[1, 1, 5], &[1.0, 10.0, 0.0, 2.0, 20.0]);
}

#[test]
fn sizes_that_are_not_known_pass_where_windows_leave_no_remainder() {
    let b = Builder::new();
    let x = b.input("x", F64, [sym("batch"), 4.into(), sym("rows"), sym("columns")]);
    let w = b.input("w", F64, [4, 2, 3, 2]);
    let wide = x.conv_transpose(w, &ConvTransposeOptions::default().padding([1, 0]).stride([1, 2]));
    assert_eq!(wide.ty().to_string(), "f64[batch, 2, rows, 2*columns]");
    let back = wide.conv(w, &ConvOptions::default().padding([1, 0]).stride([1, 2]));
    assert_eq!(back.ty(), x.ty());
    let graph = b.finish([("back", back)]).unwrap();
    let mut choices = Choices::seeded(3);
    let (x, w) = (draw(&[2, 4, 3, 2], &mut choices), draw(&[4, 2, 3, 2], &mut choices));
    assert_eq!(interpret(&graph, [("x", &x), ("w", &w)]).unwrap().output("back").unwrap().sizes(), x.sizes());
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [1.into(), 1.into(), sym("n")]), b.input("w", F64, [1, 1, 1]));
    let refused = catch_unwind(AssertUnwindSafe(|| x.conv(w, &ConvOptions::default().stride(2)).ty()));
    assert!(refused.unwrap_err().downcast_ref::<String>().unwrap().contains("needs a known size"));
}
