//! Random programs for property tests, drawn from a stream of choices.
//!
//! Values are computed while the program grows, so that every op is applied where it is defined, finite and away from its
//! kinks. New ops are met as soon as they are in the [catalogue](Op::catalogue). A shorter stream makes a smaller program,
//! so a property test that shrinks its stream shrinks the graph; the empty stream makes one number.

mod steps;
mod fit;

use std::sync::Arc;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::{Choices, Op, OpRules, OperandSample, Sample};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// Larger values would let rounding errors hide wrong gradients.
const LARGEST: f64 = 50.0;
/// Products of a node with itself would otherwise double its rank again and again.
const MOST_ELEMENTS: usize = 1024;
const MOST_AXES: usize = 5;

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
    let first = grower.any_input();
    grower.pool.push(first);
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

/// Every op's name, and how to draw a sample of it.
type Catalogue = Vec<(&'static str, fn(&str, &mut Choices) -> Sample)>;

struct Grower<'g, 'c> {
    builder: &'g Builder,
    choices: &'c mut Choices,
    spec: &'c GraphSpec,
    catalogue: Catalogue,
    /// Nodes that steps choose operands from.
    pool: Vec<Expr<'g>>,
    /// The value of every node, by id.
    values: Vec<Tensor>,
    /// Whether a node is an operand already, by id.
    used: Vec<bool>,
    feeds: Vec<(Arc<str>, Tensor)>,
}

impl<'g> Grower<'g, '_> {
    /// An input of any shape.
    fn any_input(&mut self) -> Expr<'g> {
        let rank = self.choices.below(self.spec.max_rank + 1);
        let shape: Shape = (0..rank).map(|_| self.size()).collect();
        self.input(&OperandSample::any(TensorType::new(self.spec.dtype, shape)))
    }

    /// The size of an axis of a new input, more often than not above 1.
    fn size(&mut self) -> Dim {
        let is_one = self.spec.max_size == 1 || self.choices.below(6) == 5;
        Dim::Known(if is_one { 1 } else { 2 + self.choices.below(self.spec.max_size - 1) })
    }

    /// The sum of all nodes that nobody uses, but for a few that stay dead.
    fn loss(&mut self) -> Expr<'g> {
        let sinks = self.pool.clone().into_iter().filter(|x| x.dtype() == self.spec.dtype);
        let mut loss = None;
        for (index, sink) in sinks.collect::<Vec<_>>().into_iter().enumerate() {
            if self.used[sink.id().index()] || (index > 0 && self.choices.below(8) == 7) {
                continue;
            }
            let term = if self.choices.below(2) == 0 { sink.sum() } else { sink.square().sum() };
            loss = Some(loss.map_or(term, |loss: Expr<'g>| loss + term));
        }
        loss.unwrap_or_else(|| self.pool[0].sum())
    }

    /// A node of the pool, the latest for the smallest choice. Every other time one of the latest few: that makes chains.
    fn pick(&mut self, fits: impl Fn(&TensorType) -> bool) -> Option<Expr<'g>> {
        let candidates: Vec<Expr<'g>> = self.pool.iter().rev().copied().filter(|x| fits(&x.ty())).collect();
        let among = if self.choices.below(2) == 0 { candidates.len().min(3) } else { candidates.len() };
        candidates.get(self.choices.below(among)).copied()
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
        if ty.rank() > MOST_AXES || ty.shape.numel().known()? > MOST_ELEMENTS {
            return None;
        }
        let values: Vec<&Tensor> =
            operands.iter().map(|operand| &self.values[operand.id().index()]).collect();
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
