//! What a check found.

use std::fmt;
use std::sync::Arc;

use crate::check::oracle::Estimate;
use crate::check::place::Place;
use crate::check::shrink::Minimal;

/// One comparison: what should equal what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// One element of the gradient is the derivative by difference quotients.
    Element {
        /// The input.
        input: Arc<str>,
        /// The element, one index per axis.
        index: Vec<usize>,
    },
    /// The gradient times a random direction is the derivative along it.
    Direction,
    /// Forward and reverse mode are transposes: `⟨u, J·v⟩ = ⟨Jᵀ·u, v⟩`.
    Transpose,
    /// The gradient is linear in the cotangent.
    Linear {
        /// The input.
        input: Arc<str>,
        /// The element, one index per axis.
        index: Vec<usize>,
    },
    /// A cotangent of zeros gives a gradient of zeros.
    Zero {
        /// The input.
        input: Arc<str>,
        /// The element, one index per axis.
        index: Vec<usize>,
    },
}

/// A comparison that did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was compared.
    pub claim: Claim,
    /// 1 for a gradient, 2 for the gradient of a gradient.
    pub order: usize,
    /// What it should be, and how far that may be from the truth.
    pub expected: Estimate,
    /// What it is.
    pub got: f64,
    /// The largest difference that rounding and truncation explain.
    pub tolerance: f64,
}

impl Failure {
    /// How many tolerances lie between both numbers; infinite for NaN.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        ratio(self.expected.value, self.got, self.tolerance)
    }
}

/// The difference in units of the tolerance; infinite if it is not a number.
pub(crate) fn ratio(expected: f64, got: f64, tolerance: f64) -> f64 {
    let difference = (expected - got).abs();
    if difference == 0.0 {
        return 0.0;
    }
    let ratio = difference / tolerance;
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

/// A comparison that says nothing, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// What was to be compared.
    pub claim: Claim,
    /// 1 for a gradient, 2 for the gradient of a gradient.
    pub order: usize,
    /// Why there is nothing to compare.
    pub why: Why,
}

/// Why a comparison says nothing.
#[derive(Clone, Debug)]
pub enum Why {
    /// The point is on a kink, or closer to it than any step: this node decides otherwise on one of the sides.
    ///
    /// The slopes of several kinks may cancel, as those of `relu(x) - relu(-x)` at 0 do. What a rule answers there is a
    /// convention, so it is flagged, not failed.
    Kink(Place),
    /// The derivatives from both sides differ, and no node shows why: a custom op has a kink here.
    Corner {
        /// From below.
        below: Estimate,
        /// From above.
        above: Estimate,
    },
    /// The function is not finite on both sides of the point.
    Singular,
    /// Rounding errors drown the derivative: this much would go unnoticed.
    Imprecise {
        /// The tolerance that would be needed.
        tolerance: f64,
    },
}

/// The first op that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The node. Its rule is the one of its op.
    pub place: Place,
    /// What is wrong with it.
    pub wrong: &'static str,
}

/// All comparisons of a check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// How many comparisons were made; those skipped are not among them.
    pub compared: usize,
    /// The largest difference of those that held, in units of its tolerance: at most 1.
    pub closest: f64,
    /// Those that did not hold.
    pub failures: Vec<Failure>,
    /// Those that say nothing.
    pub skipped: Vec<Skipped>,
    /// The first op that is wrong on its own, if there is a failure and one was found.
    pub culprit: Option<Culprit>,
    /// A graph as small as possible that fails, if there is a failure and it was asked for.
    pub minimal: Option<Minimal>,
}

impl CheckReport {
    /// Whether nothing failed. What was skipped did not fail.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    /// Does nothing if nothing failed.
    ///
    /// # Panics
    /// With this report, if something failed.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.is_ok(), "{self}");
    }

    /// The failures of the first order, then those of the second, worst first.
    #[must_use]
    pub fn worst(&self) -> Vec<&Failure> {
        let mut worst: Vec<&Failure> = self.failures.iter().collect();
        worst.sort_by(|a, b| a.order.cmp(&b.order).then(b.ratio().total_cmp(&a.ratio())));
        worst
    }

    pub(crate) fn absorb(&mut self, other: CheckReport) {
        self.compared += other.compared;
        self.closest = self.closest.max(other.closest);
        self.failures.extend(other.failures);
        self.skipped.extend(other.skipped);
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        match self.failures.len() {
            0 => write!(
                f,
                "{} comparisons hold, the closest at {:.2} of its tolerance",
                self.compared, self.closest
            )?,
            failed => {
                write!(f, "gradient check failed: {failed} of {} comparisons do not hold", self.compared)?
            }
        }
        if let Some(culprit) = &self.culprit {
            write!(f, "\nfirst wrong op: {}\n  = {}", culprit.place, culprit.wrong)?;
        }
        for failure in self.worst().iter().take(SHOWN) {
            write!(f, "\n  {failure}")?;
        }
        if self.failures.len() > SHOWN {
            write!(f, "\n  … and {} more", self.failures.len() - SHOWN)?;
        }
        for skipped in self.skipped.iter().take(SHOWN) {
            write!(f, "\n  skipped: {skipped}")?;
        }
        if self.skipped.len() > SHOWN {
            write!(f, "\n  … and {} more skipped", self.skipped.len() - SHOWN)?;
        }
        match &self.minimal {
            Some(minimal) => write!(f, "\n{minimal}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { value, error } = self.expected;
        write!(
            f,
            "{} (order {}): expected {value:e} ± {error:.1e}, got {:e}",
            self.claim, self.order, self.got
        )?;
        write!(f, ", {:.1e} times the tolerance {:.1e}", self.ratio(), self.tolerance)
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (order {}): {}", self.claim, self.order, self.why)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Element { input, index } => write!(f, "gradient in {input}{index:?}"),
            Claim::Direction => f.write_str("gradient along a random direction"),
            Claim::Transpose => f.write_str("reverse mode against forward mode"),
            Claim::Linear { input, index } => write!(f, "linearity in the cotangent, at {input}{index:?}"),
            Claim::Zero { input, index } => write!(f, "gradient of a zero cotangent, at {input}{index:?}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Kink(place) => write!(f, "on a kink of {place}"),
            Why::Corner { below, above } => {
                write!(f, "the derivative is {:e} from below and {:e} from above", below.value, above.value)
            }
            Why::Singular => f.write_str("not finite on both sides of the point"),
            Why::Imprecise { tolerance } => write!(f, "errors below {tolerance:.1e} would go unnoticed"),
        }
    }
}
