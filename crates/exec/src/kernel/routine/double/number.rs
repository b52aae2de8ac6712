//! What routines of `f64` are written in.

use super::logarithm::{Log, Log1p};
use super::{exponential, logarithm};
use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, polynomial};
use crate::kernel::routine::number::Number;

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
