//! Values whose gradient is not their own: rules that users write, and gradients scaled, clipped or taken from elsewhere.

use std::panic::Location;

use crate::builder::Builder;
use crate::error::{TypeError, Violation};
use crate::expr::{Expr, fail};
use crate::op::{Barrier, CustomVjp, VjpRule};

/// What the rule of a [`custom_vjp`] is given.
#[derive(Clone, Copy, Debug)]
pub struct CustomSite<'r, const N: usize> {
    /// The operands.
    pub operands: [Expr<'r>; N],
    /// The value.
    pub result: Expr<'r>,
    /// The cotangent of the value.
    pub cotangent: Expr<'r>,
}

/// `value(operands)`, differentiated by `rule` instead of by what it is made of.
///
/// The rule gives the cotangent of each operand, of the operand's type; for an operand that is not floating-point, what it
/// gives is ignored. It is called once, here, in a builder of its own, so it may use only what it is given; what it
/// appends is checked now, stands in the graph as data, survives texts and files, and is put in place whenever the value
/// is differentiated. It is differentiated in turn for higher orders. Forward mode transposes it: for a rule that is not
/// linear in the cotangent, as clipping, it uses the rule's slope at a cotangent of zero.
///
/// ```
/// use pullback_graph::{Builder, DType::F64, custom_vjp};
/// let b = Builder::new();
/// let (x, w) = (b.input("x", F64, [3]), b.input("w", F64, [3]));
/// // log(1 + e^x) · w, with a slope that does not overflow.
/// let y = custom_vjp(
///     "stable",
///     [x, w],
///     |[x, w]| x.exp().log1p() * w,
///     |at| {
///         let [x, w] = at.operands;
///         [at.cotangent * w * x.sigmoid(), at.cotangent * x.softplus()]
///     },
/// )?;
/// assert_eq!(y.ty().to_string(), "f64[3]");
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
///
/// # Errors
/// [`TypeError`] when the rule gives an operand a cotangent of another type (C3), with the line in the rule.
///
/// # Panics
/// When the rule uses an expression from outside, or there are no operands.
#[track_caller]
pub fn custom_vjp<'g, const N: usize>(
    name: &str,
    operands: [Expr<'g>; N],
    value: impl FnOnce([Expr<'g>; N]) -> Expr<'g>,
    rule: impl for<'r> FnOnce(CustomSite<'r, N>) -> [Expr<'r>; N],
) -> Result<Expr<'g>, Box<TypeError>> {
    let caller = Location::caller();
    let builder = operands.first().expect("a value with a rule of its own has operands").builder();
    builder.scope(name, || try_with_rule(name, operands, value(operands), caller, rule))
}

/// `value`, differentiated in `operands` by `rule`; mistakes are reported as those of any op are.
pub(super) fn with_rule<'g, const N: usize>(
    name: &str,
    operands: [Expr<'g>; N],
    value: Expr<'g>,
    caller: &'static Location<'static>,
    rule: impl for<'r> FnOnce(CustomSite<'r, N>) -> [Expr<'r>; N],
) -> Expr<'g> {
    match try_with_rule(name, operands, value, caller, rule) {
        Ok(made) => made,
        Err(error) => fail(&error),
    }
}

/// `value`, differentiated in `operands` by `rule`.
fn try_with_rule<'g, const N: usize>(
    name: &str,
    operands: [Expr<'g>; N],
    value: Expr<'g>,
    caller: &'static Location<'static>,
    rule: impl for<'r> FnOnce(CustomSite<'r, N>) -> [Expr<'r>; N],
) -> Result<Expr<'g>, Box<TypeError>> {
    let op = CustomVjp { name: name.into(), rule: trace(name, &operands, value, caller, rule)? };
    let all: Vec<Expr<'g>> = std::iter::once(value).chain(operands).collect();
    let builder = value.builder();
    builder.at_line(caller, || builder.push(op, &all))
}

/// The rule as a graph.
fn trace<'g, const N: usize>(
    name: &str,
    operands: &[Expr<'g>; N],
    value: Expr<'g>,
    caller: &'static Location<'static>,
    rule: impl for<'r> FnOnce(CustomSite<'r, N>) -> [Expr<'r>; N],
) -> Result<VjpRule, Box<TypeError>> {
    let within = Builder::new();
    let input = |name: &str, like: Expr<'g>| within.input(name, like.dtype(), like.shape());
    let inputs: [Expr<'_>; N] =
        within.at_line(caller, || std::array::from_fn(|at| input(&format!("operand_{at}"), operands[at])));
    let (result, cotangent) = within.at_line(caller, || (input("result", value), input("cotangent", value)));
    let given = rule(CustomSite { operands: inputs, result, cotangent });
    let mut outputs = Vec::new();
    for (at, (operand, given)) in operands.iter().zip(given).enumerate() {
        let (expected, got) = (operand.ty(), given.ty());
        if !expected.dtype.is_float() {
            continue;
        }
        if expected != got {
            let violation =
                Violation::new("C3", format!("operand {at} is {expected}, and the rule gives it {got}"));
            return Err(Box::new(TypeError {
                op: name.to_string(),
                violation: violation.help("a cotangent has the type of what it belongs to"),
                operands: operands.iter().map(|operand| operand.note()).collect(),
                at: given.source(),
            }));
        }
        outputs.push((at.to_string(), given));
    }
    Ok(VjpRule::new(&within.finish(outputs).expect("positions are different names")))
}

impl<'g> Expr<'g> {
    /// The same value, not computed before `others` have been.
    ///
    /// What is computed from it is not merged with what is computed from the value itself, so it is computed again rather
    /// than kept. Gradients pass to the value.
    #[must_use]
    #[track_caller]
    pub fn not_before(self, others: &[Expr<'g>]) -> Expr<'g> {
        self.apply_to(Barrier, others)
    }

    /// The same value; its gradient is multiplied by `factor`. A negative factor reverses it (Ganin and Lempitsky,
    /// "Unsupervised Domain Adaptation by Backpropagation", 2015).
    #[must_use]
    #[track_caller]
    pub fn scale_gradient(self, factor: f64) -> Expr<'g> {
        self.with_own_rule("scale_gradient", |cotangent| cotangent * factor)
    }

    /// The same value; each element of its gradient is limited to `-limit..=limit`.
    ///
    /// Not linear in the cotangent: forward mode passes tangents unchanged.
    ///
    /// # Panics
    /// When `limit` is not positive.
    #[must_use]
    #[track_caller]
    pub fn clip_gradient(self, limit: f64) -> Expr<'g> {
        self.expect_positive("clip_gradient", limit);
        self.with_own_rule("clip_gradient", |cotangent| cotangent.clamp(-limit, limit))
    }

    /// The same value; its gradient is shrunk to the norm `limit` where it is longer: `ȳ · limit / max(‖ȳ‖₂, limit)`, which
    /// is 0 where the gradient is.
    ///
    /// Not linear in the cotangent: forward mode passes tangents unchanged.
    ///
    /// # Panics
    /// When `limit` is not positive.
    #[must_use]
    #[track_caller]
    pub fn clip_gradient_norm(self, limit: f64) -> Expr<'g> {
        self.expect_positive("clip_gradient_norm", limit);
        self.with_own_rule("clip_gradient_norm", |cotangent| {
            let norm = cotangent.norm();
            cotangent * (norm.full_like(limit) / norm.maximum(limit))
        })
    }

    /// This value with the gradient of `surrogate`: `x.round().with_gradient_of(x)` rounds, and is differentiated as if it
    /// did not (the straight-through estimator of Bengio, Léonard, Courville, "Estimating or Propagating Gradients Through
    /// Stochastic Neurons", 2013).
    ///
    /// # Panics
    /// When the types differ.
    #[must_use]
    #[track_caller]
    pub fn with_gradient_of(self, surrogate: Expr<'g>) -> Expr<'g> {
        with_rule("with_gradient_of", [surrogate], self, Location::caller(), |at| [at.cotangent])
    }

    /// The same value, with a rule for its cotangent.
    #[track_caller]
    fn with_own_rule(self, name: &str, rule: impl for<'r> FnOnce(Expr<'r>) -> Expr<'r>) -> Expr<'g> {
        with_rule(name, [self], self, Location::caller(), |at| [rule(at.cotangent)])
    }

    #[track_caller]
    fn expect_positive(self, op: &str, limit: f64) {
        if limit.is_nan() || limit <= 0.0 {
            self.refuse(op, Violation::new("C2", format!("the limit is positive, got {limit}")), &[]);
        }
    }
}
