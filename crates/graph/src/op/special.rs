//! Special functions that neither std nor libm has, in double precision.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

use crate::op::Polygamma;

/// The `y` with `erf(y) = x`: ±∞ at ±1, NaN outside.
///
/// The start is Giles's polynomial in the middle ("Approximating the erfinv function", 2012) and the leading terms of
/// `erfc(y) ~ e^(-y²) / (y √π)` in the tails; Halley's steps then solve for it to the last digit.
pub(crate) fn erfinv(x: f64) -> f64 {
    const MIDDLE: [f64; 9] = [
        2.810_226_36e-08,
        3.432_739_39e-07,
        -3.523_387_7e-06,
        -4.391_506_54e-06,
        0.000_218_580_87,
        -0.001_253_725_03,
        -0.004_177_681_64,
        0.246_640_727,
        1.501_409_41,
    ];
    let size = x.abs();
    if x == 0.0 || size.is_nan() {
        return x;
    }
    if size >= 1.0 {
        return if size == 1.0 { x * f64::INFINITY } else { f64::NAN };
    }
    // Exact from 1/2 on, where it takes the place of `x`, whose digits would be lost against 1.
    let rest = 1.0 - size;
    let depth = -(rest * (1.0 + size)).ln();
    let mut y = if depth < 5.0 {
        size * MIDDLE.iter().fold(0.0, |sum, coefficient| sum * (depth - 2.5) + coefficient)
    } else {
        let log = -rest.ln();
        (log - 0.5 * (PI * (log - 0.5 * (PI * log).ln())).ln()).sqrt()
    };
    // Three steps are enough from these starts; the bound only says so.
    for _ in 0..8 {
        let residue = if size <= 0.5 { libm::erf(y) - size } else { rest - libm::erfc(y) };
        let newton = residue / (FRAC_2_SQRT_PI * (-y * y).exp());
        let step = newton / (1.0 + y * newton);
        y -= step;
        // Convergence is cubic.
        if step.abs() <= 1e-7 * y {
            break;
        }
    }
    y.copysign(x)
}

/// The polygamma function of order `n` (see [`Polygamma`]).
pub(crate) fn polygamma(n: u32, x: f64) -> f64 {
    let is_odd = n % 2 == 1;
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == 0.0 {
        // Near 0 it is (-1)^(n+1) n! / x^(n+1).
        return if is_odd { f64::INFINITY } else { -f64::INFINITY.copysign(x) };
    }
    if x > 0.0 {
        return polygamma_of_positive(n, x);
    }
    if x.fract() == 0.0 {
        // A pole: both sides agree only for odd orders.
        return if is_odd { f64::INFINITY } else { f64::NAN };
    }
    let reflected = polygamma_of_positive(n, 1.0 - x);
    (if is_odd { -reflected } else { reflected }) - PI * cotangent_derivative(n, x)
}

/// By the recurrence `ψₙ(x) = ψₙ(x + 1) - (-1)ⁿ n! / xⁿ⁺¹` up to where the asymptotic series holds to the last digit
/// (Abramowitz and Stegun, "Handbook of mathematical functions", 6.3.18, 6.4.6 and 6.4.11).
fn polygamma_of_positive(n: u32, mut x: f64) -> f64 {
    let start = 12.0 + f64::from(n);
    let mut passed = 0.0;
    while x < start {
        passed += factorial_over_power(n, x);
        x += 1.0;
    }
    if n == 0 {
        let mut power = 1.0;
        let mut sum = x.ln() - 0.5 / x;
        for (bernoulli, twice) in Polygamma::BERNOULLI.iter().zip((2_u32..).step_by(2)) {
            power /= x * x;
            sum -= bernoulli / f64::from(twice) * power;
        }
        return sum - passed;
    }
    let mut term = factorial_over_power(n - 1, x);
    let mut sum = term + 0.5 * factorial_over_power(n, x);
    for (bernoulli, twice) in Polygamma::BERNOULLI.iter().zip((2_u32..).step_by(2)) {
        let next = f64::from(n + twice - 2);
        term *= next / x * ((next + 1.0) / x) / f64::from((twice - 1) * twice);
        sum += bernoulli * term;
    }
    if n % 2 == 1 { sum + passed } else { -(sum + passed) }
}

/// `n! / xⁿ⁺¹`, whose parts would leave the range of numbers.
fn factorial_over_power(n: u32, x: f64) -> f64 {
    // Quotients `i / x` would round the same way for `i` and `2i`: such errors add up.
    (1..=n).fold(x.recip(), |product, i| product * f64::from(i) / x)
}

/// The most coefficients that [`cotangent_derivative`] has.
const COEFFICIENTS: usize = Polygamma::MAX_ORDER as usize + 2;

/// The derivative of order `n` of `cot(πx)`.
///
/// It is a polynomial in `t = cot(πx)`, since `dt/dx = -π (1 + t²)`. All its coefficients have one sign and its powers
/// one parity: nothing cancels.
fn cotangent_derivative(n: u32, x: f64) -> f64 {
    let turn = x - x.round();
    let t = if turn.abs() > 0.25 {
        (PI * (0.5 - turn.abs())).tan().copysign(turn)
    } else {
        (PI * turn).tan().recip()
    };
    let mut coefficients = [0.0; COEFFICIENTS];
    coefficients[1] = 1.0;
    for degree in 1..=n as usize {
        let mut next = [0.0; COEFFICIENTS];
        for (power, coefficient) in coefficients.iter().enumerate().take(degree + 1).skip(1) {
            let slope = -PI * power as f64 * coefficient;
            next[power - 1] += slope;
            next[power + 1] += slope;
        }
        coefficients = next;
    }
    // Horner's rule over the powers of one parity: a zero coefficient must not meet an infinite power.
    let lead = coefficients[..=n as usize + 1].iter().rev().step_by(2);
    let sum = lead.fold(0.0, |sum, coefficient| sum * (t * t) + coefficient);
    if n.is_multiple_of(2) { sum * t } else { sum }
}
