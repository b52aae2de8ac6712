//! The questions that every op answers.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::builder::Builder;
use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::kinks::Kink;
use crate::op::{CompareOp, Op};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// How an op treats its operands: what planners and passes ask instead of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpClass {
    /// Has no operands.
    Leaf,
    /// Element `i` of the result depends on element `i` of each operand, all of one shape.
    Elementwise,
    /// Moves elements without computing.
    Movement,
    /// Combines elements along axes.
    Reduction,
    /// Sums products over contracted axes.
    Contraction,
    /// Reads or writes places given by indices.
    Indexing,
    /// Draws numbers from an explicit key.
    Random,
    /// Known only by its rules.
    Opaque,
}

/// What an op is. `infer` and `evaluate` define its meaning; `pullback` its derivative.
///
/// Implementors are plain data: no interior mutability, no input from anywhere but their arguments.
pub trait OpRules: fmt::Debug {
    /// The name in messages and pictures, such as `tanh` or `reduce_sum`.
    fn name(&self) -> Cow<'static, str>;

    /// How the op treats its operands.
    fn class(&self) -> OpClass;

    /// The type of the result.
    ///
    /// # Errors
    /// The numbered constraint of the op's documentation that does not hold.
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation>;

    /// The value, slowly and obviously. `result` is what `infer` gave, with every size known.
    ///
    /// # Errors
    /// What is wrong with the values, such as an index out of range.
    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String>;

    /// Appends the nodes that carry the result's cotangent back to each operand.
    ///
    /// The returned list has one entry per operand. Rules append nodes and touch no numbers.
    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g>;

    /// Whether no gradient passes to a floating-point operand, whatever the cotangent: the result is not connected to it.
    fn blocks(&self, operand: usize) -> bool {
        let _ = operand;
        false
    }

    /// The same op applied to every element of a leading axis: appends the nodes, and gives a result with that axis in
    /// front. `None` when there is no such rule.
    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>>;

    /// The same op with symbols replaced by sizes, where its attributes hold dimensions.
    ///
    /// # Errors
    /// The dimension that has no size.
    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim>;
}

impl OpRules for Op {
    fn name(&self) -> Cow<'static, str> {
        self.rules().name()
    }

    fn class(&self) -> OpClass {
        self.rules().class()
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        self.rules().infer(operands)
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        self.rules().evaluate(operands, result)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        self.rules().pullback(at)
    }

    fn blocks(&self, operand: usize) -> bool {
        self.rules().blocks(operand)
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        self.rules().batch(at)
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        self.rules().bind(bindings)
    }
}

impl Op {
    /// Whether the op takes two operands and gives the same bits when they are swapped.
    #[must_use]
    pub fn is_commutative(&self) -> bool {
        match self {
            Op::Binary(op) => op.is_commutative(),
            Op::Compare(op) => matches!(op, CompareOp::Eq | CompareOp::Ne),
            Op::Logic(_) => true,
            _ => false,
        }
    }
}

/// A node that is being differentiated.
#[derive(Clone, Debug)]
pub struct Site<'g> {
    /// The operands of the forward node.
    pub operands: SmallVec<[Expr<'g>; 2]>,
    /// Which operands need a cotangent; a rule may leave the others out.
    pub wanted: SmallVec<[bool; 2]>,
    /// The forward node.
    pub result: Expr<'g>,
    /// The cotangent of the forward node: same type as `result`.
    pub cotangent: Expr<'g>,
}

impl<'g> Site<'g> {
    /// The builder that the rule appends to.
    #[must_use]
    pub fn builder(&self) -> &'g Builder {
        self.result.builder()
    }

    /// Whether operand `index` needs a cotangent.
    #[must_use]
    pub fn wants(&self, index: usize) -> bool {
        self.wanted[index]
    }

    /// The partials of an op whose only differentiable operand is the first; `rule` is called if it is wanted.
    pub fn first(&self, rule: impl FnOnce() -> Expr<'g>) -> Partials<'g> {
        let mut partials: Partials<'g> = self.operands.iter().map(|_| Partial::Stops).collect();
        if self.wants(0) {
            partials[0] = Partial::Flows(rule());
        }
        partials
    }
}

/// An application that is made for every element of a leading axis.
#[derive(Clone, Debug)]
pub struct Batch<'g> {
    /// The operands: those that are mapped have one axis more than the op takes, in front.
    pub operands: SmallVec<[Expr<'g>; 2]>,
    /// Which operands have the leading axis; the others are the same for every element. At least one is.
    pub mapped: SmallVec<[bool; 2]>,
    /// The size of the leading axis.
    pub size: Dim,
}

impl<'g> Batch<'g> {
    /// Operand `index` with the leading axis, repeated along it if it is not mapped.
    #[must_use]
    pub fn spread(&self, index: usize) -> Expr<'g> {
        let operand = self.operands[index];
        if self.mapped[index] {
            return operand;
        }
        let shape = operand.shape();
        let axes = (1..=shape.rank()).collect();
        let shape = shape.behind(self.size.clone());
        operand.apply(crate::op::Broadcast { shape, axes })
    }

    /// The op as it is, over all operands with the leading axis: the rule of elementwise ops, which mind no axes.
    #[must_use]
    pub fn elementwise(&self, op: impl Into<Op>) -> Expr<'g> {
        let operands: SmallVec<[Expr<'g>; 2]> =
            (0..self.operands.len()).map(|index| self.spread(index)).collect();
        operands[0].apply_to(op, &operands[1..])
    }
}

/// What reaches one operand.
#[derive(Clone, Copy, Debug)]
pub enum Partial<'g> {
    /// This cotangent, of the operand's type.
    Flows(Expr<'g>),
    /// The op is piecewise constant in this operand: the derivative is zero wherever there is one.
    Flat,
    /// No gradient passes: an index, a truth value, a barrier, or an operand that was not wanted.
    Stops,
    /// A derivative exists, but there is no rule for it; the reason is shown to the user.
    Unsupported(&'static str),
}

/// One [`Partial`] per operand.
pub type Partials<'g> = SmallVec<[Partial<'g>; 2]>;

/// The derivative of an elementwise op in one operand, as the tables give it.
#[derive(Clone, Copy, Debug)]
pub enum Slope<'g> {
    /// `dy/dx = 1`: the cotangent passes as it is.
    One,
    /// `dy/dx = -1`.
    MinusOne,
    /// `dy/dx = s`: the cotangent is multiplied.
    By(Expr<'g>),
    /// `dy/dx = 1/d`: the cotangent is divided, which rounds once.
    Over(Expr<'g>),
    /// `dy/dx = -s/d`: the cotangent is divided, and then multiplied, so that the quotient is shared with [`Over`](Slope::Over).
    MinusByOver(Expr<'g>, Expr<'g>),
    /// `dy/dx = 1/(d · e)` where the product may leave the range of numbers: the cotangent is divided by one, then the other.
    OverBoth(Expr<'g>, Expr<'g>),
    /// `dy/dx` is 1 where the truth value holds and 0 elsewhere: the cotangent is selected, so that an infinite one
    /// does not become NaN where it is stopped.
    Gate(Expr<'g>),
    /// `dy/dx = slope` where the truth value `open` holds and 0 elsewhere: multiplied, then selected, for the same reason.
    GateBy {
        /// Where the derivative is not 0.
        open: Expr<'g>,
        /// The derivative there.
        slope: Expr<'g>,
    },
    /// Piecewise constant.
    Flat,
}

impl<'g> Slope<'g> {
    /// 1 where `inside` holds, what stands at `kink` where only `touching` does, 0 elsewhere.
    pub(crate) fn step(
        like: Expr<'g>,
        kink: Kink,
        inside: impl FnOnce() -> Expr<'g>,
        touching: impl FnOnce() -> Expr<'g>,
    ) -> Self {
        match like.builder().kinks().slope(kink) {
            0.0 => Slope::Gate(inside()),
            1.0 => Slope::Gate(touching()),
            slope => Slope::GateBy {
                open: touching(),
                slope: inside().select(like.ones_like(), like.full_like(slope)),
            },
        }
    }

    /// The cotangent of the operand, given the result's.
    pub(crate) fn apply(self, cotangent: Expr<'g>) -> Partial<'g> {
        match self {
            Slope::One => Partial::Flows(cotangent),
            Slope::MinusOne => Partial::Flows(-cotangent),
            Slope::By(slope) => Partial::Flows(cotangent * slope),
            Slope::Over(divisor) => Partial::Flows(cotangent / divisor),
            Slope::MinusByOver(slope, divisor) => Partial::Flows(-(cotangent / divisor * slope)),
            Slope::OverBoth(first, second) => Partial::Flows(cotangent / first / second),
            Slope::Gate(open) => Partial::Flows(open.select(cotangent, cotangent.zeros_like())),
            Slope::GateBy { open, slope } => {
                Partial::Flows(open.select(cotangent * slope, cotangent.zeros_like()))
            }
            Slope::Flat => Partial::Flat,
        }
    }
}
