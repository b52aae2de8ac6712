//! Writing at indices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::index::place::{
    aligned_indices, each_aligned_element, each_slice_element, expect_aligned, expect_indices, sample_base,
    sample_indices, slices_shape,
};
use crate::op::index::{Gather, GatherAlong};
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_operands};
use crate::op::{Broadcast, Literal, Op, Real, Scalar};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use crate::{dispatch, dispatch_float};

/// What an update does to the element that is there. Updates of one place come in row-major order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScatterKind {
    /// It replaces it; of several updates of one place the last remains.
    Set,
    /// It is added to it.
    Add,
    /// The larger remains, NaN if either is.
    Max,
    /// The smaller remains, NaN if either is.
    Min,
}

/// `base` with whole slices of `updates` combined into those at `indices`:
/// `result[o…, indices[j…], i…] ⊕= updates[o…, j…, i…]`.
///
/// Operands: base, indices, updates.
/// Constraints: C1 three operands; C2 the axis exists; C3 indices of type i64; C4 updates have the shape that
/// [`Gather`] gives; C5 base and updates of one type, which for all but `set` is not bool.
/// Gradient, `add`: `ȳ` to base, `gather(ȳ)` to updates. `set`: `ȳ` to base, but 0 where it was overwritten, and
/// `gather(ȳ)` to the update that remained of each place, 0 to the others. `max` and `min`: `ȳ / #ties` to all that equal
/// the extreme, of base and updates together, 0 to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scatter {
    /// How updates are combined with the base.
    pub kind: ScatterKind,
    /// The axis of `base` that is indexed.
    pub axis: usize,
}

/// `base` with each element of `updates` combined into the one at its index:
/// `result[o…, indices[o…, j, i…], i…] ⊕= updates[o…, j, i…]`.
///
/// Operands: base, indices, updates.
/// Constraints: C1 three operands; C2 the axis exists; C3 indices of type i64; C4 indices and updates have one shape,
/// that of base but for the axis; C5 base and updates of one type, which for all but `set` is not bool.
/// Gradient: as that of [`Scatter`], with [`GatherAlong`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScatterAlong {
    /// How updates are combined with the base.
    pub kind: ScatterKind,
    /// The axis of `base` that is indexed.
    pub axis: usize,
}

impl ScatterKind {
    const ALL: [ScatterKind; 4] = [ScatterKind::Add, ScatterKind::Set, ScatterKind::Max, ScatterKind::Min];

    /// C5: what is written has the type of what it is combined with, and can be.
    fn expect_combinable(self, base: &TensorType, updates: &TensorType) -> Result<(), Violation> {
        expect_one_dtype(&[base, updates])
            .map_err(|violation| Violation { constraint: "C5", ..violation })?;
        match (self, base.dtype) {
            (ScatterKind::Set, _) | (_, DType::F32 | DType::F64 | DType::I64) => Ok(()),
            (_, DType::Bool) => Err(Violation::new("C5", format!("takes numbers, got {base}"))),
        }
    }

    /// Combines through a visitor of (base position, update position).
    fn combine(
        self,
        operands: &[&Tensor],
        visit: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<(), String>,
    ) -> Result<Tensor, String> {
        let dtype = operands[0].dtype();
        match self {
            ScatterKind::Set => dispatch!(dtype, T => combine_by(operands, |_, update: T| update, visit)),
            ScatterKind::Add => dispatch_float!(
                dtype, T => combine_by(operands, |sum: T, update| sum + update, visit),
                else combine_by(operands, i64::wrapping_add, visit)
            ),
            ScatterKind::Max => dispatch_float!(
                dtype, T => combine_by::<T>(operands, Real::larger, visit),
                else combine_by::<i64>(operands, Ord::max, visit)
            ),
            ScatterKind::Min => dispatch_float!(
                dtype, T => combine_by::<T>(operands, Real::smaller, visit),
                else combine_by::<i64>(operands, Ord::min, visit)
            ),
        }
    }

    /// Base and updates that gradients can be measured at: for an extreme, no two of them are equal.
    fn sample(self, base: TensorType, updates: TensorType) -> [OperandSample; 2] {
        match self {
            ScatterKind::Set | ScatterKind::Add => [OperandSample::any(base), OperandSample::any(updates)],
            // Distinct numbers are multiples of 0.15.
            ScatterKind::Max | ScatterKind::Min => [
                OperandSample { ty: base, domain: Domain::Lattice { step: 0.3, offset: 0.075 } },
                OperandSample { ty: updates, domain: Domain::Distinct },
            ],
        }
    }
}

/// The base with every update put in by `combine`, in the order of the visitor.
fn combine_by<T: Element>(
    operands: &[&Tensor],
    combine: impl Fn(T, T) -> T,
    visit: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<(), String>,
) -> Result<Tensor, String> {
    let (mut values, updates) = (operands[0].values::<T>().to_vec(), operands[2].values::<T>());
    visit(&mut |to, from| values[to] = combine(values[to], updates[from]))?;
    Ok(Tensor::new(operands[0].sizes(), values).expect("one value per element"))
}

/// How the gradient of a scatter is written, whichever way it is indexed.
trait Indexed {
    /// `x` at the indices.
    fn read<'g>(&self, x: Expr<'g>, indices: Expr<'g>) -> Expr<'g>;

    /// `updates` combined into `base` by `kind` at the same indices.
    fn write<'g>(&self, kind: ScatterKind, base: Expr<'g>, indices: Expr<'g>, updates: Expr<'g>) -> Expr<'g>;

    /// Which updates are the last ones of their place.
    fn last<'g>(&self, at: &Site<'g>) -> Expr<'g>;

    /// The partials of a scatter of kind `kind`.
    fn partials<'g>(&self, kind: ScatterKind, at: &Site<'g>) -> Partials<'g> {
        let (base, indices, updates) = (at.operands[0], at.operands[1], at.operands[2]);
        let (to_base, to_updates) = match kind {
            ScatterKind::Add => {
                (at.wants(0).then_some(at.cotangent), at.wants(2).then(|| self.read(at.cotangent, indices)))
            }
            ScatterKind::Set => (
                at.wants(0).then(|| self.write(kind, at.cotangent, indices, updates.zeros_like())),
                at.wants(2).then(|| self.last(at).select(self.read(at.cotangent, indices), 0.0)),
            ),
            ScatterKind::Max | ScatterKind::Min => {
                // Where there is a NaN the result is NaN, and equal to nothing.
                let in_base = base.eq(at.result).or(base.is_nan());
                let in_updates = updates.eq(self.read(at.result, indices)).or(updates.is_nan());
                let (ones, more) = (in_base.cast(base.dtype()), in_updates.cast(base.dtype()));
                let share = at.cotangent / self.write(ScatterKind::Add, ones, indices, more);
                // Selected, not multiplied: an infinite cotangent must not become NaN beside the chosen elements.
                (
                    at.wants(0).then(|| in_base.select(share, 0.0)),
                    at.wants(2).then(|| in_updates.select(self.read(share, indices), 0.0)),
                )
            }
        };
        let flows = |partial: Option<Expr<'g>>| partial.map_or(Partial::Stops, Partial::Flows);
        Partials::from_iter([flows(to_base), Partial::Stops, flows(to_updates)])
    }
}

impl Indexed for Scatter {
    fn read<'g>(&self, x: Expr<'g>, indices: Expr<'g>) -> Expr<'g> {
        x.apply_to(Gather { axis: self.axis }, &[indices])
    }

    fn write<'g>(&self, kind: ScatterKind, base: Expr<'g>, indices: Expr<'g>, updates: Expr<'g>) -> Expr<'g> {
        base.apply_to(Scatter { kind, axis: self.axis }, &[indices, updates])
    }

    /// Each index writes its position into a vector; who reads its own position back was last.
    fn last<'g>(&self, at: &Site<'g>) -> Expr<'g> {
        let (base, indices, updates) = (at.operands[0].shape(), at.operands[1], at.operands[2].shape());
        let flat = indices.reshape([indices.shape().numel()]);
        let places = Literal { value: Scalar::from(0_i64), shape: [base[self.axis].clone()].into() };
        let (along, positions) = (Scatter { kind: ScatterKind::Set, axis: 0 }, flat.iota_like(0));
        let written = at.builder().leaf(places).apply_to(along, &[flat, positions]);
        let last = written.apply_to(Gather { axis: 0 }, &[flat]).eq(positions).reshape(indices.shape());
        let axes = (self.axis..self.axis + indices.rank()).collect();
        if last.shape() == updates { last } else { last.apply(Broadcast { shape: updates, axes }) }
    }
}

impl Indexed for ScatterAlong {
    fn read<'g>(&self, x: Expr<'g>, indices: Expr<'g>) -> Expr<'g> {
        x.apply_to(GatherAlong { axis: self.axis }, &[indices])
    }

    fn write<'g>(&self, kind: ScatterKind, base: Expr<'g>, indices: Expr<'g>, updates: Expr<'g>) -> Expr<'g> {
        base.apply_to(ScatterAlong { kind, axis: self.axis }, &[indices, updates])
    }

    /// Each index writes its position into a tensor like the base; who reads its own position back was last.
    fn last<'g>(&self, at: &Site<'g>) -> Expr<'g> {
        let (indices, positions) = (at.operands[1], at.operands[1].iota_like(self.axis as i64));
        let places = Literal { value: Scalar::from(0_i64), shape: at.operands[0].shape() };
        let written = self.write(ScatterKind::Set, at.builder().leaf(places), indices, positions);
        self.read(written, indices).eq(positions)
    }
}

impl Scatter {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(choices.shape(2), bound);
        let updates = ty.with_shape(slices_shape(axis, &ty.shape, &indices.ty.shape));
        let kind = ScatterKind::ALL[choices.below(4)];
        let [base, updates] = kind.sample(ty, updates);
        Sample { op: Scatter { kind, axis }.into(), operands: vec![base, indices, updates] }
    }
}

impl OpRules for Scatter {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            ScatterKind::Set => "scatter_set",
            ScatterKind::Add => "scatter_add",
            ScatterKind::Max => "scatter_max",
            ScatterKind::Min => "scatter_min",
        }
        .into()
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
        self.kind.expect_combinable(operands[0], operands[2])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let indices = operands[1].values::<i64>();
        self.kind
            .combine(operands, |visit| each_slice_element(operands[0].sizes(), self.axis, indices, visit))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        self.partials(self.kind, at)
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let (base, updates) = (at.spread(0), at.spread(2));
        if !at.mapped[1] {
            let op = Scatter { kind: self.kind, axis: self.axis + 1 };
            return Some(base.apply_to(op, &[at.operands[1], updates]));
        }
        let along = aligned_indices(at, self.axis, base);
        let op = ScatterAlong { kind: self.kind, axis: self.axis + 1 };
        Some(base.apply_to(op, &[along, updates.reshape(along.shape())]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl ScatterAlong {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let (ty, axis, bound) = sample_base(choices);
        let indices = sample_indices(ty.shape.with(axis, choices.below(4).into()), bound);
        let updates = ty.with_shape(&indices.ty.shape);
        let kind = ScatterKind::ALL[choices.below(4)];
        let [base, updates] = kind.sample(ty, updates);
        Sample { op: ScatterAlong { kind, axis }.into(), operands: vec![base, indices, updates] }
    }
}

impl OpRules for ScatterAlong {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            ScatterKind::Set => "scatter_set_along",
            ScatterKind::Add => "scatter_add_along",
            ScatterKind::Max => "scatter_max_along",
            ScatterKind::Min => "scatter_min_along",
        }
        .into()
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
        self.kind.expect_combinable(operands[0], operands[2])?;
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        self.kind.combine(operands, |visit| {
            each_aligned_element(operands[0].sizes(), self.axis, operands[1], visit)
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        self.partials(self.kind, at)
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let op = ScatterAlong { kind: self.kind, axis: self.axis + 1 };
        Some(at.spread(0).apply_to(op, &[at.spread(1), at.spread(2)]))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
