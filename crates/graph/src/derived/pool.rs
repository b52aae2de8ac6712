//! Pools: the largest element or the mean of each window.

use std::panic::Location;

use crate::builder::Builder;
use crate::derived::sliding::{PerAxis, Sides};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{Iota, Window};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How the windows of a pool slide. Made with [`PoolOptions::new`] and changed by the methods of the same name.
///
/// ```
/// use pullback_graph::PoolOptions;
/// let options = PoolOptions::new([3, 3]).stride(2).padding(1);
/// assert_eq!(options.kernel, [3, 3]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// The sizes of a window, one per axis; these are the last axes.
    pub kernel: Vec<usize>,
    /// The distance of neighbouring windows; `None`: windows lie side by side.
    pub stride: Option<PerAxis>,
    /// Places around the axes that are no elements.
    pub padding: Sides,
    /// The distance of the places of a window.
    pub dilation: PerAxis,
    /// Whether a window that reaches beyond the padding at the end counts, if it starts before that.
    pub ceil_mode: bool,
    /// Whether means count places of padding, as zeros.
    pub count_include_pad: bool,
}

impl PoolOptions {
    /// Windows of these sizes side by side, without padding.
    #[must_use]
    pub fn new(kernel: impl Into<Vec<usize>>) -> Self {
        PoolOptions {
            kernel: kernel.into(),
            stride: None,
            padding: 0.into(),
            dilation: 1.into(),
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// See [`PoolOptions::stride`](field@PoolOptions::stride).
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> Self {
        PoolOptions { stride: Some(stride.into()), ..self }
    }

    /// See [`PoolOptions::padding`](field@PoolOptions::padding): a number or one per axis for both sides, or a pair of
    /// numbers per axis.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        PoolOptions { padding: padding.into(), ..self }
    }

    /// See [`PoolOptions::dilation`](field@PoolOptions::dilation).
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Self {
        PoolOptions { dilation: dilation.into(), ..self }
    }

    /// See [`PoolOptions::ceil_mode`](field@PoolOptions::ceil_mode).
    #[must_use]
    pub fn ceil_mode(self, ceil_mode: bool) -> Self {
        PoolOptions { ceil_mode, ..self }
    }

    /// See [`PoolOptions::count_include_pad`](field@PoolOptions::count_include_pad).
    #[must_use]
    pub fn count_include_pad(self, count_include_pad: bool) -> Self {
        PoolOptions { count_include_pad, ..self }
    }

    /// The windows as they were asked for, without the places that [`ceil_mode`](PoolOptions::ceil_mode) adds.
    fn windows(&self) -> Result<Vec<Window>, Violation> {
        let axes = self.kernel.len();
        let stride = match &self.stride {
            Some(stride) => stride.of("stride", axes)?,
            None => self.kernel.clone(),
        };
        let (padding, dilation) = (self.padding.of("padding", axes)?, self.dilation.of("dilation", axes)?);
        let window = |axis: usize| Window {
            size: self.kernel[axis],
            stride: stride[axis],
            dilation: dilation[axis],
            before: padding[axis].0,
            after: padding[axis].1,
        };
        Ok((0..axes).map(window).collect())
    }
}

/// An axis of known size that windows slide over.
struct Axis {
    size: usize,
    /// The window, with so much padding after the axis that the last one ends in it.
    window: Window,
    /// The padding after the axis that was asked for.
    after: usize,
    count: usize,
}

impl Axis {
    /// The axis with as many windows as there are; with `ceil_mode` a rest at the end makes one more, unless it would start
    /// in the padding at the end (PyTorch's rule).
    fn new(size: usize, window: Window, ceil_mode: bool) -> Result<Axis, Violation> {
        let after = window.after;
        let mut window = window;
        let mut count = window.count(&Dim::Known(size))?.known().unwrap_or_default();
        if ceil_mode {
            let (end, span) = (window.before + size, window.span().unwrap_or_default());
            count = (end + after - span).div_ceil(window.stride) + 1;
            if count > 1 && (count - 1) * window.stride >= end {
                count -= 1;
            }
            window.after = ((count - 1) * window.stride + span).saturating_sub(end);
        }
        Ok(Axis { size, window, after, count })
    }

    /// How many places of each window lie on the axis, or on it and its padding.
    fn places(&self, with_padding: bool) -> Vec<usize> {
        let (low, high) = match with_padding {
            true => (0, self.window.before + self.size + self.after),
            false => (self.window.before, self.window.before + self.size),
        };
        let place = |at: usize, offset: usize| at * self.window.stride + offset * self.window.dilation;
        let inside = |at: usize| {
            (0..self.window.size).filter(|offset| (low..high).contains(&place(at, *offset))).count()
        };
        (0..self.count).map(inside).collect()
    }
}

/// How far place `place` of a window is from its first: so much for each step along the last axis, and what a step along
/// another takes beyond that.
fn distance<'g>(place: Expr<'g>, axes: &[Axis]) -> Expr<'g> {
    let Some((last, outer)) = axes.split_last() else { return place };
    let (step, row) = (last.window.dilation, last.window.size);
    let rows: usize = outer.iter().map(|axis| axis.window.size).product();
    let start = |mut row: usize| {
        let (mut start, mut pitch) = (0, last.size);
        for axis in outer.iter().rev() {
            start += row % axis.window.size * axis.window.dilation * pitch;
            row /= axis.window.size;
            pitch *= axis.size;
        }
        start
    };
    (1..rows).fold(place * step as i64, |distance, at| {
        let beyond = start(at) as i64 - (start(at - 1) + row * step) as i64;
        distance + place.ge((at * row) as i64).select(place.full_like(beyond as f64), 0.0)
    })
}

/// Where the first place of each window is in row-major order, less than 0 if it is in the padding before the first element.
fn starts<'g>(b: &'g Builder, axes: &[Axis]) -> Expr<'g> {
    let (mut starts, mut pitch) = (b.full(DType::I64, (), 0.0), 1);
    for (inner, axis) in axes.iter().rev().enumerate() {
        let (step, before) = (axis.window.stride * pitch, axis.window.before * pitch);
        let along = b.leaf(Iota { shape: [axis.count].into(), axis: 0 }) * step as i64 - before as i64;
        let ones = (0..inner).map(|_| Dim::Known(1));
        starts = along.reshape([Dim::Known(axis.count)].into_iter().chain(ones).collect::<Shape>()) + starts;
        pitch *= axis.size;
    }
    starts
}

impl<'g> Expr<'g> {
    /// The largest element of each window of the last axes, NaN if there is one. Padding is never the largest, and no window
    /// may hold nothing else. The gradient goes to the first of equal elements, in row-major order.
    ///
    /// # Panics
    /// When the sizes of these axes are not known, a window does not fit, or the elements are not floats.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, PoolOptions};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [8, 3, 28, 28]);
    /// assert_eq!(x.max_pool(&PoolOptions::new([2, 2])).ty().to_string(), "f32[8, 3, 14, 14]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_pool(self, options: &PoolOptions) -> Expr<'g> {
        self.builder().derived("max_pool", Location::caller(), || {
            let (b, axes) = (self.builder(), self.pool_axes("max_pool", options));
            self.refuse_empty_windows("max_pool", axes.iter().map(|axis| axis.places(false)));
            let windows: Vec<Window> = axes.iter().map(|axis| axis.window).collect();
            let own = self.shape();
            let (lead, sizes) = own.split_at(own.rank() - axes.len());
            let places: usize = options.kernel.iter().product();
            let count: usize = axes.iter().map(|axis| axis.count).product();
            // Windows of `[…, sizes…]` as `[…, places, windows]`.
            let unfold = |expr: Expr<'g>, windows: &[Window]| {
                let lead = expr.shape()[..expr.rank() - axes.len()].to_vec();
                let flat = lead.into_iter().chain([places.into(), count.into()]);
                expr.unfold(windows).reshape(flat.collect::<Shape>())
            };
            let chosen = if windows.iter().any(|window| window.before + window.after > 0) {
                let pads = windows.iter().map(|window| (window.before, window.after));
                let padded = self.pad(lead.iter().map(|_| (0, 0)).chain(pads), f64::NEG_INFINITY);
                let inside: Vec<Window> =
                    windows.iter().map(|window| Window { before: 0, after: 0, ..*window }).collect();
                // Padding comes out first only where all elements are -∞ as well: the first of those stands for it.
                let real = unfold(b.full(DType::Bool, sizes.to_vec(), 1.0), &windows);
                unfold(padded, &inside).argmax(-2).maximum(real.cast(DType::I64).argmax(0))
            } else {
                unfold(self, &windows).argmax(-2)
            };
            // How far the chosen place is from the first of its window, and where that is, if only in the padding.
            let chosen = distance(chosen, &axes) + starts(b, &axes).reshape([count]);
            let counts = axes.iter().map(|axis| Dim::Known(axis.count));
            let result: Shape = lead.iter().cloned().chain(counts).collect();
            self.flatten(lead.len()).gather_along(chosen, -1).reshape(result)
        })
    }

    /// The mean of each window of the last axes. Padding counts as zeros, or not at all without
    /// [`count_include_pad`](field@PoolOptions::count_include_pad); what a window has beyond the padding never counts.
    ///
    /// # Panics
    /// When the sizes of these axes are not known, a window does not fit or holds nothing that counts, or the elements are not
    /// floats.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, PoolOptions};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [8, 3, 5, 5]);
    /// let y = x.avg_pool(&PoolOptions::new([2, 2]).ceil_mode(true));
    /// assert_eq!(y.ty().to_string(), "f32[8, 3, 3, 3]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn avg_pool(self, options: &PoolOptions) -> Expr<'g> {
        self.builder().derived("avg_pool", Location::caller(), || {
            let axes = self.pool_axes("avg_pool", options);
            let counts: Vec<Vec<usize>> =
                axes.iter().map(|axis| axis.places(options.count_include_pad)).collect();
            self.refuse_empty_windows("avg_pool", counts.iter().cloned());
            let windows: Vec<Window> = axes.iter().map(|axis| axis.window).collect();
            let lead = self.rank() - axes.len();
            let sums = self.unfold(&windows).sum_over((lead..lead + axes.len()).collect::<Vec<usize>>());
            if counts.iter().all(|counts| counts.iter().all(|count| *count == counts[0])) {
                return sums / counts.iter().map(|counts| counts[0] as f64).product::<f64>();
            }
            let divisors = counts.iter().enumerate().map(|(at, counts)| {
                let numbers = Tensor::from_fn(&[counts.len()], |at| counts[at] as f64).cast(self.dtype());
                let ones = vec![1; axes.len() - 1 - at];
                self.builder().constant(numbers).reshape([vec![counts.len()], ones].concat())
            });
            let divisor = divisors.reduce(|product, divisor| product * divisor);
            divisor.map_or(sums, |divisor| sums / divisor)
        })
    }

    /// The axes that a pool slides over.
    #[track_caller]
    fn pool_axes(self, op: &str, options: &PoolOptions) -> Vec<Axis> {
        let sizes = self.pooled_sizes(op, options.kernel.len());
        let axes = options.windows().and_then(|windows| {
            let axis = |(size, window): (&usize, Window)| Axis::new(*size, window, options.ceil_mode);
            sizes.iter().zip(windows).map(axis).collect::<Result<Vec<Axis>, Violation>>()
        });
        self.or_refuse(op, axes, &[])
    }

    /// The sizes of the last axes of a tensor of floats.
    #[track_caller]
    pub(super) fn pooled_sizes(self, op: &str, count: usize) -> Vec<usize> {
        if !self.dtype().is_float() {
            let message = format!("takes floating-point elements, got {}", self.ty());
            self.refuse(op, Violation::new("C3", message).help("convert with `cast`"), &[]);
        }
        self.last_sizes(op, count)
    }

    #[track_caller]
    fn refuse_empty_windows(self, op: &str, counts: impl IntoIterator<Item = Vec<usize>>) {
        if counts.into_iter().flatten().any(|count| count == 0) {
            let message = format!("a window of {} holds nothing but padding", self.ty());
            self.refuse(op, Violation::new("C4", message), &[]);
        }
    }
}
