//! Running combinations: every element combined with all before it along an axis.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::scan::{LinearScan, expect_axis, lanes, product_in_range, sample_lanes, shifted};
use crate::op::table::expect_operands;
use crate::op::{Op, Real};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CumulativeKind {
    /// `Σ x`.
    Sum,
    /// `Π x`; with a zero among finite numbers it is 0, also where a part of it leaves the range of numbers.
    Prod,
    /// The largest so far, NaN from the first one on. Of equal ones the latest holds the place, and gets the gradient.
    Max,
    /// The smallest so far, NaN from the first one on. Of equal ones the latest holds the place, and gets the gradient.
    Min,
    /// `log Σ e^x`, without overflow; -∞ as long as nothing is larger, with gradient 0. Infinite elements share the
    /// gradient of an infinite sum evenly.
    LogSumExp,
}

/// `result_t = combine of x_0 … x_t` along an axis, or with `reverse` of `x_t` and all after it.
///
/// Constraints: C1 one operand; C2 the axis exists; C3 its elements are numbers, for `logsumexp` floats.
/// Gradient, by a [`LinearScan`] the other way that gives `s`:
/// `sum`: the running sum of `ȳ`.
/// `prod`: `s_t = ȳ_t + x_(t+1) · s_(t+1)` and `x̄_t = y_(t-1) · s_t`, which divides by nothing, so that zeros are right.
/// `max`, `min`: `s_t = ȳ_t`, and `+ s_(t+1)` unless `x_(t+1)` takes the place; `x̄_t = s_t` where `x_t` took it, else 0.
/// `logsumexp`: `s_t = ȳ_t + exp(y_t - y_(t+1)) · s_(t+1)` and `x̄_t = exp(x_t - y_t) · s_t`.
/// The reference computes in f64 for f32, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cumulative {
    /// How elements are combined.
    pub kind: CumulativeKind,
    /// The axis that is walked.
    pub axis: usize,
    /// Whether it is walked from its end.
    pub reverse: bool,
}

impl CumulativeKind {
    const ALL: [CumulativeKind; 5] = [
        CumulativeKind::Sum,
        CumulativeKind::Prod,
        CumulativeKind::Max,
        CumulativeKind::Min,
        CumulativeKind::LogSumExp,
    ];
}

impl Cumulative {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let kind = CumulativeKind::ALL[choices.below(5)];
        let (ty, axis) = sample_lanes(choices);
        let reverse = choices.below(2) == 1;
        let is_extreme = matches!(kind, CumulativeKind::Max | CumulativeKind::Min);
        let domain = if is_extreme { Domain::Distinct } else { Domain::ANY };
        Sample { op: Cumulative { kind, axis, reverse }.into(), operands: vec![OperandSample { ty, domain }] }
    }

    /// The recurrence that carries cotangents back: `s_t = terms_t + factors_(t+1) · s_(t+1)`.
    fn carried_back<'g>(self, factors: Expr<'g>, terms: Expr<'g>) -> Expr<'g> {
        let (axis, back) = (self.axis, !self.reverse);
        shifted(factors, axis, back, 0.0).apply_to(LinearScan { axis, reverse: back }, &[terms])
    }

    /// The cotangent of a running product.
    fn pull_product<'g>(self, at: &Site<'g>) -> Expr<'g> {
        let before = shifted(at.result, self.axis, self.reverse, 1.0);
        product_in_range(before, self.carried_back(at.operands[0], at.cotangent))
    }

    /// The cotangent of a running extreme.
    fn pull_extreme<'g>(self, at: &Site<'g>) -> Expr<'g> {
        let operand = at.operands[0];
        let takes_place = operand.eq(at.result).or(operand.is_nan());
        let sum = self.carried_back(takes_place.not().cast(operand.dtype()), at.cotangent);
        takes_place.select(sum, sum.zeros_like())
    }

    /// The cotangent of a running `log Σ e^x`.
    fn pull_logsumexp<'g>(self, at: &Site<'g>) -> Expr<'g> {
        let (operand, result) = (at.operands[0], at.result);
        // Seen from an infinite sum, a term of it is 0 and any other -∞, and the sum is the logarithm of their number.
        let is_infinite = operand.eq(f64::INFINITY);
        let count = is_infinite.cast(operand.dtype()).apply(Cumulative { kind: CumulativeKind::Sum, ..self });
        let overflows = result.eq(f64::INFINITY);
        let nothing = operand.full_like(f64::NEG_INFINITY);
        let seen = |x: Expr<'g>, infinite: Expr<'g>| overflows.select(infinite, x);
        let level = seen(result, count.log());
        let term = seen(operand, is_infinite.select(operand.zeros_like(), nothing));
        // The sum before, seen as the sum here is: `-∞` before the first infinite one.
        let before = shifted(result, self.axis, self.reverse, f64::NEG_INFINITY);
        let count_before = shifted(count, self.axis, self.reverse, 0.0);
        let before = seen(before, count_before.log());
        let sum = self.carried_back(share(before, level), at.cotangent);
        product_in_range(share(term, level), sum)
    }
}

/// `exp(part - whole)`, and 0 where the part is -∞, whatever the whole.
fn share<'g>(part: Expr<'g>, whole: Expr<'g>) -> Expr<'g> {
    let is_nothing = part.eq(f64::NEG_INFINITY);
    let difference =
        is_nothing.select(part.zeros_like(), part) - is_nothing.select(whole.zeros_like(), whole);
    is_nothing.select(part.zeros_like(), difference.exp())
}

impl OpRules for Cumulative {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            CumulativeKind::Sum => "cumsum",
            CumulativeKind::Prod => "cumprod",
            CumulativeKind::Max => "cummax",
            CumulativeKind::Min => "cummin",
            CumulativeKind::LogSumExp => "logcumsumexp",
        }
        .into()
    }

    fn class(&self) -> OpClass {
        OpClass::Reduction
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        let operand = operands[0];
        expect_axis("C2", self.axis, operand)?;
        let (wanted, fits) = match self.kind {
            CumulativeKind::LogSumExp => ("floating-point elements", operand.dtype.is_float()),
            _ => ("numbers", operand.dtype != DType::Bool),
        };
        match fits {
            true => Ok(operand.clone()),
            false => {
                Err(Violation::new("C3", format!("takes {wanted}, got {operand}"))
                    .help("convert with `cast`"))
            }
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let sizes = operands[0].sizes();
        dispatch_float!(operands[0].dtype(), T => {
            let x = operands[0].values::<T>();
            let mut values = vec![T::default(); x.len()];
            for lane in lanes(sizes, self.axis, self.reverse) {
                let mut so_far = Running::new(self.kind);
                for at in lane {
                    values[at] = T::from_f64(so_far.with(x[at].to_f64()));
                }
            }
            Ok(Tensor::new(sizes, values).expect("one value per element"))
        }, else {
            let mut values = operands[0].values::<i64>().to_vec();
            for lane in lanes(sizes, self.axis, self.reverse) {
                for pair in lane.windows(2) {
                    let (last, x) = (values[pair[0]], values[pair[1]]);
                    values[pair[1]] = match self.kind {
                        CumulativeKind::Sum => last.wrapping_add(x),
                        CumulativeKind::Prod => last.wrapping_mul(x),
                        CumulativeKind::Max => last.max(x),
                        CumulativeKind::Min => last.min(x),
                        CumulativeKind::LogSumExp => return Err("takes floating-point elements".into()),
                    };
                }
            }
            Ok(Tensor::new(sizes, values).expect("one value per element"))
        })
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| match self.kind {
            CumulativeKind::Sum => at.cotangent.apply(Cumulative { reverse: !self.reverse, ..*self }),
            CumulativeKind::Prod => self.pull_product(at),
            CumulativeKind::Max | CumulativeKind::Min => self.pull_extreme(at),
            CumulativeKind::LogSumExp => self.pull_logsumexp(at),
        })
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.spread(0).apply(Cumulative { axis: self.axis + 1, ..*self }))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

/// What has been combined so far.
enum Running {
    Sum(f64),
    Prod(Product),
    Max(Option<f64>),
    Min(Option<f64>),
    /// The largest element and `Σ e^(x - largest)`.
    LogSumExp(f64, f64),
}

impl Running {
    fn new(kind: CumulativeKind) -> Running {
        match kind {
            CumulativeKind::Sum => Running::Sum(0.0),
            CumulativeKind::Prod => Running::Prod(Product::default()),
            CumulativeKind::Max => Running::Max(None),
            CumulativeKind::Min => Running::Min(None),
            CumulativeKind::LogSumExp => Running::LogSumExp(f64::NEG_INFINITY, 0.0),
        }
    }

    /// Combines one more element, and gives the result.
    fn with(&mut self, x: f64) -> f64 {
        match self {
            Running::Sum(sum) => {
                *sum += x;
                *sum
            }
            Running::Prod(product) => product.with(x),
            Running::Max(last) => *last.insert(last.map_or(x, |last| last.larger(x))),
            Running::Min(last) => *last.insert(last.map_or(x, |last| last.smaller(x))),
            Running::LogSumExp(largest, sum) => {
                let next = largest.larger(x);
                if next.is_finite() {
                    *sum = *sum * (*largest - next).exp() + (x - next).exp();
                }
                *largest = next;
                if next.is_finite() { next + sum.ln() } else { next }
            }
        }
    }
}

/// A product that is multiplied up: 0 as soon as a zero is met, if all so far were finite.
pub(crate) struct Product {
    value: f64,
    is_finite: bool,
}

impl Default for Product {
    fn default() -> Self {
        Product { value: 1.0, is_finite: true }
    }
}

impl Product {
    /// Multiplies one more element, and gives the result.
    pub(crate) fn with(&mut self, x: f64) -> f64 {
        self.is_finite &= x.is_finite();
        let next = self.value * x;
        // Finite elements whose product has left the range of numbers, and then a zero.
        let lost = next.is_nan() && self.is_finite;
        self.value = if lost { x * self.value.signum() } else { next };
        self.value
    }
}
