//! Routines of `f32`, computed in `f64`; the relative errors of the polynomials here are below 2⁻³⁰.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{EXPONENT, SHIFT, fma, limit, polynomial, power_of_two};
use crate::kernel::routine::double;

/// `e^r = 1 + r · q(r)` for `|r| ≤ ln 2 / 2`.
const EXP: [f64; 7] = [
    1.0,
    0.500_000_004_714_605_7,
    0.166_666_667_190_289_35,
    0.041_666_352_771_112_21,
    0.008_333_298_469_800_59,
    0.001_394_111_889_583_7,
    0.000_198_992_855_758_962_82,
];

/// `e^x` as `(scale, e)` with `e^x = scale · (1 + e)`, for `|x| ≤ 700`.
#[inline(always)]
fn exp_parts<const FMA: bool>(x: f64) -> (f64, f64) {
    let shifted = fma::<FMA>(x, std::f64::consts::LOG2_E, EXPONENT);
    let r = fma::<FMA>(shifted - EXPONENT, -std::f64::consts::LN_2, x);
    (power_of_two(shifted), r * polynomial::<FMA, 7>(r, EXP))
}

/// `e^x` for `|x| ≤ 700`.
#[inline(always)]
fn exp<const FMA: bool>(x: f64) -> f64 {
    let (scale, e) = exp_parts::<FMA>(x);
    fma::<FMA>(scale, e, scale)
}

/// `e^x - 1` for `|x| ≤ 700`.
#[inline(always)]
fn expm1<const FMA: bool>(x: f64) -> f64 {
    let (scale, e) = exp_parts::<FMA>(x);
    fma::<FMA>(scale, e, scale - 1.0)
}

/// `log(1 + f) = f · q(f)` for `√½ ≤ 1 + f ≤ √2`.
const LOG: [f64; 13] = [
    0.999_999_999_987_410_1,
    -0.500_000_000_360_496_2,
    0.333_333_342_526_385_5,
    -0.249_999_927_142_871_26,
    0.199_998_877_987_461_2,
    -0.166_670_248_990_905_97,
    0.142_908_235_332_725_65,
    -0.124_954_425_532_633_44,
    0.110_058_759_355_155_62,
    -0.099_457_300_784_289_83,
    0.100_478_975_135_762_1,
    -0.098_062_959_086_074_38,
    0.052_368_968_988_073_61,
];

/// `log x` for positive numbers that are not subnormal.
#[inline(always)]
fn log<const FMA: bool>(x: f64) -> f64 {
    // The exponent counts from √½, so that the rest is nearest to 1.
    let offset = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let exponent = x.to_bits().wrapping_sub(offset) & 0xFFF0_0000_0000_0000;
    let f = f64::from_bits(x.to_bits().wrapping_sub(exponent)) - 1.0;
    // The exponent as a number, without a conversion that older instruction sets lack: 2^52 + (e + 2048).
    let biased = (exponent >> 52).wrapping_add(2048) & 0xFFF;
    let n = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0);
    fma::<FMA>(n, std::f64::consts::LN_2, f * polynomial::<FMA, 13>(f, LOG))
}

/// [`log`] of any number.
#[inline(always)]
fn log_of_any<const FMA: bool>(x: f64) -> f64 {
    let log = log::<FMA>(x);
    // No comparison with infinity itself: see `logarithm`.
    let log = if x > f64::MAX { x } else { log };
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

/// The largest angle, in radians, that is reduced here; larger ones are left to the reference.
const LARGEST_ANGLE: f32 = 1e6;

/// π/2 in two parts, the first with so few digits that products with whole numbers below 2²⁰ are exact (the constants of
/// Sun's fdlibm).
const HALF_PI: [f64; 2] = [1.570_796_326_734_125_6, 6.077_100_506_506_192e-11];

/// The sine and the cosine of `x`, and the quadrant that it was turned from, as bits.
#[inline(always)]
fn sin_cos<const FMA: bool>(x: f64) -> (f64, f64, u64) {
    let shifted = fma::<FMA>(x, std::f64::consts::FRAC_2_PI, SHIFT);
    let n = shifted - SHIFT;
    let r = fma::<FMA>(n, -HALF_PI[1], fma::<FMA>(n, -HALF_PI[0], x));
    let z = r * r;
    let sin = polynomial::<FMA, 5>(
        z,
        [
            0.999_999_999_995_651_4,
            -0.166_666_666_314_509_97,
            0.008_333_328_768_835_47,
            -0.000_198_391_980_924_538_64,
            2.717_307_544_401_403_4e-6,
        ],
    );
    let cos = polynomial::<FMA, 5>(
        z,
        [
            0.999_999_999_952_251_9,
            -0.499_999_996_133_192_1,
            0.041_666_616_543_016_976,
            -0.001_388_661_347_837_977,
            0.000_024_379_412_696_124_16,
        ],
    );
    (r * sin, cos, shifted.to_bits())
}

pub(super) struct Exp2;

impl Routine<f32> for Exp2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        exp::<FMA>(limit(f64::from(x), -160.0, 130.0) * std::f64::consts::LN_2) as f32
    }
}

pub(super) struct Log2;

impl Routine<f32> for Log2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        (log_of_any::<FMA>(f64::from(x)) * std::f64::consts::LOG2_E) as f32
    }
}

pub(super) struct Log10;

impl Routine<f32> for Log10 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        (log_of_any::<FMA>(f64::from(x)) * std::f64::consts::LOG10_E) as f32
    }
}

/// Declares a routine over angles.
macro_rules! angles {
    ($($Name:ident: $exactly:ident, |$sin:ident, $cos:ident, $quadrant:ident| $value:expr, zero |$x:ident| $zero:expr;)*) => {
        $(
            pub(super) struct $Name;

            impl Routine<f32> for $Name {
                            #[inline(always)]
                fn at<const FMA: bool>($x: f32) -> f32 {
                    let ($sin, $cos, $quadrant) = sin_cos::<FMA>(f64::from($x));
                    let value: f64 = $value;
                    if $x == 0.0 { $zero } else { value as f32 }
                }

                #[inline(always)]
                fn covers(x: f32) -> bool {
                    x.abs() <= LARGEST_ANGLE
                }

                fn exactly(x: f32) -> f32 {
                    Real::$exactly(f64::from(x)) as f32
                }
            }
        )*
    };
}

angles! {
    Tan: tan, |sin, cos, quadrant| if quadrant & 1 == 0 { sin / cos } else { -cos / sin }, zero |x| x;
}

pub(super) struct Sinh;

impl Routine<f32> for Sinh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let t = expm1::<FMA>(limit(f64::from(x.abs()), 0.0, 90.0));
        let value = (0.5 * (t + t / (t + 1.0))) as f32;
        if x.is_nan() { x } else { value.copysign(x) }
    }
}

pub(super) struct Cosh;

impl Routine<f32> for Cosh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let e = exp::<FMA>(limit(f64::from(x.abs()), 0.0, 90.0));
        (0.5 * (e + 1.0 / e)) as f32
    }
}

/// Declares routines that round those of `f64`, since what is seldom asked for need not be written twice.
macro_rules! rounded {
    ($($Name:ident = $Wide:path;)*) => {
        $(
            pub(super) struct $Name;

            impl Routine<f32> for $Name {
                #[inline(always)]
                fn at<const FMA: bool>(x: f32) -> f32 {
                    <$Wide as Routine<f64>>::at::<FMA>(f64::from(x)) as f32
                }

                #[inline(always)]
                fn covers(x: f32) -> bool {
                    <$Wide as Routine<f64>>::covers(f64::from(x))
                }

                fn exactly(x: f32) -> f32 {
                    <$Wide as Routine<f64>>::exactly(f64::from(x)) as f32
                }
            }
        )*
    };
}

rounded! {
    Erfinv = double::error::Erfinv;
    Lgamma = double::gamma::Lgamma;
}
