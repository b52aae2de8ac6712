//! Reading at indices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::Element;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::index::place::{
    aligned_indices, each_aligned_element, each_slice_element, expect_aligned, expect_indices, sample_base,
    sample_indices, slices_shape,
};
use crate::op::index::{Scatter, ScatterAlong, ScatterKind};
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

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
            let add = Scatter { kind: ScatterKind::Add, axis: self.axis };
            zeros.apply_to(add, &[at.operands[1], at.cotangent])
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let (x, indices) = (at.operands[0], at.operands[1]);
        match (at.mapped[0], at.mapped[1]) {
            (true, false) => Some(x.apply_to(Gather { axis: self.axis + 1 }, &[indices])),
            (false, _) => {
                // The leading axis of the indices stands where the axis was.
                Some(x.apply_to(*self, &[indices]).move_axis(self.axis as i64, 0))
            }
            (true, true) => {
                let along = aligned_indices(at, self.axis, x);
                let taken = x.apply_to(GatherAlong { axis: self.axis + 1 }, &[along]);
                Some(taken.reshape(slices_shape(self.axis + 1, &x.shape(), &indices.shape()[1..])))
            }
        }
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
            let add = ScatterAlong { kind: ScatterKind::Add, axis: self.axis };
            zeros.apply_to(add, &[at.operands[1], at.cotangent])
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply_to(GatherAlong { axis: self.axis + 1 }, &[at.spread(1)]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
