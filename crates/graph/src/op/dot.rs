//! `dot_general`: the batched contraction that matrix products lower to.

use std::borrow::Cow;

use ndarray::{ArrayView2, ArrayViewD, Axis};
use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_operands};
use crate::op::{Op, Permute};
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// `result[b…, m…, n…] = Σ over k… of left[b…, m…, k…] · right[b…, n…, k…]`, wherever those axes stand in the operands.
///
/// The result's axes are the batch axes as listed, then the free axes of `left`, then those of `right`, each in order.
/// Constraints: C1 two operands; C2 the axes listed exist, none twice; C3 one element type; C4 that is a float; C5 as
/// many batch (contracted) axes on the left as on the right, of the same sizes.
/// Gradient: each operand's cotangent is the contraction of the result's with the other operand.
/// The reference adds products in f64 for f32, in order; kernels may add in another fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DotGeneral {
    /// The batch axes of the left operand.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub batch_left: AxisList,
    /// The batch axes of the right operand, in the same order.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub batch_right: AxisList,
    /// The contracted axes of the left operand.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub contract_left: AxisList,
    /// The contracted axes of the right operand, in the same order.
    #[serde(default, skip_serializing_if = "AxisList::is_empty")]
    pub contract_right: AxisList,
}

impl DotGeneral {
    /// A contraction over the axes listed.
    pub fn new(
        batch_left: impl Into<AxisList>,
        batch_right: impl Into<AxisList>,
        contract_left: impl Into<AxisList>,
        contract_right: impl Into<AxisList>,
    ) -> Self {
        DotGeneral {
            batch_left: batch_left.into(),
            batch_right: batch_right.into(),
            contract_left: contract_left.into(),
            contract_right: contract_right.into(),
        }
    }

    /// The axes of the left operand that are neither batch nor contracted.
    #[must_use]
    pub fn free_left(&self, rank: usize) -> AxisList {
        (0..rank)
            .filter(|axis| !self.batch_left.contains(*axis) && !self.contract_left.contains(*axis))
            .collect()
    }

    /// The axes of the right operand that are neither batch nor contracted.
    #[must_use]
    pub fn free_right(&self, rank: usize) -> AxisList {
        (0..rank)
            .filter(|axis| !self.batch_right.contains(*axis) && !self.contract_right.contains(*axis))
            .collect()
    }

    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let mut sizes =
            |count: usize| (0..choices.below(count)).map(|_| choices.below(4)).collect::<Vec<usize>>();
        let (batch, left, right, contract) = (sizes(2), sizes(3), sizes(3), sizes(3));
        let mut operand = |free: &[usize]| {
            // Axes stand in a random order: batch, free and contracted ones mixed.
            let all: Vec<usize> = batch.iter().chain(free).chain(&contract).copied().collect();
            let order = choices.permutation(all.len());
            let place = |axis: usize| order.iter().position(|other| *other == axis).expect("a permutation");
            let shape: Vec<usize> = order.iter().map(|axis| all[*axis]).collect();
            let batch_axes: Vec<usize> = (0..batch.len()).map(place).collect();
            let contracted: Vec<usize> =
                (0..contract.len()).map(|i| place(batch.len() + free.len() + i)).collect();
            (TensorType::new(DType::F64, shape), batch_axes, contracted)
        };
        let (left, batch_left, contract_left) = operand(&left);
        let (right, batch_right, contract_right) = operand(&right);
        Sample {
            op: DotGeneral::new(batch_left, batch_right, contract_left, contract_right).into(),
            operands: vec![OperandSample::any(left), OperandSample::any(right)],
        }
    }
}

impl OpRules for DotGeneral {
    fn name(&self) -> Cow<'static, str> {
        "dot_general".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Contraction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        let (left, right) = (operands[0], operands[1]);
        for (ty, batch, contract) in
            [(left, &self.batch_left, &self.contract_left), (right, &self.batch_right, &self.contract_right)]
        {
            let listed: AxisList = batch.iter().chain(contract.iter()).collect();
            if !listed.is_choice_of(ty.rank()) {
                let listed: Vec<usize> = listed.iter().collect();
                return Err(Violation::new("C2", format!("axes {listed:?} must be distinct axes of {ty}")));
            }
        }
        expect_one_dtype(operands)?;
        if !left.dtype.is_float() {
            return Err(Violation::new(
                "C4",
                format!("takes floating-point elements, got {left} and {right}"),
            )
            .help("convert with `cast`"));
        }
        for (kind, ours, theirs) in [
            ("batch", &self.batch_left, &self.batch_right),
            ("contracted", &self.contract_left, &self.contract_right),
        ] {
            let sizes = |ty: &TensorType, axes: &AxisList| {
                axes.iter().map(|axis| ty.shape[axis].clone()).collect::<Shape>()
            };
            if sizes(left, ours) != sizes(right, theirs) {
                let message = format!(
                    "{kind} sizes differ: {left} · {right} ({} and {})",
                    sizes(left, ours),
                    sizes(right, theirs)
                );
                let help = "`dot` contracts the last axis of the left operand with the second to last of the right one";
                return Err(Violation::new("C5", message).help(help));
            }
        }
        let axes = |ty: &TensorType, axes: AxisList| {
            axes.iter().map(|axis| ty.shape[axis].clone()).collect::<Vec<Dim>>()
        };
        let batch = axes(left, self.batch_left.clone());
        let free_left = axes(left, self.free_left(left.rank()));
        let free_right = axes(right, self.free_right(right.rank()));
        Ok(left.with_shape(batch.into_iter().chain(free_left).chain(free_right).collect::<Shape>()))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        match result.dtype {
            DType::F32 => Ok(self.contract::<f32>(operands, &sizes)),
            DType::F64 => Ok(self.contract::<f64>(operands, &sizes)),
            _ => Err("takes floating-point elements".into()),
        }
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let (left, right) = (at.operands[0], at.operands[1]);
        let mut partials = Partials::from_elem(Partial::Stops, 2);
        if at.wants(0) {
            partials[0] = Partial::Flows(self.left_cotangent(left, right, at.cotangent));
        }
        if at.wants(1) {
            partials[1] = Partial::Flows(self.right_cotangent(left, right, at.cotangent));
        }
        partials
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let (left, right) = (at.operands[0], at.operands[1]);
        let shift = |axes: &AxisList, operand: usize| -> AxisList {
            axes.iter().map(|axis| axis + usize::from(at.mapped[operand])).collect()
        };
        let (contract_left, contract_right) = (shift(&self.contract_left, 0), shift(&self.contract_right, 1));
        let (mut batch_left, mut batch_right) = (shift(&self.batch_left, 0), shift(&self.batch_right, 1));
        let both = at.mapped[0] && at.mapped[1];
        if both {
            let first = |axes: &AxisList| std::iter::once(0).chain(axes.iter()).collect::<AxisList>();
            (batch_left, batch_right) = (first(&batch_left), first(&batch_right));
        }
        let op = DotGeneral { batch_left, batch_right, contract_left, contract_right };
        // Mapped on one side, the axis is a free one: the first of its operand's, behind the batch and, on the right, behind
        // what is free on the left.
        let place = match (both, at.mapped[0]) {
            (true, _) => 0,
            (false, true) => op.batch_left.len(),
            (false, false) => op.batch_left.len() + op.free_left(left.rank()).len(),
        };
        Some(left.apply_to(op, &[right]).move_axis(place as i64, 0))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

impl DotGeneral {
    /// `x̄ = ȳ · right` over the right operand's free axes.
    fn left_cotangent<'g>(&self, left: Expr<'g>, right: Expr<'g>, cotangent: Expr<'g>) -> Expr<'g> {
        let (rank, batch) = (left.rank(), self.batch_left.len());
        let (free_left, free_right) = (self.free_left(rank), self.free_right(right.rank()));
        let batch_out: AxisList = (0..batch).collect();
        let free_out: AxisList = (0..free_right.len()).map(|i| batch + free_left.len() + i).collect();
        let product = DotGeneral::new(batch_out, self.batch_right.clone(), free_out, free_right);
        let product = cotangent.apply_to(product, &[right]);
        // The product's axes: batch, free left, then the contracted axes in the order in which `right` has them.
        let contracted = ascending(&self.contract_right).map(|at| self.contract_left.get(at));
        let made: Vec<usize> = self.batch_left.iter().chain(free_left.iter()).chain(contracted).collect();
        restore_order(product, &made)
    }

    /// `ȳ` contracted with left, written left first: for matrices it is `leftᵀ · ȳ`, in the right operand's layout.
    fn right_cotangent<'g>(&self, left: Expr<'g>, right: Expr<'g>, cotangent: Expr<'g>) -> Expr<'g> {
        let batch = self.batch_left.len();
        let (free_left, free_right) = (self.free_left(left.rank()), self.free_right(right.rank()));
        let batch_out: AxisList = (0..batch).collect();
        let free_out: AxisList = (0..free_left.len()).map(|i| batch + i).collect();
        let product = DotGeneral::new(self.batch_left.clone(), batch_out, free_left, free_out);
        let product = left.apply_to(product, &[cotangent]);
        // The product's axes: batch, the contracted axes in the order in which `left` has them, then free right.
        let contracted = ascending(&self.contract_left).map(|at| self.contract_right.get(at));
        let made: Vec<usize> = self.batch_right.iter().chain(contracted).chain(free_right.iter()).collect();
        restore_order(product, &made)
    }

    /// Both operands as stacks of matrices, multiplied row by row.
    fn contract<T: Element>(&self, operands: &[&Tensor], sizes: &[usize]) -> Tensor {
        let left = stack(operands[0].view::<T>(), &self.batch_left, &self.contract_left);
        let right = stack(operands[1].view::<T>(), &self.batch_right, &self.contract_right);
        let mut values = Vec::with_capacity(sizes.iter().product());
        for (left, right) in left.axis_iter(Axis(0)).zip(right.axis_iter(Axis(0))) {
            product(left, right, &mut values);
        }
        Tensor::new(sizes, values).expect("the batch, rows and columns are the result's")
    }
}

/// The positions of a list's entries, smallest axis first.
fn ascending(axes: &AxisList) -> impl Iterator<Item = usize> + use<> {
    let mut order: Vec<(usize, usize)> = axes.iter().enumerate().map(|(at, axis)| (axis, at)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at)
}

/// Moves axis `i` of `product`, which is axis `made[i]` of the operand, to its place.
fn restore_order<'g>(product: Expr<'g>, made: &[usize]) -> Expr<'g> {
    let order = Permute { order: made.iter().copied().collect() }.inverse().order;
    product.permute(order.iter().collect::<Vec<usize>>())
}

/// The array as `[batch, rows, contracted]`.
fn stack<'a, T: Element>(
    array: ArrayViewD<'a, T>,
    batch: &AxisList,
    contract: &AxisList,
) -> ndarray::Array3<T> {
    let free: Vec<usize> =
        (0..array.ndim()).filter(|axis| !batch.contains(*axis) && !contract.contains(*axis)).collect();
    let count =
        |axes: &mut dyn Iterator<Item = usize>| axes.map(|axis| array.shape()[axis]).product::<usize>();
    let shape = (count(&mut batch.iter()), count(&mut free.iter().copied()), count(&mut contract.iter()));
    let order: Vec<usize> = batch.iter().chain(free.iter().copied()).chain(contract.iter()).collect();
    let elements = array.permuted_axes(order).iter().copied().collect();
    ndarray::Array3::from_shape_vec(shape, elements).expect("the axes are all of the array's")
}

fn product<T: Element>(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>, values: &mut Vec<T>) {
    for row in left.rows() {
        for column in right.rows() {
            // `sum` of no floats would be -0.
            let sum = row.iter().zip(column).fold(0.0, |sum, (a, b)| sum + a.to_f64() * b.to_f64());
            values.push(T::from_f64(sum));
        }
    }
}
