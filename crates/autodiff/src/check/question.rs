//! Whether a derivative agrees with the oracle: a quick look first, and careful ones if they differ.

use pullback_graph::Tensor;

use crate::check::branches::Piece;
use crate::check::numbers::finite;
use crate::check::oracle::{self, Estimate, FIRST_STEP, Side};
use crate::check::report::Why;
use crate::check::subject::Subject;
use crate::check::trial::Trial;
use crate::check::verdict::{Outcome, SAFETY};

/// A tolerance above this part of what is measured says nothing about it.
const INFORMATIVE: f64 = 1e-4;

/// A derivative in question.
pub(crate) struct Question<'q> {
    /// How the variables move per unit of step.
    pub(crate) directions: &'q [Tensor],
    /// What reverse mode says.
    pub(crate) got: f64,
    /// How far rounding moves that, measured with steps up to each of some widths: asked when they differ.
    pub(crate) rounding: &'q dyn Fn(&[f64]) -> f64,
    /// What counts as large.
    pub(crate) scale: f64,
    /// The rounding error of `got`, at first sight.
    pub(crate) slack: f64,
    /// What numbers are divided by in the report.
    pub(crate) unit: f64,
}

/// What the oracle says, and how far rounding moves what reverse mode says.
#[derive(Clone, Copy)]
struct Look {
    estimate: Estimate,
    slack: f64,
}

impl Look {
    /// How far both may be from each other.
    fn tolerance(self) -> f64 {
        SAFETY * self.estimate.error + self.slack
    }
}

impl Question<'_> {
    /// Compares with the derivative of `⟨cotangent, output⟩`; `piece` is asked when they differ.
    pub(crate) fn answer(
        &self,
        subject: &Subject,
        trial: &Trial,
        piece: impl FnOnce() -> Option<Piece>,
    ) -> Outcome {
        let phi = |step: f64| trial.value(subject, self.directions, step);
        if !phi(0.0).is_finite() {
            return Outcome::Skipped(Why::Singular);
        }
        let Some(quick) = oracle::derivative(phi, trial.noise, FIRST_STEP) else {
            return Outcome::Skipped(Why::Singular);
        };
        let quick = Look { estimate: quick, slack: self.slack };
        if let Some(held) = self.settled(quick) {
            return held;
        }
        let piece = piece().unwrap_or(Piece { step: Some(FIRST_STEP), kink: None });
        let coarsest = 0.1 * finite(self.got.abs()).max(quick.estimate.value.abs());
        let sides = [(Side::Below, -1.0), (Side::Above, 1.0)].map(|(side, sign)| {
            // Beside the point, where a kink at it cannot be taken for noise.
            let noise = oracle::noise(|step| phi(sign * (step + 3e-5)), f64::INFINITY);
            let noise = finite(noise).max(f64::EPSILON * trial.size);
            oracle::survey(phi, side, noise, FIRST_STEP, coarsest)
        });
        if !self.got.is_finite() {
            // What is infinite on both sides says nothing; but where both sides have a slope, NaN is none.
            let change = |step: f64| finite((phi(step) - phi(0.0)).abs());
            let steepness = (change(FIRST_STEP) + change(-FIRST_STEP)) / FIRST_STEP;
            let is_known = |side: &Vec<Estimate>| {
                sharpest(side).is_some_and(|side| SAFETY * side.error <= INFORMATIVE * steepness)
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
        // Both the oracle and reverse mode round, and by how much is seen best where nothing else changes.
        let widths = [1.0, 1e-5, 1e-10].map(|part| longest * part);
        let noise = trial.noise_along(subject, self.directions, &widths);
        let slack = self.slack + SAFETY * (self.rounding)(&widths);
        let coarsest = 0.1 * self.got.abs().max(quick.estimate.value.abs());
        let looks = oracle::survey(phi, noise, longest, coarsest)
            .into_iter()
            .map(|estimate| Look { estimate, slack });
        self.careful(&looks.collect::<Vec<_>>(), sides, piece)
    }

    fn compared(&self, look: Look) -> Outcome {
        Outcome::of(look.estimate, self.got, look.tolerance(), self.unit)
    }

    /// The outcome if the comparison holds and says something.
    fn settled(&self, look: Look) -> Option<Outcome> {
        // Nothing can be said more exactly than that nothing changes.
        let is_constant = look.estimate.value == 0.0 && self.got == 0.0;
        let says_something = is_constant || look.tolerance() <= INFORMATIVE * self.scale;
        let outcome = self.compared(look);
        (says_something && outcome.held()).then_some(outcome)
    }

    /// The outcome of what steps within the smooth piece see, and of what steps to one side see.
    fn careful(&self, steps: &[Estimate], slack: f64, sides: &[Vec<Estimate>; 2], piece: Piece) -> Outcome {
        let look = |estimate: &Estimate| Look { estimate: *estimate, slack };
        let Some(best) = sharpest(steps) else { return Outcome::Skipped(Why::Singular) };
        if let Some(held) = self.settled(look(&best)) {
            return held;
        }
        let no_verdict = |tolerance: f64| {
            Outcome::Skipped(match (piece.kink.clone(), sharpest(&sides[0]), sharpest(&sides[1])) {
                (Some(kink), ..) => Why::Kink(kink),
                (None, Some(below), Some(above)) if apart(&below, &above) => {
                    Why::Corner { below: self.per_unit(below), above: self.per_unit(above) }
                }
                _ => Why::Imprecise { tolerance: tolerance / self.unit },
            })
        };
        let outcome = self.compared(look(&best));
        if outcome.held() {
            return no_verdict(look(&best).tolerance());
        }
        // Beyond a pole, long steps see another function: an oracle that contradicts itself proves nothing. Two steps in
        // a row, that is, for one may be off by chance.
        let contradicts = |step: &Estimate| apart(&best, step);
        let rival = steps.windows(2).find(|pair| pair.iter().all(contradicts) && !apart(&pair[0], &pair[1]));
        if let Some(rival) = rival {
            let mut rivals = steps.iter().filter(|step| contradicts(step));
            let held = rivals.find_map(|step| self.settled(look(step)));
            return held.unwrap_or_else(|| no_verdict((best.value - rival[0].value).abs()));
        }
        // A wrong derivative is wrong from both sides. At a jump or a spike it need not be.
        for side in sides {
            let Some(best) = sharpest(side) else { return no_verdict(f64::INFINITY) };
            let agrees = self.compared(look(&best)).held() || side.iter().any(|step| self.settled(look(step)).is_some());
            if agrees {
                return no_verdict(look(&best).tolerance());
            }
        }
        outcome
    }

    fn per_unit(&self, estimate: Estimate) -> Estimate {
        Estimate { value: estimate.value / self.unit, error: estimate.error / self.unit }
    }
}

/// The estimate with the smallest error.
fn sharpest(estimates: &[Estimate]) -> Option<Estimate> {
    estimates.iter().copied().min_by(|a, b| a.error.total_cmp(&b.error))
}

/// Whether both cannot be the same number.
fn apart(one: &Estimate, other: &Estimate) -> bool {
    (one.value - other.value).abs() > SAFETY * (one.error + other.error)
}
