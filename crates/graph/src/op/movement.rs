//! Movement: ops that place elements elsewhere without computing. Each one's pullback is its adjoint placement.
//!
//! C1 of each: one operand (`concat`: at least one).

use std::borrow::Cow;

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice as Range, concatenate};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::error::Violation;
use crate::op::leaf::known;
use crate::op::rules::{OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::scalar::Scalar;
use crate::op::table::{expect_one_dtype, expect_operands};
use crate::op::{Op, Reduce, ReduceKind};
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// The operand repeated along new axes and along axes of size 1.
///
/// Operand axis `i` becomes result axis `axes[i]`.
/// C2: `axes` is ascending, has one entry per operand axis and is within `shape`. C3: each operand axis has size 1 or
/// that of its result axis.
/// Gradient: `ȳ` summed over what was repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Broadcast {
    /// The shape of the result.
    pub shape: Shape,
    /// Where each operand axis goes.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub axes: AxisList,
}

/// The same elements in row-major order under another shape.
///
/// C2: the number of elements is the same, for every size of the symbols.
/// Gradient: `ȳ` reshaped back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reshape {
    /// The shape of the result.
    pub shape: Shape,
}

/// The axes in another order.
///
/// C2: `order` names every axis once.
/// Gradient: `ȳ` in the inverse order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Permute {
    /// Axis `i` of the result is axis `order[i]` of the operand.
    pub order: AxisList,
}

/// Every `step`-th element from `start` up to, not including, `end`, along each axis.
///
/// C2: one start, end and step per axis. C3: steps are at least 1. C4: `start ≤ end ≤ size` where the differences are known.
/// C5: a step above 1 needs known sizes.
/// Gradient: `ȳ` padded with zeros back to the operand's shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The first index taken, per axis.
    pub starts: Vec<Dim>,
    /// The first index not taken, per axis.
    pub ends: Vec<Dim>,
    /// The distance between indices taken, per axis.
    pub steps: Vec<usize>,
}

/// The operand with `value` before, between and after its elements.
///
/// C2: one entry of `low`, `high` and `inner` per axis. C3: `value` has the operand's type. C4: no size is negative.
/// Gradient: `ȳ` at the operand's places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pad {
    /// How many come before, per axis.
    pub low: Vec<Dim>,
    /// How many come after, per axis.
    pub high: Vec<Dim>,
    /// How many come between two elements, per axis.
    pub inner: Vec<usize>,
    /// What is put there.
    pub value: Scalar,
}

/// The operands one after the other along an axis.
///
/// C2: the axis exists. C3: one element type. C4: all other axes are equal. C5: the sizes do not add up to a negative one.
/// Gradient: each operand gets its part of `ȳ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Concat {
    /// The axis along which they are joined.
    pub axis: usize,
}

/// The elements along some axes in reverse order.
///
/// C2: the axes exist, none twice.
/// Gradient: `ȳ` reversed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reverse {
    /// The axes that are reversed.
    pub axes: AxisList,
}

/// Evaluates by an ndarray expression over the first operand's array.
macro_rules! rearrange {
    ($operand:expr, |$array:ident| $body:expr) => {
        dispatch!($operand.dtype(), T => {
            let $array: ArrayViewD<'_, T> = $operand.view::<T>();
            Tensor::from_array::<T>($body)
        })
    };
}

impl Broadcast {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(2);
        let (mut shape, mut axes) = (Vec::new(), Vec::new());
        for dim in ty.shape.iter() {
            if choices.below(2) == 1 {
                shape.push(Dim::Known(choices.below(4)));
            }
            axes.push(shape.len());
            let stretches = dim.is_one() && choices.below(2) == 1;
            shape.push(if stretches { Dim::Known(choices.below(4)) } else { dim.clone() });
        }
        if choices.below(2) == 1 {
            shape.push(Dim::Known(choices.below(4)));
        }
        let op = Broadcast { shape: shape.into(), axes: axes.into() };
        Sample { op: op.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Broadcast {
    fn name(&self) -> Cow<'static, str> {
        "broadcast".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let fits = self.axes.len() == operand.rank() && self.axes.is_choice_of(self.shape.rank());
        if !fits || !self.axes.iter().is_sorted() {
            let axes: Vec<usize> = self.axes.iter().collect();
            let message =
                format!("axes {axes:?} must be {} ascending axes of {}", operand.rank(), self.shape);
            return Err(Violation::new("C2", message));
        }
        for (dim, axis) in operand.shape.iter().zip(self.axes.iter()) {
            if !dim.is_one() && *dim != self.shape[axis] {
                let message =
                    format!("cannot repeat {operand} to {}: {dim} is not {}", self.shape, self.shape[axis]);
                return Err(Violation::new("C3", message).help("an axis to repeat has size 1"));
            }
        }
        Ok(operand.with_shape(&self.shape))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let mut aligned = vec![1; sizes.len()];
        for (size, axis) in operands[0].sizes().iter().zip(self.axes.iter()) {
            aligned[axis] = *size;
        }
        let aligned = operands[0].reshape(&aligned).map_err(|error| error.to_string())?;
        Ok(rearrange!(aligned, |array| {
            array.broadcast(IxDyn(&sizes)).ok_or("the shapes do not broadcast")?.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let operand = at.operands[0].shape();
            let repeated = |axis: usize| match self.axes.position(axis) {
                None => true,
                Some(own) => operand[own] != self.shape[axis],
            };
            let axes: AxisList = (0..self.shape.rank()).filter(|axis| repeated(*axis)).collect();
            match axes.is_empty() {
                true => at.cotangent,
                false => at.cotangent.apply(Reduce { kind: ReduceKind::Sum, axes }).reshape(operand),
            }
        })
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Broadcast { shape: self.shape.bind(bindings)?, axes: self.axes.clone() }.into())
    }
}

impl Reshape {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let shape = match choices.below(3) {
            0 => Shape::from([ty.shape.numel()]),
            1 => ty.shape.iter().rev().cloned().collect(),
            _ => ty.shape.iter().cloned().chain([Dim::Known(1)]).collect(),
        };
        Sample { op: Reshape { shape }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Reshape {
    fn name(&self) -> Cow<'static, str> {
        "reshape".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !operands[0].with_shape(&self.shape).is_countable() {
            return Err(Violation::new(
                "C2",
                format!("{} has more elements than can be counted", self.shape),
            ));
        }
        let (from, to) = (operands[0].shape.numel(), self.shape.numel());
        if from != to {
            let message = format!("{} has {from} elements, {} has {to}", operands[0], self.shape);
            return Err(Violation::new("C2", message));
        }
        Ok(operands[0].with_shape(&self.shape))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        operands[0].reshape(&known(result)?).map_err(|error| error.to_string())
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.reshape(at.operands[0].shape()))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Reshape { shape: self.shape.bind(bindings)? }.into())
    }
}

impl Permute {
    /// The order that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Permute {
        let position = |axis| self.order.position(axis).expect("an order names every axis");
        Permute { order: (0..self.order.len()).map(position).collect() }
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let order = choices.permutation(ty.rank());
        Sample { op: Permute { order: order.into() }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Permute {
    fn name(&self) -> Cow<'static, str> {
        "permute".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        if self.order.len() != operand.rank() || !self.order.is_choice_of(operand.rank()) {
            let order: Vec<usize> = self.order.iter().collect();
            return Err(Violation::new(
                "C2",
                format!("order {order:?} must name every axis of {operand} once"),
            ));
        }
        Ok(operand.with_shape(self.order.iter().map(|axis| operand.shape[axis].clone()).collect::<Shape>()))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let order: Vec<usize> = self.order.iter().collect();
        Ok(rearrange!(operands[0], |array| array.permuted_axes(order).to_owned()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.apply(self.inverse()))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

impl Slice {
    /// The slice that takes everything.
    #[must_use]
    pub fn whole(shape: &Shape) -> Slice {
        Slice {
            starts: vec![Dim::Known(0); shape.rank()],
            ends: shape.iter().cloned().collect(),
            steps: vec![1; shape.rank()],
        }
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let mut slice = Slice::whole(&ty.shape);
        for axis in 0..ty.rank() {
            let size = ty.shape[axis].known().expect("samples have known sizes");
            let start = choices.below(size + 1);
            slice.starts[axis] = start.into();
            slice.ends[axis] = (start + choices.below(size - start + 1)).into();
            slice.steps[axis] = 1 + choices.below(2);
        }
        Sample { op: slice.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Slice {
    fn name(&self) -> Cow<'static, str> {
        "slice".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let rank = operand.rank();
        if self.starts.len() != rank || self.ends.len() != rank || self.steps.len() != rank {
            let message = format!("takes {rank} starts, ends and steps for {operand}, got {self:?}");
            return Err(Violation::new("C2", message));
        }
        let mut shape = operand.shape.clone();
        for axis in 0..rank {
            let (start, end, step) = (&self.starts[axis], &self.ends[axis], self.steps[axis]);
            if step == 0 || isize::try_from(step).is_err() {
                return Err(Violation::new("C3", format!("axis {axis} cannot be taken in steps of {step}")));
            }
            let ordered = |low: &Dim, high: &Dim| match (low.known(), high.known()) {
                (Some(low), Some(high)) => low <= high,
                _ => high.checked_sub(low).is_some(),
            };
            let length =
                end.checked_sub(start).filter(|_| ordered(start, end) && ordered(end, &operand.shape[axis]));
            let Some(length) = length else {
                let message = format!("{start}..{end} is out of range for axis {axis} of {operand}");
                return Err(Violation::new("C4", message));
            };
            let taken = match (step, length.known()) {
                (1, _) => length,
                (_, Some(length)) => Dim::Known(length.div_ceil(step)),
                _ => {
                    return Err(Violation::new(
                        "C5",
                        format!("a step of {step} needs known sizes, got {length}"),
                    ));
                }
            };
            shape = shape.with(axis, taken);
        }
        Ok(operand.with_shape(shape))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let (starts, ends) = (sizes_of(&self.starts)?, sizes_of(&self.ends)?);
        if let Some(axis) = (0..ends.len()).find(|axis| ends[*axis] > operands[0].sizes()[*axis]) {
            return Err(format!("{} is out of range for axis {axis} of {}", ends[axis], operands[0].ty()));
        }
        Ok(rearrange!(operands[0], |array| {
            let mut view = array;
            for axis in 0..view.ndim() {
                // ndarray refuses a start at the very end with a step: an empty range says the same.
                let start = starts[axis].min(ends[axis]);
                let range = Range::new(start as isize, Some(ends[axis] as isize), self.steps[axis] as isize);
                view.slice_axis_inplace(Axis(axis), range);
            }
            view.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let (whole, taken) = (at.operands[0].shape(), at.cotangent.shape());
            if taken.contains(&Dim::Known(0)) {
                return at.operands[0].zeros_like();
            }
            let high = |axis: usize| {
                let step = self.steps[axis];
                if step == 1 {
                    return whole[axis].clone() - self.ends[axis].clone();
                }
                // C5: sizes are known where a step is taken.
                let last = (taken[axis].known().unwrap_or_default() - 1) * step + 1;
                whole[axis].clone() - self.starts[axis].clone() - Dim::Known(last)
            };
            let value = zero_of(at);
            let inner = self.steps.iter().map(|step| step - 1).collect();
            at.cotangent.apply(Pad {
                low: self.starts.clone(),
                high: (0..whole.rank()).map(high).collect(),
                inner,
                value,
            })
        })
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let (starts, ends) = (bind_all(&self.starts, bindings)?, bind_all(&self.ends, bindings)?);
        Ok(Slice { starts, ends, steps: self.steps.clone() }.into())
    }
}

impl Pad {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let mut few = |count: usize| (0..ty.rank()).map(|_| choices.below(count)).collect::<Vec<usize>>();
        let (low, high, inner) = (few(3), few(3), few(2));
        let dims = |sizes: Vec<usize>| sizes.into_iter().map(Dim::Known).collect();
        let op = Pad { low: dims(low), high: dims(high), inner, value: Scalar::from(0.5) };
        Sample { op: op.into(), operands: vec![OperandSample::any(ty)] }
    }

    /// The size of an axis with `inner` places between its elements.
    fn widened(size: &Dim, inner: usize) -> Dim {
        match (inner, size.known()) {
            (0, _) => size.clone(),
            (_, Some(size)) => Dim::Known(size.saturating_add(size.saturating_sub(1).saturating_mul(inner))),
            _ => size.clone() * Dim::Known(inner.saturating_add(1)) - Dim::Known(inner),
        }
    }

    /// The slice of the result that holds the operand of shape `operand`.
    #[must_use]
    pub fn window(&self, operand: &Shape) -> Slice {
        let end = |axis: usize| self.low[axis].clone() + Pad::widened(&operand[axis], self.inner[axis]);
        Slice {
            starts: self.low.clone(),
            ends: (0..operand.rank()).map(end).collect(),
            steps: self.inner.iter().map(|inner| inner.saturating_add(1)).collect(),
        }
    }
}

impl OpRules for Pad {
    fn name(&self) -> Cow<'static, str> {
        "pad".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        let rank = operand.rank();
        if self.low.len() != rank || self.high.len() != rank || self.inner.len() != rank {
            return Err(Violation::new(
                "C2",
                format!("takes {rank} counts per side for {operand}, got {self:?}"),
            ));
        }
        if self.value.dtype() != operand.dtype {
            return Err(Violation::new("C3", format!("pads {operand} with {}", self.value)));
        }
        let size = |axis: usize| {
            let inside = Pad::widened(&operand.shape[axis], self.inner[axis]);
            self.low[axis].checked_add(&inside)?.checked_add(&self.high[axis])
        };
        match (0..rank).map(size).collect::<Option<Shape>>() {
            Some(shape) => Ok(operand.with_shape(shape)),
            None => Err(Violation::new("C4", format!("{self:?} makes a size of {operand} negative"))),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let window = self.window(&operands[0].shape());
        let (starts, ends) = (sizes_of(&window.starts)?, sizes_of(&window.ends)?);
        Ok(rearrange!(operands[0], |array| {
            let mut padded = ArrayD::from_elem(IxDyn(&sizes), self.value.get());
            if !array.is_empty() {
                let mut view = padded.view_mut();
                for axis in 0..sizes.len() {
                    let range = Range::new(
                        starts[axis] as isize,
                        Some(ends[axis] as isize),
                        window.steps[axis] as isize,
                    );
                    view.slice_axis_inplace(Axis(axis), range);
                }
                view.assign(&array);
            }
            padded
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let operand = at.operands[0].shape();
            match operand.contains(&Dim::Known(0)) {
                true => at.operands[0].zeros_like(),
                false => at.cotangent.apply(self.window(&operand)),
            }
        })
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let (low, high) = (bind_all(&self.low, bindings)?, bind_all(&self.high, bindings)?);
        Ok(Pad { low, high, inner: self.inner.clone(), value: self.value }.into())
    }
}

impl Concat {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(2);
        let ty = if ty.rank() == 0 { ty.with_shape([2]) } else { ty };
        let axis = choices.below(ty.rank());
        let count = 1 + choices.below(3);
        let mut part = || OperandSample::any(ty.with_shape(ty.shape.with(axis, choices.below(4).into())));
        Sample { op: Concat { axis }.into(), operands: (0..count).map(|_| part()).collect() }
    }
}

impl OpRules for Concat {
    fn name(&self) -> Cow<'static, str> {
        "concat".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        let Some(first) = operands.first() else {
            return Err(Violation::new("C1", "takes at least one operand, got none"));
        };
        if self.axis >= first.rank() {
            return Err(Violation::new("C2", format!("axis {} is out of range for {first}", self.axis)));
        }
        expect_one_dtype(operands)?;
        let others = |ty: &TensorType| ty.shape.without(|axis| axis == self.axis);
        if let Some(other) =
            operands.iter().find(|ty| ty.rank() != first.rank() || others(ty) != others(first))
        {
            let message = format!("{first} and {other} differ in another axis than {}", self.axis);
            return Err(Violation::new("C4", message));
        }
        let total =
            operands.iter().try_fold(Dim::Known(0), |total, ty| total.checked_add(&ty.shape[self.axis]));
        let Some(total) = total else {
            return Err(Violation::new(
                "C5",
                format!("the sizes of axis {} add up to a negative one", self.axis),
            ));
        };
        Ok(first.with_shape(first.shape.with(self.axis, total)))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        dispatch!(operands[0].dtype(), T => {
            let views: Vec<_> = operands.iter().map(|operand| operand.view::<T>()).collect();
            let joined = concatenate(Axis(self.axis), &views).map_err(|error| error.to_string())?;
            Ok(Tensor::from_array(joined))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let mut start = Dim::Known(0);
        let parts = at.operands.iter().enumerate().map(|(index, operand)| {
            let end = start.clone() + operand.shape()[self.axis].clone();
            let from = std::mem::replace(&mut start, end.clone());
            if !at.wants(index) {
                return Partial::Stops;
            }
            let mut slice = Slice::whole(&at.cotangent.shape());
            slice.starts[self.axis] = from;
            slice.ends[self.axis] = end;
            Partial::Flows(at.cotangent.apply(slice))
        });
        parts.collect()
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl Reverse {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let axes = choices.axes(ty.rank());
        Sample { op: Reverse { axes }.into(), operands: vec![OperandSample::any(ty)] }
    }
}

impl OpRules for Reverse {
    fn name(&self) -> Cow<'static, str> {
        "reverse".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if !self.axes.is_choice_of(operands[0].rank()) {
            let axes: Vec<usize> = self.axes.iter().collect();
            return Err(Violation::new(
                "C2",
                format!("axes {axes:?} must be axes of {}, none twice", operands[0]),
            ));
        }
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(rearrange!(operands[0], |array| {
            let mut view = array;
            for axis in self.axes.iter() {
                view.invert_axis(Axis(axis));
            }
            view.to_owned()
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent.apply(self.clone()))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

/// The zero of the cotangent's type.
fn zero_of(at: &Site<'_>) -> Scalar {
    Scalar::of(at.cotangent.dtype(), 0.0).expect("zero is an element of every type")
}

fn bind_all(dims: &[Dim], bindings: &Bindings) -> Result<Vec<Dim>, Dim> {
    dims.iter().map(|dim| dim.bind(bindings).ok_or_else(|| dim.clone())).collect()
}

fn sizes_of(dims: &[Dim]) -> Result<Vec<usize>, String> {
    dims.iter().map(|dim| dim.known().ok_or_else(|| format!("the size of {dim} is not known"))).collect()
}
