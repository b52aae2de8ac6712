//! Routines of `f32`: the most used in `f32`, whose results are within two units of the exact ones; the others in `f64`,
//! where what cancels still leaves more digits than an `f32` has, so that the result is the exact one rounded, or its
//! neighbor.
//!
//! The polynomials are minimax approximations with coefficients rounded to `f32`; those of [`wide`] interpolate at Chebyshev
//! nodes.

mod exponential;
mod logarithm;
mod angle;
mod error;
mod power;
mod wide;

use super::arithmetic::single::{fma, polynomial};
use super::hyperbolic::{Acosh, Asinh, Atanh};
use super::inverse::{Acos, Asin, Atan, Atan2};
use super::number::Number;
use super::pairs::{Logaddexp, Xlog1py, Xlogy};
use super::remainder::{Rem, Remainder};
use super::{Routine, routines};

use angle::{Cos, Sin};
use error::Erf;
use exponential::{Exp, Expm1, Sigmoid, Tanh};
use logarithm::{Log, Log1p, Softplus};
use power::{Hypot, Pow};
use wide::{Cosh, Erfc, Erfinv, Exp2, Lgamma, Log2, Log10, Sinh, Tan};

routines! { f32:
    unary
    Exp => Exp (1.5 ulp), Expm1 => Expm1 (1.5 ulp), Exp2 => Exp2 (1.0 ulp),
    Log => Log (1.0 ulp), Log1p => Log1p (1.5 ulp), Log2 => Log2 (1.0 ulp), Log10 => Log10 (1.0 ulp),
    Sin => Sin (2.0 ulp), Cos => Cos (2.0 ulp), Tan => Tan (1.0 ulp),
    Asin => Asin (2.5 ulp), Acos => Acos (2.5 ulp), Atan => Atan (2.5 ulp),
    Sinh => Sinh (1.0 ulp), Cosh => Cosh (1.0 ulp), Tanh => Tanh (1.5 ulp),
    Asinh => Asinh (3.5 ulp), Acosh => Acosh (3.5 ulp), Atanh => Atanh (3.5 ulp),
    Sigmoid => Sigmoid (1.5 ulp), Softplus => Softplus (2.0 ulp),
    Erf => Erf (1.5 ulp), Erfc => Erfc (1.0 ulp), Erfinv => Erfinv (1.0 ulp), Lgamma => Lgamma (1.0 ulp);
    binary
    Pow => Pow (1.0 ulp), Atan2 => Atan2 (2.5 ulp), Hypot => Hypot (1.0 ulp), Rem => Rem (0.0 ulp), Remainder => Remainder (0.5 ulp),
    Logaddexp => Logaddexp (3.0 ulp), Xlogy => Xlogy (2.0 ulp), Xlog1py => Xlog1py (2.5 ulp);
}

impl Number for f32 {
    const QUARTER_PI: [f32; 2] = [std::f32::consts::FRAC_PI_4, -2.185_569_4e-8];
    const LARGE: f32 = 1e9;

    #[inline(always)]
    fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
        fma::<FMA>(a, b, c)
    }

    #[inline(always)]
    fn with_sign(self, sign: f32) -> f32 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn has_minus(self) -> bool {
        self.is_sign_negative()
    }

    #[inline(always)]
    fn log<const FMA: bool>(x: f32) -> f32 {
        Log::at::<FMA>(x)
    }

    #[inline(always)]
    fn log1p<const FMA: bool>(x: f32) -> f32 {
        Log1p::at::<FMA>(x)
    }

    #[inline(always)]
    fn log1p_of_fraction<const FMA: bool>(x: f32) -> f32 {
        logarithm::log1p_of_fraction::<FMA>(x)
    }

    #[inline(always)]
    fn decayed<const FMA: bool>(x: f32) -> f32 {
        exponential::decayed::<FMA>(x)
    }

    #[inline(always)]
    fn atan_series<const FMA: bool>(square: f32) -> f32 {
        let coefficients = [-0.333_333_16, 0.199_985_25, -0.142_443_08, 0.105_984_46, -0.060_880_747];
        polynomial::<FMA, 5>(square, coefficients)
    }

    #[inline(always)]
    fn asin_series<const FMA: bool>(square: f32) -> f32 {
        let coefficients = [0.166_667_52, 0.074_953_34, 0.045_464_55, 0.024_211_599, 0.042_108_715];
        polynomial::<FMA, 5>(square, coefficients)
    }
}
