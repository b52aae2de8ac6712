//! Routines of `f64`.

use pullback_graph::op::Real;

use super::arithmetic::double::{SHIFT, TWO_EXPONENTS, fma, limit, polynomial, powers_of_two};
use super::{Routine, routines};

routines! { f64:
    unary
    Exp => Exp (1.0 ulp), Expm1 => Expm1 (2.0 ulp), Log => Log (1.0 ulp), Log1p => Log1p (2.0 ulp),
    Sin => Sin (1.0 ulp), Cos => Cos (1.0 ulp),
    Tanh => Tanh (3.0 ulp), Sigmoid => Sigmoid (2.0 ulp), Softplus => Softplus (2.0 ulp);
    binary;
}

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
const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];

/// `e^x` as `(scales, e)` with `e^x = scales[0] · scales[1] · (1 + e)`, for `|x| ≤ 750`.
#[inline(always)]
fn exp_parts<const FMA: bool>(x: f64) -> ([f64; 2], f64) {
    let shifted = fma::<FMA>(x, std::f64::consts::LOG2_E, TWO_EXPONENTS);
    let n = shifted - TWO_EXPONENTS;
    let r = fma::<FMA>(n, -LN_2[1], fma::<FMA>(n, -LN_2[0], x));
    (powers_of_two(shifted), r * polynomial::<FMA, 12>(r, EXP))
}

#[inline(always)]
fn exp<const FMA: bool>(x: f64) -> f64 {
    let ([one, two], e) = exp_parts::<FMA>(x);
    (one + one * e) * two
}

#[inline(always)]
fn expm1<const FMA: bool>(x: f64) -> f64 {
    let ([one, two], e) = exp_parts::<FMA>(x);
    // One power of two would do but for the largest results.
    let scale = one * two;
    let value = fma::<FMA>(scale, e, scale - 1.0);
    if scale < f64::INFINITY { value } else { (one + one * e) * two }
}

/// `log(1 + f) + n · ln 2`, with `1 + f` between `√½` and `√2` (the series and the coefficients of Sun's fdlibm).
#[inline(always)]
fn log_of_parts<const FMA: bool>(f: f64, n: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let series = z * polynomial::<FMA, 7>(
        z,
        [
            0.666_666_666_666_673_5,
            0.399_999_999_994_094_2,
            0.285_714_287_436_623_9,
            0.222_221_984_321_497_84,
            0.181_835_721_616_180_5,
            0.153_138_376_992_093_73,
            0.147_981_986_051_165_86,
        ],
    );
    let half_square = 0.5 * f * f;
    n * LN_2[0] - ((half_square - fma::<FMA>(s, half_square + series, n * LN_2[1])) - f)
}

/// `log x`, and `x` for numbers without a logarithm to be found in their digits.
#[inline(always)]
fn log<const FMA: bool>(x: f64) -> f64 {
    // Subnormal numbers are moved up first.
    let small = x < f64::MIN_POSITIVE;
    let scaled = if small { x * 18_014_398_509_481_984.0 } else { x };
    let offset = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let exponent = scaled.to_bits().wrapping_sub(offset) & 0xFFF0_0000_0000_0000;
    let f = f64::from_bits(scaled.to_bits().wrapping_sub(exponent)) - 1.0;
    let biased = (exponent >> 52).wrapping_add(2048) & 0xFFF;
    let n = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0);
    log_of_parts::<FMA>(f, if small { n - 54.0 } else { n })
}

#[inline(always)]
fn log_of_any<const FMA: bool>(x: f64) -> f64 {
    let log = log::<FMA>(x);
    let log = if x == f64::INFINITY { x } else { log };
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

#[inline(always)]
fn log1p<const FMA: bool>(x: f64) -> f64 {
    let sum = 1.0 + x;
    // What was lost in the sum, as far as the logarithm notices.
    let lost = if x.abs() < 1.0 { x - (sum - 1.0) } else { 1.0 - (sum - x) };
    let correction = lost / sum;
    let value = log_of_any::<FMA>(sum);
    let value = if sum > 0.0 && sum < f64::INFINITY { value + correction } else { value };
    if x.abs() < 1e-9 { x - 0.5 * x * x } else { value }
}

/// The largest angle, in radians, that is reduced here.
const LARGEST_ANGLE: f64 = 1e5;

/// π/2 in three parts (Sun's fdlibm).
const HALF_PI: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// The sine and the cosine of `x`, and the quadrant that it was turned from, as bits (kernels of Sun's fdlibm).
#[inline(always)]
fn sin_cos<const FMA: bool>(x: f64) -> (f64, f64, u64) {
    let shifted = fma::<FMA>(x, std::f64::consts::FRAC_2_PI, SHIFT);
    let n = shifted - SHIFT;
    let high = x - n * HALF_PI[0];
    let r = high - n * HALF_PI[1];
    // What the subtraction lost, and the last part.
    let tail = ((high - r) - n * HALF_PI[1]) - n * HALF_PI[2];
    let (r, tail) = (r + tail, tail - ((r + tail) - r));
    let z = r * r;
    let odd = polynomial::<FMA, 5>(
        z,
        [
            0.008_333_333_333_322_49,
            -0.000_198_412_698_298_579_5,
            2.755_731_370_707_007e-6,
            -2.505_076_025_340_686_3e-8,
            1.589_690_995_211_55e-10,
        ],
    );
    let cube = z * r;
    let sin = r - ((z * (0.5 * tail - cube * odd) - tail) - cube * -0.166_666_666_666_666_32);
    let even = z * polynomial::<FMA, 6>(
        z,
        [
            0.041_666_666_666_666_6,
            -0.001_388_888_888_887_411,
            0.000_024_801_587_289_476_73,
            -2.755_731_435_139_066_3e-7,
            2.087_572_321_298_175e-9,
            -1.135_964_755_778_819_5e-11,
        ],
    );
    let half = 0.5 * z;
    let w = 1.0 - half;
    let cos = w + (((1.0 - w) - half) + (z * even - r * tail));
    (sin, cos, shifted.to_bits())
}

/// `x` with its sign turned if bit 1 of `quadrant` is set.
#[inline(always)]
fn turned_twice(x: f64, quadrant: u64) -> f64 {
    f64::from_bits(x.to_bits() ^ ((quadrant & 2) << 62))
}

struct Exp;

impl Routine<f64> for Exp {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        exp::<FMA>(limit(x, -750.0, 710.0))
    }
}

struct Expm1;

impl Routine<f64> for Expm1 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let value = expm1::<FMA>(limit(x, -100.0, 710.0));
        if x == 0.0 { x } else { value }
    }
}

struct Log;

impl Routine<f64> for Log {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        log_of_any::<FMA>(x)
    }
}

struct Log1p;

impl Routine<f64> for Log1p {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let value = log1p::<FMA>(x);
        if x == 0.0 { x } else { value }
    }
}

struct Sin;

impl Routine<f64> for Sin {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let (sin, cos, quadrant) = sin_cos::<FMA>(x);
        let value = turned_twice(if quadrant & 1 == 0 { sin } else { cos }, quadrant);
        if x == 0.0 { x } else { value }
    }

    #[inline(always)]
    fn covers(x: f64) -> bool {
        x.abs() <= LARGEST_ANGLE
    }

    fn exactly(x: f64) -> f64 {
        Real::sin(x)
    }
}

struct Cos;

impl Routine<f64> for Cos {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let (sin, cos, quadrant) = sin_cos::<FMA>(x);
        turned_twice(if quadrant & 1 == 0 { cos } else { sin }, quadrant.wrapping_add(quadrant & 1))
    }

    #[inline(always)]
    fn covers(x: f64) -> bool {
        x.abs() <= LARGEST_ANGLE
    }

    fn exactly(x: f64) -> f64 {
        Real::cos(x)
    }
}

struct Tanh;

impl Routine<f64> for Tanh {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let t = expm1::<FMA>(2.0 * limit(x.abs(), 0.0, 22.0));
        let value = t / (t + 2.0);
        let value = if x.abs() < 1e-9 { x.abs() } else { value };
        if x.is_nan() { x } else { value.copysign(x) }
    }
}

struct Sigmoid;

impl Routine<f64> for Sigmoid {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let decayed = exp::<FMA>(limit(-x.abs(), -750.0, 0.0));
        let above = if x >= 0.0 { 1.0 } else { decayed };
        above / (1.0 + decayed)
    }
}

struct Softplus;

impl Routine<f64> for Softplus {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let decayed = exp::<FMA>(limit(-x.abs(), -750.0, 0.0));
        let rest = log1p::<FMA>(decayed);
        if x > 0.0 { x + rest } else { rest }
    }
}
