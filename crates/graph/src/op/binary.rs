//! The table of elementwise arithmetic of two operands.
//!
//! Constraints: C1 two operands; C2 of one shape; C3 of one element type; C4 that type is a float (or i64 where the row
//! says `int`).

use std::borrow::Cow;

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::{Expr, IntoOperand};
use crate::kinks::{Kink, Subgradient};
use crate::op::Op;
use crate::op::Slope::{By, GateBy, MinusByOver, MinusOne, One, Over};
use crate::op::real::Real;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site, Slope};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_one_shape, expect_operands};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// Turns rows into the enum, its loops and the `Expr` methods.
///
/// A row reads: doc, `Variant = text_name, commutes …, domains left, right, value |a, b| …, int |a, b| …,
/// slopes |a, b, y| (…, …);` where the two slopes are closures, so that only the wanted one appends nodes.
/// The doc has a line `Gradient: …` if one is more than arithmetic.
macro_rules! binary_ops {
    ($($(#[doc = $doc:literal])* $Variant:ident = $method:ident, commutes $commutes:literal, domains $left:expr, $right:expr,
        value |$a:ident, $b:ident| $value:expr, $(int |$ia:ident, $ib:ident| $int:expr,)?
        left |$la:pat_param, $lb:pat_param, $ly:pat_param| $lslope:expr,
        right |$ra:pat_param, $rb:pat_param, $ry:pat_param| $rslope:expr;)*) => {
        /// An elementwise op of two operands: a row of the table in this file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum BinaryOp {
            $($(#[doc = $doc])* $Variant,)*
        }

        impl BinaryOp {
            /// Every row, in order.
            pub const ALL: &'static [BinaryOp] = &[$(BinaryOp::$Variant),*];

            /// The name in the text IR.
            #[must_use]
            pub fn name_static(self) -> &'static str {
                match self {
                    $(BinaryOp::$Variant => stringify!($method),)*
                }
            }

            /// Whether swapping the operands gives the same bits. The extremes of 0 and -0 are the second operand.
            #[must_use]
            pub fn is_commutative(self) -> bool {
                match self {
                    $(BinaryOp::$Variant => $commutes,)*
                }
            }

            /// The value at one point.
            #[inline]
            pub fn value<T: Real>(self, left: T, right: T) -> T {
                match self {
                    $(BinaryOp::$Variant => { let ($a, $b) = (left, right); $value })*
                }
            }

            /// [`value`](BinaryOp::value) of this row as a function, for callers that apply one row many times.
            #[must_use]
            pub fn function<T: Real>(self) -> fn((T, T)) -> T {
                match self {
                    $(BinaryOp::$Variant => |($a, $b): (T, T)| $value,)*
                }
            }

            /// The value of every element: one tight loop per row.
            ///
            /// # Panics
            /// When the lengths differ.
            #[inline(always)]
            pub fn map<T: Real>(self, left: &[T], right: &[T], result: &mut [T]) {
                assert!(
                    left.len() == result.len() && right.len() == result.len(),
                    "an elementwise loop needs slices of one length"
                );
                match self {
                    $(BinaryOp::$Variant => {
                        for ((result, left), right) in result.iter_mut().zip(left).zip(right) {
                            let ($a, $b) = (*left, *right);
                            *result = $value;
                        }
                    })*
                }
            }

            /// The value for integers, if the row has one.
            #[must_use]
            pub fn int(self) -> Option<fn(i64, i64) -> Option<i64>> {
                match self {
                    $($(BinaryOp::$Variant => Some(|$ia: i64, $ib: i64| $int),)?)*
                    #[allow(unreachable_patterns, reason = "rows without an `int` column land here")]
                    _ => None,
                }
            }

            /// The value of every element for integers, if the row has one and it exists everywhere: one tight loop per row.
            /// What the result holds otherwise is unspecified.
            ///
            /// # Panics
            /// When the lengths differ.
            #[inline(always)]
            pub fn map_int(self, left: &[i64], right: &[i64], result: &mut [i64]) -> Option<()> {
                assert!(
                    left.len() == result.len() && right.len() == result.len(),
                    "an elementwise loop needs slices of one length"
                );
                match self {
                    $($(BinaryOp::$Variant => {
                        let mut exist = true;
                        for ((result, left), right) in result.iter_mut().zip(left).zip(right) {
                            let ($ia, $ib) = (*left, *right);
                            let value: Option<i64> = $int;
                            exist &= value.is_some();
                            *result = value.unwrap_or_default();
                        }
                        exist.then_some(())
                    })?)*
                    #[allow(unreachable_patterns, reason = "rows without an `int` column land here")]
                    _ => None,
                }
            }

            /// The derivative in operand `index`, as nodes over the operands and the result.
            pub(crate) fn slope<'g>(self, index: usize, left: Expr<'g>, right: Expr<'g>, y: Expr<'g>) -> Slope<'g> {
                match (self, index) {
                    $((BinaryOp::$Variant, 0) => { let ($la, $lb, $ly) = (left, right, y); $lslope })*
                    $((BinaryOp::$Variant, _) => { let ($ra, $rb, $ry) = (left, right, y); $rslope })*
                }
            }

            /// Where tests draw the operands from.
            #[must_use]
            pub fn domains(self) -> [Domain; 2] {
                match self {
                    $(BinaryOp::$Variant => [$left, $right],)*
                }
            }
        }

        impl<'g> Expr<'g> {
            $($(#[doc = $doc])*
            ///
            /// The operands broadcast as in NumPy and meet in [one type](DType::promote); a number stands for a tensor of this one's type.
            ///
            /// # Panics
            /// When the shapes do not broadcast or the element type has no such function; the message shows this line.
            #[must_use]
            #[track_caller]
            #[allow(clippy::should_implement_trait, reason = "the operator traits call these")]
            pub fn $method(self, other: impl IntoOperand<'g>) -> Expr<'g> {
                self.apply_binary(BinaryOp::$Variant, other)
            })*
        }
    };
}

/// Anywhere.
const ANY: Domain = Domain::Between { low: -3.0, high: 3.0, kinks: &[] };
/// Away from zero, on the positive side.
const POSITIVE: Domain = Domain::Between { low: 0.4, high: 3.0, kinks: &[] };
/// Away from zero, on either side.
const NONZERO: Domain =
    Domain::Between { low: -3.0, high: 3.0, kinks: &[-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3] };
/// Two domains that never meet.
const STAGGERED: [Domain; 2] =
    [Domain::Lattice { step: 0.4, offset: 0.0 }, Domain::Lattice { step: 0.4, offset: 0.2 }];

binary_ops! {
    /// `a + b`.
    Add = add, commutes true, domains ANY, ANY, value |a, b| a + b, int |a, b| Some(a.wrapping_add(b)),
        left |_, _, _| One, right |_, _, _| One;
    /// `a - b`.
    Sub = sub, commutes false, domains ANY, ANY, value |a, b| a - b, int |a, b| Some(a.wrapping_sub(b)),
        left |_, _, _| One, right |_, _, _| MinusOne;
    /// `a · b`.
    Mul = mul, commutes true, domains ANY, ANY, value |a, b| a * b, int |a, b| Some(a.wrapping_mul(b)),
        left |_, b, _| By(b), right |a, _, _| By(a);
    /// `a / b`; whole numbers round towards zero, and dividing one by zero is an error.
    ///
    /// Gradient: `ā = ȳ / b`; `b̄ = -(ȳ / b) · y`.
    Div = div, commutes false, domains ANY, NONZERO, value |a, b| a / b, int |a, b| (b != 0).then(|| a.wrapping_div(b)),
        left |_, b, _| Over(b), right |_, b, y| MinusByOver(y, b);
    /// `a^b`.
    ///
    /// Gradient: `ā = ȳ · b · a^(b - 1)`, 0 where `b = 0`, at `a = 0` too ([`Kink::PowerOfZero`](crate::Kink::PowerOfZero));
    /// `b̄ = ȳ · y · log(a)`, where `a = 0` it is 0 for `b ≥ 0` and the slope -∞ for `b < 0`
    /// ([`Kink::ZeroToPower`](crate::Kink::ZeroToPower)).
    Pow = pow, commutes false, domains POSITIVE, ANY, value |a, b| a.powf(b),
        left |a, b, _| {
            if is_unguarded(a.builder().kinks().at(Kink::PowerOfZero), b) {
                return By(b * a.pow(b - 1.0));
            }
            // Where a^-1 overflows, 0 · a^-1 is not a number; in the branch not taken, neither is its slope.
            let flat = b.eq(0.0).and(a.recip().is_infinite());
            let slope = b * a.pow(flat.select(b.ones_like(), b) - 1.0);
            GateBy { open: flat.not(), slope }
        },
        right |a, b, y| {
            if a.builder().kinks().at(Kink::ZeroToPower) == Subgradient::Formula {
                return By(y * a.eq(0.0).select(a.ones_like(), a).log());
            }
            let flat = a.eq(0.0).and(b.ge(0.0));
            GateBy { open: flat.not(), slope: y * flat.select(a.ones_like(), a).log() }
        };
    /// The larger of `a` and `b`, NaN if either is.
    ///
    /// Gradient: `ā = ȳ` where `a > b`, `b̄ = ȳ` where `b > a`, half of it for each where they are equal
    /// ([`Kink::Pair`](crate::Kink::Pair)), 0 elsewhere.
    Maximum = maximum, commutes false, domains STAGGERED[0], STAGGERED[1], value |a, b| a.larger(b), int |a, b| Some(a.max(b)),
        left |a, b, _| share(a, b), right |a, b, _| share(b, a);
    /// The smaller of `a` and `b`, NaN if either is.
    ///
    /// Gradient: `ā = ȳ` where `a < b`, `b̄ = ȳ` where `b < a`, half of it for each where they are equal
    /// ([`Kink::Pair`](crate::Kink::Pair)), 0 elsewhere.
    Minimum = minimum, commutes false, domains STAGGERED[0], STAGGERED[1], value |a, b| a.smaller(b), int |a, b| Some(a.min(b)),
        left |a, b, _| share(b, a), right |a, b, _| share(a, b);
    /// `a - b·trunc(a/b)` with the exact quotient: the remainder with the sign of `a`, which jumps
    /// where the quotient is whole; by zero an error for whole numbers.
    Rem = rem, commutes false, domains Domain::Lattice { step: 1.5, offset: 0.7 }, Domain::Between { low: 1.45, high: 1.55, kinks: &[] },
        value |a, b| a % b, int |a, b| (b != 0).then(|| a.wrapping_rem(b)),
        left |_, _, _| One,
        // Truncating a rounded quotient may be one off: 1 / 0.1 rounds to 10, and 0.1 goes into 1 nine times.
        right |a, b, y| By(-((a - y) / b).round());
    /// The angle of the point `(b, a)` in radians, between -π and π.
    ///
    /// Gradient: `ā = ȳ · b / (a² + b²)`; `b̄ = -ȳ · a / (a² + b²)`; both 0 at the origin.
    Atan2 = atan2, commutes false, domains NONZERO, NONZERO, value |a, b| a.atan2(b),
        left |a, b, _| By(by_square_norm(b, a, b)), right |a, b, _| By(-by_square_norm(a, a, b));
    /// `a - b·floor(a/b)` with the exact quotient: the remainder with the sign of `b`, as Python's `%`, which
    /// jumps where the quotient is whole; by zero an error for whole numbers.
    ///
    /// Gradient: `ā = ȳ`; `b̄ = -ȳ · floor(a / b)`, with the exact quotient.
    Remainder = remainder, commutes false, domains Domain::Lattice { step: 1.5, offset: 0.7 }, Domain::Between { low: 1.45, high: 1.55, kinks: &[] },
        value |a, b| a.floored_rem(b), int |a, b| floored_int_rem(a, b),
        left |_, _, _| One, right |a, b, _| By(-floored_quotient(a, b));
    /// `√(a² + b²)`, without overflow of the squares.
    ///
    /// Gradient: `ā = ȳ · a / y`; `b̄ = ȳ · b / y`; both 0 at the origin.
    Hypot = hypot, commutes true, domains NONZERO, NONZERO, value |a, b| a.hypot(b),
        left |a, _, y| over_length(a, y), right |_, b, y| over_length(b, y);
    /// `log(e^a + e^b)`, without overflow.
    ///
    /// Gradient: `ā = ȳ · sigmoid(a - b)`; `b̄ = ȳ · sigmoid(b - a)`; half each for equal infinities.
    Logaddexp = logaddexp, commutes true, domains ANY, ANY, value |a, b| a.ln_add_exp(b),
        left |a, b, _| By(above(a, b).sigmoid()), right |a, b, _| By(above(b, a).sigmoid());
    /// `a · log(b)`; 0 where `a` is 0.
    ///
    /// Gradient: `ā = ȳ · log(b)`, 0 where `a = 0` and `b ≤ 0`; `b̄ = ȳ · a / b`, 0 where `a = 0` and `b = 0`.
    Xlogy = xlogy, commutes false, domains ANY, POSITIVE, value |a, b| a.times_log_of(b, b.ln()),
        left |a, b, _| {
            let flat = a.eq(0.0).and(b.le(0.0));
            GateBy { open: flat.not(), slope: flat.select(b.ones_like(), b).log() }
        },
        right |a, b, _| {
            let flat = a.eq(0.0).and(b.eq(0.0));
            GateBy { open: flat.not(), slope: a / flat.select(b.ones_like(), b) }
        };
    /// `a · log(1 + b)`, accurate for small `b`; 0 where `a` is 0.
    ///
    /// Gradient: `ā = ȳ · log(1 + b)`, 0 where `a = 0` and `b ≤ -1`; `b̄ = ȳ · a / (1 + b)`, 0 where `a = 0` and `b = -1`.
    Xlog1py = xlog1py, commutes false, domains ANY, POSITIVE, value |a, b| a.times_log_of(b, b.ln_1p()),
        left |a, b, _| {
            let flat = a.eq(0.0).and(b.le(-1.0));
            GateBy { open: flat.not(), slope: flat.select(b.zeros_like(), b).log1p() }
        },
        right |a, b, _| {
            let flat = a.eq(0.0).and(b.eq(-1.0));
            GateBy { open: flat.not(), slope: a / (flat.select(b.zeros_like(), b) + 1.0) }
        };
}

/// The remainder of whole numbers with the sign of the divisor.
fn floored_int_rem(a: i64, b: i64) -> Option<i64> {
    (b != 0).then(|| {
        let rem = a.wrapping_rem(b);
        if rem != 0 && (rem < 0) != (b < 0) { rem + b } else { rem }
    })
}

/// `floor(a / b)` with the exact quotient.
fn floored_quotient<'g>(a: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    // As for `rem`, and one less where the remainder has the other sign than the divisor.
    let rem = a.rem(b);
    let crossed = rem.sign().ne(b.sign()).and(rem.ne(0.0));
    ((a - rem) / b).round() - crossed.cast(a.dtype())
}

/// `x / y` for a length `y`, and 0 where it is 0.
fn over_length<'g>(x: Expr<'g>, y: Expr<'g>) -> Slope<'g> {
    let open = y.ne(0.0);
    GateBy { open, slope: x / open.select(y, y.ones_like()) }
}

/// `a - b`, and 0 for equal infinities.
fn above<'g>(a: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    let alike = a.eq(b).and(a.is_infinite());
    alike.select(a.zeros_like(), a - b)
}

/// The part of the gradient that `a` gets of `max(a, b)`: all, nothing, or half in a tie.
fn share<'g>(a: Expr<'g>, b: Expr<'g>) -> Slope<'g> {
    let tie = a.builder().kinks().slope(Kink::Pair);
    GateBy { open: a.ge(b), slope: a.eq(b).select(a.full_like(tie), a.ones_like()) }
}

/// Whether the rule of `a^b` is its formula even where `a` and `b` are 0.
fn is_unguarded(answer: Subgradient, exponent: Expr<'_>) -> bool {
    match answer {
        Subgradient::ByExponent => !is_whole(exponent),
        Subgradient::Formula => true,
        Subgradient::Slope(_) | Subgradient::Even | Subgradient::First => false,
    }
}

/// Whether an exponent can be seen to be whole: a number of the program, or converted from whole numbers.
fn is_whole(exponent: Expr<'_>) -> bool {
    match exponent.op() {
        Op::Literal(literal) => literal.value.to_f64().fract() == 0.0,
        Op::Cast(_) => !exponent.operands()[0].dtype().is_float(),
        Op::Broadcast(_) => is_whole(exponent.operands()[0]),
        _ => false,
    }
}

/// `x / (a² + b²)`, and 0 at the origin.
fn by_square_norm<'g>(x: Expr<'g>, a: Expr<'g>, b: Expr<'g>) -> Expr<'g> {
    // Scaled, so that no square leaves the range of numbers; the result does not depend on the scale.
    let larger = a.abs().maximum(b.abs()).stop_gradient();
    let scale = larger.gt(0.0).and(larger.is_finite()).select(larger, larger.ones_like());
    let (a, b) = (a / scale, b / scale);
    let sum = a * a + b * b;
    x / scale / sum.eq(0.0).select(sum.ones_like(), sum) / scale
}

/// `x + x`; of what is repeated, before that.
fn twice(x: Expr<'_>) -> Expr<'_> {
    match x.op() {
        Op::Broadcast(broadcast) => twice(x.operands()[0]).apply(broadcast),
        _ => x + x,
    }
}

impl BinaryOp {
    /// The row of a text name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<BinaryOp> {
        BinaryOp::ALL.iter().copied().find(|op| op.name_static() == name)
    }

    pub(crate) fn sample(self, choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let operands = self.domains().map(|domain| OperandSample { ty: ty.clone(), domain });
        Sample { op: self.into(), operands: operands.into() }
    }
}

impl OpRules for BinaryOp {
    fn name(&self) -> Cow<'static, str> {
        self.name_static().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_one_dtype(operands)?;
        expect_one_shape(operands)?;
        match operands[0].dtype {
            DType::F32 | DType::F64 => Ok(operands[0].clone()),
            DType::I64 if self.int().is_some() => Ok(operands[0].clone()),
            _ => Err(Violation::new("C4", format!("has no meaning for {}", operands[0]))
                .help("convert with `cast`")),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let (left, right) = (operands[0], operands[1]);
        Ok(dispatch_float!(left.dtype(), T => {
            let mut values = vec![T::default(); left.len()];
            self.map(left.values::<T>(), right.values::<T>(), &mut values);
            Tensor::new(left.sizes(), values).expect("one value per element")
        }, else {
            let int = self.int().ok_or("the element type has no such function")?;
            let pairs = left.values::<i64>().iter().zip(right.values::<i64>());
            let values: Option<Vec<i64>> = pairs.map(|(a, b)| int(*a, *b)).collect();
            let values = values.ok_or("a whole number was divided by zero")?;
            Tensor::new(left.sizes(), values).expect("one value per element")
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let (left, right) = (at.operands[0], at.operands[1]);
        if *self == BinaryOp::Mul && left.id() == right.id() {
            // Twice the same, and one of them with twice the cotangent is as exact.
            return Partials::from_iter([Partial::Flows(twice(at.cotangent) * left), Partial::Flat]);
        }
        let partial = |index| match at.wants(index) {
            true => self.slope(index, left, right, at.result).apply(at.cotangent),
            false => Partial::Stops,
        };
        Partials::from_iter([partial(0), partial(1)])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
