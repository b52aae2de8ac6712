//! The table of elementwise ops of one operand.
//!
//! One row gives the variant, the `Expr` method, inference, the interpreter, the gradient, the text name, test samples
//! and the loop that fused kernels use.
//! Constraints: C1 one operand; C2 its element type is a float (or i64 where the row says `int`).

use std::borrow::Cow;
use std::f64::consts::FRAC_2_SQRT_PI;

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::kinks::Kink;
use crate::op::Op;
use crate::op::Slope::{By, Flat, GateBy, MinusOne, Over, OverBoth};
use crate::op::real::Real;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site, Slope};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// Turns rows into the enum, its loops and the `Expr` methods.
///
/// A row reads: doc, `Variant = text_name, domain low..high [kinks], value |x| …, int |x| …, slope |x, y| …;`
/// where the doc has a line `Gradient: …` if the slope is more than arithmetic,
/// `value` is written over [`Real`], `int` (optional) over `i64`, and `slope` over [`Expr`]: `x` is the operand,
/// `y` the result, the answer a [`Slope`]. `domain` is where tests draw from, `kinks` the points they keep away from.
macro_rules! unary_ops {
    ($($(#[doc = $doc:literal])* $Variant:ident = $method:ident, domain $low:literal .. $high:literal [$($kink:literal),*],
        value |$x:ident| $value:expr, $(int |$i:ident| $int:expr,)? slope |$sx:pat_param, $sy:pat_param| $slope:expr;)*) => {
        /// An elementwise op of one operand: a row of the table in this file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum UnaryOp {
            $($(#[doc = $doc])* $Variant,)*
        }

        impl UnaryOp {
            /// Every row, in order.
            pub const ALL: &'static [UnaryOp] = &[$(UnaryOp::$Variant),*];

            /// The name in the text IR.
            #[must_use]
            pub fn name_static(self) -> &'static str {
                match self {
                    $(UnaryOp::$Variant => stringify!($method),)*
                }
            }

            /// The value at one point.
            #[inline]
            pub fn value<T: Real>(self, x: T) -> T {
                match self {
                    $(UnaryOp::$Variant => { let $x = x; $value })*
                }
            }

            /// [`value`](UnaryOp::value) of this row as a function, for callers that apply one row many times.
            #[must_use]
            pub fn function<T: Real>(self) -> fn(T) -> T {
                match self {
                    $(UnaryOp::$Variant => |$x: T| $value,)*
                }
            }

            /// The value of every element: one tight loop per row.
            ///
            /// # Panics
            /// When the lengths differ.
            #[inline(always)]
            pub fn map<T: Real>(self, operand: &[T], result: &mut [T]) {
                assert_eq!(operand.len(), result.len(), "an elementwise loop needs slices of one length");
                match self {
                    $(UnaryOp::$Variant => {
                        for (result, operand) in result.iter_mut().zip(operand) {
                            let $x = *operand;
                            *result = $value;
                        }
                    })*
                }
            }

            /// The value of every element in place.
            pub fn map_in_place<T: Real>(self, values: &mut [T]) {
                match self {
                    $(UnaryOp::$Variant => {
                        for value in values {
                            let $x = *value;
                            *value = $value;
                        }
                    })*
                }
            }

            /// The value for integers, if the row has one.
            #[must_use]
            pub fn int(self) -> Option<fn(i64) -> i64> {
                match self {
                    $($(UnaryOp::$Variant => Some(|$i: i64| $int),)?)*
                    #[allow(unreachable_patterns, reason = "rows without an `int` column land here")]
                    _ => None,
                }
            }

            /// The derivative, as nodes over the operand and the result.
            pub(crate) fn slope<'g>(self, x: Expr<'g>, y: Expr<'g>) -> Slope<'g> {
                match self {
                    $(UnaryOp::$Variant => { let ($sx, $sy) = (x, y); $slope })*
                }
            }

            /// Where tests draw operands from, and the points they keep away from.
            #[must_use]
            pub fn domain(self) -> Domain {
                match self {
                    $(UnaryOp::$Variant => Domain::Between { low: $low, high: $high, kinks: &[$($kink),*] },)*
                }
            }
        }

        impl<'g> Expr<'g> {
            $($(#[doc = $doc])*
            ///
            /// # Panics
            /// When the element type has no such function; the message shows this line.
            #[must_use]
            #[track_caller]
            #[allow(clippy::should_implement_trait, reason = "the operator traits call these")]
            pub fn $method(self) -> Expr<'g> {
                self.apply(UnaryOp::$Variant)
            })*
        }
    };
}

unary_ops! {
    /// `-x`.
    Neg = neg, domain -3.0 .. 3.0 [], value |x| -x, int |x| x.wrapping_neg(), slope |_, _| MinusOne;
    /// `|x|`.
    ///
    /// Gradient: `x̄ = ȳ · sign(x)`; 0 at 0 ([`Kink::Abs`](crate::Kink::Abs)).
    Abs = abs, domain -3.0 .. 3.0 [0.0], value |x| x.abs(), int |x| x.wrapping_abs(), slope |x, _| sign_or(x, Kink::Abs);
    /// 1, 0 or -1 with the sign of `x`; NaN for NaN. Piecewise constant.
    Sign = sign, domain -3.0 .. 3.0 [0.0], value |x| x.sign(), int |x| x.signum(), slope |_, _| Flat;
    /// `max(x, 0)`.
    ///
    /// Gradient: `x̄ = ȳ` where `x > 0`, 0 elsewhere; 0 at 0 ([`Kink::Relu`](crate::Kink::Relu)).
    Relu = relu, domain -3.0 .. 3.0 [0.0], value |x| x.larger(T::from_f64(0.0)), int |x| x.max(0),
        slope |x, _| Slope::step(x, Kink::Relu, || x.gt(0.0), || x.ge(0.0));
    /// `e^x`.
    Exp = exp, domain -3.0 .. 3.0 [], value |x| x.exp(), slope |_, y| By(y);
    /// `e^x - 1`, accurate near 0.
    Expm1 = expm1, domain -3.0 .. 3.0 [], value |x| x.exp_m1(), slope |x, _| By(x.exp());
    /// The natural logarithm; its derivative at 0 is infinite ([`Kink::Pole`](crate::Kink::Pole)).
    Log = log, domain 0.1 .. 5.0 [], value |x| x.ln(), slope |x, _| Over(x);
    /// `log(1 + x)`, accurate near 0.
    Log1p = log1p, domain -0.9 .. 5.0 [], value |x| x.ln_1p(), slope |x, _| Over(x + 1.0);
    /// `2^x`.
    Exp2 = exp2, domain -3.0 .. 3.0 [], value |x| x.exp2(), slope |_, y| By(y * std::f64::consts::LN_2);
    /// The logarithm to base 2.
    Log2 = log2, domain 0.1 .. 5.0 [], value |x| x.log2(), slope |x, _| Over(x * std::f64::consts::LN_2);
    /// The logarithm to base 10.
    Log10 = log10, domain 0.1 .. 5.0 [], value |x| x.log10(), slope |x, _| Over(x * std::f64::consts::LN_10);
    /// The square root; its derivative at 0 is infinite ([`Kink::Pole`](crate::Kink::Pole)).
    Sqrt = sqrt, domain 0.1 .. 5.0 [], value |x| x.sqrt(), slope |_, y| Over(y + y);
    /// `1 / sqrt(x)`.
    Rsqrt = rsqrt, domain 0.1 .. 5.0 [], value |x| T::from_f64(1.0) / x.sqrt(), slope |x, y| By(y * -0.5 / x);
    /// The sine of `x` radians.
    Sin = sin, domain -3.0 .. 3.0 [], value |x| x.sin(), slope |x, _| By(x.cos());
    /// The cosine of `x` radians.
    Cos = cos, domain -3.0 .. 3.0 [], value |x| x.cos(), slope |x, _| By(-x.sin());
    /// The tangent of `x` radians.
    Tan = tan, domain -1.2 .. 1.2 [], value |x| x.tan(), slope |_, y| By(y * y + 1.0);
    /// The angle in radians, between -π/2 and π/2, whose sine is `x`.
    Asin = asin, domain -0.9 .. 0.9 [], value |x| x.asin(), slope |x, _| Over(((1.0 - x) * (x + 1.0)).sqrt());
    /// The angle in radians, between 0 and π, whose cosine is `x`.
    Acos = acos, domain -0.9 .. 0.9 [], value |x| x.acos(), slope |x, _| Over(-((1.0 - x) * (x + 1.0)).sqrt());
    /// The angle in radians, between -π/2 and π/2, whose tangent is `x`.
    ///
    /// Gradient: `x̄ = ȳ / (x² + 1)`.
    Atan = atan, domain -3.0 .. 3.0 [], value |x| x.atan(), slope |x, _| over_square_plus_one(x);
    /// The hyperbolic sine.
    Sinh = sinh, domain -3.0 .. 3.0 [], value |x| x.sinh(), slope |x, _| By(x.cosh());
    /// The hyperbolic cosine.
    Cosh = cosh, domain -3.0 .. 3.0 [], value |x| x.cosh(), slope |x, _| By(x.sinh());
    /// The hyperbolic tangent.
    Tanh = tanh, domain -3.0 .. 3.0 [], value |x| x.tanh(), slope |_, y| By(1.0 - y * y);
    /// The inverse of the hyperbolic sine.
    ///
    /// Gradient: `x̄ = ȳ / √(x² + 1)`.
    Asinh = asinh, domain -3.0 .. 3.0 [], value |x| x.asinh(), slope |x, _| Over(length_with_one(x));
    /// The inverse of the hyperbolic cosine, for `x ≥ 1`.
    Acosh = acosh, domain 1.1 .. 5.0 [], value |x| x.acosh(), slope |x, _| Over((x - 1.0).sqrt() * (x + 1.0).sqrt());
    /// The inverse of the hyperbolic tangent, for `|x| < 1`.
    Atanh = atanh, domain -0.9 .. 0.9 [], value |x| x.atanh(), slope |x, _| Over((1.0 - x) * (x + 1.0));
    /// The logistic function `1 / (1 + e^-x)`, without overflow.
    Sigmoid = sigmoid, domain -3.0 .. 3.0 [], value |x| x.sigmoid(), slope |x, y| By(y * (-x).sigmoid());
    /// `log(1 + e^x)`, without overflow.
    Softplus = softplus, domain -3.0 .. 3.0 [], value |x| x.softplus(), slope |x, _| By(x.sigmoid());
    /// The error function `2/√π ∫₀ˣ e^(-t²) dt`.
    Erf = erf, domain -2.0 .. 2.0 [], value |x| x.erf(),
        slope |x, _| By((-(x * x)).exp() * FRAC_2_SQRT_PI);
    /// `1 - erf(x)`, accurate for large `x`.
    Erfc = erfc, domain -2.0 .. 2.0 [], value |x| x.erfc(),
        slope |x, _| By((-(x * x)).exp() * -FRAC_2_SQRT_PI);
    /// The inverse of [`erf`](Expr::erf): ±∞ at ±1, NaN outside.
    Erfinv = erfinv, domain -0.9 .. 0.9 [], value |x| x.erfinv(),
        slope |_, y| By((y * y).exp() * FRAC_2_SQRT_PI.recip());
    /// `log |Γ(x)|`, the logarithm of the gamma function: +∞ at `0, -1, -2, …`.
    Lgamma = lgamma, domain 0.3 .. 5.0 [], value |x| x.lgamma(), slope |x, _| By(x.digamma());
    /// The largest whole number not above `x`. Piecewise constant.
    Floor = floor, domain -2.9 .. 2.9 [-2.0, -1.0, 0.0, 1.0, 2.0], value |x| x.floor(), slope |_, _| Flat;
    /// The smallest whole number not below `x`. Piecewise constant.
    Ceil = ceil, domain -2.9 .. 2.9 [-2.0, -1.0, 0.0, 1.0, 2.0], value |x| x.ceil(), slope |_, _| Flat;
    /// The whole number nearest to `x`, the even one of two. Piecewise constant.
    Round = round, domain -2.4 .. 2.4 [-1.5, -0.5, 0.5, 1.5], value |x| x.round_ties_even(), slope |_, _| Flat;
    /// `x` without its fraction. Piecewise constant.
    Trunc = trunc, domain -2.9 .. 2.9 [-2.0, -1.0, 0.0, 1.0, 2.0], value |x| x.trunc(), slope |_, _| Flat;
}

/// The sign of `x`, and what stands at `kink` where `x` is 0.
fn sign_or(x: Expr<'_>, kink: Kink) -> Slope<'_> {
    match x.builder().kinks().slope(kink) {
        0.0 => GateBy { open: x.ne(0.0), slope: x.sign() },
        slope => By(x.eq(0.0).select(x.full_like(slope), x.sign())),
    }
}

/// `√(x² + 1)`, which is `|x|` to every digit long before `x²` overflows.
fn length_with_one(x: Expr<'_>) -> Expr<'_> {
    let large = x.abs().gt(1e10);
    let moderate = large.select(x.zeros_like(), x);
    large.select(x.abs(), (moderate * moderate + 1.0).sqrt())
}

/// `1 / (x² + 1)`, which is `1/x · 1/x` to every digit long before `x²` overflows.
fn over_square_plus_one(x: Expr<'_>) -> Slope<'_> {
    let large = x.abs().gt(1e10);
    let moderate = large.select(x.zeros_like(), x);
    // One of the two is 1 where `x` is moderate: the quotient rounds once there.
    OverBoth(large.select(x, moderate * moderate + 1.0), large.select(x, x.ones_like()))
}

impl UnaryOp {
    /// The row of a text name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<UnaryOp> {
        UnaryOp::ALL.iter().copied().find(|op| op.name_static() == name)
    }

    pub(crate) fn sample(self, choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        Sample { op: self.into(), operands: vec![OperandSample { ty, domain: self.domain() }] }
    }
}

impl OpRules for UnaryOp {
    fn name(&self) -> Cow<'static, str> {
        self.name_static().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        match operands[0].dtype {
            DType::F32 | DType::F64 => Ok(operands[0].clone()),
            DType::I64 if self.int().is_some() => Ok(operands[0].clone()),
            _ => Err(Violation::new("C2", format!("takes floating-point elements, got {}", operands[0]))
                .help("convert with `cast`")),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let x = operands[0];
        Ok(dispatch_float!(x.dtype(), T => {
            let mut values = x.values::<T>().to_vec();
            self.map_in_place(&mut values);
            Tensor::new(x.sizes(), values).expect("one value per element")
        }, else {
            let int = self.int().ok_or("the element type has no such function")?;
            let values = x.values::<i64>();
            Tensor::from_fn(x.sizes(), |i| int(values[i]))
        }))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        if !at.wants(0) {
            return Partials::from_iter([Partial::Stops]);
        }
        Partials::from_iter([self.slope(at.operands[0], at.result).apply(at.cotangent)])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
