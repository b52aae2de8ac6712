//! The comparisons: reverse mode against the oracle, against forward mode, and against itself.

use std::cell::OnceCell;

use pullback_graph::{GraphError, Tensor};

use crate::check::branches::{Branches, Piece};
use crate::check::draw;
use crate::check::error::CheckError;
use crate::check::gradient_graph::{Derivatives, GradientGraph};
use crate::check::options::CheckOptions;
use crate::check::oracle::{self, Estimate, FIRST_STEP};
use crate::check::report::{CheckReport, Claim, Failure, Skipped, Why, ratio};
use crate::check::subject::Subject;

/// How many estimated errors a difference may be. The estimates are sums of worst cases but for the noise, which is a
/// standard deviation.
const SAFETY: f64 = 4.0;

/// A tolerance above this part of what is measured says nothing about it.
const INFORMATIVE: f64 = 1e-4;

/// Rounding errors of products and sums of a few numbers, in units of the largest of them.
const FEW_ULPS: f64 = 32.0 * f64::EPSILON;

/// Makes all comparisons of one order. Evaluates the subject some 15 times per element and direction.
pub(crate) fn compare(subject: &Subject, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    if subject.variables.is_empty() {
        return Ok(CheckReport::default());
    }
    let gradient = GradientGraph::of(subject)?;
    let mut judge = Judge { subject, gradient, branches: OnceCell::new(), report: CheckReport::default() };
    for draw in 0..options.draws as u64 {
        let cotangent = cotangent_of(subject, options.seed, draw);
        let directions = directions_of(subject, options.seed, draw);
        let trial = Trial::of(&judge, cotangent, directions)?;
        judge.direction(&trial)?;
        judge.transpose(&trial);
        if draw == 0 {
            judge.linear(&trial, cotangent_of(subject, options.seed, u64::MAX))?;
            judge.zero(&trial)?;
            judge.elements(&trial, options)?;
        }
    }
    Ok(judge.report)
}

/// A random cotangent of the output.
pub(crate) fn cotangent_of(subject: &Subject, seed: u64, draw: u64) -> Tensor {
    let sizes = subject.graph.ty(subject.output).shape.known().expect("a subject's sizes are known");
    draw::direction(seed, draw.wrapping_mul(64), &sizes)
}

/// A random direction of the variables, each at its own scale.
pub(crate) fn directions_of(subject: &Subject, seed: u64, draw: u64) -> Vec<Tensor> {
    let variables = subject.variables.iter().enumerate().map(|(at, variable)| {
        let unit = draw::direction(seed, draw.wrapping_mul(64) + 1 + at as u64, variable.value.sizes());
        scaled(&unit, variable.scale)
    });
    variables.collect()
}

/// One cotangent, one direction, and the derivatives at the point.
struct Trial {
    cotangent: Tensor,
    directions: Vec<Tensor>,
    here: Derivatives,
    /// The noise of `⟨cotangent, output⟩`.
    noise: f64,
    /// `Σ |cotangent · output|`.
    size: f64,
}

impl Trial {
    fn of(judge: &Judge<'_>, cotangent: Tensor, directions: Vec<Tensor>) -> Result<Trial, GraphError> {
        let subject = judge.subject;
        let here = judge.gradient.at(subject, &subject.point(), &cotangent, &directions)?;
        let output = subject.values(&subject.point())?;
        let size = dot_sizes(&cotangent, output.node(subject.output));
        let measured = oracle::noise(|step| value(subject, &cotangent, &directions, step));
        // Where nothing cancels and every step is exact, the last digit is the noise.
        let noise = if measured.is_nan() { 0.0 } else { measured }.max(f64::EPSILON * size);
        Ok(Trial { cotangent, directions, here, noise, size })
    }
}

/// `⟨cotangent, output⟩` after `step` steps; NaN where an op fails.
fn value(subject: &Subject, cotangent: &Tensor, directions: &[Tensor], step: f64) -> f64 {
    match subject.values(&subject.moved(directions, step)) {
        Ok(values) => dot(cotangent, values.node(subject.output)),
        Err(_) => f64::NAN,
    }
}

struct Judge<'s> {
    subject: &'s Subject,
    gradient: GradientGraph,
    branches: OnceCell<Option<Branches>>,
    report: CheckReport,
}

/// A derivative in question.
struct Question<'q> {
    claim: Claim,
    /// How the variables move per unit of step.
    directions: &'q [Tensor],
    /// What reverse mode says.
    got: f64,
    /// What it says after some steps.
    got_after: &'q dyn Fn(f64) -> f64,
    /// What counts as large.
    scale: f64,
    /// The rounding error of `got`.
    slack: f64,
    /// What numbers are divided by in the report.
    unit: f64,
}

impl Judge<'_> {
    /// The gradient along the direction against the derivative along it.
    fn direction(&mut self, trial: &Trial) -> Result<(), CheckError> {
        let Trial { cotangent, directions, here, size, .. } = trial;
        let (got, sizes) = contract(&here.gradient, directions);
        let (subject, gradient) = (self.subject, &self.gradient);
        let after = |step| match gradient.at(subject, &subject.moved(directions, step), cotangent, directions) {
            Ok(there) => contract(&there.gradient, directions).0,
            Err(_) => f64::NAN,
        };
        let question = Question {
            claim: Claim::Direction,
            directions,
            got,
            got_after: &after,
            scale: finite(sizes).max(1e-6 * size),
            slack: FEW_ULPS * finite(sizes),
            unit: 1.0,
        };
        let outcome = answer(subject, self.branches(), trial, &question);
        self.record(question.claim, outcome);
        Ok(())
    }

    /// Each element of the gradient against the derivative in it.
    fn elements(&mut self, trial: &Trial, options: &CheckOptions) -> Result<(), CheckError> {
        let (subject, cotangent) = (self.subject, &trial.cotangent);
        for (at, variable) in subject.variables.iter().enumerate() {
            let gradient = trial.here.gradient[at].values::<f64>();
            let largest = gradient.iter().map(|x| finite(x.abs())).fold(0.0, f64::max) * variable.scale;
            for element in draw::pick(options.seed, at as u64, options.elements, gradient.len()) {
                let along = |other: usize| {
                    let sizes = subject.variables[other].value.sizes();
                    Tensor::from_fn(sizes, |i| if (other, i) == (at, element) { variable.scale } else { 0.0 })
                };
                let directions: Vec<Tensor> = (0..subject.variables.len()).map(along).collect();
                let reverse = &self.gradient;
                let after = |step| match reverse.at(subject, &subject.moved(&directions, step), cotangent, &directions) {
                    Ok(there) => there.gradient[at].values::<f64>()[element] * variable.scale,
                    Err(_) => f64::NAN,
                };
                let got = gradient[element] * variable.scale;
                let index = unravel(element, variable.value.sizes());
                let question = Question {
                    claim: Claim::Element { input: variable.name.clone(), index },
                    directions: &directions,
                    got,
                    got_after: &after,
                    scale: largest.max(1e-6 * trial.size),
                    slack: FEW_ULPS * finite(got.abs()),
                    unit: variable.scale,
                };
                let outcome = answer(subject, self.branches(), trial, &question);
                self.record(question.claim, outcome);
            }
        }
        Ok(())
    }

    /// `⟨u, J·v⟩` against `⟨Jᵀ·u, v⟩`.
    fn transpose(&mut self, trial: &Trial) {
        let Trial { cotangent, directions, here, .. } = trial;
        let (reverse, reverse_size) = contract(&here.gradient, directions);
        let forward = dot(cotangent, &here.tangent);
        let size = reverse_size.max(dot_sizes(cotangent, &here.tangent));
        let claim = Claim::Transpose;
        if !reverse.is_finite() && !forward.is_finite() {
            return self.record(claim, Outcome::Skipped(Why::Singular));
        }
        let mut tolerance = FEW_ULPS * finite(size);
        if ratio(forward, reverse, tolerance) > 1.0 {
            // Both round, each in its own order: by how much shows in how they vary from point to point.
            let (subject, gradient) = (self.subject, &self.gradient);
            let both = |step: f64| {
                let there = gradient.at(subject, &subject.moved(directions, step), cotangent, directions).ok()?;
                Some((contract(&there.gradient, directions).0, dot(cotangent, &there.tangent)))
            };
            let noise = oracle::noise(|step| both(step).map_or(f64::NAN, |both| both.0))
                + oracle::noise(|step| both(step).map_or(f64::NAN, |both| both.1));
            tolerance += SAFETY * SAFETY * finite(noise);
        }
        let expected = Estimate { value: forward, error: tolerance };
        self.record(claim, judged(expected, reverse, tolerance, 1.0));
    }

    /// The gradient for `u₁ - 2·u₂` against the same combination of gradients.
    fn linear(&mut self, trial: &Trial, other: Tensor) -> Result<(), CheckError> {
        let (subject, gradient) = (self.subject, &self.gradient);
        let (first, second) = (trial.cotangent.values::<f64>(), other.values::<f64>());
        let mixed = Tensor::from_fn(other.sizes(), |i| first[i] - 2.0 * second[i]);
        let of_other = gradient.at(subject, &subject.point(), &other, &trial.directions)?;
        let of_mixed = gradient.at(subject, &subject.point(), &mixed, &trial.directions)?;
        // What is added up inside may be larger than the sums that come out.
        let inside = self.largest_cotangent(trial)?;
        let mut outcomes = Vec::new();
        for (at, variable) in subject.variables.iter().enumerate() {
            let of = |derivatives: &Derivatives| derivatives.gradient[at].to_f64_vec();
            let (first, second, mixed) = (of(&trial.here), of(&of_other), of(&of_mixed));
            for (element, got) in mixed.iter().enumerate() {
                let expected = first[element] - 2.0 * second[element];
                if !expected.is_finite() && !got.is_finite() {
                    continue;
                }
                let tolerance = FEW_ULPS * (inside + first[element].abs() + second[element].abs());
                let outcome = judged(Estimate { value: expected, error: tolerance }, *got, tolerance, 1.0);
                let index = unravel(element, variable.value.sizes());
                outcomes.push((Claim::Linear { input: variable.name.clone(), index }, outcome));
            }
        }
        outcomes.into_iter().for_each(|(claim, outcome)| self.record(claim, outcome));
        Ok(())
    }

    /// The size of the largest cotangent on the way.
    fn largest_cotangent(&self, trial: &Trial) -> Result<f64, CheckError> {
        let point = self.subject.point();
        let values = self.gradient.values(self.subject, &point, &trial.cotangent, &trial.directions)?;
        let appended = values.graph().ids().skip(self.gradient.start);
        let floats = appended.filter(|id| values.graph().ty(*id).dtype.is_float());
        let sizes = floats.flat_map(|id| values.node(id).to_f64_vec()).map(|x| finite(x.abs()));
        Ok(sizes.fold(0.0, f64::max))
    }

    /// The gradient for a cotangent of zeros against zeros.
    fn zero(&mut self, trial: &Trial) -> Result<(), CheckError> {
        let subject = self.subject;
        let zeros = scaled(&trial.cotangent, 0.0);
        let there = self.gradient.at(subject, &subject.point(), &zeros, &trial.directions)?;
        let mut outcomes = Vec::new();
        for (at, variable) in subject.variables.iter().enumerate() {
            let here = trial.here.gradient[at].values::<f64>();
            for (element, got) in there.gradient[at].values::<f64>().iter().enumerate() {
                // An infinite slope times zero is NaN; the comparisons with the oracle speak of it.
                if here[element].is_finite() {
                    let index = unravel(element, variable.value.sizes());
                    let claim = Claim::Zero { input: variable.name.clone(), index };
                    outcomes.push((claim, judged(Estimate { value: 0.0, error: 0.0 }, *got, 0.0, 1.0)));
                }
            }
        }
        outcomes.into_iter().for_each(|(claim, outcome)| self.record(claim, outcome));
        Ok(())
    }

    fn branches(&self) -> impl Fn(&[Tensor]) -> Option<Piece> + '_ {
        |directions| {
            let branches = self.branches.get_or_init(|| Branches::of(self.subject)).as_ref()?;
            Some(branches.piece(self.subject, directions))
        }
    }

    fn record(&mut self, claim: Claim, outcome: Outcome) {
        let order = self.subject.order + 1;
        match outcome {
            Outcome::Held(ratio) => {
                self.report.compared += 1;
                self.report.closest = self.report.closest.max(ratio);
            }
            Outcome::Failed { expected, got, tolerance } => {
                self.report.compared += 1;
                self.report.failures.push(Failure { claim, order, expected, got, tolerance });
            }
            Outcome::Skipped(why) => self.report.skipped.push(Skipped { claim, order, why }),
        }
    }
}

/// How a comparison ends.
enum Outcome {
    /// It held; the difference in units of the tolerance.
    Held(f64),
    Failed { expected: Estimate, got: f64, tolerance: f64 },
    Skipped(Why),
}

fn judged(expected: Estimate, got: f64, tolerance: f64, unit: f64) -> Outcome {
    let ratio = ratio(expected.value, got, tolerance);
    if ratio <= 1.0 {
        return Outcome::Held(ratio);
    }
    let expected = Estimate { value: expected.value / unit, error: expected.error / unit };
    Outcome::Failed { expected, got: got / unit, tolerance: tolerance / unit }
}

/// Compares a derivative with the oracle: a quick look first, then, if they differ, a careful one.
fn answer(
    subject: &Subject,
    piece: impl Fn(&[Tensor]) -> Option<Piece>,
    trial: &Trial,
    question: &Question<'_>,
) -> Outcome {
    let Question { directions, got, unit, scale, .. } = *question;
    let phi = |step: f64| value(subject, &trial.cotangent, directions, step);
    let tolerance = |estimate: Estimate, slack: f64| SAFETY * estimate.error + slack;
    let informs = |tolerance: f64| tolerance <= INFORMATIVE * scale;
    let settled = |estimate: Estimate, slack: f64| {
        let tolerance = tolerance(estimate, slack);
        let outcome = judged(estimate, got, tolerance, unit);
        (informs(tolerance) && matches!(outcome, Outcome::Held(_))).then_some(outcome)
    };
    let Some(quick) = oracle::derivative(phi, trial.noise, FIRST_STEP) else {
        return Outcome::Skipped(Why::Singular);
    };
    if let Some(held) = settled(quick, question.slack) {
        return held;
    }
    let slack = question.slack + SAFETY * SAFETY * finite(oracle::noise(question.got_after));
    // Another ladder of steps, lest the first one was too long for the function.
    for first_step in [FIRST_STEP, FIRST_STEP / 7.0] {
        let estimate = oracle::derivative(phi, trial.noise, first_step);
        if let Some(held) = estimate.and_then(|estimate| settled(estimate, slack)) {
            return held;
        }
    }
    let side = |sign: f64| oracle::one_sided(phi, trial.noise, sign * FIRST_STEP);
    let piece = piece(directions).unwrap_or(Piece { step: Some(FIRST_STEP), kink: None });
    let estimate = piece.step.and_then(|step| oracle::derivative(phi, trial.noise, step));
    let Some(estimate) = estimate else {
        let bounded = |side: Option<Estimate>| side.is_some_and(|side| informs(side.error));
        // Any slope between those of the sides may be a convention. NaN is none.
        return match piece.kink {
            Some(_) if !got.is_finite() && bounded(side(1.0)) && bounded(side(-1.0)) => {
                Outcome::Failed { expected: quick, got: got / unit, tolerance: tolerance(quick, slack) / unit }
            }
            Some(kink) => Outcome::Skipped(Why::Kink(kink)),
            None => Outcome::Skipped(Why::Singular),
        };
    };
    let tolerance = tolerance(estimate, slack);
    let outcome = judged(estimate, got, tolerance, unit);
    match (outcome, piece.kink) {
        (outcome @ Outcome::Held(_), _) if informs(tolerance) => outcome,
        (Outcome::Held(_), Some(kink)) => Outcome::Skipped(Why::Kink(kink)),
        (Outcome::Held(_), None) => Outcome::Skipped(Why::Imprecise { tolerance: tolerance / unit }),
        (failed, _) => match (side(-1.0), side(1.0)) {
            (Some(below), Some(above))
                if got.is_finite() && (below.value - above.value).abs() > SAFETY * (below.error + above.error) =>
            {
                Outcome::Skipped(Why::Corner { below, above })
            }
            _ => failed,
        },
    }
}

/// `Σ left · right`.
fn dot(left: &Tensor, right: &Tensor) -> f64 {
    left.values::<f64>().iter().zip(right.values::<f64>()).map(|(a, b)| a * b).sum()
}

/// `Σ |left · right|`.
fn dot_sizes(left: &Tensor, right: &Tensor) -> f64 {
    left.values::<f64>().iter().zip(right.values::<f64>()).map(|(a, b)| finite((a * b).abs())).sum()
}

/// `Σ gradient · direction` over all variables, and the sum of the sizes of its terms.
fn contract(gradient: &[Tensor], directions: &[Tensor]) -> (f64, f64) {
    let pairs = || gradient.iter().zip(directions);
    (pairs().map(|(g, d)| dot(g, d)).sum(), pairs().map(|(g, d)| dot_sizes(g, d)).sum())
}

fn scaled(tensor: &Tensor, by: f64) -> Tensor {
    let values = tensor.values::<f64>();
    Tensor::from_fn(tensor.sizes(), |i| by * values[i])
}

/// The number, or 0 in the place of NaN and infinities.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

/// The index per axis of element `at`, in row-major order.
fn unravel(mut at: usize, sizes: &[usize]) -> Vec<usize> {
    let mut index = vec![0; sizes.len()];
    for axis in (0..sizes.len()).rev() {
        index[axis] = at % sizes[axis];
        at /= sizes[axis];
    }
    index
}
