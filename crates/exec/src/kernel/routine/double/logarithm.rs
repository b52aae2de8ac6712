//! The logarithm, and what is made of it.

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, polynomial};
use crate::kernel::routine::double::exponential::{LN_2, decayed};

/// `f - f² / 2 + s · (f² / 2 + series) = log(1 + f)` as `(f² / 2, s · (f² / 2 + series))`, with `1 + f` between `√½` and `√2`
/// (the series and the coefficients of Sun's fdlibm).
#[inline(always)]
fn log_parts<const FMA: bool>(f: f64) -> (f64, f64) {
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
    (half_square, s * (half_square + series))
}

/// `log(1 + f) + n · ln 2`, with `1 + f` between `√½` and `√2`.
#[inline(always)]
fn log_of_rest<const FMA: bool>(f: f64, n: f64) -> f64 {
    let (half_square, series) = log_parts::<FMA>(f);
    n * LN_2[0] - ((half_square - fma::<FMA>(n, LN_2[1], series)) - f)
}

/// The bits of the exponent of `x`, counted from √½, so that the rest is nearest to 1.
#[inline(always)]
pub(in crate::kernel::routine) fn exponent_bits(x: f64) -> u64 {
    x.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits()) & 0xFFF0_0000_0000_0000
}

/// Those bits as a number, without a conversion that older instruction sets lack.
#[inline(always)]
pub(in crate::kernel::routine) fn number(exponent: u64) -> f64 {
    // 2⁵² + (n + 2048).
    let biased = (exponent >> 52).wrapping_add(2048) & 0xFFF;
    f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0)
}

/// `n` and `f` of `x = 2ⁿ · (1 + f)`, for positive numbers.
#[inline(always)]
pub(super) fn split(x: f64) -> (f64, f64) {
    // Subnormal numbers are moved up first.
    let small = x < f64::MIN_POSITIVE;
    let scaled = if small { x * 18_014_398_509_481_984.0 } else { x };
    let exponent = exponent_bits(scaled);
    let n = number(exponent);
    let f = f64::from_bits(scaled.to_bits().wrapping_sub(exponent)) - 1.0;
    (if small { n - 54.0 } else { n }, f)
}

/// `log`, which is right for ordinary positive `x`, for any number.
#[inline(always)]
fn completed(x: f64, log: f64) -> f64 {
    // No comparison with infinity itself: see the routine of `f32`.
    let log = if x > f64::MAX { x } else { log };
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

pub(super) struct Log;

impl Routine<f64> for Log {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let (n, f) = split(x);
        completed(x, log_of_rest::<FMA>(f, n))
    }
}

pub(super) struct Log1p;

impl Routine<f64> for Log1p {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let sum = 1.0 + x;
        let exponent = exponent_bits(sum);
        // The sum divided by its power of two, less 1, without the sum's error; `4 / power` is a number for every power.
        let scale = f64::from_bits(0x4010_0000_0000_0000_u64.wrapping_sub(exponent));
        let f = fma::<FMA>(0.25 * x, scale, fma::<FMA>(0.25, scale, -1.0));
        let value = completed(sum, log_of_rest::<FMA>(f, number(exponent)));
        if x.abs() < 1e-20 { x } else { value }
    }
}

/// The logarithm to another base: `[log(base)⁻¹, log 2 / log(base)]`, each in two parts, the first of 21 bits or fewer.
#[inline(always)]
fn log_to<const FMA: bool>(x: f64, of_log: [f64; 2], of_exponent: [f64; 2]) -> f64 {
    let (n, f) = split(x);
    let (half_square, series) = log_parts::<FMA>(f);
    // The logarithm in two parts, so that products with constants lose nothing.
    let high = f64::from_bits((f - half_square).to_bits() & 0xFFFF_FFFF_0000_0000);
    let low = ((f - high) - half_square) + series;
    let first = high * of_log[0];
    let whole = n * of_exponent[0];
    let sum = whole + first;
    let lost = (whole - sum) + first;
    let rest = fma::<FMA>(n, of_exponent[1], fma::<FMA>(low, of_log[0], (low + high) * of_log[1]));
    completed(x, sum + (lost + rest))
}

pub(super) struct Log2;

impl Routine<f64> for Log2 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        log_to::<FMA>(x, [1.442_694_664_001_464_8, 3.768_874_985_636_099e-7], [1.0, 0.0])
    }
}

pub(super) struct Log10;

impl Routine<f64> for Log10 {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let of_log = [0.434_294_462_203_979_5, 1.969_927_233_546_362_7e-8];
        log_to::<FMA>(x, of_log, [0.301_029_920_578_002_93, 7.508_597_826_552_624e-8])
    }
}

/// `log(1 + x)` for `0 ≤ x ≤ 1`.
#[inline(always)]
pub(super) fn log1p_of_fraction<const FMA: bool>(x: f64) -> f64 {
    let large = x > std::f64::consts::SQRT_2 - 1.0;
    let f = if large { fma::<FMA>(0.5, x, -0.5) } else { x };
    log_of_rest::<FMA>(f, if large { 1.0 } else { 0.0 })
}

pub(super) struct Softplus;

impl Routine<f64> for Softplus {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let rest = log1p_of_fraction::<FMA>(decayed::<FMA>(x));
        // The smaller of `x` and 0 is not a number where `x` is not.
        if x > 0.0 { x + rest } else { rest }
    }
}
