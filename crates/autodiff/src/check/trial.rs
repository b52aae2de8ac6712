//! One random cotangent and direction, and what is known at the point before anything is compared.

use std::cell::OnceCell;

use pullback_graph::{GraphError, Tensor};

use crate::check::draw;
use crate::check::gradient_graph::{Derivatives, GradientGraph};
use crate::check::numbers::{dot, dot_sizes, finite, scaled};
use crate::check::oracle;
use crate::check::subject::Subject;

/// Both modes at the point, for one cotangent and one direction.
pub(crate) struct Pass {
    /// What the output is multiplied with: it makes a number of it, whose gradient reverse mode gives.
    pub(crate) cotangent: Tensor,
    /// How the variables move per unit of step.
    pub(crate) directions: Vec<Tensor>,
    /// Both modes.
    pub(crate) here: Derivatives,
    /// Both modes with rounding errors, when they are asked for.
    rounded: OnceCell<Vec<Derivatives>>,
}

impl Pass {
    /// Evaluates both modes.
    pub(crate) fn of(
        subject: &Subject,
        gradient: &GradientGraph,
        cotangent: Tensor,
        directions: Vec<Tensor>,
    ) -> Result<Pass, GraphError> {
        let here = gradient.at(subject, &subject.point(), &cotangent, &directions)?;
        Ok(Pass { cotangent, directions, here, rounded: OnceCell::new() })
    }

    /// How far rounding moves the number that `read` takes from both modes.
    pub(crate) fn rounding(
        &self,
        subject: &Subject,
        gradient: &GradientGraph,
        read: impl Fn(&Derivatives) -> f64,
    ) -> f64 {
        let rounded =
            self.rounded.get_or_init(|| gradient.rounded(subject, &self.cotangent, &self.directions));
        let exact = read(&self.here);
        rounded.iter().map(|rounded| finite((read(rounded) - exact).abs())).fold(0.0, f64::max)
    }
}

/// A pass, and what the oracle needs to know for it.
pub(crate) struct Trial {
    pub(crate) pass: Pass,
    /// How far rounding moves `⟨cotangent, output⟩`.
    pub(crate) noise: f64,
    /// `Σ |cotangent · output|`.
    pub(crate) size: f64,
}

impl Trial {
    /// Draws number `draw`.
    pub(crate) fn of(
        subject: &Subject,
        gradient: &GradientGraph,
        seed: u64,
        draw: u64,
    ) -> Result<Trial, GraphError> {
        let (cotangent, directions) = (cotangent_of(subject, seed, draw), directions_of(subject, seed, draw));
        let size = dot_sizes(&cotangent, &subject.evaluate(&subject.point())?);
        let pass = Pass::of(subject, gradient, cotangent, directions)?;
        let mut trial = Trial { pass, noise: 0.0, size };
        trial.noise = trial.noise_along(subject, &trial.pass.directions, &[f64::INFINITY]);
        Ok(trial)
    }

    /// How far rounding moves [`value`](Trial::value), measured with steps up to each of these widths.
    pub(crate) fn noise_along(&self, subject: &Subject, directions: &[Tensor], widths: &[f64]) -> f64 {
        // That sees what happens inside of an op; the grain, what is too coarse to change within the widths.
        smallest_noise(|step| self.value(subject, directions, step), widths).max(self.grain(subject))
    }

    /// How far rounding moves [`value`](Trial::value) at the point.
    pub(crate) fn grain(&self, subject: &Subject) -> f64 {
        let start = self.value(subject, &self.pass.directions, 0.0);
        let moved = subject
            .rounded()
            .into_iter()
            .map(|output| finite((dot(&self.pass.cotangent, &output) - start).abs()));
        moved.fold(f64::EPSILON * self.size, f64::max)
    }

    /// `⟨cotangent, output⟩` after `step` steps along `directions`; NaN where an op fails or the step is too short.
    pub(crate) fn value(&self, subject: &Subject, directions: &[Tensor], step: f64) -> f64 {
        if step != 0.0 && !subject.moves(directions, step) {
            return f64::NAN;
        }
        match subject.evaluate(&subject.moved(directions, step)) {
            Ok(output) => dot(&self.pass.cotangent, &output),
            Err(_) => f64::NAN,
        }
    }
}

/// The noise of `f` at the width where it is smallest: at others, what is not smooth is mistaken for noise.
pub(crate) fn smallest_noise(f: impl Fn(f64) -> f64, widths: &[f64]) -> f64 {
    let measured = widths.iter().map(|width| oracle::noise(&f, *width)).filter(|noise| noise.is_finite());
    measured.reduce(f64::min).unwrap_or(0.0)
}

/// A random cotangent of the output.
pub(crate) fn cotangent_of(subject: &Subject, seed: u64, draw: u64) -> Tensor {
    let sizes = subject.graph.ty(subject.output).shape.known().expect("a subject's sizes are known");
    draw::direction(seed, draw << 16, &sizes)
}

/// A random direction of the variables, each at its own scale.
pub(crate) fn directions_of(subject: &Subject, seed: u64, draw: u64) -> Vec<Tensor> {
    let variables = subject.variables.iter().zip((draw << 16) + 1..);
    let direction = variables.map(|(variable, stream)| {
        scaled(&draw::direction(seed, stream, variable.value.sizes()), variable.scale)
    });
    direction.collect()
}
