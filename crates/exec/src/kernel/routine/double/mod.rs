//! Routines of `f64`.

pub(super) mod exponential;
pub(super) mod logarithm;
mod angle;
pub(super) mod error;
pub(super) mod gamma;
pub(super) mod power;

use super::arithmetic::double::{fma, polynomial};
use super::hyperbolic::{Acosh, Asinh, Atanh};
use super::inverse::{Acos, Asin, Atan, Atan2};
use super::number::Number;
use super::pairs::{Logaddexp, Xlog1py, Xlogy};
use super::remainder::{Rem, Remainder};
use super::{Routine, routines};

use angle::{Cos, Sin, Tan};
use error::{Erf, Erfc, Erfinv};
use exponential::{Cosh, Exp, Exp2, Expm1, Sigmoid, Sinh, Tanh};
use gamma::Lgamma;
use logarithm::{Log, Log1p, Log2, Log10, Softplus};
use power::{Hypot, Pow};

routines! { f64:
    unary
    Exp => Exp (1.0 ulp), Expm1 => Expm1 (2.0 ulp), Exp2 => Exp2 (1.0 ulp),
    Log => Log (1.0 ulp), Log1p => Log1p (2.0 ulp), Log2 => Log2 (1.0 ulp), Log10 => Log10 (1.0 ulp),
    Sin => Sin (1.0 ulp), Cos => Cos (1.0 ulp), Tan => Tan (2.0 ulp),
    Asin => Asin (2.0 ulp), Acos => Acos (2.0 ulp), Atan => Atan (2.0 ulp),
    Sinh => Sinh (2.0 ulp), Cosh => Cosh (2.0 ulp), Tanh => Tanh (3.0 ulp),
    Asinh => Asinh (3.0 ulp), Acosh => Acosh (3.0 ulp), Atanh => Atanh (3.0 ulp),
    Sigmoid => Sigmoid (2.0 ulp), Softplus => Softplus (2.0 ulp),
    Erf => Erf (1.0 ulp), Erfc => Erfc (4.0 ulp), Erfinv => Erfinv (4.0 ulp), Lgamma => Lgamma (6.0 ulp);
    binary
    Pow => Pow (1.0 ulp), Atan2 => Atan2 (2.0 ulp), Hypot => Hypot (1.0 ulp), Rem => Rem (0.0 ulp), Remainder => Remainder (0.5 ulp),
    Logaddexp => Logaddexp (3.0 ulp), Xlogy => Xlogy (2.0 ulp), Xlog1py => Xlog1py (2.0 ulp);
}

impl Number for f64 {
    const QUARTER_PI: [f64; 2] = [std::f64::consts::FRAC_PI_4, 3.061_616_997_868_383e-17];
    const LARGE: f64 = 1e17;

    #[inline(always)]
    fn fma<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
        fma::<FMA>(a, b, c)
    }

    #[inline(always)]
    fn with_sign(self, sign: f64) -> f64 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn has_minus(self) -> bool {
        self.is_sign_negative()
    }

    #[inline(always)]
    fn log<const FMA: bool>(x: f64) -> f64 {
        Log::at::<FMA>(x)
    }

    #[inline(always)]
    fn log1p<const FMA: bool>(x: f64) -> f64 {
        Log1p::at::<FMA>(x)
    }

    #[inline(always)]
    fn log1p_of_fraction<const FMA: bool>(x: f64) -> f64 {
        logarithm::log1p_of_fraction::<FMA>(x)
    }

    #[inline(always)]
    fn decayed<const FMA: bool>(x: f64) -> f64 {
        exponential::decayed::<FMA>(x)
    }

    #[inline(always)]
    fn atan_series<const FMA: bool>(square: f64) -> f64 {
        polynomial::<FMA, 11>(
            square,
            [
                -0.333_333_333_333_332,
                0.199_999_999_999_533_88,
                -0.142_857_142_801_562_6,
                0.111_111_107_809_126_72,
                -0.090_908_976_762_110_49,
                0.076_920_586_875_941_07,
                -0.066_630_862_749_359_32,
                0.058_477_590_318_644_36,
                -0.050_387_193_783_917_47,
                0.038_049_830_212_747_465,
                -0.017_891_303_297_735_334,
            ],
        )
    }

    #[inline(always)]
    fn asin_series<const FMA: bool>(square: f64) -> f64 {
        polynomial::<FMA, 13>(
            square,
            [
                0.166_666_666_666_667_6,
                0.074_999_999_999_712_19,
                0.044_642_857_174_042_185,
                0.030_381_942_740_134_213,
                0.022_372_213_983_602_34,
                0.017_351_631_175_967_497,
                0.013_980_581_523_607_373,
                0.011_400_920_659_496_508,
                0.010_768_792_167_937_92,
                0.003_750_217_722_994_498,
                0.021_600_033_315_830_273,
                -0.020_846_354_011_875_803,
                0.032_532_903_270_069_91,
            ],
        )
    }
}
