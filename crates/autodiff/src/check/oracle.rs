//! Derivatives from values alone: difference quotients, extrapolated, with an estimate of their own error.
//!
//! Two errors pull in opposite directions. Truncation falls with the step `h`; rounding grows as `noise / h`. Ridders'
//! tableau removes one power of `h²` after the other, and of all its entries the one with the smallest sum of both
//! errors is taken. The noise is measured, not assumed: `|f| · eps` says nothing of what cancels inside `f`.

/// A number that was computed, and how far it may be from the true one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Truncation and rounding together.
    pub error: f64,
}

/// The first step, where the function varies on a scale of 1.
///
/// It divides no round number, so that a periodic function does not look constant on the whole ladder of steps.
pub const FIRST_STEP: f64 = 0.123_456_789_101_112;

/// No step is shorter: the smallest numbers that are checked should be larger.
const SHORTEST: f64 = 1e-40;

/// Powers of `h` removed at most. More of them amplify noise for nothing.
const COLUMNS: usize = 8;

/// The derivative of `f` at 0, by central differences from `first_step` downwards.
///
/// `noise` is how far a value of `f` may be from the exact one. `None` when `f` is finite at no pair `±h`.
/// Calls `f` about a dozen times where it is smooth on the scale of `first_step`.
///
/// ```
/// use pullback_autodiff::check::oracle::{FIRST_STEP, derivative};
/// let found = derivative(|t| (1.0 + t).ln(), 1e-16, FIRST_STEP).unwrap();
/// assert!((found.value - 1.0).abs() < found.error && found.error < 1e-12);
/// ```
pub fn derivative(mut f: impl FnMut(f64) -> f64, noise: f64, first_step: f64) -> Option<Estimate> {
    Ladder::central(noise).best(first_step, |h| central(&mut f, h))
}

/// Which steps an oracle may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To both sides at once, which is most exact.
    Both,
    /// Upwards.
    Above,
    /// Downwards.
    Below,
}

/// The derivative of `f` at 0 as each step sees it, from `first_step` down to where the noise alone is `coarsest`.
///
/// Long steps may see another function than short ones do, beyond a pole say: then these estimates contradict each other.
pub fn survey(
    mut f: impl FnMut(f64) -> f64,
    side: Side,
    noise: f64,
    first_step: f64,
    coarsest: f64,
) -> Vec<Estimate> {
    let (start, mut rows) = (f(0.0), Vec::new());
    let (ladder, sign) = match side {
        Side::Both => (Ladder::central(noise), 0.0),
        // Only one power of h is removed at a time, so the weights sum to 9.
        Side::Above => (Ladder { power: 2.0, rounding: 18.0 * noise }, 1.0),
        Side::Below => (Ladder { power: 2.0, rounding: 18.0 * noise }, -1.0),
    };
    let quotient = |h: f64| match side {
        Side::Both => central(&mut f, h),
        Side::Above | Side::Below => (f(sign * h) - start) / (sign * h),
    };
    ladder.climb(first_step, quotient, |row, h| {
        rows.extend(row);
        ladder.rounding / h < coarsest
    });
    rows
}

fn central(mut f: impl FnMut(f64) -> f64, h: f64) -> f64 {
    (f(h) - f(-h)) / (2.0 * h)
}

/// Quotients of ever shorter steps, extrapolated to none.
struct Ladder {
    /// By how much the next power of the step falls when the step is halved.
    power: f64,
    /// The rounding error of an entry, times the step.
    rounding: f64,
}

impl Ladder {
    fn central(noise: f64) -> Ladder {
        // The rounding errors of both ends, divided by 2h, times the weights of a row of the tableau, which sum to 2.
        Ladder { power: 4.0, rounding: 2.0 * noise }
    }

    /// The entry with the smallest error.
    fn best(&self, first_step: f64, quotient: impl FnMut(f64) -> f64) -> Option<Estimate> {
        let (mut best, mut rows) = (None::<Estimate>, 0);
        self.climb(first_step, quotient, |row, h| {
            rows += 1;
            if let Some(row) = row
                && best.is_none_or(|best| row.error < best.error)
            {
                best = Some(row);
            }
            // Three rows at least: two may agree by chance.
            rows < 3 || best.is_none_or(|best| best.error > 2.0 * self.rounding / h)
        });
        best
    }

    /// Halves the step as long as `goes_on` says so, which is given each row's entry with the smallest error.
    fn climb(
        &self,
        first_step: f64,
        mut quotient: impl FnMut(f64) -> f64,
        mut goes_on: impl FnMut(Option<Estimate>, f64) -> bool,
    ) {
        let mut above: Vec<f64> = Vec::new();
        let mut h = first_step;
        while h >= SHORTEST {
            let start = quotient(h);
            if !start.is_finite() {
                // Outside of the domain, or overflow: smaller steps are needed, and soon.
                above.clear();
                h /= 8.0;
                continue;
            }
            let (mut row, mut best) = (vec![start], None::<Estimate>);
            let mut factor = 1.0;
            for (column, upper) in above.iter().take(COLUMNS).enumerate() {
                factor *= self.power;
                let lower = row[column];
                let value = lower + (lower - upper) / (factor - 1.0);
                let error = (value - lower).abs().max((value - upper).abs()) + self.rounding / h;
                if best.is_none_or(|best| error < best.error) {
                    best = Some(Estimate { value, error });
                }
                row.push(value);
            }
            if !goes_on(best, h) {
                break;
            }
            above = row;
            h /= 2.0;
        }
    }
}

/// How far values of `f` near 0 are from a smooth function: the standard deviation of their rounding errors.
///
/// Sixth differences at a spacing where no smooth function has any leave only what is not smooth (Moré and Wild,
/// "Estimating computational noise", 2011). Calls `f` ten times, with steps up to `width`, or up to 2e-5 if that is
/// less. NaN if a value is.
pub fn noise(mut f: impl FnMut(f64) -> f64, width: f64) -> f64 {
    const SPACING: f64 = 1.0 / (1 << 18) as f64;
    const POINTS: usize = 10;
    const ORDER: usize = 6;
    // The variance of a sixth difference of independent errors: the sum of the squares of 1, 6, 15, 20, 15, 6, 1.
    const GAIN: f64 = 924.0;
    let spacing = SPACING.min(width / 4.5);
    let mut values: Vec<f64> = (0..POINTS).map(|at| f((at as f64 - 4.5) * spacing)).collect();
    for order in 0..ORDER {
        for at in 0..POINTS - order - 1 {
            values[at] = values[at + 1] - values[at];
        }
    }
    let differences = &values[..POINTS - ORDER];
    let mean = differences.iter().map(|d| d * d).sum::<f64>() / differences.len() as f64;
    (mean / GAIN).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(f: impl Fn(f64) -> f64, truth: f64) {
        let noise = noise(&f, 1.0).max(f64::EPSILON * f(0.0).abs());
        let found = derivative(&f, noise, FIRST_STEP).unwrap();
        let miss = (found.value - truth).abs();
        assert!(miss <= found.error, "{found:?}, truth {truth}");
        assert!(found.error <= 1e-7 * truth.abs().max(1.0), "{found:?} says little");
    }

    #[test]
    fn the_error_covers_the_truth_and_is_small() {
        check(|t| (0.7 + t).sin(), 0.7_f64.cos());
        check(|t| (3.0 + t).exp(), 3.0_f64.exp());
        check(|t| (0.01 + t).sqrt(), 5.0);
        check(|t| 1e6 + (0.3 + t).powi(3), 0.27);
        check(|t| (1e-6 + t).ln(), 1e6);
        check(|t| (40.0 * t + 1.0).sin(), 40.0 * 1.0_f64.cos());
        check(|_| 3.0, 0.0);
    }

    #[test]
    fn a_kink_beside_the_point_is_left_behind() {
        for distance in [0.1, 0.01, 1e-4] {
            check(|t| (distance + t).abs() * 3.0, 3.0);
        }
    }

    #[test]
    fn noise_that_cancellation_leaves_is_seen() {
        let f = |t: f64| (1e8 + (0.3 + t).sin()) - 1e8;
        let measured = noise(f, 1.0);
        assert!((1e-9..1e-7).contains(&measured), "{measured}");
        assert!(noise(|t| (0.3 + t).exp(), 1.0) < 1e-15);
    }

    #[test]
    fn the_sides_of_a_kink_differ() {
        let f = |t: f64| if t > 0.0 { 2.0 * t } else { (0.5 * t).sin() };
        for (side, truth) in [(Side::Above, 2.0), (Side::Below, 0.5)] {
            let rows = survey(f, side, 1e-17, FIRST_STEP, 1e-3);
            assert!(
                rows.len() > 20 && rows.iter().all(|row| (row.value - truth).abs() <= row.error),
                "{rows:?}"
            );
        }
    }

    #[test]
    fn short_steps_see_what_long_ones_do_not() {
        // A spike between the long steps.
        let f = |t: f64| t + 1e-3 * (1e6 * t).atan();
        let quick = derivative(f, 1e-19, FIRST_STEP).unwrap();
        let rows = survey(f, Side::Both, 1e-19, FIRST_STEP, 1.0);
        assert!(
            rows.iter().any(|row| (row.value - 1001.0).abs() <= row.error && row.error < 1e-3),
            "{quick:?} {rows:?}"
        );
    }

    #[test]
    fn nothing_is_said_where_there_are_no_values() {
        assert_eq!(derivative(|t| if t < 0.0 { f64::NAN } else { t }, 1e-16, FIRST_STEP), None);
    }
}
