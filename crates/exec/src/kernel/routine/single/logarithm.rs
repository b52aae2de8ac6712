//! The logarithm, and what is made of it.

use super::exponential::{LN_2, decayed};
use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{fma, polynomial};

/// `log(1 + f) = f - f² / 2 + f³ · q(f)` for `√½ ≤ 1 + f ≤ √2`, with a relative error below 2⁻²⁷.
const LOG: [f32; 8] = [
    0.333_333_3,
    -0.250_008_2,
    0.200_012_28,
    -0.166_233_58,
    0.142_017_3,
    -0.131_601_44,
    0.127_617_39,
    -0.076_347_95,
];

/// `log(1 + f)`, for `√½ ≤ 1 + f ≤ √2`.
#[inline(always)]
fn log_of_rest<const FMA: bool>(f: f32) -> f32 {
    let q = polynomial::<FMA, 8>(f, LOG);
    fma::<FMA>(f, f * fma::<FMA>(f, q, -0.5), f)
}

/// `n · ln 2 + log`.
#[inline(always)]
fn with_exponent<const FMA: bool>(n: f32, log: f32) -> f32 {
    fma::<FMA>(n, LN_2[0], fma::<FMA>(n, LN_2[1], log))
}

/// The bits of the exponent of `x`, counted from √½, so that the rest is nearest to 1.
#[inline(always)]
fn exponent_bits(x: f32) -> u32 {
    x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits()) & 0xFF80_0000
}

/// Those bits as a number.
#[inline(always)]
fn number(exponent: u32) -> f32 {
    (exponent.cast_signed() >> 23) as f32
}

/// `log`, which is right for ordinary positive `x`, for any number.
#[inline(always)]
fn completed(x: f32, log: f32) -> f32 {
    // No comparison with infinity itself: several tests of what kind a number is would become one, of its bits, which takes
    // three times as many instructions where there is none for it.
    let log = if x > f32::MAX { x } else { log };
    let log = if x == 0.0 { f32::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { f32::NAN }
}

pub(super) struct Log;

impl Routine<f32> for Log {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        // Subnormal numbers are moved up first.
        let small = x < f32::MIN_POSITIVE;
        let scaled = if small { x * 8_388_608.0 } else { x };
        let exponent = exponent_bits(scaled);
        let n = number(exponent);
        let n = if small { n - 23.0 } else { n };
        let f = f32::from_bits(scaled.to_bits().wrapping_sub(exponent)) - 1.0;
        completed(x, with_exponent::<FMA>(n, log_of_rest::<FMA>(f)))
    }
}

pub(super) struct Log1p;

impl Routine<f32> for Log1p {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let sum = 1.0 + x;
        let exponent = exponent_bits(sum);
        // The sum divided by its power of two, less 1, without the sum's error; `4 / power` is a number for every power.
        let scale = f32::from_bits(0x4080_0000_u32.wrapping_sub(exponent));
        let f = fma::<FMA>(0.25 * x, scale, fma::<FMA>(0.25, scale, -1.0));
        let value = completed(sum, with_exponent::<FMA>(number(exponent), log_of_rest::<FMA>(f)));
        if x.abs() < 1e-10 { x } else { value }
    }
}

/// `log(1 + x)` for `0 ≤ x ≤ 1`.
#[inline(always)]
pub(super) fn log1p_of_fraction<const FMA: bool>(x: f32) -> f32 {
    let large = x > std::f32::consts::SQRT_2 - 1.0;
    // What is tiny is its own logarithm, and kept out of what is slow if it is subnormal.
    let tiny = x < 1e-10;
    let small = if tiny { 1e-10 } else { x };
    let log = log_of_rest::<FMA>(if large { fma::<FMA>(0.5, x, -0.5) } else { small });
    let log = if large { log + std::f32::consts::LN_2 } else { log };
    if tiny { x } else { log }
}

pub(super) struct Softplus;

impl Routine<f32> for Softplus {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let rest = log1p_of_fraction::<FMA>(decayed::<FMA>(x));
        // The smaller of `x` and 0 is not a number where `x` is not.
        if x > 0.0 { x + rest } else { rest }
    }
}
