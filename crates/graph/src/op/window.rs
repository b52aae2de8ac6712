//! Windows that slide over trailing axes, and their adjoint: what convolutions and pools are made of.
//!
//! Window `i` of an axis has its place `j` at `i·stride + j·dilation - before`; places that are not on the axis are padding.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::dim::{Bindings, Dim};
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use crate::{dispatch, dispatch_float};

/// How windows slide along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// How many places a window has.
    pub size: usize,
    /// The distance of neighbouring windows.
    pub stride: usize,
    /// The distance of neighbouring places of a window.
    pub dilation: usize,
    /// Places of padding before the axis.
    pub before: usize,
    /// Places of padding after the axis.
    pub after: usize,
}

impl Window {
    /// Every element alone.
    pub const UNIT: Window = Window { size: 1, stride: 1, dilation: 1, before: 0, after: 0 };

    /// Places from the first of a window to its last; `None` for a window without places, or too large a number.
    #[must_use]
    pub fn span(&self) -> Option<usize> {
        self.size.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)
    }

    /// Where place `offset` of window `at` is on an axis of `size` elements; `None` in the padding.
    #[must_use]
    pub fn place(&self, at: usize, offset: usize, size: usize) -> Option<usize> {
        (at * self.stride + offset * self.dilation).checked_sub(self.before).filter(|place| *place < size)
    }

    /// The number of windows on an axis: as many as fit into it and its padding.
    ///
    /// # Errors
    /// C3 to C5 of [`Unfold`].
    pub fn count(&self, size: &Dim) -> Result<Dim, Violation> {
        let refuse = |constraint, message: String| Err(Violation::new(constraint, message));
        let Some(span) = self.span().filter(|_| self.stride > 0 && self.dilation > 0) else {
            return refuse("C3", format!("a window has a size, a stride and a dilation, got {self:?}"));
        };
        let room = match (self.before.checked_add(self.after), size.known()) {
            (Some(padding), Some(size)) => {
                size.checked_add(padding).and_then(|padded| padded.checked_sub(span)).map(Dim::Known)
            }
            (Some(padding), None) => (size.clone() + Dim::Known(padding)).checked_sub(&Dim::Known(span)),
            (None, _) => None,
        };
        let Some(room) = room else {
            let message = format!(
                "windows that span {span} do not fit an axis of size {size} with {} + {} places of padding",
                self.before, self.after
            );
            return refuse("C4", message);
        };
        let steps = match room.known() {
            Some(room) => Some(Dim::Known(room / self.stride)),
            None => room.exact_div(&Dim::Known(self.stride)),
        };
        match steps {
            Some(steps) => Ok(steps + Dim::Known(1)),
            None => refuse("C5", format!("a stride of {} needs a known size, got {size}", self.stride)),
        }
    }

    fn sample(choices: &mut Choices) -> (Window, usize) {
        let window = Window {
            size: 1 + choices.below(3),
            stride: 1 + choices.below(3),
            dilation: 1 + choices.below(2),
            before: choices.below(3),
            after: choices.below(3),
        };
        let least = window.span().expect("a small window").saturating_sub(window.before + window.after);
        (window, least + choices.below(4))
    }
}

/// The windows of a tensor: `result[…, j…, i…] = x[…, i·stride + j·dilation - before, …]` over the last axes, zero in the
/// padding.
///
/// One axis of places `j` per window, then one of windows `i`: for an image `[n, c, height, width]` the result is
/// `[n, c, kernel height, kernel width, rows, columns]`, which a product with a kernel contracts without moving anything.
///
/// Operands: x, of any element type.
/// Constraints: C1 one operand; C2 at most as many windows as axes; C3 sizes, strides and dilations of at least 1; C4 a
/// window fits each axis with its padding; C5 on an axis whose size is not known, windows end where the padding does,
/// whatever the size, as they do with stride 1.
/// Gradient: [`Fold`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unfold {
    /// The windows of the last axes, in order.
    pub windows: SmallVec<[Window; 2]>,
}

/// A tensor with these windows, overlapping ones added up: the adjoint of [`Unfold`]. What is in the padding is dropped.
///
/// Operands: x, of the shape that [`Unfold`] gives; the terms of a sum are added in row-major order.
/// Constraints: C1 one operand; C2 one size per window; C3 to C5 as [`Unfold`] for axes of these sizes; C6 the operand has
/// the axes that [`Unfold`] gives; C7 its elements are numbers.
/// Gradient: [`Unfold`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fold {
    /// The windows of the last axes of the result, in order.
    pub windows: SmallVec<[Window; 2]>,
    /// The sizes of these axes.
    pub sizes: SmallVec<[Dim; 2]>,
}

/// The axes that windows make of axes of these sizes: places, then windows.
fn unfolded(windows: &[Window], sizes: &[Dim]) -> Result<Vec<Dim>, Violation> {
    let counts: Result<Vec<Dim>, Violation> =
        windows.iter().zip(sizes).map(|(window, size)| window.count(size)).collect();
    Ok(windows.iter().map(|window| Dim::Known(window.size)).chain(counts?).collect())
}

/// Runs `visit(unfolded position, position in the tensor)` for every place of every window, in row-major order;
/// `sizes` are the tensor's and `unfolded` the sizes of its windows.
fn each_place(
    windows: &[Window],
    sizes: &[usize],
    unfolded: &[usize],
    mut visit: impl FnMut(usize, Option<usize>),
) {
    let (lead, count) = (sizes.len() - windows.len(), windows.len());
    let mut coordinates = vec![0; unfolded.len()];
    for position in 0..unfolded.iter().product() {
        let mut rest = position;
        for (coordinate, size) in coordinates.iter_mut().zip(unfolded).rev() {
            (*coordinate, rest) = (rest % size, rest / size);
        }
        let leading = (0..lead).fold(0, |place, axis| place * sizes[axis] + coordinates[axis]);
        let place = windows.iter().enumerate().try_fold(leading, |place, (at, window)| {
            let (offset, index) = (coordinates[lead + at], coordinates[lead + count + at]);
            Some(place * sizes[lead + at] + window.place(index, offset, sizes[lead + at])?)
        });
        visit(position, place);
    }
}

/// Leading axes, and windows over one or two axes after them.
fn sample_windows(choices: &mut Choices) -> (Unfold, TensorType) {
    let lead = choices.shape(2);
    let axes: Vec<(Window, usize)> = (0..=choices.below(2)).map(|_| Window::sample(choices)).collect();
    let sizes = axes.iter().map(|(_, size)| Dim::Known(*size));
    let ty = TensorType::new(DType::F64, lead.iter().cloned().chain(sizes).collect::<Shape>());
    (Unfold { windows: axes.iter().map(|(window, _)| *window).collect() }, ty)
}

impl Unfold {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (op, ty) = sample_windows(choices);
        Sample { op: op.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Unfold {
    fn name(&self) -> Cow<'static, str> {
        "unfold".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let Some(lead) = operand.rank().checked_sub(self.windows.len()) else {
            let message = format!("{} windows slide over {operand}", self.windows.len());
            return Err(Violation::new("C2", message));
        };
        let (lead, sizes) = operand.shape.split_at(lead);
        let axes = unfolded(&self.windows, sizes)?;
        Ok(operand.with_shape(lead.iter().cloned().chain(axes).collect::<Shape>()))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (x, unfolded) = (operands[0], known(result)?);
        dispatch!(x.dtype(), T => {
            let source = x.values::<T>();
            let mut values = vec![T::default(); unfolded.iter().product()];
            each_place(&self.windows, x.sizes(), &unfolded, |to, from| {
                values[to] = from.map_or_else(T::default, |from| source[from]);
            });
            Ok(Tensor::new(&unfolded, values).expect("one value per element"))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let shape = at.operands[0].shape();
            let sizes = shape[shape.rank() - self.windows.len()..].iter().cloned().collect();
            at.cotangent.apply(Fold { windows: self.windows.clone(), sizes })
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        // Leading axes are free.
        Some(at.operands[0].apply(self.clone()))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

impl Fold {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (unfold, ty) = sample_windows(choices);
        let operand = unfold.infer(&[&ty]).expect("samples are well typed");
        let sizes = ty.shape[ty.rank() - unfold.windows.len()..].iter().cloned().collect();
        let op = Fold { windows: unfold.windows, sizes };
        Sample { op: op.into(), operands: vec![OperandSample::any(operand)] }
    }
}

impl OpRules for Fold {
    fn name(&self) -> Cow<'static, str> {
        "fold".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        if self.windows.len() != self.sizes.len() {
            let message = format!("{} windows slide over {} sizes", self.windows.len(), self.sizes.len());
            return Err(Violation::new("C2", message));
        }
        let axes = unfolded(&self.windows, &self.sizes)?;
        let lead = operand.rank().checked_sub(axes.len()).filter(|lead| operand.shape[*lead..] == axes[..]);
        let Some(lead) = lead else {
            let axes: Shape = axes.into_iter().collect();
            return Err(Violation::new("C6", format!("the last axes are {axes}, got {operand}")));
        };
        if operand.dtype == DType::Bool {
            return Err(Violation::new("C7", format!("truth values cannot be added, got {operand}"))
                .help("convert with `cast`"));
        }
        let lead = operand.shape[..lead].iter();
        Ok(operand.with_shape(lead.chain(&self.sizes).cloned().collect::<Shape>()))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (x, sizes) = (operands[0], known(result)?);
        Ok(dispatch_float!(x.dtype(), T => self.sums::<T>(x, &sizes, |sum, term| sum + term),
            else { self.sums::<i64>(x, &sizes, i64::wrapping_add) }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.apply(Unfold { windows: self.windows.clone() }))
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(self.clone()))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let bound = |size: &Dim| size.bind(bindings).ok_or_else(|| size.clone());
        let sizes = self.sizes.iter().map(bound).collect::<Result<_, Dim>>()?;
        Ok(Fold { windows: self.windows.clone(), sizes }.into())
    }
}

impl Fold {
    fn sums<T: Element>(&self, x: &Tensor, sizes: &[usize], add: impl Fn(T, T) -> T) -> Tensor {
        let terms = x.values::<T>();
        let mut values = vec![T::default(); sizes.iter().product()];
        each_place(&self.windows, sizes, x.sizes(), |from, to| {
            if let Some(to) = to {
                values[to] = add(values[to], terms[from]);
            }
        });
        Tensor::new(sizes, values).expect("one value per element")
    }
}
