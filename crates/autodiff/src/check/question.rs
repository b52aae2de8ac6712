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

/// What the function looks like around the point.
#[derive(Clone, Copy)]
struct Ground {
    /// How far rounding moves what reverse mode says.
    slack: f64,
    /// How much the longest steps change it, per unit of step.
    steepness: f64,
    /// Whether that is no more than rounding.
    is_flat: bool,
}

/// What the oracle has seen.
enum Seen {
    Agrees(Outcome),
    Differs(Outcome),
    /// Nothing that would be proof; with this tolerance it would agree.
    Nothing(f64),
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
        let longest = piece.step.unwrap_or(FIRST_STEP);
        let change = |step: f64| finite((phi(step) - phi(0.0)).abs());
        let steepness = (change(longest) + change(-longest)) / longest;
        let coarsest = 0.1 * finite(self.got.abs()).max(quick.estimate.value.abs()).max(steepness);
        let sides = [(Side::Below, -1.0), (Side::Above, 1.0)].map(|(side, sign)| {
            // Beside the point, where a kink at it cannot be taken for noise.
            let noise = oracle::noise(|step| phi(sign * (step + 3e-5_f64.min(longest / 2.0))), longest / 2.0);
            let noise = finite(noise).max(f64::EPSILON * trial.size);
            oracle::survey(phi, side, noise, longest, coarsest)
        });
        if !self.got.is_finite() {
            // What is infinite on both sides says nothing; but where both sides have a slope, NaN is none.
            let is_known = |side: &Vec<Estimate>| {
                sharpest(side).is_some_and(|side| SAFETY * side.error <= INFORMATIVE * steepness)
            };
            return match (sides.iter().all(is_known), piece.kink) {
                (true, _) => self.compared(quick),
                (false, kink) => Outcome::Skipped(kink.map_or(Why::Singular, Why::Kink)),
            };
        }
        if piece.step.is_none() {
            // Any slope between those of the sides may be a convention.
            return Outcome::Skipped(piece.kink.map_or(Why::Singular, Why::Kink));
        }
        // Both the oracle and reverse mode round, and by how much is seen best where nothing else changes.
        let widths = [1.0, 1e-5, 1e-10].map(|part| longest * part);
        let noise = trial.noise_along(subject, self.directions, &widths);
        let slack = self.slack + SAFETY * (self.rounding)(&widths);
        let steps = oracle::survey(phi, Side::Both, noise, longest, coarsest);
        let is_flat = change(longest) + change(-longest) <= 100.0 * trial.grain(subject);
        let ground = Ground { slack, steepness, is_flat };
        self.careful(&steps, &sides, ground, piece)
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
    fn careful(
        &self,
        steps: &[Estimate],
        sides: &[Vec<Estimate>; 2],
        ground: Ground,
        piece: Piece,
    ) -> Outcome {
        let no_verdict = |tolerance: f64| {
            Outcome::Skipped(match (piece.kink.clone(), sharpest(&sides[0]), sharpest(&sides[1])) {
                (Some(kink), ..) => Why::Kink(kink),
                (None, Some(below), Some(above)) if apart(&below, &above) => {
                    Why::Corner { below: self.per_unit(below), above: self.per_unit(above) }
                }
                _ => Why::Imprecise { tolerance: tolerance / self.unit },
            })
        };
        match self.seen(steps, ground) {
            Seen::Agrees(held) => held,
            Seen::Nothing(tolerance) => no_verdict(tolerance),
            // A wrong derivative is wrong from both sides. At a jump or a spike it need not be.
            Seen::Differs(failed) => {
                let doubt = sides.iter().map(|side| self.seen(side, ground)).find_map(|seen| match seen {
                    Seen::Agrees(_) => Some(0.0),
                    Seen::Nothing(tolerance) => Some(tolerance),
                    Seen::Differs(_) => None,
                });
                doubt.map_or(failed, no_verdict)
            }
        }
    }

    /// What steps of many lengths say together.
    fn seen(&self, steps: &[Estimate], ground: Ground) -> Seen {
        let look = |estimate: &Estimate| Look { estimate: *estimate, slack: ground.slack };
        let Some(best) = sharpest(steps) else { return Seen::Nothing(f64::INFINITY) };
        if let Some(held) = self.settled(look(&best)) {
            return Seen::Agrees(held);
        }
        let outcome = self.compared(look(&best));
        let is_resolved = SAFETY * best.error <= 0.1 * best.value.abs().max(ground.steepness);
        if outcome.held() || !(is_resolved || ground.is_flat) {
            return Seen::Nothing(look(&best).tolerance());
        }
        // Beyond a pole, long steps see another function: what contradicts itself proves nothing. It takes two steps in a
        // row, for one may be off by chance.
        let contradicts = |step: &Estimate| apart(&best, step);
        let Some(rivals) = steps.windows(2).find(|pair| pair.iter().all(contradicts)) else {
            return Seen::Differs(outcome);
        };
        let held = steps.iter().filter(|step| contradicts(step)).find_map(|step| self.settled(look(step)));
        held.map_or(Seen::Nothing((best.value - rivals[0].value).abs()), Seen::Agrees)
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
