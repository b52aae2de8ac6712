//! Whether a derivative agrees with the oracle: a quick look first, and careful ones if they differ.

use pullback_graph::Tensor;

use crate::check::branches::Piece;
use crate::check::numbers::finite;
use crate::check::oracle::{self, Estimate, FIRST_STEP};
use crate::check::report::Why;
use crate::check::subject::Subject;
use crate::check::trial::Trial;
use crate::check::verdict::{Outcome, SAFETY};

/// A tolerance above this part of what is measured says nothing about it.
const INFORMATIVE: f64 = 1e-4;

/// The first steps of careful looks, relative to the longest: each this much shorter than the one before, and the last.
const SHORTER: f64 = 1.0 / 93.0;
const SHORTEST: f64 = 1e-36;

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

/// What the oracle says, and how far reverse mode may be from that.
#[derive(Clone, Copy)]
struct Look {
    estimate: Estimate,
    tolerance: f64,
}

impl Look {
    fn new(estimate: Estimate, slack: f64) -> Look {
        Look { estimate, tolerance: SAFETY * estimate.error + slack }
    }
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
        let quick = Look::new(quick, self.slack);
        if let Some(held) = self.settled(quick) {
            return held;
        }
        let piece = piece().unwrap_or(Piece { step: Some(FIRST_STEP), kink: None });
        let sides = [-1.0, 1.0].map(|sign| {
            // Beside the point, where a kink at it cannot be taken for noise.
            let noise = oracle::noise(|step| phi(sign * (step + 3e-5)), f64::INFINITY);
            oracle::one_sided(phi, finite(noise).max(f64::EPSILON * trial.size), sign * FIRST_STEP)
        });
        if !self.got.is_finite() {
            // What is infinite on both sides says nothing; but where both sides have a slope, NaN is none.
            let change = |step: f64| finite((phi(step) - phi(0.0)).abs());
            let steepness = (change(FIRST_STEP) + change(-FIRST_STEP)) / FIRST_STEP;
            let is_known = |side: &Option<Estimate>| {
                side.is_some_and(|side| SAFETY * side.error <= INFORMATIVE * steepness)
            };
            return match (sides.iter().all(is_known), piece.kink) {
                (true, _) => self.compared(quick),
                (false, kink) => Outcome::Skipped(kink.map_or(Why::Singular, Why::Kink)),
            };
        }
        let Some(longest) = piece.step else {
            // Any slope between those of the sides may be a convention.
            return Outcome::Skipped(piece.kink.map_or(Why::Singular, Why::Kink));
        };
        // Both the oracle and reverse mode round, and by how much is seen best where nothing else changes. The longest
        // steps may be too long for the function, which may have a pole nearby.
        let firsts = std::iter::successors(Some(longest), |step| (*step > SHORTEST).then_some(step * SHORTER));
        let mut looks = Vec::new();
        for first_step in firsts {
            let noise = trial.noise_within(subject, self.directions, first_step);
            let Some(estimate) = oracle::derivative(phi, noise, first_step) else { continue };
            let look = Look::new(estimate, self.slack + SAFETY * (self.rounding)(first_step));
            if let Some(held) = self.settled(look) {
                return held;
            }
            looks.push(look);
        }
        self.unsettled(&looks, sides, piece)
    }

    fn compared(&self, look: Look) -> Outcome {
        Outcome::of(look.estimate, self.got, look.tolerance, self.unit)
    }

    /// The outcome if the comparison holds and says something.
    fn settled(&self, look: Look) -> Option<Outcome> {
        // Nothing can be said more exactly than that nothing changes.
        let is_constant = look.estimate.value == 0.0 && self.got == 0.0;
        let says_something = is_constant || look.tolerance <= INFORMATIVE * self.scale;
        let outcome = self.compared(look);
        (says_something && outcome.held()).then_some(outcome)
    }

    /// No look within the smooth piece settled the comparison.
    fn unsettled(&self, looks: &[Look], sides: [Option<Estimate>; 2], piece: Piece) -> Outcome {
        let sharpest = looks.iter().min_by(|a, b| a.tolerance.total_cmp(&b.tolerance));
        let Some(sharpest) = sharpest else { return Outcome::Skipped(Why::Singular) };
        let or_kink = |why: Why| Outcome::Skipped(piece.kink.clone().map_or(why, Why::Kink));
        if let [Some(below), Some(above)] = sides
            && apart(below, above)
        {
            return or_kink(Why::Corner { below: self.per_unit(below), above: self.per_unit(above) });
        }
        let outcome = self.compared(*sharpest);
        if outcome.held() {
            return or_kink(Why::Imprecise { tolerance: sharpest.tolerance / self.unit });
        }
        // There may be noise of longer steps than those it was measured with: an oracle that contradicts itself proves
        // nothing.
        match looks.iter().find(|other| apart(sharpest.estimate, other.estimate)) {
            Some(other) => {
                let difference = (sharpest.estimate.value - other.estimate.value).abs();
                or_kink(Why::Imprecise { tolerance: difference / self.unit })
            }
            None => outcome,
        }
    }

    fn per_unit(&self, estimate: Estimate) -> Estimate {
        Estimate { value: estimate.value / self.unit, error: estimate.error / self.unit }
    }
}

/// Whether both cannot be the same number.
fn apart(one: Estimate, other: Estimate) -> bool {
    (one.value - other.value).abs() > SAFETY * (one.error + other.error)
}
