//! Convolutions: windows times a kernel, and its adjoint.
//!
//! Leading axes and groups are batch axes of the product, so that its result has the axes in their places and nothing is
//! transposed, neither here nor in the gradients.

use std::panic::Location;

use crate::derived::sliding::{PerAxis, Sides, known_sizes};
use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{DotGeneral, Window};
use crate::shape::Shape;

/// How a convolution slides. Made with [`ConvOptions::default`] (stride 1, no padding, one group) and changed by the
/// methods of the same name. A number stands for all axes, a list has one per axis.
///
/// ```
/// use pullback_graph::ConvOptions;
/// let options = ConvOptions::default().stride([2, 1]).padding(1);
/// assert_eq!(options.groups, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvOptions {
    /// The distance of neighbouring windows.
    pub stride: PerAxis,
    /// The zeros around the input.
    pub padding: Padding,
    /// The distance of the places of a window.
    pub dilation: PerAxis,
    /// How many parts the channels are in: each part of the output sees one part of the input.
    pub groups: usize,
}

/// How a transposed convolution slides: the options of the convolution that it is the adjoint of. Made with
/// [`ConvTransposeOptions::default`] and changed by the methods of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvTransposeOptions {
    /// The distance of neighbouring windows in the output.
    pub stride: PerAxis,
    /// What is cut off around the output.
    pub padding: Sides,
    /// What the output has more at its end: places that windows with a stride leave out.
    pub output_padding: PerAxis,
    /// The distance of the places of a window.
    pub dilation: PerAxis,
    /// How many parts the channels are in.
    pub groups: usize,
}

/// The zeros around the input of a convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So many on each side.
    Sides(Sides),
    /// As many as it takes for `⌈size / stride⌉` windows, an odd one at the end.
    Same,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: 1.into(), padding: Padding::Sides(0.into()), dilation: 1.into(), groups: 1 }
    }
}

impl Default for ConvTransposeOptions {
    fn default() -> Self {
        ConvTransposeOptions {
            stride: 1.into(),
            padding: 0.into(),
            output_padding: 0.into(),
            dilation: 1.into(),
            groups: 1,
        }
    }
}

impl ConvOptions {
    /// See [`ConvOptions::stride`](field@ConvOptions::stride).
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> Self {
        ConvOptions { stride: stride.into(), ..self }
    }

    /// See [`ConvOptions::padding`](field@ConvOptions::padding): a number or one per axis for both sides, or a pair of
    /// numbers per axis.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        ConvOptions { padding: Padding::Sides(padding.into()), ..self }
    }

    /// See [`Padding::Same`].
    #[must_use]
    pub fn same(self) -> Self {
        ConvOptions { padding: Padding::Same, ..self }
    }

    /// See [`ConvOptions::dilation`](field@ConvOptions::dilation).
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Self {
        ConvOptions { dilation: dilation.into(), ..self }
    }

    /// See [`ConvOptions::groups`](field@ConvOptions::groups).
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        ConvOptions { groups, ..self }
    }

    /// The windows of a kernel of these sizes over axes of these sizes.
    pub(crate) fn windows(&self, kernel: &[usize], sizes: &[Dim]) -> Result<Vec<Window>, Violation> {
        let axes = kernel.len();
        let (stride, dilation) = (self.stride.of("stride", axes)?, self.dilation.of("dilation", axes)?);
        let mut windows: Vec<Window> = (0..axes)
            .map(|axis| Window {
                size: kernel[axis],
                stride: stride[axis],
                dilation: dilation[axis],
                ..Window::UNIT
            })
            .collect();
        match &self.padding {
            Padding::Sides(sides) => {
                for (window, (before, after)) in windows.iter_mut().zip(sides.of("padding", axes)?) {
                    (window.before, window.after) = (before, after);
                }
            }
            Padding::Same => {
                for (window, size) in windows.iter_mut().zip(sizes) {
                    let padding = same(window, size)?;
                    (window.before, window.after) = (padding / 2, padding - padding / 2);
                }
            }
        }
        Ok(windows)
    }
}

/// The places of padding that make `⌈size / stride⌉` windows.
fn same(window: &Window, size: &Dim) -> Result<usize, Violation> {
    let Some(span) = window.span().filter(|_| window.stride > 0) else {
        return Ok(0); // The op refuses such a window.
    };
    match (size.known(), window.stride) {
        (_, 1) => Ok(span - 1),
        (Some(size), stride) => {
            Ok((size.saturating_sub(1) / stride * stride).saturating_add(span).saturating_sub(size))
        }
        (None, stride) => {
            let message = format!("a stride of {stride} and a size of {size} leave the padding open");
            Err(Violation::new("C5", message).help("say how much padding there is on each side"))
        }
    }
}

impl ConvTransposeOptions {
    /// See [`ConvTransposeOptions::stride`](field@ConvTransposeOptions::stride).
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> Self {
        ConvTransposeOptions { stride: stride.into(), ..self }
    }

    /// See [`ConvTransposeOptions::padding`](field@ConvTransposeOptions::padding): a number or one per axis for both sides,
    /// or a pair of numbers per axis.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        ConvTransposeOptions { padding: padding.into(), ..self }
    }

    /// See [`ConvTransposeOptions::output_padding`](field@ConvTransposeOptions::output_padding).
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<PerAxis>) -> Self {
        ConvTransposeOptions { output_padding: output_padding.into(), ..self }
    }

    /// See [`ConvTransposeOptions::dilation`](field@ConvTransposeOptions::dilation).
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Self {
        ConvTransposeOptions { dilation: dilation.into(), ..self }
    }

    /// See [`ConvTransposeOptions::groups`](field@ConvTransposeOptions::groups).
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        ConvTransposeOptions { groups, ..self }
    }

    /// The axes that `counts` windows of a kernel of these sizes are put on.
    fn targets(&self, kernel: &[usize], counts: &[Dim]) -> Result<Vec<Target>, Violation> {
        let axes = kernel.len();
        let (stride, dilation) = (self.stride.of("stride", axes)?, self.dilation.of("dilation", axes)?);
        let sides = self.padding.of("padding", axes)?;
        let more = self.output_padding.of("output padding", axes)?;
        let target = |axis: usize| {
            let (before, after) = sides[axis];
            let (stride, dilation) = (stride[axis], dilation[axis]);
            let window = Window { size: kernel[axis], stride, dilation, before, after };
            Target::new(window, &counts[axis], more[axis])
        };
        (0..axes).map(target).collect()
    }
}

/// An axis of the result of a transposed convolution.
struct Target {
    window: Window,
    /// The size of the axis that windows are put on.
    size: Dim,
    /// How many zeros follow.
    zeros: usize,
}

impl Target {
    /// The axis of `count` windows and `more` places.
    fn new(window: Window, count: &Dim, more: usize) -> Result<Target, Violation> {
        if more >= window.stride.max(window.dilation) {
            let message = format!(
                "an output padding of {more} is not less than the stride or the dilation of {window:?}"
            );
            return Err(Violation::new("C4", message));
        }
        // Places that windows with a stride leave out are on the axis as it is. Others, and those of an axis whose size is
        // not known, take the place of what is cut off, and zeros follow.
        let left_out = more < window.stride && count.known().is_some();
        let kept = if left_out { more } else { more.min(window.after) };
        let size = window.span().and_then(|span| {
            let padded = count.clone() * Dim::Known(window.stride) + Dim::Known(span.saturating_add(kept));
            let padding = window.before.saturating_add(window.after);
            padded.checked_sub(&Dim::Known(window.stride.saturating_add(padding)))
        });
        match size {
            Some(size) => {
                let window = Window { after: window.after - if left_out { 0 } else { kept }, ..window };
                Ok(Target { window, size, zeros: more - kept })
            }
            None => Err(Violation::new("C4", format!("{count} windows {window:?} leave nothing"))),
        }
    }
}

/// The axes of an image and a kernel that fits its rank.
struct Layout {
    /// The axes before the channels.
    lead: Shape,
    channels: Dim,
    /// The axes after the channels, which windows slide over.
    sizes: Vec<Dim>,
    /// The sizes of a window.
    kernel: Vec<usize>,
}

impl<'g> Expr<'g> {
    /// The cross-correlation with a kernel, which neural networks call convolution:
    /// `y[n…, o, i…] = Σ over c, j… of x[n…, c, i·stride + j·dilation - before…] · w[o, c, j…]`, where x is zero in the padding.
    ///
    /// This tensor is `[n…, channels, sizes…]`, usually with one axis `n`, and `w` is `[outputs, channels / groups,
    /// kernel…]`: its rank says whether there are one, two or three axes to slide over, or more. With several groups, each
    /// part of the channels makes its part of the outputs, in order. A bias is added as `y + bias.reshape([outputs, 1, 1])`.
    ///
    /// # Panics
    /// When the ranks or channels do not fit, a kernel is larger than its axis with padding, or a stride or dilation is zero.
    ///
    /// ```
    /// use pullback_graph::{Builder, ConvOptions, DType, sym};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [sym("batch"), 3.into(), 28.into(), 28.into()]);
    /// let w = b.parameter("w", DType::F32, [8, 3, 5, 5]);
    /// let y = x.conv(w, &ConvOptions::default().stride(2).padding(2));
    /// assert_eq!(y.ty().to_string(), "f32[batch, 8, 14, 14]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv(self, w: Expr<'g>, options: &ConvOptions) -> Expr<'g> {
        self.builder().derived("conv", Location::caller(), || {
            let Layout { lead, channels, sizes, kernel } = self.layout("conv", w);
            let windows = self.or_refuse("conv", options.windows(&kernel, &sizes), &[w]);
            let (axes, groups) = (kernel.len(), options.groups);
            let own = w.shape();
            let outputs = own[0].exact_div(&Dim::Known(groups));
            let (Some(outputs), true) = (outputs, channels == own[1].clone() * Dim::Known(groups)) else {
                self.refuse_channels("conv", w, groups)
            };
            let (x, batch) = self.in_groups(lead.rank(), groups);
            let w = w.in_groups(0, groups).0.spread_over(&lead);
            let every: Vec<usize> = (0..batch).collect();
            let contract = |first: usize| (first..=first + axes).collect::<Vec<usize>>();
            let product = DotGeneral::new(every.clone(), every, contract(batch + 1), contract(batch));
            let y = w.apply_to(product, &[x.windows_or_elements(&windows)]);
            let counts = y.shape()[batch + 1..].to_vec();
            y.reshape(
                lead.iter().cloned().chain([outputs * Dim::Known(groups)]).chain(counts).collect::<Shape>(),
            )
        })
    }

    /// The adjoint of [`conv`](Expr::conv) with these options, also called deconvolution: every element adds a multiple of
    /// the kernel to the output, at the places of its window.
    ///
    /// This tensor is `[n…, channels, sizes…]` and `w` is `[channels, outputs / groups, kernel…]`, as it is for the convolution
    /// that goes the other way. The sizes of the output are
    /// `(size - 1) · stride + (kernel - 1) · dilation + 1 - padding + output_padding`.
    ///
    /// # Panics
    /// When the ranks or channels do not fit, or the padding leaves nothing.
    ///
    /// ```
    /// use pullback_graph::{Builder, ConvTransposeOptions, DType};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [1, 8, 14, 14]);
    /// let w = b.parameter("w", DType::F32, [8, 3, 5, 5]);
    /// let y = x.conv_transpose(w, &ConvTransposeOptions::default().stride(2).padding(2).output_padding(1));
    /// assert_eq!(y.ty().to_string(), "f32[1, 3, 28, 28]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv_transpose(self, w: Expr<'g>, options: &ConvTransposeOptions) -> Expr<'g> {
        self.builder().derived("conv_transpose", Location::caller(), || {
            let Layout { lead, channels, sizes, kernel } = self.layout("conv_transpose", w);
            let targets = self.or_refuse("conv_transpose", options.targets(&kernel, &sizes), &[w]);
            let groups = options.groups;
            let own = w.shape();
            if channels != own[0] || channels.exact_div(&Dim::Known(groups)).is_none() {
                self.refuse_channels("conv_transpose", w, groups)
            }
            let (x, batch) = self.in_groups(lead.rank(), groups);
            let w = w.in_groups(0, groups).0.spread_over(&lead);
            let every: Vec<usize> = (0..batch).collect();
            let y = w.apply_to(DotGeneral::new(every.clone(), every, [batch], [batch]), &[x]);
            let windows: Vec<Window> = targets.iter().map(|target| target.window).collect();
            let full = || targets.iter().map(|target| target.size.clone());
            let outputs = own[1].clone() * Dim::Known(groups);
            let shape: Shape = lead.iter().cloned().chain([outputs]).chain(full()).collect();
            let y = y.fold(&windows, full()).reshape(shape);
            if targets.iter().all(|target| target.zeros == 0) {
                return y;
            }
            y.pad(
                vec![(0, 0); lead.rank() + 1]
                    .into_iter()
                    .chain(targets.iter().map(|target| (0, target.zeros))),
                0.0,
            )
        })
    }

    /// What a kernel and this tensor have in common, for both kinds of convolution.
    #[track_caller]
    fn layout(self, op: &str, w: Expr<'g>) -> Layout {
        let (own, kernel) = (self.shape(), w.shape());
        let lead = own.rank().checked_sub(kernel.rank().max(2) - 1).filter(|_| kernel.rank() > 2);
        let Some(lead) = lead else {
            let message = format!(
                "takes [n, channels, sizes…] and a kernel of as many axes, got {} and {}",
                self.ty(),
                w.ty()
            );
            self.refuse(op, Violation::new("C2", message), &[w])
        };
        let Some(sizes) = known_sizes(&kernel[2..]) else {
            let message = format!("the sizes of a kernel must be known, got {}", w.ty());
            self.refuse(op, Violation::new("C5", message), &[w])
        };
        Layout {
            lead: own[..lead].iter().cloned().collect(),
            channels: own[lead].clone(),
            sizes: own[lead + 1..].to_vec(),
            kernel: sizes,
        }
    }

    #[track_caller]
    fn refuse_channels(self, op: &str, w: Expr<'g>, groups: usize) -> ! {
        let groups = if groups == 1 { "one group".to_string() } else { format!("{groups} groups") };
        let message = format!("channels of {} and {} do not fit in {groups}", self.ty(), w.ty());
        let help = "takes [n, channels, sizes…], channels on axis 1; `move_axis(-1, 1)` brings them there from the end";
        self.refuse(op, Violation::new("C3", message).help(help), &[w])
    }

    /// Axis `axis` in `groups` parts, the parts on an axis before it, and the number of axes before it then. One group is no
    /// axis.
    #[track_caller]
    fn in_groups(self, axis: usize, groups: usize) -> (Expr<'g>, usize) {
        let own = self.shape();
        match own[axis].exact_div(&Dim::Known(groups)) {
            Some(part) if groups > 1 => {
                let parts = [Dim::Known(groups), part];
                let shape = own[..axis].iter().cloned().chain(parts).chain(own[axis + 1..].iter().cloned());
                (self.reshape(shape.collect::<Shape>()), axis + 1)
            }
            _ => (self, axis),
        }
    }

    /// The same tensor at every place of leading axes: products read it where it is.
    #[track_caller]
    fn spread_over(self, lead: &Shape) -> Expr<'g> {
        self.broadcast_to(lead.iter().chain(self.shape().iter()).cloned().collect::<Shape>())
    }

    /// The windows of the last axes; without a copy where each is one element.
    #[track_caller]
    fn windows_or_elements(self, windows: &[Window]) -> Expr<'g> {
        if windows.iter().any(|window| *window != Window::UNIT) {
            return self.unfold(windows);
        }
        let own = self.shape();
        let (lead, sizes) = own.split_at(own.rank() - windows.len());
        let ones = windows.iter().map(|_| Dim::Known(1));
        self.reshape(lead.iter().cloned().chain(ones).chain(sizes.iter().cloned()).collect::<Shape>())
    }
}
