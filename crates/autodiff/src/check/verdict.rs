//! Whether a derivative agrees with the oracle: a quick look first, and a careful one if they differ.

use pullback_graph::Tensor;

use crate::check::branches::Piece;
use crate::check::numbers::finite;
use crate::check::oracle::{self, Estimate, FIRST_STEP};
use crate::check::place::Place;
use crate::check::report::{Why, ratio};
use crate::check::subject::Subject;
use crate::check::trial::Trial;

/// How many estimated errors a difference may be. The noise is a standard deviation of few samples, and some functions
/// of the standard library are off by more than their last digit.
pub(crate) const SAFETY: f64 = 10.0;

/// A tolerance above this part of what is measured says nothing about it.
const INFORMATIVE: f64 = 1e-4;

/// Rounding errors of products and sums of a few numbers, in units of the largest of them.
pub(crate) const FEW_ULPS: f64 = 32.0 * f64::EPSILON;

/// A derivative in question.
pub(crate) struct Question<'q> {
    /// How the variables move per unit of step.
    pub(crate) directions: &'q [Tensor],
    /// What reverse mode says.
    pub(crate) got: f64,
    /// How far rounding moves that, measured with steps up to a width: asked when they differ.
    pub(crate) rounding: &'q dyn Fn(f64) -> f64,
    /// What counts as large.
    pub(crate) scale: f64,
    /// The rounding error of `got`, at first sight.
    pub(crate) slack: f64,
    /// What numbers are divided by in the report.
    pub(crate) unit: f64,
}

/// How a comparison ends.
pub(crate) enum Outcome {
    /// It held; the difference in units of the tolerance.
    Held(f64),
    /// It did not.
    Failed { expected: Estimate, got: f64, tolerance: f64 },
    /// There is nothing to compare.
    Skipped(Why),
}

/// Compares two numbers; those of a failure are divided by `unit`.
pub(crate) fn judged(expected: Estimate, got: f64, tolerance: f64, unit: f64) -> Outcome {
    let ratio = ratio(expected.value, got, tolerance);
    if ratio <= 1.0 {
        return Outcome::Held(ratio);
    }
    let expected = Estimate { value: expected.value / unit, error: expected.error / unit };
    Outcome::Failed { expected, got: got / unit, tolerance: tolerance / unit }
}

impl Question<'_> {
    /// Compares with the derivative of `⟨cotangent, output⟩`; `piece` is asked when they differ.
    pub(crate) fn answer(&self, subject: &Subject, trial: &Trial, piece: impl FnOnce() -> Option<Piece>) -> Outcome {
        let phi = |step: f64| trial.value(subject, self.directions, step);
        if !phi(0.0).is_finite() {
            return Outcome::Skipped(Why::Singular);
        }
        let Some(quick) = oracle::derivative(phi, trial.noise, FIRST_STEP) else {
            return Outcome::Skipped(Why::Singular);
        };
        if let Some(held) = self.settled(quick, self.slack) {
            return held;
        }
        let side = |sign: f64| {
            // Beside the point, where a kink at it cannot be taken for noise.
            let noise = oracle::noise(|step| phi(sign * (step + 3e-5)), f64::INFINITY);
            oracle::one_sided(phi, finite(noise).max(f64::EPSILON * trial.size), sign * FIRST_STEP)
        };
        let piece = piece().unwrap_or(Piece { step: Some(FIRST_STEP), kink: None });
        if !self.got.is_finite() {
            // What is infinite on both sides says nothing; but where both sides have a slope, NaN is none.
            let variation = [FIRST_STEP, -FIRST_STEP].map(|step| finite((phi(step) - phi(0.0)).abs())).iter().sum::<f64>();
            let is_known = |side: Estimate| SAFETY * side.error <= INFORMATIVE * variation / FIRST_STEP;
            return match (piece.kink, side(-1.0).is_some_and(is_known) && side(1.0).is_some_and(is_known)) {
                (_, true) => judged(quick, self.got, tolerance(quick, self.slack), self.unit),
                (Some(kink), false) => Outcome::Skipped(Why::Kink(kink)),
                (None, false) => Outcome::Skipped(Why::Singular),
            };
        }
        let Some(step) = piece.step else {
            // Any slope between those of the sides may be a convention.
            return Outcome::Skipped(piece.kink.map_or(Why::Singular, Why::Kink));
        };
        // Both sides round, and by how much is seen best where nothing else changes.
        let noise = trial.noise_within(subject, self.directions, step);
        let slack = self.slack + SAFETY * (self.rounding)(step);
        // Shorter ladders as well, lest the first step was too long for the function.
        let estimates = [step, step / 7.0, step / 31.0].map(|step| oracle::derivative(phi, noise, step));
        let estimates: Vec<Estimate> = estimates.into_iter().flatten().collect();
        if let Some(held) = estimates.iter().find_map(|estimate| self.settled(*estimate, slack)) {
            return held;
        }
        match estimates.is_empty() {
            true => Outcome::Skipped(Why::Singular),
            false => self.on_a_piece(&estimates, slack, piece.kink, side),
        }
    }

    /// The outcome if the comparison holds and says something.
    fn settled(&self, estimate: Estimate, slack: f64) -> Option<Outcome> {
        let tolerance = tolerance(estimate, slack);
        // Nothing can be said more exactly than that nothing changes.
        let constant = estimate.value == 0.0 && self.got == 0.0;
        let outcome = judged(estimate, self.got, tolerance, self.unit);
        ((constant || self.informs(tolerance)) && matches!(outcome, Outcome::Held(_))).then_some(outcome)
    }

    fn informs(&self, tolerance: f64) -> bool {
        tolerance <= INFORMATIVE * self.scale
    }

    /// `estimates` come from steps within one smooth piece, which ends at `kink`, and the comparison did not settle.
    fn on_a_piece(
        &self,
        estimates: &[Estimate],
        slack: f64,
        kink: Option<Place>,
        side: impl Fn(f64) -> Option<Estimate>,
    ) -> Outcome {
        let first = estimates[0];
        let tolerance = tolerance(first, slack);
        let outcome = judged(first, self.got, tolerance, self.unit);
        if let (Some(below), Some(above)) = (side(-1.0), side(1.0))
            && apart(below, above)
        {
            return Outcome::Skipped(match kink {
                Some(kink) => Why::Kink(kink),
                None => Why::Corner { below: self.per_unit(below), above: self.per_unit(above) },
            });
        }
        let imprecise = |tolerance: f64| {
            Outcome::Skipped(match &kink {
                Some(kink) => Why::Kink(kink.clone()),
                None => Why::Imprecise { tolerance: tolerance / self.unit },
            })
        };
        if matches!(outcome, Outcome::Held(_)) {
            return imprecise(tolerance);
        }
        // The noise has steps longer than those it was measured with: an oracle that contradicts itself proves nothing.
        match estimates.iter().find(|other| apart(first, **other)) {
            Some(other) => imprecise((first.value - other.value).abs()),
            None => outcome,
        }
    }

    fn per_unit(&self, estimate: Estimate) -> Estimate {
        Estimate { value: estimate.value / self.unit, error: estimate.error / self.unit }
    }
}

fn tolerance(estimate: Estimate, slack: f64) -> f64 {
    SAFETY * estimate.error + slack
}

/// Whether both cannot be the same number.
fn apart(one: Estimate, other: Estimate) -> bool {
    (one.value - other.value).abs() > SAFETY * (one.error + other.error)
}
