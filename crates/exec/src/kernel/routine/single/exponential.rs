//! The exponential function, and what is made of it.

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{
    EXPONENT, TWO_EXPONENTS, fma, limit, polynomial, power_of_two, powers_of_two,
};

/// ln 2 in two parts, the first with so few digits that its products with exponents are exact.
pub(super) const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];

/// `e^r = 1 + r + r² · q(r)` for `|r| ≤ ln 2 / 2`, with a relative error below 2⁻²⁸.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_15, 0.041_668_233, 0.008_369_3, 0.001_382_446_4];

/// `n = log2(e^x)` rounded, plus `shift`, and `r = x - n · ln 2`.
#[inline(always)]
pub(super) fn reduced<const FMA: bool>(x: f32, shift: f32) -> (f32, f32) {
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, shift);
    let n = shifted - shift;
    (shifted, fma::<FMA>(n, -LN_2[1], fma::<FMA>(n, -LN_2[0], x)))
}

/// `e^r - 1` for `|r| ≤ ln 2 / 2`.
#[inline(always)]
pub(super) fn expm1_of_rest<const FMA: bool>(r: f32) -> f32 {
    fma::<FMA>(r, r * polynomial::<FMA, 5>(r, EXP), r)
}

/// `e^r` for `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exp_of_rest<const FMA: bool>(r: f32) -> f32 {
    let q = polynomial::<FMA, 5>(r, EXP);
    fma::<FMA>(fma::<FMA>(q, r, 1.0), r, 1.0)
}

/// Where both powers of two are zero that [`exp`] multiplies by. What is below half the least number is computed from
/// there: where a product is rounded to zero, Intel's processors take many times as long for it.
const VANISHED: f32 = -176.1;

/// `e^x` for `x ≤ 90`.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    let x = if x < -104.0 { VANISHED } else { x };
    let (shifted, r) = reduced::<FMA>(x, TWO_EXPONENTS);
    let [one, two] = powers_of_two(shifted);
    exp_of_rest::<FMA>(r) * one * two
}

/// `e^-|x|`.
#[inline(always)]
pub(super) fn decayed<const FMA: bool>(x: f32) -> f32 {
    exp::<FMA>(-x.abs())
}

/// `e^x` for `|x| ≤ 87`, where neither it nor its inverse is subnormal.
#[inline(always)]
pub(super) fn moderate_exp<const FMA: bool>(x: f32) -> f32 {
    let (shifted, r) = reduced::<FMA>(x, EXPONENT);
    exp_of_rest::<FMA>(r) * power_of_two(shifted)
}

pub(super) struct Exp;

impl Routine<f32> for Exp {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        exp::<FMA>(if x > 90.0 { 90.0 } else { x })
    }
}

pub(super) struct Expm1;

impl Routine<f32> for Expm1 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let (shifted, r) = reduced::<FMA>(limit(x, -20.0, 89.0), EXPONENT);
        let e = expm1_of_rest::<FMA>(r);
        // Half of it, since the whole power may be out of range.
        let half = power_of_two(shifted - 1.0);
        let value = 2.0 * fma::<FMA>(half, e, half - 0.5);
        if x.abs() < 1e-10 { x } else { value }
    }
}

pub(super) struct Tanh;

impl Routine<f32> for Tanh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let size = limit(x.abs(), 0.0, 10.0);
        let z = size * size;
        let p = polynomial::<FMA, 5>(
            z,
            [-0.333_332_8, 0.133_314_12, -0.053_737_402, 0.020_632_116, -0.005_697_722_5],
        );
        let near = fma::<FMA>(size, z * p, size);
        let far = 1.0 - 2.0 / (moderate_exp::<FMA>(2.0 * size) + 1.0);
        // Neither limits nor signs are of NaN.
        let value = if size < 0.625 { near } else { far };
        value.copysign(x)
    }
}

/// 2¹²⁶.
const SCALE: f32 = 1.0 / f32::MIN_POSITIVE;

/// 2⁻¹⁰⁰, which added to 1 leaves 1.
const NOTHING: f32 = 7.888_609e-31;

pub(super) struct Sigmoid;

impl Routine<f32> for Sigmoid {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let decay = -x.abs();
        // As in `exp`; the power of two below is zero there.
        let decay = if decay < -104.0 { -175.4 } else { decay };
        let (shifted, r) = reduced::<FMA>(decay, EXPONENT + 126.0);
        // Times 2¹²⁶, as the dividend is, so that nothing but the result may be subnormal.
        let scaled = exp_of_rest::<FMA>(r) * power_of_two(shifted);
        let least = NOTHING * SCALE;
        let decayed = (if scaled < least { least } else { scaled }) / SCALE;
        let dividend = if x >= 0.0 { SCALE } else { scaled };
        let sum = 1.0 + decayed;
        let value = dividend / sum;
        // What the sum and the quotient lost, which is made up for by an inverse of the sum to a few bits. The difference
        // is exact, since one is at most twice the other.
        let lost = fma::<FMA>(-value, decayed, dividend - value);
        fma::<FMA>(lost, fma::<FMA>(sum, -8.0 / 17.0, 24.0 / 17.0), value) / SCALE
    }
}
