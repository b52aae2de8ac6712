//! The handle itself: what an expression knows, how ops are applied, and how mistakes are shown.

use std::fmt;
use std::sync::Arc;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{OperandNote, TypeError, Violation, place, render};
use crate::id::NodeId;
use crate::op::{Cast, Clamp, DimSize, Iota, Literal, Op, Polygamma, Scalar, Select, StopGradient};
use crate::provenance::Source;
use crate::shape::{Shape, TensorType};

/// A node under construction.
#[derive(Clone, Copy)]
pub struct Expr<'g> {
    builder: &'g Builder,
    id: NodeId,
    /// When the handle was made: since then a transform may have written the node anew.
    era: u32,
}

/// What may stand on the right of an operator: an expression, or a number, which becomes a tensor like the left side.
pub trait IntoOperand<'g> {
    /// The operand, next to `like`.
    fn into_operand(self, like: Expr<'g>) -> Expr<'g>;
}

impl<'g> IntoOperand<'g> for Expr<'g> {
    fn into_operand(self, _like: Expr<'g>) -> Expr<'g> {
        self
    }
}

macro_rules! number_operand {
    ($($ty:ty),*) => {
        $(impl<'g> IntoOperand<'g> for $ty {
            #[track_caller]
            fn into_operand(self, like: Expr<'g>) -> Expr<'g> {
                like.full_like(f64::from(self))
            }
        })*
    };
}

number_operand!(f32, f64, i32, bool);

impl<'g> IntoOperand<'g> for i64 {
    #[track_caller]
    fn into_operand(self, like: Expr<'g>) -> Expr<'g> {
        match like.dtype() {
            // Exact: whole numbers beyond 2^53 do not pass through a double.
            DType::I64 => like.builder.leaf(Literal { value: self.into(), shape: like.shape() }),
            _ => like.full_like(self as f64),
        }
    }
}

/// Stops with the error and a picture of the user's line.
#[track_caller]
pub(crate) fn fail(error: &TypeError) -> ! {
    panic!("{}", render(&error.to_string(), error.at.as_ref()))
}

/// Stops because a handle is used where it does not belong, with a picture of the line that uses it.
#[cold]
#[inline(never)]
#[track_caller]
fn misused(builder: &Builder, message: &str, notes: &str) -> ! {
    let at = builder.line(std::panic::Location::caller());
    panic!("{}", render(&format!("{message}{}{notes}", place(&at)), at.as_ref()))
}

impl<'g> Expr<'g> {
    pub(crate) fn new(builder: &'g Builder, id: NodeId) -> Self {
        Expr { builder, id, era: builder.era() }
    }

    /// The node.
    ///
    /// # Panics
    /// When there is no such node any more, as for one that was made for a single element of a leading axis.
    #[must_use]
    #[track_caller]
    pub fn id(self) -> NodeId {
        match self.builder.resolve(self.id, self.era) {
            Some(id) => id,
            None => misused(
                self.builder,
                &format!("{} was made for one element of a leading axis, and is not there for all", self.id),
                "\n  = help: return it from the closure given to `vmap`",
            ),
        }
    }

    /// The builder that the node is in.
    #[must_use]
    pub fn builder(self) -> &'g Builder {
        self.builder
    }

    #[track_caller]
    pub(crate) fn id_in(self, builder: &Builder) -> NodeId {
        let id = self.id();
        if !std::ptr::eq(self.builder, builder) {
            let notes = format!("\n  = operand: {}\n  = help: a graph is made by one builder", self.note());
            misused(builder, &format!("{id} belongs to another builder"), &notes);
        }
        id
    }

    /// The type.
    #[must_use]
    #[track_caller]
    pub fn ty(self) -> TensorType {
        let id = self.id();
        self.builder.read(|body| body.nodes[id.index()].ty.clone())
    }

    /// The element type.
    #[must_use]
    #[track_caller]
    pub fn dtype(self) -> DType {
        let id = self.id();
        self.builder.read(|body| body.nodes[id.index()].ty.dtype)
    }

    /// The shape.
    #[must_use]
    #[track_caller]
    pub fn shape(self) -> Shape {
        let id = self.id();
        self.builder.read(|body| body.nodes[id.index()].ty.shape.clone())
    }

    /// The number of axes.
    #[must_use]
    #[track_caller]
    pub fn rank(self) -> usize {
        let id = self.id();
        self.builder.read(|body| body.nodes[id.index()].ty.rank())
    }

    /// The op that makes the node.
    #[must_use]
    #[track_caller]
    pub fn op(self) -> Op {
        let id = self.id();
        self.builder.read(|body| body.nodes[id.index()].op.clone())
    }

    /// The operands of the node.
    #[must_use]
    #[track_caller]
    pub fn operands(self) -> Vec<Expr<'g>> {
        let id = self.id();
        let ids = self.builder.read(|body| body.nodes[id.index()].operands.clone());
        ids.into_iter().map(|id| Expr::new(self.builder, id)).collect()
    }

    /// The input's name, or the label the user gave.
    #[must_use]
    #[track_caller]
    pub fn label(self) -> Option<Arc<str>> {
        let id = self.id();
        self.builder.read(|body| body.label(id).cloned())
    }

    /// The user's line that made the node; for a gradient node, the line of its forward node.
    #[must_use]
    #[track_caller]
    pub fn source(self) -> Option<Source> {
        let id = self.id();
        self.builder.read(|body| body.source(id).cloned())
    }

    /// Names the node: the label appears in dumps and messages.
    #[must_use]
    #[track_caller]
    pub fn named(self, label: &str) -> Expr<'g> {
        self.builder.set_label(self.id(), label);
        self
    }

    /// Applies an op of one operand.
    ///
    /// # Panics
    /// When the op does not fit; the message shows the caller's line.
    #[must_use]
    #[track_caller]
    pub fn apply(self, op: impl Into<Op>) -> Expr<'g> {
        self.apply_to(op, &[])
    }

    /// Applies an op to this operand and `rest`.
    ///
    /// # Panics
    /// When the op does not fit; the message shows the caller's line.
    #[must_use]
    #[track_caller]
    pub fn apply_to(self, op: impl Into<Op>, rest: &[Expr<'g>]) -> Expr<'g> {
        let mut operands = smallvec::SmallVec::<[Expr<'g>; 4]>::from_slice(&[self]);
        operands.extend_from_slice(rest);
        match self.builder.push(op, &operands) {
            Ok(expr) => expr,
            Err(error) => fail(&error),
        }
    }

    /// The node as a message shows it.
    #[track_caller]
    pub(crate) fn note(self) -> OperandNote {
        let id = self.id();
        self.builder.read(|body| body.operand_note(id))
    }

    /// Stops with a violation that shows the caller's line and the operands.
    #[track_caller]
    pub(crate) fn refuse(self, op: &str, violation: Violation, rest: &[Expr<'g>]) -> ! {
        let all = std::iter::once(&self).chain(rest);
        let operands = all.map(|expr| expr.note());
        fail(&TypeError {
            op: op.to_string(),
            violation,
            operands: operands.collect(),
            at: self.builder.line(std::panic::Location::caller()),
        })
    }

    /// What was found, or a [refusal](Expr::refuse).
    #[track_caller]
    pub(crate) fn or_refuse<T>(self, op: &str, found: Result<T, Violation>, rest: &[Expr<'g>]) -> T {
        match found {
            Ok(found) => found,
            Err(violation) => self.refuse(op, violation, rest),
        }
    }

    /// Applies an elementwise op to both sides, converted to one type and broadcast to one shape.
    #[track_caller]
    pub(crate) fn apply_binary(self, op: impl Into<Op>, other: impl IntoOperand<'g>) -> Expr<'g> {
        let other = other.into_operand(self);
        let op = op.into();
        let common = self.common_shape(other, &op);
        // Logic takes truth values alone; its own message is better than one about a conversion.
        let (left, right) =
            if matches!(op, Op::Logic(_)) { (self, other) } else { self.promoted_with(other) };
        left.broadcast_to(&common).apply_to(op, &[right.broadcast_to(&common)])
    }

    /// `self` where it is a truth value that holds, else `otherwise`: `condition.select(on_true, on_false)`.
    ///
    /// The three broadcast to one shape; the branches meet in one type, and a number takes that of the other branch.
    /// No gradient reaches the condition; each branch gets the gradient where it was taken and zero elsewhere.
    ///
    /// # Panics
    /// When `self` is not of type bool, or the shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn select(self, on_true: Expr<'g>, on_false: impl IntoOperand<'g>) -> Expr<'g> {
        let on_false = on_false.into_operand(on_true);
        let op = Op::from(Select);
        let common = on_true.common_shape(on_false, &op);
        let (on_true, on_false) = on_true.promoted_with(on_false);
        let (on_true, on_false) = (on_true.broadcast_to(&common), on_false.broadcast_to(&common));
        let (condition, on_true) = self.broadcast_with(on_true, &op);
        let (_, on_false) = condition.broadcast_with(on_false, &op);
        condition.apply_to(op, &[on_true, on_false])
    }

    /// Logical negation.
    #[must_use]
    #[track_caller]
    #[allow(clippy::should_implement_trait, reason = "reads as the other truth-valued methods do")]
    pub fn not(self) -> Expr<'g> {
        self.xor(true)
    }

    /// Which elements are NaN.
    #[must_use]
    #[track_caller]
    pub fn is_nan(self) -> Expr<'g> {
        self.ne(self)
    }

    /// Which elements are neither NaN nor infinite.
    #[must_use]
    #[track_caller]
    pub fn is_finite(self) -> Expr<'g> {
        self.abs().lt(f64::INFINITY)
    }

    /// Which elements are infinite.
    #[must_use]
    #[track_caller]
    pub fn is_infinite(self) -> Expr<'g> {
        self.abs().eq(f64::INFINITY)
    }

    /// The elements limited to `low..=high`; the gradient is 0 at and beyond the bounds. An infinite bound is none.
    ///
    /// # Panics
    /// When the elements are truth values, or whole numbers and a bound is not.
    #[must_use]
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Expr<'g> {
        if self.dtype() != DType::I64 {
            return self.apply(Clamp::new(low, high));
        }
        let above = if low == f64::NEG_INFINITY { self } else { self.maximum(low) };
        if high == f64::INFINITY { above } else { above.minimum(high) }
    }

    /// The polygamma function of order `order`: the derivative of order `order + 1` of [`lgamma`](Expr::lgamma). At the
    /// poles `0, -1, -2, …` it is +∞ for odd orders, else NaN, but for ∓∞ at ±0.
    ///
    /// # Panics
    /// When the elements are not floats, or the order is above 100.
    #[must_use]
    #[track_caller]
    pub fn polygamma(self, order: u32) -> Expr<'g> {
        self.apply(Polygamma { order })
    }

    /// The derivative of [`lgamma`](Expr::lgamma): [`polygamma`](Expr::polygamma) of order 0.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn digamma(self) -> Expr<'g> {
        self.polygamma(0)
    }

    /// The elements converted to `dtype`; gradients are converted back, and stop at i64 and bool.
    #[must_use]
    #[track_caller]
    pub fn cast(self, dtype: DType) -> Expr<'g> {
        if dtype == self.dtype() { self } else { self.apply(Cast { dtype }) }
    }

    /// The same value, through which no gradient passes.
    #[must_use]
    #[track_caller]
    pub fn stop_gradient(self) -> Expr<'g> {
        self.apply(StopGradient)
    }

    /// A tensor of this type whose every element is `value`.
    ///
    /// # Panics
    /// When this tensor is of type i64 and `value` is not a whole number.
    #[must_use]
    #[track_caller]
    pub fn full_like(self, value: f64) -> Expr<'g> {
        match Scalar::of(self.dtype(), value) {
            Ok(value) => self.builder.leaf(Literal { value, shape: self.shape() }),
            Err(message) => self.refuse("literal", Violation::new("C1", message), &[]),
        }
    }

    /// Zeros of this type.
    #[must_use]
    #[track_caller]
    pub fn zeros_like(self) -> Expr<'g> {
        self.full_like(0.0)
    }

    /// Ones of this type.
    #[must_use]
    #[track_caller]
    pub fn ones_like(self) -> Expr<'g> {
        self.full_like(1.0)
    }

    /// The size of a dimension as a scalar of this element type: a number now if it is known, else when the graph is
    /// bound.
    #[must_use]
    #[track_caller]
    pub fn size_like(self, size: Dim) -> Expr<'g> {
        match size.known() {
            Some(known) => self.builder.full(self.dtype(), (), known as f64),
            None => self.builder.leaf(DimSize { size, dtype: self.dtype() }),
        }
    }

    /// `0, 1, 2, …` along `axis`, in a tensor of this shape and type i64.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn iota_like(self, axis: i64) -> Expr<'g> {
        self.positions(axis).broadcast_to(self.shape())
    }

    /// The positions along `axis`, which is as long as in this expression; all other axes have size 1.
    #[track_caller]
    pub(crate) fn positions(self, axis: i64) -> Expr<'g> {
        let axis = self.axis("iota", axis);
        let size = |(at, dim): (usize, &Dim)| if at == axis { dim.clone() } else { Dim::Known(1) };
        let shape = self.shape().iter().enumerate().map(size).collect();
        self.builder.leaf(Iota { shape, axis })
    }

    /// `x²`.
    #[must_use]
    #[track_caller]
    pub fn square(self) -> Expr<'g> {
        self * self
    }

    /// `1 / x`.
    #[must_use]
    #[track_caller]
    pub fn recip(self) -> Expr<'g> {
        self.ones_like() / self
    }
}

impl fmt::Debug for Expr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.builder.resolve(self.id, self.era) {
            Some(id) => write!(f, "{id}: {}", self.ty()),
            None => write!(f, "{} (no longer there)", self.id),
        }
    }
}
