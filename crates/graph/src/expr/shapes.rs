//! Methods that move elements: broadcasting, reshaping, slicing, joining.

use std::ops::Range;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::{Axes, Expr};
use crate::op::{Broadcast, Concat, Op, OpRules, Pad, Permute, Reshape, Reverse, Scalar, Slice};
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// The shape in which both sides meet, by NumPy's rule: axes are aligned at the end, and size 1 stretches.
    #[track_caller]
    pub(crate) fn common_shape(self, other: Expr<'g>, op: &Op) -> Shape {
        let (left, right) = (self.shape(), other.shape());
        if left == right {
            return left;
        }
        let Some(common) = left.broadcast(&right) else {
            let message = format!("shapes do not broadcast: {} and {}", self.ty(), other.ty());
            let help = "axes are aligned at the end, and must be equal or 1";
            self.refuse(&op.name(), Violation::new("C2", message).help(help), &[other])
        };
        common
    }

    /// Both sides in their common shape.
    #[track_caller]
    pub(crate) fn broadcast_with(self, other: Expr<'g>, op: &Op) -> (Expr<'g>, Expr<'g>) {
        let common = self.common_shape(other, op);
        (self.broadcast_to(&common), other.broadcast_to(&common))
    }

    /// This tensor repeated to `shape`: axes are aligned at the end, and size 1 stretches. The gradient is summed over
    /// what was repeated.
    ///
    /// # Panics
    /// When an axis is neither 1 nor the size asked for.
    #[must_use]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Expr<'g> {
        let shape = shape.into();
        let own = self.shape();
        if own == shape {
            return self;
        }
        let Some(lead) = shape.rank().checked_sub(own.rank()) else {
            let message = format!("cannot broadcast {} to the lower rank of {shape}", self.ty());
            self.refuse("broadcast", Violation::new("C2", message), &[])
        };
        self.apply(Broadcast { shape, axes: (lead..lead + own.rank()).collect() })
    }

    /// The same elements in row-major order under another shape.
    ///
    /// # Panics
    /// When the number of elements differs, or cannot be seen to be the same.
    #[must_use]
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Expr<'g> {
        let shape = shape.into();
        if shape == self.shape() { self } else { self.apply(Reshape { shape }) }
    }

    /// The same elements under another shape, of which one size may be -1: it is what the others leave.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F32};
    /// let b = Builder::new();
    /// let x = b.input("x", F32, ["batch".into(), 8.into(), 8.into()] as [pullback_graph::Dim; 3]);
    /// assert_eq!(x.reshape_infer(&[-1, 4, 16]).ty().to_string(), "f32[batch, 4, 16]");
    /// ```
    ///
    /// # Panics
    /// When more than one size is negative or one is below -1, or the others do not divide the number of elements; with
    /// a size of 0 beside it, -1 might be anything.
    #[must_use]
    #[track_caller]
    pub fn reshape_infer(self, sizes: &[i64]) -> Expr<'g> {
        let own = self.shape();
        let mut others = Dim::Known(1);
        let mut open = None;
        for (axis, size) in sizes.iter().enumerate() {
            match (usize::try_from(*size), open) {
                (Ok(size), _) => others = others * Dim::Known(size),
                (Err(_), None) if *size == -1 => open = Some(axis),
                _ => {
                    let message = format!("{sizes:?} leaves more open than one size, written -1");
                    self.refuse("reshape", Violation::new("C3", message), &[])
                }
            }
        }
        let mut dims: Vec<Dim> = sizes.iter().map(|size| Dim::Known((*size).max(0) as usize)).collect();
        if let Some(axis) = open {
            let Some(rest) = own.numel().exact_div(&others) else {
                let message =
                    format!("{} has {} elements, which {others} does not divide", self.ty(), own.numel());
                self.refuse("reshape", Violation::new("C2", message), &[])
            };
            dims[axis] = rest;
        }
        self.reshape(dims)
    }

    /// All axes from `axis` on joined into one: `flatten(1)` makes `[batch, 8, 8]` into `[batch, 64]`.
    ///
    /// # Panics
    /// When `axis` is larger than the rank.
    #[must_use]
    #[track_caller]
    pub fn flatten(self, axis: usize) -> Expr<'g> {
        let own = self.shape();
        if axis > own.rank() {
            self.refuse(
                "reshape",
                Violation::new("C2", format!("axis {axis} is out of range for {own}")),
                &[],
            );
        }
        let tail = own[axis..].iter().product();
        self.reshape(own[..axis].iter().cloned().chain([tail]).collect::<Shape>())
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Panics
    /// When `order` does not name every axis once.
    #[must_use]
    #[track_caller]
    pub fn permute(self, order: impl Into<Axes>) -> Expr<'g> {
        let order = self.axes_in_order("permute", order.into());
        if order.iter().enumerate().all(|(at, axis)| at == *axis) && order.len() == self.rank() {
            return self;
        }
        self.apply(Permute { order: order.into_iter().collect() })
    }

    /// The last two axes swapped.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[must_use]
    #[track_caller]
    pub fn t(self) -> Expr<'g> {
        let rank = self.rank();
        if rank < 2 {
            let message = format!("transposing takes at least two axes, got {}", self.ty());
            self.refuse("permute", Violation::new("C2", message), &[]);
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.apply(Permute { order: order.into_iter().collect() })
    }

    /// Two axes swapped.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn swap_axes(self, one: i64, other: i64) -> Expr<'g> {
        let (one, other) = (self.axis("permute", one), self.axis("permute", other));
        let mut order: Vec<usize> = (0..self.rank()).collect();
        order.swap(one, other);
        self.permute(order)
    }

    /// The axis `from` at position `to`, the others in their order.
    ///
    /// # Panics
    /// When there is no such axis or position.
    #[must_use]
    #[track_caller]
    pub fn move_axis(self, from: i64, to: i64) -> Expr<'g> {
        let (from, to) = (self.axis("permute", from), self.axis("permute", to));
        let mut order: Vec<usize> = (0..self.rank()).filter(|axis| *axis != from).collect();
        order.insert(to, from);
        self.permute(order)
    }

    /// A new axis of size 1 at position `axis` of the result; -1 appends it.
    ///
    /// # Panics
    /// When `axis` is out of range.
    #[must_use]
    #[track_caller]
    pub fn expand_dims(self, axis: i64) -> Expr<'g> {
        let own = self.shape();
        let rank = own.rank() as i64 + 1;
        let at = if axis < 0 { axis + rank } else { axis };
        if !(0..rank).contains(&at) {
            self.refuse(
                "reshape",
                Violation::new("C2", format!("axis {axis} is out of range for rank {rank}")),
                &[],
            );
        }
        let mut dims: Vec<Dim> = own.iter().cloned().collect();
        dims.insert(at as usize, Dim::Known(1));
        self.reshape(dims)
    }

    /// Without the axes named, which must have size 1.
    ///
    /// # Panics
    /// When one of them has another size.
    #[must_use]
    #[track_caller]
    pub fn squeeze(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = self.axes_in_order("reshape", axes.into());
        let own = self.shape();
        if let Some(axis) = axes.iter().find(|axis| !own[**axis].is_one()) {
            let message = format!("axis {axis} of {own} has size {}, not 1", own[*axis]);
            self.refuse("reshape", Violation::new("C2", message), &[]);
        }
        self.reshape(own.without(|axis| axes.contains(&axis)))
    }

    /// The elements `range` along `axis`.
    ///
    /// # Panics
    /// When the range reaches beyond the axis.
    #[must_use]
    #[track_caller]
    pub fn slice(self, axis: i64, range: Range<usize>) -> Expr<'g> {
        let axis = self.axis("slice", axis);
        self.apply(Slice::along(&self.shape(), axis, range.start, range.end))
    }

    /// The elements along `axes` in reverse order.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn flip(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = self.axes_in_order("reverse", axes.into());
        self.apply(Reverse { axes: axes.into_iter().collect() })
    }

    /// `value` added around the tensor: `pads` holds the counts before and after, one pair per axis.
    ///
    /// # Panics
    /// When there is not one pair per axis.
    #[must_use]
    #[track_caller]
    pub fn pad(self, pads: impl IntoIterator<Item = (usize, usize)>, value: f64) -> Expr<'g> {
        let value = match Scalar::of(self.dtype(), value) {
            Ok(value) => value,
            Err(message) => self.refuse("pad", Violation::new("C4", message), &[]),
        };
        let (low, high): (Vec<Dim>, Vec<Dim>) =
            pads.into_iter().map(|(low, high)| (Dim::from(low), Dim::from(high))).unzip();
        let inner = vec![0; low.len()];
        self.apply(Pad { low, high, inner, value })
    }

    /// This tensor followed by `others` along `axis`, all converted to the type in which they [meet](crate::DType::promote).
    ///
    /// # Panics
    /// When the other axes differ.
    #[must_use]
    #[track_caller]
    pub fn concat(self, others: &[Expr<'g>], axis: i64) -> Expr<'g> {
        let axis = self.axis("concat", axis);
        let dtype = others.iter().fold(self.dtype(), |dtype, other| dtype.promote(other.dtype()));
        let others: Vec<Expr<'g>> = others.iter().map(|other| other.cast(dtype)).collect();
        self.cast(dtype).apply_to(Concat { axis }, &others)
    }
}
