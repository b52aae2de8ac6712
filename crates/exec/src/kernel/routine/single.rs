//! Routines of `f32`, computed in `f64`: what cancels there still leaves more digits than an `f32` has, so that the result
//! is the exact one rounded, or its neighbor.
//!
//! The polynomials interpolate at Chebyshev nodes; their relative errors are below 2⁻³⁰.

use pullback_graph::op::Real;

use super::{Routine, SHIFT, fma, limit, polynomial, power_of_two, routines};

routines! { f32:
    unary
    Exp => Exp (1.0 ulp), Expm1 => Expm1 (1.0 ulp), Exp2 => Exp2 (1.0 ulp),
    Log => Log (1.0 ulp), Log1p => Log1p (1.0 ulp), Log2 => Log2 (1.0 ulp), Log10 => Log10 (1.0 ulp),
    Sin => Sin (1.0 ulp), Cos => Cos (1.0 ulp), Tan => Tan (1.0 ulp),
    Sinh => Sinh (1.0 ulp), Cosh => Cosh (1.0 ulp), Tanh => Tanh (1.0 ulp),
    Sigmoid => Sigmoid (1.0 ulp), Softplus => Softplus (1.0 ulp),
    Erf => Erf (1.0 ulp), Erfc => Erfc (1.0 ulp);
    binary;
}

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
    let shifted = fma::<FMA>(x, std::f64::consts::LOG2_E, SHIFT);
    let r = fma::<FMA>(shifted - SHIFT, -std::f64::consts::LN_2, x);
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
    let log = if x == f64::INFINITY { x } else { log };
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

/// `log(1 + x)` for `x > -1`.
#[inline(always)]
fn log1p<const FMA: bool>(x: f64) -> f64 {
    let near_zero = x * fma::<FMA>(x, fma::<FMA>(x, 1.0 / 3.0, -0.5), 1.0);
    if x.abs() < 1e-4 { near_zero } else { log_of_any::<FMA>(1.0 + x) }
}

/// `x / y` to a few more digits than an `f32` has, where `1 / y` is one that is not subnormal: a division of `f64` takes as
/// long as all the rest of a routine.
#[inline(always)]
fn quotient<const FMA: bool>(x: f64, y: f64) -> f64 {
    let inverse = f64::from(1.0 / y as f32);
    let near = x * inverse;
    fma::<FMA>(fma::<FMA>(-near, y, x), inverse, near)
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

/// `x` with its sign turned if bit 1 of `quadrant` is set.
#[inline(always)]
fn turned(x: f64, quadrant: u64) -> f64 {
    f64::from_bits(x.to_bits() ^ ((quadrant & 2) << 62))
}

struct Exp;

impl Routine<f32> for Exp {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        exp::<FMA>(limit(f64::from(x), -110.0, 90.0)) as f32
    }
}

struct Expm1;

impl Routine<f32> for Expm1 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let value = expm1::<FMA>(limit(f64::from(x), -110.0, 90.0)) as f32;
        if x == 0.0 { x } else { value }
    }
}

struct Exp2;

impl Routine<f32> for Exp2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        exp::<FMA>(limit(f64::from(x), -160.0, 130.0) * std::f64::consts::LN_2) as f32
    }
}

struct Log;

impl Routine<f32> for Log {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        log_of_any::<FMA>(f64::from(x)) as f32
    }
}

struct Log2;

impl Routine<f32> for Log2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        (log_of_any::<FMA>(f64::from(x)) * std::f64::consts::LOG2_E) as f32
    }
}

struct Log10;

impl Routine<f32> for Log10 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        (log_of_any::<FMA>(f64::from(x)) * std::f64::consts::LOG10_E) as f32
    }
}

struct Log1p;

impl Routine<f32> for Log1p {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let value = log1p::<FMA>(f64::from(x)) as f32;
        if x == 0.0 { x } else { value }
    }
}

/// Declares a routine over angles.
macro_rules! angles {
    ($($Name:ident: $exactly:ident, |$sin:ident, $cos:ident, $quadrant:ident| $value:expr, zero |$x:ident| $zero:expr;)*) => {
        $(
            struct $Name;

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
    Sin: sin, |sin, cos, quadrant| turned(if quadrant & 1 == 0 { sin } else { cos }, quadrant), zero |x| x;
    Cos: cos, |sin, cos, quadrant| turned(if quadrant & 1 == 0 { cos } else { sin }, quadrant.wrapping_add(quadrant & 1)), zero |x| 1.0;
    Tan: tan, |sin, cos, quadrant| if quadrant & 1 == 0 { sin / cos } else { -cos / sin }, zero |x| x;
}

struct Sinh;

impl Routine<f32> for Sinh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let t = expm1::<FMA>(limit(f64::from(x.abs()), 0.0, 90.0));
        let value = (0.5 * (t + t / (t + 1.0))) as f32;
        if x.is_nan() { x } else { value.copysign(x) }
    }
}

struct Cosh;

impl Routine<f32> for Cosh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let e = exp::<FMA>(limit(f64::from(x.abs()), 0.0, 90.0));
        (0.5 * (e + 1.0 / e)) as f32
    }
}

struct Tanh;

impl Routine<f32> for Tanh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let t = expm1::<FMA>(2.0 * limit(f64::from(x.abs()), 0.0, 10.0));
        let value = quotient::<FMA>(t, t + 2.0) as f32;
        let value = if x.abs() < 1e-4 { x.abs() } else { value };
        if x.is_nan() { x } else { value.copysign(x) }
    }
}

struct Sigmoid;

impl Routine<f32> for Sigmoid {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let decayed = exp::<FMA>(limit(-f64::from(x.abs()), -110.0, 0.0));
        let above = if x >= 0.0 { 1.0 } else { decayed };
        quotient::<FMA>(above, 1.0 + decayed) as f32
    }
}

struct Softplus;

impl Routine<f32> for Softplus {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let x = f64::from(x);
        let decayed = exp::<FMA>(limit(-x.abs(), -110.0, 0.0));
        let rest = log1p::<FMA>(decayed);
        // The smaller of `x` and 0 is not a number where `x` is not.
        (if x > 0.0 { x + rest } else { rest }) as f32
    }
}

struct Erf;

impl Routine<f32> for Erf {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let size = limit(f64::from(x.abs()), 0.0, 4.0);
        let z = size * size;
        let near = size
            * polynomial::<FMA, 9>(
                z,
                [
                    1.128_379_167_094_676_7,
                    -0.376_126_388_896_353_1,
                    0.112_837_913_086_045_82,
                    -0.026_866_133_235_095_592,
                    0.005_223_783_477_189_248,
                    -0.000_854_263_799_708_723,
                    0.000_119_565_625_682_073_3,
                    -0.000_013_909_340_021_874_6,
                    1.058_938_064_107_502e-6,
                ],
            );
        // -log(1 - erf) is nearly a parabola.
        let far = polynomial::<FMA, 12>(
            size,
            [
                -0.000_135_415_514_192_896_66,
                1.129_214_662_810_638_6,
                0.634_306_118_669_395_6,
                0.106_565_577_109_160_13,
                -0.023_201_839_035_587_93,
                0.002_758_861_567_697_488_5,
                0.000_263_951_319_114_638_4,
                -0.000_210_313_628_569_057_67,
                0.000_050_177_612_237_497_33,
                -6.768_463_082_082_234e-6,
                5.142_644_145_387_833e-7,
                -1.720_969_082_485_126_3e-8,
            ],
        );
        let far = 1.0 - exp::<FMA>(-far);
        let value = if size < 1.0 { near } else { far } as f32;
        if x.is_nan() { x } else { value.copysign(x) }
    }
}

struct Erfc;

impl Routine<f32> for Erfc {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let size = limit(f64::from(x.abs()), 0.0, 10.2);
        // e^(x²) erfc(x), in a variable that maps the whole axis to a finite stretch.
        let scaled = polynomial::<FMA, 13>(
            (size - 3.0) / (size + 3.0),
            [
                0.179_001_151_174_703_3,
                -0.326_233_560_167_103_2,
                0.245_603_802_819_208_87,
                -0.150_115_930_188_489_3,
                0.071_665_809_961_972_49,
                -0.024_392_600_191_181_604,
                0.004_269_358_866_124_111,
                0.000_708_481_861_504_014_2,
                -0.000_597_727_227_873_247_5,
                0.000_042_631_560_996_342_67,
                0.000_064_293_608_339_017_1,
                -8.668_092_981_321_218e-6,
                -6.334_434_737_640_325e-6,
            ],
        );
        let value = exp::<FMA>(-size * size) * scaled;
        (if x < 0.0 { 2.0 - value } else { value }) as f32
    }
}
