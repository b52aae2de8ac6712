//! What routines of `f32` are written in.

use super::logarithm::{Log, Log1p};
use super::{exponential, logarithm};
use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{fma, polynomial};
use crate::kernel::routine::number::Number;

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
