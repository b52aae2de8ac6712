//! What indexing ops share: their constraints, the places that indices name, and indices for samples.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Broadcast;
use crate::op::rules::Batch;
use crate::op::sample::{Choices, Domain, OperandSample};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// C2 and C3: the axis exists, the indices are whole numbers.
pub(super) fn expect_indices(axis: usize, base: &TensorType, indices: &TensorType) -> Result<(), Violation> {
    if axis >= base.rank() {
        return Err(Violation::new("C2", format!("axis {axis} is out of range for {base}")));
    }
    if indices.dtype != DType::I64 {
        return Err(Violation::new("C3", format!("indices are of type i64, got {indices}"))
            .help("convert with `cast`"));
    }
    Ok(())
}

/// C4 of the ops with one index per element: `indices` has the shape of `base` but for the axis.
pub(super) fn expect_aligned(axis: usize, base: &TensorType, indices: &TensorType) -> Result<(), Violation> {
    let aligned = indices.rank() == base.rank()
        && indices.shape.without(|other| other == axis) == base.shape.without(|other| other == axis);
    match aligned {
        true => Ok(()),
        false => {
            Err(Violation::new("C4", format!("{base} and {indices} differ in another axis than {axis}")))
        }
    }
}

/// The shape of whole slices of `base` at `indices`.
pub(super) fn slices_shape(axis: usize, base: &[Dim], indices: &[Dim]) -> Shape {
    base[..axis].iter().chain(indices).chain(&base[axis + 1..]).cloned().collect()
}

/// An index as a position, or what is wrong with it.
fn checked(index: i64, bound: usize) -> Result<usize, String> {
    usize::try_from(index)
        .ok()
        .filter(|at| *at < bound)
        .ok_or_else(|| format!("index {index} is out of range for an axis of size {bound}"))
}

/// Sizes before, at and after an axis.
fn around(sizes: &[usize], axis: usize) -> (usize, usize, usize) {
    (sizes[..axis].iter().product(), sizes[axis], sizes[axis + 1..].iter().product())
}

/// Runs `visit(base position, slice position)` for every element of the slices at `indices`.
pub(super) fn each_slice_element(
    base: &[usize],
    axis: usize,
    indices: &[i64],
    mut visit: impl FnMut(usize, usize),
) -> Result<(), String> {
    let (outer, bound, inner) = around(base, axis);
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
pub(super) fn each_aligned_element(
    base: &[usize],
    axis: usize,
    indices: &Tensor,
    mut visit: impl FnMut(usize, usize),
) -> Result<(), String> {
    let (_, bound, inner) = around(base, axis);
    let count = indices.sizes()[axis];
    for (position, index) in indices.values::<i64>().iter().enumerate() {
        let (o, i) = (position / (count * inner), position % inner);
        visit((o * bound + checked(*index, bound)?) * inner + i, position);
    }
    Ok(())
}

/// Mapped indices of whole slices as one index per element: `[b, j…]` becomes `[b, o…, J, i…]` with all `j` as one axis,
/// so that each element of the batch reads or writes at its own indices, and each index is checked against its own bound.
///
/// `base` has the leading axis, and `axis` counts without it.
pub(super) fn aligned_indices<'g>(at: &Batch<'g>, axis: usize, base: Expr<'g>) -> Expr<'g> {
    let (indices, base) = (at.operands[1], base.shape());
    let count: Dim = indices.shape()[1..].iter().product();
    let flat = indices.reshape([at.size.clone(), count.clone()]);
    let shape = base.with(axis + 1, count);
    if flat.shape() == shape { flat } else { flat.apply(Broadcast { shape, axes: [0, axis + 1].into() }) }
}

/// A base with at least one axis, one of its axes, and the size of that.
pub(super) fn sample_base(choices: &mut Choices) -> (TensorType, usize, usize) {
    let ty = choices.nonempty_float_type(3);
    let ty = if ty.rank() == 0 { ty.with_shape([3]) } else { ty };
    let axis = choices.below(ty.rank());
    let bound = ty.shape[axis].known().expect("samples have known sizes");
    (ty, axis, bound)
}

/// Indices below a bound.
pub(super) fn sample_indices(shape: Shape, below: usize) -> OperandSample {
    OperandSample { ty: TensorType::new(DType::I64, shape), domain: Domain::Index { below } }
}
