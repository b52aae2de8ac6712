//! Indexing: reading and adding at places given by i64 indices.
//!
//! An index must lie in `0..size`; one that does not is an error of the run that names index, bound and node.
//! No gradient reaches the indices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::rules::{OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_operands};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use crate::{dispatch, dispatch_float};

/// Whole slices: `result[o…, j…, i…] = x[o…, indices[j…], i…]`, as `numpy.take`.
///
/// Operands: x, indices.
/// Constraints: C1 two operands; C2 the axis exists; C3 indices of type i64.
/// Gradient: `ȳ` added at the indices, those taken twice adding up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gather {
    /// The axis of `x` that is indexed.
    pub axis: usize,
}

/// One element per index: `result[o…, j, i…] = x[o…, indices[o…, j, i…], i…]`, as `numpy.take_along_axis`.
///
/// Operands: x, indices.
/// Constraints: C1 two operands; C2 the axis exists; C3 indices of type i64; C4 the other axes are equal.
/// Gradient: `ȳ` added at the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GatherAlong {
    /// The axis of `x` that is indexed.
    pub axis: usize,
}

/// `base` with whole slices of `updates` added at `indices`; repeated indices add up, in row-major order.
///
/// Operands: base, indices, updates.
/// Constraints: C1 three operands; C2 the axis exists; C3 indices of type i64; C4 updates have the shape that
/// [`Gather`] gives; C5 base and updates of one float or i64 type.
/// Gradient: `ȳ` to base, `gather(ȳ)` to updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScatterAdd {
    /// The axis of `base` that is indexed.
    pub axis: usize,
}

/// `base` with each element of `updates` added at its index; repeated indices add up, in row-major order.
///
/// Operands: base, indices, updates.
/// Constraints: C1 three operands; C2 the axis exists; C3 indices of type i64; C4 indices and updates have one shape,
/// that of base but for the axis; C5 base and updates of one float or i64 type.
/// Gradient: `ȳ` to base, `gather_along(ȳ)` to updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScatterAddAlong {
    /// The axis of `base` that is indexed.
    pub axis: usize,
}

/// C2 and C3: the axis exists, the indices are whole numbers.
fn expect_indices(axis: usize, base: &TensorType, indices: &TensorType) -> Result<(), Violation> {
    if axis >= base.rank() {
        return Err(Violation::new("C2", format!("axis {axis} is out of range for {base}")));
    }
    if indices.dtype != DType::I64 {
        return Err(Violation::new("C3", format!("indices are of type i64, got {indices}"))
            .help("convert with `cast`"));
    }
    Ok(())
}

/// The shape of whole slices of `base` at `indices`.
fn slices_shape(axis: usize, base: &Shape, indices: &Shape) -> Shape {
    base[..axis].iter().chain(indices.iter()).chain(&base[axis + 1..]).cloned().collect()
}

/// C4 of the ops with one index per element: `indices` has the shape of `base` but for the axis.
fn expect_aligned(axis: usize, base: &TensorType, indices: &TensorType) -> Result<(), Violation> {
    let aligned = indices.rank() == base.rank()
        && indices.shape.without(|other| other == axis) == base.shape.without(|other| other == axis);
    match aligned {
        true => Ok(()),
        false => {
            Err(Violation::new("C4", format!("{base} and {indices} differ in another axis than {axis}")))
        }
    }
}

/// C5: what is added has the type of what it is added to, and can be added.
fn expect_addable(base: &TensorType, updates: &TensorType) -> Result<(), Violation> {
    expect_one_dtype(&[base, updates])?;
    match base.dtype {
        DType::Bool => Err(Violation::new("C5", format!("truth values cannot be added, got {base}"))),
        _ => Ok(()),
    }
}

/// An index as a position, or what is wrong with it.
fn checked(index: i64, bound: usize) -> Result<usize, String> {
    usize::try_from(index)
        .ok()
        .filter(|at| *at < bound)
        .ok_or_else(|| format!("index {index} is out of range for an axis of size {bound}"))
}

/// Sizes before, at and after an axis.
fn split(sizes: &[usize], axis: usize) -> (usize, usize, usize) {
    (sizes[..axis].iter().product(), sizes[axis], sizes[axis + 1..].iter().product())
}

/// Runs `visit(base position, slice position)` for every element of the slices at `indices`.
fn each_slice_element(
    base: &[usize],
    axis: usize,
    indices: &[i64],
    mut visit: impl FnMut(usize, usize),
) -> Result<(), String> {
    let (outer, bound, inner) = split(base, axis);
    for o in 0..outer {
        for (j, index) in indices.iter().enumerate() {
            let at = checked(*index, bound)?;
            for i in 0..inner {
                visit((o * bound + at) * inner + i, (o * indices.len() + j) * inner + i);
            }
        }
    }
    Ok(())
}

/// Runs `visit(base position, index position)` for every index of an aligned index tensor.
fn each_aligned_element(
    base: &[usize],
    axis: usize,
    indices: &Tensor,
    mut visit: impl FnMut(usize, usize),
) -> Result<(), String> {
    let (_, bound, inner) = split(base, axis);
    let count = indices.sizes()[axis];
    for (position, index) in indices.values::<i64>().iter().enumerate() {
        let (o, i) = (position / (count * inner), position % inner);
        visit((o * bound + checked(*index, bound)?) * inner + i, position);
    }
    Ok(())
}

/// Reads through a visitor of (base position, result position).
fn read<T: Element>(
    x: &Tensor,
    sizes: &[usize],
    visit: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<(), String>,
) -> Result<Tensor, String> {
    let source = x.values::<T>();
    let mut values = vec![T::default(); sizes.iter().product()];
    visit(&mut |from, to| values[to] = source[from])?;
    Ok(Tensor::new(sizes, values).expect("one value per element"))
}

/// Adds through a visitor of (base position, update position).
fn add(
    operands: &[&Tensor],
    visit: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<(), String>,
) -> Result<Tensor, String> {
    let (base, updates) = (operands[0], operands[2]);
    dispatch_float!(base.dtype(), T => {
        let (mut values, updates) = (base.values::<T>().to_vec(), updates.values::<T>());
        visit(&mut |to, from| values[to] += updates[from])?;
        Ok(Tensor::new(base.sizes(), values).expect("one value per element"))
    }, else {
        let (mut values, updates) = (base.values::<i64>().to_vec(), updates.values::<i64>());
        visit(&mut |to, from| values[to] = values[to].wrapping_add(updates[from]))?;
        Ok(Tensor::new(base.sizes(), values).expect("one value per element"))
    })
}

/// A base with at least one axis, and one of its axes.
fn sample_base(choices: &mut Choices) -> (TensorType, usize, usize) {
    let ty = choices.nonempty_float_type(3);
    let ty = if ty.rank() == 0 { ty.with_shape([3]) } else { ty };
    let axis = choices.below(ty.rank());
    let bound = ty.shape[axis].known().expect("samples have known sizes");
    (ty, axis, bound)
}

fn sample_indices(shape: Shape, below: usize) -> OperandSample {
    OperandSample { ty: TensorType::new(DType::I64, shape), domain: Domain::Index { below } }
}

impl Gather {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(choices.shape(2), bound);
        Sample { op: Gather { axis }.into(), operands: vec![OperandSample::any(ty), indices] }
    }
}

impl OpRules for Gather {
    fn name(&self) -> Cow<'static, str> {
        "gather".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Indexing
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_indices(self.axis, operands[0], operands[1])?;
        Ok(operands[0].with_shape(slices_shape(self.axis, &operands[0].shape, &operands[1].shape)))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (x, indices) = (operands[0], operands[1].values::<i64>());
        let sizes = known(result)?;
        dispatch!(x.dtype(), T => {
            read::<T>(x, &sizes, |visit| each_slice_element(x.sizes(), self.axis, indices, visit))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let zeros = at.operands[0].zeros_like();
            zeros.apply_to(ScatterAdd { axis: self.axis }, &[at.operands[1], at.cotangent])
        })
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl GatherAlong {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(ty.shape.with(axis, choices.below(4).into()), bound);
        Sample { op: GatherAlong { axis }.into(), operands: vec![OperandSample::any(ty), indices] }
    }
}

impl OpRules for GatherAlong {
    fn name(&self) -> Cow<'static, str> {
        "gather_along".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Indexing
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_indices(self.axis, operands[0], operands[1])?;
        expect_aligned(self.axis, operands[0], operands[1])?;
        Ok(operands[0].with_shape(&operands[1].shape))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (x, indices) = (operands[0], operands[1]);
        let sizes = known(result)?;
        dispatch!(x.dtype(), T => {
            read::<T>(x, &sizes, |visit| each_aligned_element(x.sizes(), self.axis, indices, visit))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| {
            let zeros = at.operands[0].zeros_like();
            zeros.apply_to(ScatterAddAlong { axis: self.axis }, &[at.operands[1], at.cotangent])
        })
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl ScatterAdd {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(choices.shape(2), bound);
        let updates = OperandSample::any(ty.with_shape(slices_shape(axis, &ty.shape, &indices.ty.shape)));
        Sample { op: ScatterAdd { axis }.into(), operands: vec![OperandSample::any(ty), indices, updates] }
    }
}

impl OpRules for ScatterAdd {
    fn name(&self) -> Cow<'static, str> {
        "scatter_add".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Indexing
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 3)?;
        expect_indices(self.axis, operands[0], operands[1])?;
        let expected = slices_shape(self.axis, &operands[0].shape, &operands[1].shape);
        if operands[2].shape != expected {
            return Err(Violation::new("C4", format!("updates have shape {expected}, got {}", operands[2])));
        }
        expect_addable(operands[0], operands[2])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let indices = operands[1].values::<i64>();
        add(operands, |visit| each_slice_element(operands[0].sizes(), self.axis, indices, visit))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let base = if at.wants(0) { Partial::Flows(at.cotangent) } else { Partial::Stops };
        let updates = match at.wants(2) {
            true => Partial::Flows(at.cotangent.apply_to(Gather { axis: self.axis }, &[at.operands[1]])),
            false => Partial::Stops,
        };
        Partials::from_iter([base, Partial::Stops, updates])
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl ScatterAddAlong {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(ty.shape.with(axis, choices.below(4).into()), bound);
        let updates = OperandSample::any(ty.with_shape(&indices.ty.shape));
        Sample {
            op: ScatterAddAlong { axis }.into(),
            operands: vec![OperandSample::any(ty), indices, updates],
        }
    }
}

impl OpRules for ScatterAddAlong {
    fn name(&self) -> Cow<'static, str> {
        "scatter_add_along".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Indexing
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 3)?;
        expect_indices(self.axis, operands[0], operands[1])?;
        expect_aligned(self.axis, operands[0], operands[1])?;
        if operands[2].shape != operands[1].shape {
            return Err(Violation::new(
                "C4",
                format!("one update per index: got {} and {}", operands[2], operands[1]),
            ));
        }
        expect_addable(operands[0], operands[2])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        add(operands, |visit| each_aligned_element(operands[0].sizes(), self.axis, operands[1], visit))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let base = if at.wants(0) { Partial::Flows(at.cotangent) } else { Partial::Stops };
        let updates = match at.wants(2) {
            true => Partial::Flows(at.cotangent.apply_to(GatherAlong { axis: self.axis }, &[at.operands[1]])),
            false => Partial::Stops,
        };
        Partials::from_iter([base, Partial::Stops, updates])
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
