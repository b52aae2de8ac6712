//! The exponential function, and what is made of it.

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{
    EXPONENT, TWO_EXPONENTS, fma, limit, polynomial, power_of_two, powers_of_two,
};

/// `e^r = 1 + r · q(r)` for `|r| ≤ ln 2 / 2`, with a relative error below 2⁻⁶¹.
const EXP: [f64; 12] = [
    1.0,
    0.5,
    0.166_666_666_666_666_8,
    0.041_666_666_666_666_68,
    0.008_333_333_333_319_59,
    0.001_388_888_888_887_907_4,
    0.000_198_412_698_900_764_03,
    0.000_024_801_587_336_442_238,
    2.755_724_088_722_987e-6,
    2.755_726_327_908_85e-7,
    2.511_004_920_481_866e-8,
    2.091_813_773_764_273_6e-9,
];

/// ln 2 in two parts, the first with so few digits that its products with exponents are exact (Sun's fdlibm).
pub(super) const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];

/// `n = log2(e^x)` rounded, plus `shift`, and `e^r - 1` for `r = x - n · ln 2`.
#[inline(always)]
fn exp_parts<const FMA: bool>(x: f64, shift: f64) -> (f64, f64) {
    let shifted = fma::<FMA>(x, std::f64::consts::LOG2_E, shift);
    let n = shifted - shift;
    let r = fma::<FMA>(n, -LN_2[1], fma::<FMA>(n, -LN_2[0], x));
    (shifted, r * polynomial::<FMA, 12>(r, EXP))
}

/// `e^x · (1 + rest)` for `-750 ≤ x ≤ 710` and a `rest` that is next to nothing.
#[inline(always)]
pub(super) fn exp_and<const FMA: bool>(x: f64, rest: f64) -> f64 {
    let (shifted, e) = exp_parts::<FMA>(x, TWO_EXPONENTS);
    let [one, two] = powers_of_two(shifted);
    (one + one * fma::<FMA>(rest, 1.0 + e, e)) * two
}

/// Where both powers of two are zero that [`exp`] multiplies by. What is below half the least number is computed from
/// there: where a product is rounded to zero, Intel's processors take many times as long for it.
const VANISHED: f64 = -1418.2;

/// `e^x` for `x ≤ 710`.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f64) -> f64 {
    let x = if x < -745.2 { VANISHED } else { x };
    let (shifted, e) = exp_parts::<FMA>(x, TWO_EXPONENTS);
    let [one, two] = powers_of_two(shifted);
    (one + one * e) * two
}

/// `e^-|x|`.
#[inline(always)]
pub(super) fn decayed<const FMA: bool>(x: f64) -> f64 {
    exp::<FMA>(-x.abs())
}

/// `(e^x - 1) / 4` for `-100 ≤ x ≤ 710.5`, where `e^x` may be out of range.
#[inline(always)]
fn quarter_of_expm1<const FMA: bool>(x: f64) -> f64 {
    let (shifted, e) = exp_parts::<FMA>(x, EXPONENT);
    let quarter = power_of_two(shifted - 2.0);
    fma::<FMA>(quarter, e, quarter - 0.25)
}

pub(super) struct Exp;

impl Routine<f64> for Exp {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        exp::<FMA>(if x > 710.0 { 710.0 } else { x })
    }
}

pub(super) struct Expm1;

impl Routine<f64> for Expm1 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let value = 4.0 * quarter_of_expm1::<FMA>(limit(x, -100.0, 710.5));
        if x.abs() < 1e-20 { x } else { value }
    }
}

pub(super) struct Exp2;

impl Routine<f64> for Exp2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let x = limit(x, -1080.0, 1025.0);
        let shifted = x + TWO_EXPONENTS;
        let r = (x - (shifted - TWO_EXPONENTS)) * std::f64::consts::LN_2;
        let [one, two] = powers_of_two(shifted);
        (one + one * (r * polynomial::<FMA, 12>(r, EXP))) * two
    }
}

pub(super) struct Sinh;

impl Routine<f64> for Sinh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let quarter = quarter_of_expm1::<FMA>(limit(x.abs(), 0.0, 710.5));
        let value = 2.0 * (quarter + quarter / (4.0 * quarter + 1.0));
        let value = if x.abs() < 1e-9 { x.abs() } else { value };
        value.copysign(x)
    }
}

pub(super) struct Cosh;

impl Routine<f64> for Cosh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let quarter = quarter_of_expm1::<FMA>(limit(x.abs(), 0.0, 710.5)) + 0.25;
        2.0 * (quarter + 0.0625 / quarter)
    }
}

pub(super) struct Tanh;

impl Routine<f64> for Tanh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let quarter = quarter_of_expm1::<FMA>(2.0 * limit(x.abs(), 0.0, 22.0));
        let value = quarter / (quarter + 0.5);
        let value = if x.abs() < 1e-9 { x.abs() } else { value };
        value.copysign(x)
    }
}

pub(super) struct Sigmoid;

impl Routine<f64> for Sigmoid {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let decayed = decayed::<FMA>(x);
        let dividend = if x >= 0.0 { 1.0 } else { decayed };
        dividend / (1.0 + decayed)
    }
}
