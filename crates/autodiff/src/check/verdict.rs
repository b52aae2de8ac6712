//! How a comparison ends.

use crate::check::oracle::Estimate;
use crate::check::report::{Why, ratio};

/// How many estimated errors a difference may be. The noise comes from few samples, and some functions of the standard
/// library are off by more than their last digit.
pub(crate) const SAFETY: f64 = 10.0;

/// Rounding errors of products and sums of a few numbers, in units of the largest of them.
pub(crate) const FEW_ULPS: f64 = 32.0 * f64::EPSILON;

/// How a comparison ends.
pub(crate) enum Outcome {
    /// It held; the difference in units of the tolerance.
    Held(f64),
    /// It did not.
    Failed { expected: Estimate, got: f64, tolerance: f64 },
    /// There is nothing to compare.
    Skipped(Why),
}

impl Outcome {
    /// Compares two numbers; those of a failure are divided by `unit`.
    pub(crate) fn of(expected: Estimate, got: f64, tolerance: f64, unit: f64) -> Outcome {
        // Below the smallest normal number, rounding is not relative.
        let tolerance = tolerance + f64::MIN_POSITIVE;
        let ratio = ratio(expected.value, got, tolerance);
        if ratio <= 1.0 {
            return Outcome::Held(ratio);
        }
        let expected = Estimate { value: expected.value / unit, error: expected.error / unit };
        Outcome::Failed { expected, got: got / unit, tolerance: tolerance / unit }
    }

    /// Whether it held.
    pub(crate) fn held(&self) -> bool {
        matches!(self, Outcome::Held(_))
    }
}
