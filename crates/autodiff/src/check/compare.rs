//! The comparisons: reverse mode against the oracle, against forward mode, and against itself.

use std::cell::OnceCell;

use pullback_graph::Tensor;

use crate::check::branches::{Branches, Piece};
use crate::check::draw;
use crate::check::error::CheckError;
use crate::check::gradient_graph::{Derivatives, GradientGraph};
use crate::check::numbers::{contract, dot, dot_sizes, finite, scaled, unravel};
use crate::check::options::CheckOptions;
use crate::check::oracle::Estimate;
use crate::check::question::Question;
use crate::check::report::{CheckReport, Claim, Failure, Skipped, Why, ratio};
use crate::check::subject::Subject;
use crate::check::trial::{Trial, cotangent_of, smallest_noise};
use crate::check::verdict::{FEW_ULPS, Outcome, SAFETY};

/// Makes all comparisons of one order. Evaluates the subject about a dozen times per element and direction.
pub(crate) fn compare(subject: &Subject, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    if subject.variables.is_empty() {
        return Ok(CheckReport::default());
    }
    let gradient = GradientGraph::of(subject)?;
    let mut judge = Judge { subject, gradient, branches: OnceCell::new(), report: CheckReport::default() };
    for draw in 0..options.draws as u64 {
        let trial = Trial::of(subject, &judge.gradient, options.seed, draw)?;
        judge.direction(&trial);
        judge.transpose(&trial);
        if draw == 0 {
            judge.linear(&trial, &cotangent_of(subject, options.seed, options.draws as u64))?;
            judge.zero(&trial)?;
            judge.elements(&trial, options);
        }
    }
    Ok(judge.report)
}

/// Collects the outcomes of comparisons.
struct Judge<'s> {
    subject: &'s Subject,
    gradient: GradientGraph,
    /// Found when first needed; `None` if they cannot be evaluated.
    branches: OnceCell<Option<Branches>>,
    report: CheckReport,
}

impl Judge<'_> {
    /// The gradient along the direction against the derivative along it.
    fn direction(&mut self, trial: &Trial) {
        let (got, size) = contract(&trial.here.gradient, &trial.directions);
        let question = Question {
            directions: &trial.directions,
            got,
            rounding: &|widths| self.rounding(trial, &trial.directions, widths),
            scale: finite(size).max(1e-6 * trial.size),
            slack: FEW_ULPS * finite(size),
            unit: 1.0,
        };
        let outcome = question.answer(self.subject, trial, || self.piece(&trial.directions));
        self.record(Claim::Direction, outcome);
    }

    /// Each element of the gradient against the derivative in it.
    fn elements(&mut self, trial: &Trial, options: &CheckOptions) {
        let subject = self.subject;
        for (at, variable) in subject.variables.iter().enumerate() {
            let gradient = trial.here.gradient[at].values::<f64>();
            let largest = gradient.iter().map(|x| finite(x.abs())).fold(0.0, f64::max) * variable.scale;
            for element in draw::pick(options.seed, at as u64, options.elements, gradient.len()) {
                let along = |other: usize| {
                    let sizes = subject.variables[other].value.sizes();
                    Tensor::from_fn(sizes, |i| if (other, i) == (at, element) { variable.scale } else { 0.0 })
                };
                let directions: Vec<Tensor> = (0..subject.variables.len()).map(along).collect();
                let got = gradient[element] * variable.scale;
                let question = Question {
                    directions: &directions,
                    got,
                    rounding: &|widths| self.rounding(trial, &directions, widths),
                    scale: largest.max(1e-6 * trial.size),
                    slack: FEW_ULPS * finite(got.abs()),
                    unit: variable.scale,
                };
                let outcome = question.answer(subject, trial, || self.piece(&directions));
                let index = unravel(element, variable.value.sizes());
                self.record(Claim::Element { input: variable.name.clone(), index }, outcome);
            }
        }
    }

    /// `⟨u, J·v⟩` against `⟨Jᵀ·u, v⟩`.
    fn transpose(&mut self, trial: &Trial) {
        let Trial { cotangent, directions, here, .. } = trial;
        let (reverse, size) = contract(&here.gradient, directions);
        let forward = dot(cotangent, &here.tangent);
        if !reverse.is_finite() && !forward.is_finite() {
            return self.record(Claim::Transpose, Outcome::Skipped(Why::Singular));
        }
        let mut tolerance = FEW_ULPS * finite(size.max(dot_sizes(cotangent, &here.tangent)));
        if ratio(forward, reverse, tolerance) > 1.0 {
            // Both round, each in its own order.
            let difference = |there: &Derivatives| {
                contract(&there.gradient, directions).0 - dot(cotangent, &there.tangent)
            };
            tolerance += SAFETY * trial.rounding(self.subject, &self.gradient, difference);
        }
        self.record(
            Claim::Transpose,
            Outcome::of(Estimate { value: forward, error: tolerance }, reverse, tolerance, 1.0),
        );
    }

    /// The gradient for `u₁ - 2·u₂` against the same combination of gradients.
    fn linear(&mut self, trial: &Trial, other: &Tensor) -> Result<(), CheckError> {
        let (subject, gradient) = (self.subject, &self.gradient);
        let (first, second) = (trial.cotangent.values::<f64>(), other.values::<f64>());
        let mixed = Tensor::from_fn(other.sizes(), |i| first[i] - 2.0 * second[i]);
        let of_other = gradient.at(subject, &subject.point(), other, &trial.directions)?;
        let of_mixed = gradient.at(subject, &subject.point(), &mixed, &trial.directions)?;
        // What is added up inside may be larger than the sums that come out.
        let inside = gradient.largest_cotangent(subject, trial)?;
        self.each_element(
            &of_mixed,
            |at, element, got| {
                let of = |derivatives: &Derivatives| derivatives.gradient[at].values::<f64>()[element];
                let expected = of(&trial.here) - 2.0 * of(&of_other);
                // Infinite slopes do not add up; the comparisons with the oracle speak of them.
                if !expected.is_finite() && !got.is_finite() {
                    return None;
                }
                let tolerance =
                    FEW_ULPS * (inside + finite(of(&trial.here).abs()) + finite(of(&of_other).abs()));
                Some(Outcome::of(Estimate { value: expected, error: tolerance }, got, tolerance, 1.0))
            },
            |input, index| Claim::Linear { input, index },
        );
        Ok(())
    }

    /// The gradient for a cotangent of zeros against zeros.
    fn zero(&mut self, trial: &Trial) -> Result<(), CheckError> {
        let zeros = scaled(&trial.cotangent, 0.0);
        let there = self.gradient.at(self.subject, &self.subject.point(), &zeros, &trial.directions)?;
        self.each_element(
            &there,
            |at, element, got| {
                // An infinite slope times zero is NaN.
                let is_finite = trial.here.gradient[at].values::<f64>()[element].is_finite();
                is_finite.then(|| Outcome::of(Estimate { value: 0.0, error: 0.0 }, got, 0.0, 1.0))
            },
            |input, index| Claim::Zero { input, index },
        );
        Ok(())
    }

    /// Records what `outcome` says of each element of a gradient: it is given variable, element and value.
    fn each_element(
        &mut self,
        derivatives: &Derivatives,
        outcome: impl Fn(usize, usize, f64) -> Option<Outcome>,
        claim: impl Fn(std::sync::Arc<str>, Vec<usize>) -> Claim,
    ) {
        for (at, variable) in self.subject.variables.iter().enumerate() {
            for (element, got) in derivatives.gradient[at].values::<f64>().iter().enumerate() {
                if let Some(outcome) = outcome(at, element, *got) {
                    self.record(
                        claim(variable.name.clone(), unravel(element, variable.value.sizes())),
                        outcome,
                    );
                }
            }
        }
    }

    /// How far rounding moves the gradient times `directions`.
    fn rounding(&self, trial: &Trial, directions: &[Tensor], widths: &[f64]) -> f64 {
        let along = |there: &Derivatives| contract(&there.gradient, directions).0;
        let after = |step| {
            let there = self.subject.moved(directions, step);
            let there = self.gradient.at(self.subject, &there, &trial.cotangent, &trial.directions);
            there.map_or(f64::NAN, |there| along(&there))
        };
        smallest_noise(after, widths).max(trial.rounding(self.subject, &self.gradient, along))
    }

    /// The smooth piece around the point.
    fn piece(&self, directions: &[Tensor]) -> Option<Piece> {
        let branches = self.branches.get_or_init(|| Branches::of(self.subject)).as_ref()?;
        Some(branches.piece(self.subject, directions))
    }

    fn record(&mut self, claim: Claim, outcome: Outcome) {
        let order = self.subject.order + 1;
        self.report.compared += usize::from(!matches!(outcome, Outcome::Skipped(_)));
        match outcome {
            Outcome::Held(ratio) => self.report.closest = self.report.closest.max(ratio),
            Outcome::Failed { expected, got, tolerance } => {
                self.report.failures.push(Failure { claim, order, expected, got, tolerance });
            }
            Outcome::Skipped(why) => self.report.skipped.push(Skipped { claim, order, why }),
        }
    }
}
