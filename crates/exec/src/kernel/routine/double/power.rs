//! Powers and lengths.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, limit, polynomial};
use crate::kernel::routine::double::exponential::exp_and;
use crate::kernel::routine::double::logarithm::split;

/// A number as the sum of two, the second far smaller than the first.
type Pair = (f64, f64);

/// `a · b`, exactly.
#[inline(always)]
pub(in crate::kernel::routine) fn product<const FMA: bool>(a: f64, b: f64) -> Pair {
    let high = a * b;
    if FMA {
        return (high, a.mul_add(b, -high));
    }
    // Products of half as many digits are exact (Dekker's method).
    let halves = |x: f64| {
        let first = f64::from_bits(x.to_bits() & 0xFFFF_FFFF_F800_0000);
        (first, x - first)
    };
    let ((a, a_rest), (b, b_rest)) = (halves(a), halves(b));
    (high, a_rest * b_rest - (((high - a * b) - a_rest * b) - a * b_rest))
}

/// `a + b` exactly, for `|a| ≥ |b|`.
#[inline(always)]
fn sum(a: f64, b: f64) -> Pair {
    let high = a + b;
    (high, b - (high - a))
}

/// `log x` of a positive number, to some sixty-five bits.
#[inline(always)]
fn log<const FMA: bool>(x: f64) -> Pair {
    let (n, f) = split(x);
    // s = f / (2 + f), and what the quotient and its divisor lost.
    let (divisor, divisor_rest) = sum(2.0, f);
    let inverse = 1.0 / divisor;
    let s = f * inverse;
    let (back, back_rest) = product::<FMA>(s, divisor);
    let s_rest = (((f - back) - back_rest) - s * divisor_rest) * inverse;
    // log(1 + f) = 2 s + s³ · (2/3 + s² · series)
    let (z, z_rest) = product::<FMA>(s, s);
    let z_rest = fma::<FMA>(2.0 * s, s_rest, z_rest);
    let series = polynomial::<FMA, 7>(
        z,
        [
            0.400_000_000_000_022_56,
            0.285_714_285_700_998_2,
            0.222_222_225_197_857_8,
            0.181_817_843_737_481_08,
            0.153_867_570_092_783_3,
            0.132_568_252_455_307_93,
            0.131_962_614_497_545_4,
        ],
    );
    let (factor, factor_rest) =
        sum(0.666_666_666_666_666_6, fma::<FMA>(z, series, 3.700_743_415_417_188e-17));
    let (cube, cube_rest) = product::<FMA>(s, z);
    let cube_rest = cube_rest + fma::<FMA>(s, z_rest, s_rest * z);
    let (term, term_rest) = product::<FMA>(cube, factor);
    let term_rest = term_rest + fma::<FMA>(cube, factor_rest, cube_rest * factor);
    let (log, log_rest) = sum(2.0 * s, term);
    let log_rest = log_rest + fma::<FMA>(2.0, s_rest, term_rest);
    let (whole, whole_rest) = sum(n * LN_2[0], log);
    // If there is no exponent, the first is not the larger: then nothing is lost either.
    let (whole, whole_rest) = if n == 0.0 { (log, 0.0) } else { (whole, whole_rest) };
    sum(whole, whole_rest + fma::<FMA>(n, LN_2[1], log_rest))
}

/// ln 2 in two parts, the first with so few digits that its products with exponents are exact.
const LN_2: [f64; 2] = [0.693_147_180_136_293_2, 4.236_521_365_809_284e-10];

pub(super) struct Pow;

impl Routine<f64, (f64, f64)> for Pow {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (f64, f64)) -> f64 {
        let (log, rest) = log::<FMA>(x.abs());
        let (exponent, exponent_rest) = product::<FMA>(log, y);
        let rest = fma::<FMA>(rest, y, exponent_rest);
        let value =
            exp_and::<FMA>(limit(exponent, -750.0, 710.0), if exponent.abs() < 750.0 { rest } else { 0.0 });
        completed((x, y), value)
    }

    #[inline(always)]
    fn covers((x, y): (f64, f64)) -> bool {
        x.abs() < f64::INFINITY && y.abs() < 1e18
    }

    fn exactly((x, y): (f64, f64)) -> f64 {
        x.powf(y)
    }
}

/// `x^y` for all numbers, given `|x|^y`, which is right unless `x` is 0.
#[inline(always)]
pub(in crate::kernel::routine) fn completed((x, y): (f64, f64), value: f64) -> f64 {
    let of_zero = if y > 0.0 { 0.0 } else { f64::INFINITY };
    let of_zero = if y == 0.0 { 1.0 } else { of_zero };
    let value = if x == 0.0 { of_zero } else { value };
    let is_whole = y == y.trunc();
    let is_odd = is_whole && 0.5 * y != (0.5 * y).trunc();
    let value = if is_odd { value.copysign(x) } else { value };
    if x < 0.0 && !is_whole { f64::NAN } else { value }
}

pub(super) struct Hypot;

impl Routine<f64, (f64, f64)> for Hypot {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (f64, f64)) -> f64 {
        fma::<FMA>(x, x, y * y).sqrt()
    }

    #[inline(always)]
    fn covers((x, y): (f64, f64)) -> bool {
        let larger = if x.abs() > y.abs() { x.abs() } else { y.abs() };
        (larger < 1e150 && larger > 1e-140) || (x == 0.0 && y == 0.0)
    }

    fn exactly((x, y): (f64, f64)) -> f64 {
        Real::hypot(x, y)
    }
}
