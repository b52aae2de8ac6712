//! The steps by which programs grow. Each gives a node of the pool, or nothing where none fits.

use super::Grower;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::expr::Expr;
use crate::op::{
    BinaryOp, Broadcast, Cast, CompareOp, Concat, Domain, DotGeneral, Literal, LogicOp, Op, OperandSample,
    Pad, Permute, Reduce, ReduceKind, Reshape, Reverse, Sample, Scalar, Select, Slice, UnaryOp,
};
use crate::shape::{Shape, TensorType};

impl<'g> Grower<'g, '_> {
    /// One more node of the pool, with what it needs.
    pub(super) fn step(&mut self) -> Option<Expr<'g>> {
        match self.choices.below(12) {
            0 => self.unary(),
            1 | 2 => self.binary(),
            3 | 4 => self.movement(),
            5 => self.reduction(),
            6 => self.product(),
            7 => self.choice(),
            8 if self.feeds.len() < 4 => Some(self.any_input()),
            _ => self.catalogue_op(),
        }
    }

    fn unary(&mut self) -> Option<Expr<'g>> {
        let op = UnaryOp::ALL[self.choices.below(UnaryOp::ALL.len())];
        let x = self.pick_float();
        let sample = OperandSample { ty: x.ty(), domain: op.domain() };
        if !self.is_allowed(std::slice::from_ref(&sample)) {
            return None;
        }
        let x = self.fit(x, &sample)?;
        self.apply(op, &[x])
    }

    /// Two nodes of the pool, one node twice, or one and a number.
    fn binary(&mut self) -> Option<Expr<'g>> {
        let op = BinaryOp::ALL[self.choices.below(BinaryOp::ALL.len())];
        let x = self.pick_float();
        let y = match self.choices.below(4) {
            0 => x,
            1 => self.number(x)?,
            _ => self.pick_float(),
        };
        let common = x.shape().broadcast(&y.shape())?;
        let sample = |domain| OperandSample { ty: TensorType::new(self.spec.dtype, &common), domain };
        let samples = op.domains().map(sample);
        if !self.is_allowed(&samples) {
            return None;
        }
        let (x, y) = (self.broadcast(x, &common)?, self.broadcast(y, &common)?);
        let (x, y) = (self.fit(x, &samples[0])?, self.fit(y, &samples[1])?);
        let (x, y) = if self.choices.below(2) == 0 { (x, y) } else { (y, x) };
        self.apply_within(op.into(), &[x, y], &samples)
    }

    /// A number that rules of algebra know, in the type of `x`.
    fn number(&mut self, x: Expr<'g>) -> Option<Expr<'g>> {
        let value = [1.0, -1.0, 0.5, 2.0, 0.0, -0.0][self.choices.below(6)];
        self.apply(Literal { value: Scalar::of(x.dtype(), value).ok()?, shape: x.shape() }, &[])
    }

    fn broadcast(&mut self, x: Expr<'g>, shape: &Shape) -> Option<Expr<'g>> {
        let axes = (shape.rank() - x.rank()..shape.rank()).collect();
        if x.shape() == *shape { Some(x) } else { self.apply(Broadcast { shape: shape.clone(), axes }, &[x]) }
    }

    fn movement(&mut self) -> Option<Expr<'g>> {
        let x = self.pick(|ty| ty.dtype.is_float() && ty.rank() > 0)?;
        let (shape, rank) = (x.shape(), x.rank());
        let inserted = |at: usize, dim: Dim| -> Shape {
            shape[..at].iter().chain([&dim]).chain(&shape[at..]).cloned().collect()
        };
        let op: Op = match self.choices.below(8) {
            0 => Permute { order: self.choices.permutation(rank).into() }.into(),
            1 => Reshape { shape: [shape.numel()].into() }.into(),
            2 => Reshape { shape: inserted(self.choices.below(rank + 1), Dim::Known(1)) }.into(),
            3 => {
                let at = self.choices.below(rank + 1);
                let axes = (0..=rank).filter(|axis| *axis != at).collect();
                Broadcast { axes, shape: inserted(at, Dim::Known(1 + self.choices.below(3))) }.into()
            }
            4 => Reverse { axes: self.choices.axes(rank) }.into(),
            5 => {
                let mut slice = Slice::whole(&shape);
                for axis in 0..rank {
                    let size = shape[axis].known()?;
                    let start = self.choices.below(size);
                    slice.starts[axis] = Dim::Known(start);
                    slice.ends[axis] = Dim::Known(size - self.choices.below(size - start));
                    slice.steps[axis] = 1 + self.choices.below(2);
                }
                slice.into()
            }
            6 => {
                let mut few = |count| (0..rank).map(|_| self.choices.below(count)).collect::<Vec<usize>>();
                let (low, high, inner) = (few(2), few(2), few(2));
                let dims = |sizes: Vec<usize>| sizes.into_iter().map(Dim::Known).collect();
                let value = Scalar::of(x.dtype(), 0.0).ok()?;
                Pad { low: dims(low), high: dims(high), inner, value }.into()
            }
            _ => {
                let (other, axis) = (self.pick(|ty| *ty == x.ty())?, self.choices.below(rank));
                return self.apply(Concat { axis }, &[x, other]);
            }
        };
        self.apply(op, &[x])
    }

    fn reduction(&mut self) -> Option<Expr<'g>> {
        let dtype = self.spec.dtype;
        let x = self.pick(|ty| ty.dtype == dtype && ty.rank() > 0)?;
        let kind =
            [ReduceKind::Sum, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min][self.choices.below(4)];
        let domain = if kind == ReduceKind::Sum { Domain::ANY } else { Domain::Distinct };
        let sample = [OperandSample { ty: x.ty(), domain }];
        if !self.is_allowed(&sample) || (kind != ReduceKind::Sum && !self.suits(&[x], &sample)) {
            return None;
        }
        let axes = self.choices.axes(x.rank());
        self.apply(Reduce { kind, axes }, &[x])
    }

    /// A contraction of a node with itself, or with the transpose of an input.
    fn product(&mut self) -> Option<Expr<'g>> {
        let dtype = self.spec.dtype;
        let x = self.pick(|ty| ty.dtype == dtype && ty.rank() > 0)?;
        let axis = self.choices.below(x.rank());
        let size = x.shape()[axis].clone();
        if self.choices.below(3) == 0 {
            let other = self.pick(|ty| *ty == x.ty())?;
            return self.apply(DotGeneral::new([], [], [axis], [axis]), &[x, other]);
        }
        let columns = self.size();
        let y = self.input(&OperandSample::any(TensorType::new(dtype, [columns, size])));
        let y = self.apply(Permute { order: [1, 0].into() }, &[y])?;
        self.apply(DotGeneral::new([], [], [axis], [0]), &[x, y])
    }

    /// `select` between two nodes, by a comparison that logic has been applied to.
    fn choice(&mut self) -> Option<Expr<'g>> {
        let dtype = self.spec.dtype;
        let x = self.pick_float();
        let shape = x.shape();
        let condition = match self.pick(|ty| *ty == TensorType::new(DType::Bool, &shape)) {
            Some(condition) if self.choices.below(2) == 0 => condition,
            _ => {
                let op = CompareOp::ALL[self.choices.below(CompareOp::ALL.len())];
                let lattice =
                    |offset| OperandSample { ty: x.ty(), domain: Domain::Lattice { step: 0.4, offset } };
                let samples = [lattice(0.0), lattice(0.2)];
                if !self.is_allowed(&samples) {
                    return None;
                }
                let number = self.number(x)?;
                self.apply_within(op.into(), &[x, number], &samples)?
            }
        };
        let op = LogicOp::ALL[self.choices.below(LogicOp::ALL.len())];
        let other = match self.choices.below(3) {
            0 => condition,
            value => {
                let value = Scalar::of(DType::Bool, (value - 1) as f64).ok()?;
                self.apply(Literal { value, shape: shape.clone() }, &[])?
            }
        };
        let condition = self.apply(op, &[condition, other])?;
        self.pool.push(condition);
        let otherwise = match self.choices.below(2) {
            0 => self.pick(|ty| *ty == TensorType::new(dtype, &shape))?,
            _ => self.number(x)?,
        };
        self.apply(Select, &[condition, x, otherwise])
    }

    /// A sample of any op, over nodes of the pool that are brought into its types, and over inputs.
    fn catalogue_op(&mut self) -> Option<Expr<'g>> {
        let (name, sample) = self.catalogue[self.choices.below(self.catalogue.len())];
        let Sample { op, operands } = sample(name, self.choices);
        // Inputs are made otherwise, and the gradient of a user's rule is not that of its value.
        if matches!(op, Op::Input(_) | Op::CustomVjp(_)) || !self.is_allowed(&operands) {
            return None;
        }
        let mut fitted = Vec::with_capacity(operands.len());
        for operand in &operands {
            let from_pool = match self.choices.below(4) {
                0 => None,
                _ => {
                    let candidate = self.pick(|ty| ty.dtype.is_float() == operand.ty.dtype.is_float());
                    candidate.and_then(|x| self.coerce(x, &operand.ty)).and_then(|x| self.fit(x, operand))
                }
            };
            fitted.push(from_pool.unwrap_or_else(|| self.input(operand)));
        }
        // What lattices are about is seen when all operands are there.
        if !self.suits(&fitted, &operands) {
            for (fitted, operand) in fitted.iter_mut().zip(&operands) {
                if matches!(operand.domain, Domain::Lattice { .. }) {
                    *fitted = self.input(operand);
                }
            }
        }
        let made = self.apply_within(op, &fitted, &operands)?;
        let is_other_float = made.dtype().is_float() && made.dtype() != self.spec.dtype;
        if is_other_float { self.apply(Cast { dtype: self.spec.dtype }, &[made]) } else { Some(made) }
    }
}
