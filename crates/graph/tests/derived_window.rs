//! Windows, convolutions, pools and resizing against nests of loops.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use pullback_graph::DType::{F32, F64};
use pullback_graph::op::{Choices, Window};
use pullback_graph::{Builder, ConvOptions, ConvTransposeOptions, Expr, PoolOptions, Tensor, interpret, sym};

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
    assert!(refused(&[1, 2, 3, 3], &[1, 3, 2, 2], &plain).contains("channels on axis 1"));
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

/// A pool that was drawn: the sizes and the options of each axis.
#[derive(Clone, Debug)]
struct PoolProblem {
    lead: Vec<usize>,
    sizes: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    padding: Vec<(usize, usize)>,
    ceil_mode: bool,
    count_include_pad: bool,
    seed: u64,
}

/// A window: per axis, the places that it has beyond the start of the axis.
type Places = Vec<Vec<i64>>;

impl PoolProblem {
    fn options(&self) -> PoolOptions {
        PoolOptions::new(self.kernel.clone())
            .stride(self.stride.clone())
            .dilation(self.dilation.clone())
            .padding(self.padding.clone())
            .ceil_mode(self.ceil_mode)
            .count_include_pad(self.count_include_pad)
    }

    fn x(&self) -> Vec<usize> {
        [self.lead.clone(), self.sizes.clone()].concat()
    }

    /// Every window along one axis, up to the last that starts where it may.
    fn windows(&self, axis: usize) -> Vec<Vec<i64>> {
        let (size, (before, after)) = (self.sizes[axis] as i64, self.padding[axis]);
        let (stride, dilation) = (self.stride[axis] as i64, self.dilation[axis] as i64);
        let last = dilation * (self.kernel[axis] as i64 - 1);
        let mut windows = Vec::new();
        let mut start = -(before as i64);
        loop {
            let fits = start + last < size + after as i64;
            // A rest makes one more window, which starts on the axis.
            let rest = self.ceil_mode && start < size && start - stride + last + 1 < size + after as i64;
            if !(fits || rest) || self.ceil_mode && start >= size {
                return windows;
            }
            windows.push((0..self.kernel[axis] as i64).map(|at| start + at * dilation).collect());
            start += stride;
        }
    }

    /// `combine` of the places of every window.
    fn slowly(&self, combine: impl Fn(&[usize], &Places) -> f64) -> (Vec<usize>, Vec<f64>) {
        let windows: Vec<Vec<Vec<i64>>> = (0..self.sizes.len()).map(|axis| self.windows(axis)).collect();
        let y: Vec<usize> = self.lead.iter().copied().chain(windows.iter().map(Vec::len)).collect();
        let values = positions(&y).map(|position| {
            let (lead, window) = position.split_at(self.lead.len());
            combine(lead, &window.iter().zip(&windows).map(|(at, windows)| windows[*at].clone()).collect())
        });
        (y.clone(), values.collect())
    }

    /// The elements at the places of a window that are on all axes.
    fn elements(&self, x: &Tensor, lead: &[usize], places: &Places) -> Vec<f64> {
        let sizes: Vec<usize> = places.iter().map(Vec::len).collect();
        let lead: Vec<i64> = lead.iter().map(|at| *at as i64).collect();
        let place = |offsets: Vec<usize>| -> Vec<i64> {
            lead.iter().copied().chain(offsets.iter().zip(places).map(|(at, places)| places[*at])).collect()
        };
        positions(&sizes).filter_map(|offsets| at(x, &place(offsets))).collect()
    }

    /// How many places of a window a mean counts.
    fn counted(&self, places: &Places) -> usize {
        let counts = places.iter().enumerate().map(|(axis, places)| {
            let (before, after) = if self.count_include_pad { self.padding[axis] } else { (0, 0) };
            let counted = -(before as i64)..(self.sizes[axis] + after) as i64;
            places.iter().filter(|place| counted.contains(place)).count()
        });
        counts.product()
    }
}

fn pool_problem() -> impl Strategy<Value = PoolProblem> {
    let axis = (1..7_usize, 1..4_usize, 1..4_usize, 1..3_usize, (0..2_usize, 0..2_usize));
    let axes = prop::collection::vec(axis, 1..=3);
    let lead = prop::collection::vec(0..3_usize, 0..=2);
    (lead, axes, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |(lead, axes, ceil_mode, count_include_pad, seed)| PoolProblem {
            lead,
            // Large enough for every window to have an element.
            sizes: axes.iter().map(|axis| axis.0.max((axis.1 - 1) * axis.3 + 1).max(axis.3)).collect(),
            kernel: axes.iter().map(|axis| axis.1).collect(),
            stride: axes.iter().map(|axis| axis.2).collect(),
            dilation: axes.iter().map(|axis| axis.3).collect(),
            // No more than half of a window.
            padding: axes.iter().map(|axis| (axis.4.0.min(axis.1 / 2), axis.4.1.min(axis.1 / 2))).collect(),
            ceil_mode,
            count_include_pad,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pools_are_the_largest_and_the_mean_of_each_window(problem in pool_problem()) {
        let x = draw(&problem.x(), &mut Choices::seeded(problem.seed));
        let largest = |elements: Vec<f64>| elements.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let (sizes, want) = problem.slowly(|lead, places| largest(problem.elements(&x, lead, places)));
        close(&of([&x], |[x]| x.max_pool(&problem.options())), &sizes, &want);
        let mean = |elements: Vec<f64>, places: &Places| elements.iter().sum::<f64>() / problem.counted(places) as f64;
        let (sizes, want) = problem.slowly(|lead, places| mean(problem.elements(&x, lead, places), places));
        close(&of([&x], |[x]| x.avg_pool(&problem.options())), &sizes, &want);
    }
}

#[test]
fn padding_is_never_the_largest() {
    const INF: f64 = f64::INFINITY;
    let options = PoolOptions::new([2]).stride(1).padding(1);
    let x = Tensor::vector([-INF, -INF, -3.0, f64::NAN]);
    close(&of([&x], |[x]| x.max_pool(&options)), &[5], &[-INF, -INF, -3.0, f64::NAN, f64::NAN]);
    // Windows of nothing but padding have no largest element, and no mean unless padding counts.
    let wide = PoolOptions::new([2]).stride(1).padding(2);
    for options in [wide.clone(), wide.clone().ceil_mode(true)] {
        assert!(refused([&[4]], |[x]| x.max_pool(&options)).contains("nothing but padding"));
        assert!(
            refused([&[4]], |[x]| x.avg_pool(&options.count_include_pad(false)))
                .contains("nothing but padding")
        );
    }
    close(&of([&Tensor::vector([2.0])], |[x]| x.avg_pool(&wide)), &[4], &[0.0, 1.0, 1.0, 0.0]);
    assert!(refused([&[4]], |[x]| x.max_pool(&PoolOptions::new([5]))).contains("(C4)"));
    assert!(refused([&[4]], |[x]| x.max_pool(&PoolOptions::new([2, 2]))).contains("(C2)"));
}

#[test]
fn a_mean_over_the_end_counts_what_there_is() {
    let x = Tensor::vector([1.0, 2.0, 3.0, 4.0, 5.0]);
    let options = PoolOptions::new([2]).ceil_mode(true);
    close(&of([&x], |[x]| x.avg_pool(&options)), &[3], &[1.5, 3.5, 5.0]);
    // Padding counts, what is beyond it does not.
    let options = PoolOptions::new([4]).stride(3).padding(1).ceil_mode(true);
    close(&of([&x], |[x]| x.avg_pool(&options)), &[2], &[1.5, 3.0]);
    close(&of([&x], |[x]| x.avg_pool(&options.clone().count_include_pad(false))), &[2], &[2.0, 4.0]);
    let x = Tensor::vector([1.0, 2.0, 3.0, 4.0]);
    close(&of([&x], |[x]| x.avg_pool(&options)), &[2], &[1.5, 7.0 / 3.0]);
}

#[test]
fn adaptive_pools_cover_the_axes() {
    let mut choices = Choices::seeded(1);
    for (own, count) in [(5, 2), (7, 3), (6, 3), (4, 4), (3, 5), (1, 2), (7, 1)] {
        let x = draw(&[2, own, 3], &mut choices);
        let windows: Vec<std::ops::Range<usize>> =
            (0..count).map(|at| at * own / count..((at + 1) * own).div_ceil(count)).collect();
        let elements = |n: usize, window: usize, pair: usize| -> Vec<f64> {
            let columns = [0..2, 1..3][pair].clone();
            let places =
                windows[window].clone().flat_map(|row| columns.clone().map(move |column| (row, column)));
            places.map(|(row, column)| x.values::<f64>()[(n * own + row) * 3 + column]).collect()
        };
        let all = |combine: fn(Vec<f64>) -> f64| -> Vec<f64> {
            positions(&[2, count, 2]).map(|at| combine(elements(at[0], at[1], at[2]))).collect()
        };
        let mean = all(|elements| elements.iter().sum::<f64>() / elements.len() as f64);
        close(&of([&x], |[x]| x.adaptive_avg_pool(&[count, 2])), &[2, count, 2], &mean);
        let largest = all(|elements| elements.into_iter().fold(f64::NEG_INFINITY, f64::max));
        close(&of([&x], |[x]| x.adaptive_max_pool(&[count, 2])), &[2, count, 2], &largest);
    }
    // What is in another window does not matter, whatever it is.
    let x = Tensor::vector([1.0, 2.0, 3.0, f64::INFINITY, f64::NAN]);
    close(&of([&x], |[x]| x.adaptive_avg_pool(&[3])), &[3], &[1.5, f64::INFINITY, f64::NAN]);
    assert!(refused([&[3]], |[x]| x.adaptive_avg_pool(&[0])).contains("(C4)"));
    assert!(refused([&[3]], |[x]| x.adaptive_max_pool(&[1, 1])).contains("(C2)"));
    // All elements.
    let x = draw(&[2, 3, 2, 2], &mut choices);
    let values = x.values::<f64>();
    let of_four = |combine: fn(&[f64]) -> f64| values.chunks(4).map(combine).collect::<Vec<f64>>();
    close(&of([&x], |[x]| x.global_avg_pool()), &[2, 3], &of_four(|four| four.iter().sum::<f64>() / 4.0));
    let largest = of_four(|four| four.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    close(&of([&x], |[x]| x.global_max_pool()), &[2, 3], &largest);
}

#[test]
fn resizing_repeats_and_interpolates() {
    let x = Tensor::of([1, 2, 2], [1.0, 2.0, 3.0, 4.0]);
    let repeated = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0];
    close(&of([&x], |[x]| x.resize_nearest(&[1, 3])), &[1, 2, 6], &repeated);
    close(&of([&x], |[x]| x.resize_nearest(&[])), &[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let row = Tensor::vector([0.0, 10.0, 20.0]);
    close(&of([&row], |[x]| x.resize_nearest_to(&[5])), &[5], &[0.0, 0.0, 10.0, 10.0, 20.0]);
    close(&of([&row], |[x]| x.resize_nearest_to(&[2])), &[2], &[0.0, 10.0]);
    close(&of([&row], |[x]| x.resize_linear(&[5], true)), &[5], &[0.0, 5.0, 10.0, 15.0, 20.0]);
    // Middles of fifths of the axis: at 3/5 (i + 1/2) - 1/2.
    close(&of([&row], |[x]| x.resize_linear(&[5], false)), &[5], &[0.0, 4.0, 10.0, 16.0, 20.0]);
    close(&of([&row], |[x]| x.resize_linear(&[2], false)), &[2], &[2.5, 17.5]);
    close(&of([&row], |[x]| x.resize_linear(&[1], true)), &[1], &[0.0]);
    close(&of([&row], |[x]| x.resize_linear(&[1], false)), &[1], &[10.0]);
    close(&of([&Tensor::vector([7.0])], |[x]| x.resize_linear(&[3], true)), &[3], &[7.0, 7.0, 7.0]);
    let square = of([&x], |[x]| x.resize_bilinear([3, 3], true));
    close(&square, &[1, 3, 3], &[1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0, 3.5, 4.0]);
    // An element that is met does not see its infinite neighbour.
    let wild = Tensor::vector([1.0, f64::INFINITY, 3.0]);
    close(
        &of([&wild], |[x]| x.resize_linear(&[5], true)),
        &[5],
        &[1.0, f64::INFINITY, f64::INFINITY, f64::INFINITY, 3.0],
    );
    assert!(refused([&[0]], |[x]| x.resize_linear(&[2], true)).contains("(C4)"));
    assert!(refused([&[2]], |[x]| x.resize_bilinear([2, 2], true)).contains("(C2)"));
}

#[test]
fn columns_and_squares_by_hand() {
    let x = Tensor::from_fn(&[1, 2, 2, 3], |at| at as f64);
    let options = ConvOptions::default();
    let columns = of([&x], |[x]| x.im2col(&[2, 2], &options));
    let want = [0., 1., 1., 2., 3., 4., 4., 5., 6., 7., 7., 8., 9., 10., 10., 11.];
    close(&columns, &[1, 8, 2], &want);
    let back = of([&columns], |[x]| x.col2im(&[2, 3], &[2, 2], &options));
    close(&back, &[1, 2, 2, 3], &[0., 2., 2., 3., 8., 5., 6., 14., 8., 9., 20., 11.]);
    assert!(refused([&[1, 7, 2]], |[x]| x.col2im(&[2, 3], &[2, 2], &options)).contains("(C2)"));
    let x = Tensor::from_fn(&[1, 4, 1, 2], |at| at as f64);
    let shuffled = of([&x], |[x]| x.pixel_shuffle(2));
    close(&shuffled, &[1, 1, 2, 4], &[0., 2., 1., 3., 4., 6., 5., 7.]);
    assert_eq!(of([&shuffled], |[x]| x.pixel_unshuffle(2)), x);
    assert!(refused([&[1, 6, 1, 2]], |[x]| x.pixel_shuffle(2)).contains("(C3)"));
    assert!(refused([&[1, 6, 3, 2]], |[x]| x.pixel_unshuffle(2)).contains("(C3)"));
}

#[test]
fn channels_are_normalized_by_their_neighbours() {
    let x = Tensor::of([1, 4, 1], [1.0, 2.0, 3.0, 4.0]);
    let norm = |x: f64, sum: f64, size: f64| x / (2.0 + 0.5 / size * sum).powf(0.75);
    let got = of([&x], |[x]| x.local_response_norm(2, 0.5, 0.75, 2.0));
    close(
        &got,
        &[1, 4, 1],
        &[norm(1.0, 1.0, 2.0), norm(2.0, 5.0, 2.0), norm(3.0, 13.0, 2.0), norm(4.0, 25.0, 2.0)],
    );
    let got = of([&x], |[x]| x.local_response_norm(3, 0.5, 0.75, 2.0));
    close(
        &got,
        &[1, 4, 1],
        &[norm(1.0, 5.0, 3.0), norm(2.0, 14.0, 3.0), norm(3.0, 29.0, 3.0), norm(4.0, 25.0, 3.0)],
    );
}
