//! The derivatives of the logarithm of the gamma function, in `f64`; of `f32`, rounded.
//!
//! All elements have one order, so that what follows from it is found out once, also how often the recurrence is applied: the
//! loop over elements is inside the one over its rounds, and elements that need no more of them keep what they have.

#[cfg(test)]
use pullback_graph::DType;
use pullback_graph::op::{self, Real};

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, polynomial};
use crate::kernel::routine::double::logarithm::Log;
use crate::kernel::simd::{self, InstructionSet, Loop};

/// Elements that go through the rounds together: so few that what rounds hand on stays in registers.
const LANES: usize = 16;

/// The most terms of the recurrence that are added as one fraction: each rounds those before it once more, but a division
/// takes longer than many products.
const TERMS: u32 = 4;

/// The routine of `ψₙ`.
///
/// For positive numbers `ψₙ(x) = ψₙ(x + 1) - (-1)ⁿ n! / xⁿ⁺¹`, which is applied up to where the asymptotic series holds to
/// the last digit (Abramowitz and Stegun, "Handbook of mathematical functions", 6.3.18, 6.4.6 and 6.4.11).
#[derive(Clone, Debug)]
pub(crate) struct Polygamma {
    op: op::Polygamma,
    /// From here on the series holds.
    start: f64,
    /// So many fractions of so many terms each are what the recurrence passes.
    fractions: u32,
    terms: u32,
    /// `(-1)ⁿ⁺¹ (n - 1)!` and `(-1)ⁿ⁺¹ n!`.
    factorials: [f64; 2],
    /// What `1 / x` is multiplied with in the asymptotic series, and what the even powers from the second on are.
    half: f64,
    series: [f64; 10],
}

impl Polygamma {
    /// What follows from the order.
    pub(crate) fn new(op: op::Polygamma) -> Polygamma {
        let n = op.order;
        let rounds = 12 + n;
        // A denominator is a product of powers, each below 2 to the number of these bits.
        let bits = (n + 1) * (rounds.ilog2() + 1);
        let fractions = rounds.div_ceil(TERMS.min(1000 / bits));
        let sign = if n % 2 == 1 { 1.0 } else { -1.0 };
        let order = f64::from(n);
        // `(2k + n - 1)! / ((2k)! (n - 1)!)`, without the last factorial for order 0.
        let mut choices = 0.5 * order.max(1.0) * (order + 1.0);
        let mut series = op::Polygamma::BERNOULLI;
        for (coefficient, twice) in series.iter_mut().zip((2_u32..).step_by(2)) {
            *coefficient *= choices;
            let next = f64::from(n + twice);
            choices *= next * (next + 1.0) / f64::from((twice + 1) * (twice + 2));
        }
        Polygamma {
            op,
            start: f64::from(rounds),
            fractions,
            terms: rounds.div_ceil(fractions),
            factorials: [factorial(n.saturating_sub(1)) * sign, factorial(n) * sign],
            half: 0.5 * order.max(1.0),
            series,
        }
    }

    /// The value at every element, as compiled for `set`.
    pub(crate) fn run<T: Real>(&self, set: InstructionSet, x: &[T], out: &mut [T]) {
        simd::run_as(set, Values { routine: self, x, out });
    }

    /// How many ulp it may be off, for order 0 those of the logarithm that may be cancelled if that is larger.
    #[cfg(test)]
    pub(crate) fn accuracy<T: Real>(op: op::Polygamma) -> f64 {
        match (T::DTYPE, op.order) {
            (DType::F32, _) => 1.0,
            (_, ..=3) => 7.0,
            (_, ..=10) => 9.0,
            _ => 24.0,
        }
    }

    /// The size of the number whose last place is the unit of [`accuracy`](Polygamma::accuracy).
    #[cfg(test)]
    pub(crate) fn size<T: Real>(op: op::Polygamma, value: f64) -> f64 {
        let logarithm = if op.order == 0 && T::DTYPE == DType::F64 { 12.0_f64.ln() } else { 0.0 };
        value.abs().max(logarithm)
    }
}

/// `n!`, rounded once.
fn factorial(n: u32) -> f64 {
    let (mut high, mut low) = (1.0_f64, 0.0);
    for factor in (2..=n).map(f64::from) {
        let product = high * factor;
        low = low * factor + high.mul_add(factor, -product);
        high = product;
    }
    high + low
}

#[inline(always)]
fn covers(x: f64) -> bool {
    x > 0.0 && x < f64::INFINITY
}

struct Values<'a, T> {
    routine: &'a Polygamma,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Loop for Values<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Values { routine, x, out } = self;
        let mut covered = true;
        for (x, out) in x.chunks(LANES).zip(out.chunks_mut(LANES)) {
            let mut values = [1.0; LANES];
            for (value, x) in values.iter_mut().zip(x) {
                *value = x.to_f64();
                covered &= covers(*value);
            }
            let values = routine.at::<FMA>(values);
            for (out, value) in out.iter_mut().zip(values) {
                *out = T::from_f64(value);
            }
        }
        if !covered {
            for (out, x) in out.iter_mut().zip(x).filter(|(_, x)| !covers(x.to_f64())) {
                *out = routine.op.value(*x);
            }
        }
    }
}

impl Polygamma {
    /// The values at numbers that are covered.
    #[allow(
        clippy::needless_range_loop,
        reason = "what is indexed alike stays in registers, what is zipped does not"
    )]
    #[inline(always)]
    fn at<const FMA: bool>(&self, x: [f64; LANES]) -> [f64; LANES] {
        let (mut y, mut passed) = (x, [0.0; LANES]);
        for _ in 0..self.fractions {
            self.pass::<FMA>(&mut y, &mut passed);
        }
        let n = self.op.order;
        let mut values = [0.0; LANES];
        if n == 0 {
            for lane in 0..LANES {
                let r = 1.0 / y[lane];
                values[lane] = fma::<FMA>(-r, self.series::<FMA>(r), Log::at::<FMA>(y[lane])) - passed[lane];
            }
        } else {
            // One power would be infinite before its reciprocal is nothing.
            let (power, rest) = (raised(&y, n / 2), raised(&y, n - n / 2));
            let [first, last] = self.factorials;
            for lane in 0..LANES {
                let (r, lead) = (1.0 / y[lane], first / power[lane] / rest[lane]);
                values[lane] = fma::<FMA>(lead, r * self.series::<FMA>(r), lead) + last * passed[lane];
            }
        }
        values
    }

    /// The terms of the asymptotic series behind the first one, divided by `r = 1 / y`.
    #[inline(always)]
    fn series<const FMA: bool>(&self, r: f64) -> f64 {
        fma::<FMA>(r, polynomial::<FMA, 10>(r * r, self.series), self.half)
    }

    /// Moves each `y` that is below the start up by the terms of a fraction, which is added to `passed`.
    #[allow(clippy::needless_range_loop, reason = "as above")]
    #[inline(always)]
    fn pass<const FMA: bool>(&self, y: &mut [f64; LANES], passed: &mut [f64; LANES]) {
        let (mut numerators, mut denominators) = ([0.0; LANES], [1.0; LANES]);
        for _ in 0..self.terms {
            let powers = raised(y, self.op.order + 1);
            for lane in 0..LANES {
                let below = y[lane] < self.start;
                let sum = fma::<FMA>(numerators[lane], powers[lane], denominators[lane]);
                let product = denominators[lane] * powers[lane];
                numerators[lane] = if below { sum } else { numerators[lane] };
                denominators[lane] = if below { product } else { denominators[lane] };
                y[lane] = if below { y[lane] + 1.0 } else { y[lane] };
            }
        }
        for lane in 0..LANES {
            passed[lane] += numerators[lane] / denominators[lane];
        }
    }
}

/// `y` to a power, by one product after another: squares of squares would round more.
#[inline(always)]
fn raised(y: &[f64; LANES], exponent: u32) -> [f64; LANES] {
    let mut powers = [1.0; LANES];
    for _ in 0..exponent {
        for (power, y) in powers.iter_mut().zip(y) {
            *power *= *y;
        }
    }
    powers
}
