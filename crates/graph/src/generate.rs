//! Random programs for property tests, drawn from a stream of choices.
//!
//! Values are computed while the program grows, so that every op is applied where it is defined, finite and away from its
//! kinks. New ops are met as soon as they are in the [catalogue](Op::catalogue). A shorter stream makes a smaller program,
//! so a property test that shrinks its stream shrinks the graph; the empty stream makes the sum of one number.

mod fit;

use std::sync::Arc;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::{
    BinaryOp, Broadcast, Cast, Choices, Concat, Domain, DotGeneral, Literal, Op, OpRules, OperandSample, Permute, Reduce,
    ReduceKind, Reshape, Reverse, Sample, Scalar, Slice, UnaryOp,
};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// Larger values would let rounding errors hide wrong gradients.
const LARGEST: f64 = 50.0;

/// What programs [`generate`] makes.
#[derive(Clone, Debug)]
pub struct GraphSpec {
    /// About how many nodes; the loss comes on top.
    pub max_nodes: usize,
    /// The highest rank of inputs. Ops of the catalogue bring up to rank 3 of their own.
    pub max_rank: usize,
    /// The largest size of an input's axis. Ops of the catalogue bring up to size 4 of their own.
    pub max_size: usize,
    /// Only ops that have every derivative wherever they are applied: no kinks, no choices between values.
    pub smooth_only: bool,
    /// The element type of the loss and of the floating-point inputs: f32 or f64.
    pub dtype: DType,
}

impl Default for GraphSpec {
    fn default() -> Self {
        GraphSpec { max_nodes: 24, max_rank: 3, max_size: 4, smooth_only: false, dtype: DType::F64 }
    }
}

/// A random program, and values for its inputs.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The program. Its output `loss` is a scalar.
    pub graph: Graph,
    /// A value for every input.
    pub feeds: Vec<(Arc<str>, Tensor)>,
}

/// A random program: any ops, operands used twice, diamonds, fan-out, and some dead code.
#[must_use]
pub fn generate(choices: &mut Choices, spec: &GraphSpec) -> Generated {
    let builder = Builder::new();
    let mut grower = Grower {
        builder: &builder,
        choices,
        spec,
        catalogue: Op::catalogue(),
        pool: Vec::new(),
        values: Vec::new(),
        used: Vec::new(),
        feeds: Vec::new(),
    };
    grower.first_input();
    while builder.len() < spec.max_nodes && !grower.choices.is_exhausted() {
        // A step that finds nothing that fits leaves no trace but the nodes it had made by then.
        let grown = grower.step();
        grower.pool.extend(grown);
    }
    let loss = grower.loss();
    let feeds = grower.feeds;
    let graph = builder.finish([("loss", loss)]).expect("inputs have names of their own");
    Generated { graph, feeds }
}

struct Grower<'g, 'c> {
    builder: &'g Builder,
    choices: &'c mut Choices,
    spec: &'c GraphSpec,
    catalogue: Vec<(&'static str, fn(&str, &mut Choices) -> Sample)>,
    /// Nodes that steps choose operands from.
    pool: Vec<Expr<'g>>,
    /// The value of every node, by id.
    values: Vec<Tensor>,
    /// Whether a node is an operand already, by id.
    used: Vec<bool>,
    feeds: Vec<(Arc<str>, Tensor)>,
}

impl<'g> Grower<'g, '_> {
    fn first_input(&mut self) {
        let rank = self.choices.below(self.spec.max_rank + 1);
        let shape: Shape = (0..rank).map(|_| Dim::Known(1 + self.choices.below(self.spec.max_size))).collect();
        let input = self.input(&OperandSample::any(TensorType::new(self.spec.dtype, shape)));
        self.pool.push(input);
    }

    /// One more node of the pool, with what it needs.
    fn step(&mut self) -> Option<Expr<'g>> {
        match self.choices.below(8) {
            0 => self.unary(),
            1 | 2 => self.binary(),
            3 | 4 => self.movement(),
            5 => self.reduction(),
            6 => self.product(),
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
            1 => {
                let value = Scalar::of(x.dtype(), [1.0, -1.0, 0.5, 2.0, 0.0, -0.0][self.choices.below(6)]).ok()?;
                self.apply(Literal { value, shape: x.shape() }, &[])?
            }
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
        self.apply_within(op.into(), &[x, y], &samples)
    }

    fn broadcast(&mut self, x: Expr<'g>, shape: &Shape) -> Option<Expr<'g>> {
        let axes = (shape.rank() - x.rank()..shape.rank()).collect();
        if x.shape() == *shape { Some(x) } else { self.apply(Broadcast { shape: shape.clone(), axes }, &[x]) }
    }

    fn movement(&mut self) -> Option<Expr<'g>> {
        let x = self.pick_float();
        let (shape, rank) = (x.shape(), x.rank());
        let op: Op = match self.choices.below(7) {
            0 => Permute { order: self.choices.permutation(rank).into() }.into(),
            1 => Reshape { shape: [shape.numel()].into() }.into(),
            2 => {
                let at = self.choices.below(rank + 1);
                Reshape { shape: shape[..at].iter().chain([&Dim::Known(1)]).chain(&shape[at..]).cloned().collect() }.into()
            }
            3 => {
                let (at, size) = (self.choices.below(rank + 1), 1 + self.choices.below(3));
                let repeated = Dim::Known(size);
                let shape: Shape = shape[..at].iter().chain([&repeated]).chain(&shape[at..]).cloned().collect();
                if rank > 3 {
                    return None;
                }
                Broadcast { axes: (0..=rank).filter(|axis| *axis != at).collect(), shape }.into()
            }
            4 => Reverse { axes: self.choices.axes(rank) }.into(),
            5 => {
                let mut slice = Slice::whole(&shape);
                for axis in 0..rank {
                    let size = shape[axis].known()?;
                    let start = self.choices.below(size + 1);
                    slice.starts[axis] = Dim::Known(start);
                    slice.ends[axis] = Dim::Known(size - self.choices.below(size - start + 1));
                    slice.steps[axis] = 1 + self.choices.below(2);
                }
                slice.into()
            }
            _ => {
                let y = self.pick_float();
                let axis = self.choices.below(rank);
                return self.apply(Concat { axis }, &[x, if y.dtype() == x.dtype() { y } else { x }]);
            }
        };
        self.apply(op, &[x])
    }

    fn reduction(&mut self) -> Option<Expr<'g>> {
        let x = self.pick_float();
        let kind = [ReduceKind::Sum, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min][self.choices.below(4)];
        let domain = if kind == ReduceKind::Sum { Domain::ANY } else { Domain::Distinct };
        let sample = [OperandSample { ty: x.ty(), domain }];
        if !self.is_allowed(&sample) || (kind != ReduceKind::Sum && !self.suits(&[x], &sample)) {
            return None;
        }
        let axes = self.choices.axes(x.rank());
        self.apply(Reduce { kind, axes }, &[x])
    }

    /// A contraction of a node with itself or with an input that fits.
    fn product(&mut self) -> Option<Expr<'g>> {
        let x = self.pick_float();
        let axis = self.choices.below(x.rank());
        let size = x.shape().get(axis)?.clone();
        if self.choices.below(2) == 0 {
            return self.apply(DotGeneral::new([], [], [axis], [axis]), &[x, x]);
        }
        let columns = Dim::Known(1 + self.choices.below(self.spec.max_size));
        let y = self.input(&OperandSample::any(TensorType::new(x.dtype(), [columns, size])));
        let y = self.apply(Permute { order: [1, 0].into() }, &[y])?;
        self.apply(DotGeneral::new([], [], [axis], [0]), &[x, y])
    }

    /// A sample of any op, over nodes of the pool that are brought into its types, and over inputs.
    fn catalogue_op(&mut self) -> Option<Expr<'g>> {
        let (name, sample) = self.catalogue[self.choices.below(self.catalogue.len())];
        let Sample { op, operands } = sample(name, self.choices);
        if matches!(op, Op::Input(_)) || !self.is_allowed(&operands) {
            return None;
        }
        let mut fitted = Vec::with_capacity(operands.len());
        for operand in &operands {
            let from_pool = match self.choices.below(3) {
                0 => None,
                _ => {
                    let candidate = self.pick(|ty| ty.dtype.is_float() == operand.ty.dtype.is_float());
                    candidate.and_then(|x| self.coerce(x, &operand.ty)).and_then(|x| self.fit(x, operand))
                }
            };
            fitted.push(from_pool.unwrap_or_else(|| self.input(operand)));
        }
        let made = self.apply_within(op, &fitted, &operands)?;
        let is_other_float = made.dtype().is_float() && made.dtype() != self.spec.dtype;
        if is_other_float { self.apply(Cast { dtype: self.spec.dtype }, &[made]) } else { Some(made) }
    }

    /// The sum of all nodes that nobody uses, but for a few that stay dead.
    fn loss(&mut self) -> Expr<'g> {
        let sinks = self.pool.clone().into_iter().filter(|x| x.dtype() == self.spec.dtype);
        let mut loss = None;
        for (index, sink) in sinks.collect::<Vec<_>>().into_iter().enumerate() {
            if self.used[sink.id().index()] || (index > 0 && self.choices.below(8) == 7) {
                continue;
            }
            let term = if self.choices.below(2) == 0 { sink } else { sink.square() };
            loss = Some(loss.map_or(term.sum(), |loss: Expr<'g>| loss + term.sum()));
        }
        loss.unwrap_or_else(|| self.pool[0].sum())
    }

    /// A node of the pool, the latest for the smallest choice.
    fn pick(&mut self, fits: impl Fn(&TensorType) -> bool) -> Option<Expr<'g>> {
        let candidates: Vec<Expr<'g>> = self.pool.iter().rev().copied().filter(|x| fits(&x.ty())).collect();
        candidates.get(self.choices.below(candidates.len())).copied()
    }

    fn pick_float(&mut self) -> Expr<'g> {
        let dtype = self.spec.dtype;
        self.pick(|ty| ty.dtype == dtype).expect("the first input is a float")
    }

    fn input(&mut self, sample: &OperandSample) -> Expr<'g> {
        let name: Arc<str> = format!("x{}", self.feeds.len()).into();
        let input = self.builder.input(&name, sample.ty.dtype, &sample.ty.shape);
        let value = sample.value(self.choices);
        self.values.push(value.clone());
        self.used.push(false);
        self.feeds.push((name, value));
        input
    }

    /// Appends a node if its type is right and its value ordinary.
    #[track_caller]
    fn apply(&mut self, op: impl Into<Op>, operands: &[Expr<'g>]) -> Option<Expr<'g>> {
        let op = op.into();
        let types: Vec<TensorType> = operands.iter().map(|operand| operand.ty()).collect();
        let ty = op.infer(&types.iter().collect::<Vec<_>>()).ok()?;
        let values: Vec<&Tensor> = operands.iter().map(|operand| &self.values[operand.id().index()]).collect();
        let value = op.evaluate(&values, &ty).ok()?;
        if ty.dtype.is_float() && value.to_f64_vec().iter().any(|x| !x.is_finite() || x.abs() > LARGEST) {
            return None;
        }
        let made = self.builder.push(op, operands).expect("its type has been inferred");
        operands.iter().for_each(|operand| self.used[operand.id().index()] = true);
        self.values.push(value);
        self.used.push(false);
        Some(made)
    }
}
