//! The comparisons: reverse mode against the oracle, against forward mode, and against itself.

use std::cell::OnceCell;
use std::sync::Arc;

use pullback_graph::{GraphError, Tensor};

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
use crate::check::trial::{Pass, Trial, cotangent_of, smallest_noise};
use crate::check::verdict::{FEW_ULPS, Outcome, SAFETY};

/// Makes all comparisons of one order. Evaluates the subject about a dozen times per element and direction.
pub(crate) fn compare(subject: &Subject, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let mut report = CheckReport::default();
    if subject.variables.is_empty() {
        return Ok(report);
    }
    let judge = Judge { subject, gradient: GradientGraph::of(subject)?, branches: OnceCell::new() };
    let mut record =
        |outcome, claim: &dyn Fn() -> Claim| record(&mut report, subject.order + 1, outcome, claim);
    for draw in 0..options.draws as u64 {
        let trial = Trial::of(subject, &judge.gradient, options.seed, draw)?;
        record(judge.direction(&trial), &|| Claim::Direction);
        record(judge.transpose(&trial.pass), &|| Claim::Transpose);
        if draw == 0 {
            let other = cotangent_of(subject, options.seed, options.draws as u64);
            judge.linear(&trial.pass, &other, &mut record)?;
            judge.zero(&trial.pass, &mut record)?;
            judge.elements(&trial, options, &mut record);
        }
    }
    Ok(report)
}

/// Takes an outcome, and the way to say of what. Most outcomes hold, and then nothing needs to be said.
type Record<'r> = &'r mut dyn FnMut(Outcome, &dyn Fn() -> Claim);

fn record(report: &mut CheckReport, order: usize, outcome: Outcome, claim: &dyn Fn() -> Claim) {
    report.compared += usize::from(!matches!(outcome, Outcome::Skipped(_)));
    match outcome {
        Outcome::Held(ratio) => report.closest = report.closest.max(ratio),
        Outcome::Failed { expected, got, tolerance } => {
            report.failures.push(Failure { claim: claim(), order, expected, got, tolerance });
        }
        Outcome::Skipped(why) => report.skipped.push(Skipped { claim: claim(), order, why }),
    }
}

/// Makes comparisons.
struct Judge<'s> {
    subject: &'s Subject,
    gradient: GradientGraph,
    /// Found when first needed; `None` if they cannot be evaluated.
    branches: OnceCell<Option<Branches>>,
}

impl Judge<'_> {
    /// The gradient along the direction against the derivative along it.
    fn direction(&self, trial: &Trial) -> Outcome {
        let directions = &trial.pass.directions;
        let (got, size) = contract(&trial.pass.here.gradient, directions);
        let question = Question {
            directions,
            got,
            rounding: &|widths| self.rounding(&trial.pass, directions, widths),
            scale: finite(size).max(1e-6 * trial.size),
            slack: FEW_ULPS * finite(size),
            unit: 1.0,
        };
        question.answer(self.subject, trial, || self.piece(directions))
    }

    /// Each element of the gradient against the derivative in it.
    fn elements(&self, trial: &Trial, options: &CheckOptions, record: Record<'_>) {
        for (at, variable) in self.subject.variables.iter().enumerate() {
            for element in draw::pick(options.seed, at as u64, options.elements, variable.value.len()) {
                let (input, index) = (&variable.name, || unravel(element, variable.value.sizes()));
                let outcome = self.element(trial, at, element);
                record(outcome, &|| Claim::Element { input: input.clone(), index: index() });
            }
        }
    }

    /// Element `element` of the gradient in variable `at` against the derivative in it.
    fn element(&self, trial: &Trial, at: usize, element: usize) -> Outcome {
        let variables = &self.subject.variables;
        let scale = variables[at].scale;
        let gradient = trial.pass.here.gradient[at].values::<f64>();
        let largest = gradient.iter().map(|x| finite(x.abs())).fold(0.0, f64::max) * scale;
        let along = |other: usize| {
            let step = |i| if (other, i) == (at, element) { scale } else { 0.0 };
            Tensor::from_fn(variables[other].value.sizes(), step)
        };
        let directions: Vec<Tensor> = (0..variables.len()).map(along).collect();
        let got = gradient[element] * scale;
        let question = Question {
            directions: &directions,
            got,
            rounding: &|widths| self.rounding(&trial.pass, &directions, widths),
            scale: largest.max(1e-6 * trial.size),
            slack: FEW_ULPS * finite(got.abs()),
            unit: scale,
        };
        question.answer(self.subject, trial, || self.piece(&directions))
    }

    /// `⟨u, J·v⟩` against `⟨Jᵀ·u, v⟩`.
    fn transpose(&self, pass: &Pass) -> Outcome {
        let Pass { cotangent, directions, here, .. } = pass;
        let (reverse, size) = contract(&here.gradient, directions);
        let forward = dot(cotangent, &here.tangent);
        if !reverse.is_finite() && !forward.is_finite() {
            return Outcome::Skipped(Why::Singular);
        }
        let mut tolerance = FEW_ULPS * finite(size.max(dot_sizes(cotangent, &here.tangent)));
        if ratio(forward, reverse, tolerance) > 1.0 {
            // Both round, each in its own order.
            let difference = |there: &Derivatives| {
                contract(&there.gradient, directions).0 - dot(cotangent, &there.tangent)
            };
            tolerance += SAFETY * pass.rounding(self.subject, &self.gradient, difference);
        }
        Outcome::of(Estimate { value: forward, error: tolerance }, reverse, tolerance, 1.0)
    }

    /// The gradient for `u₁ - 2·u₂` against the same combination of gradients.
    fn linear(&self, first: &Pass, other: &Tensor, record: Record<'_>) -> Result<(), GraphError> {
        let (subject, gradient) = (self.subject, &self.gradient);
        let pass = |cotangent: Tensor| Pass::of(subject, gradient, cotangent, first.directions.clone());
        let (left, right) = (first.cotangent.values::<f64>(), other.values::<f64>());
        let mixed = pass(Tensor::from_fn(other.sizes(), |i| left[i] - 2.0 * right[i]))?;
        let other = pass(other.clone())?;
        let outcome = |at: usize, element: usize, got: f64| {
            let of = |there: &Derivatives| there.gradient[at].values::<f64>()[element];
            let expected = of(&first.here) - 2.0 * of(&other.here);
            // Infinite slopes do not add up; the comparisons with the oracle speak of them.
            if !expected.is_finite() && !got.is_finite() {
                return None;
            }
            let sizes = [of(&first.here), of(&other.here), got].map(|x| finite(x.abs()));
            let mut tolerance = FEW_ULPS * sizes.iter().sum::<f64>();
            if ratio(expected, got, tolerance) > 1.0 {
                // What is added up inside may be larger than the sums that come out.
                let rounding = |pass: &Pass| pass.rounding(subject, gradient, of);
                tolerance += SAFETY * (rounding(first) + 2.0 * rounding(&other) + rounding(&mixed));
            }
            Some(Outcome::of(Estimate { value: expected, error: tolerance }, got, tolerance, 1.0))
        };
        self.each_element(&mixed.here, outcome, |input, index| Claim::Linear { input, index }, record);
        Ok(())
    }

    /// The gradient for a cotangent of zeros against zeros.
    fn zero(&self, pass: &Pass, record: Record<'_>) -> Result<(), GraphError> {
        let zeros = scaled(&pass.cotangent, 0.0);
        let there = self.gradient.at(self.subject, &self.subject.point(), &zeros, &pass.directions)?;
        let outcome = |at: usize, element: usize, got: f64| {
            // An infinite slope times zero is NaN.
            let is_finite = pass.here.gradient[at].values::<f64>()[element].is_finite();
            is_finite.then(|| Outcome::of(Estimate { value: 0.0, error: 0.0 }, got, 0.0, 1.0))
        };
        self.each_element(&there, outcome, |input, index| Claim::Zero { input, index }, record);
        Ok(())
    }

    /// Records what `outcome` says of each element of a gradient: it is given variable, element and value.
    fn each_element(
        &self,
        derivatives: &Derivatives,
        outcome: impl Fn(usize, usize, f64) -> Option<Outcome>,
        claim: impl Fn(Arc<str>, Vec<usize>) -> Claim,
        record: Record<'_>,
    ) {
        for (at, variable) in self.subject.variables.iter().enumerate() {
            for (element, got) in derivatives.gradient[at].values::<f64>().iter().enumerate() {
                if let Some(outcome) = outcome(at, element, *got) {
                    record(outcome, &|| {
                        claim(variable.name.clone(), unravel(element, variable.value.sizes()))
                    });
                }
            }
        }
    }

    /// How far rounding moves the gradient times `directions`.
    fn rounding(&self, pass: &Pass, directions: &[Tensor], widths: &[f64]) -> f64 {
        let along = |there: &Derivatives| contract(&there.gradient, directions).0;
        let after = |step| {
            let there = self.subject.moved(directions, step);
            let there = self.gradient.at(self.subject, &there, &pass.cotangent, &pass.directions);
            there.map_or(f64::NAN, |there| along(&there))
        };
        smallest_noise(after, widths).max(pass.rounding(self.subject, &self.gradient, along))
    }

    /// The smooth piece around the point.
    fn piece(&self, directions: &[Tensor]) -> Option<Piece> {
        let branches = self.branches.get_or_init(|| Branches::of(self.subject)).as_ref()?;
        Some(branches.piece(self.subject, directions))
    }
}
