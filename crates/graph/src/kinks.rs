//! What gradients are at kinks and singular points: a table of data that the rules read.
//!
//! Where a function has no derivative, several answers are defensible. The default is the subgradient of least norm,
//! symmetric where operands are; the other columns are what PyTorch and JAX answer, to compare with them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which subgradients differentiation chooses: a column of the [table](Kink::TABLE). A property of a
/// [`Builder`](crate::Builder), and of the graphs it finishes.
///
/// ```
/// use pullback_graph::{Builder, Kink, KinkPolicy, Subgradient};
/// let b = Builder::new().with_kinks(KinkPolicy::Jax);
/// assert_eq!(b.kinks().at(Kink::Abs), Subgradient::Slope(1.0));
/// assert_eq!(KinkPolicy::default().at(Kink::Abs), Subgradient::Slope(0.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KinkPolicy {
    /// The subgradient of least norm, symmetric where operands are symmetric.
    #[default]
    MinNorm,
    /// PyTorch's choices.
    Torch,
    /// JAX's choices.
    Jax,
}

/// A place where a function has no derivative, or an infinite one: a row of the [table](Kink::TABLE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kink {
    /// `relu` at 0.
    Relu,
    /// Activations made of straight pieces, where these meet.
    Joint,
    /// `abs` at 0.
    Abs,
    /// `maximum` and `minimum` of equal operands, for each side.
    Pair,
    /// The extremes of several axes, or of all, where several elements are equal.
    Extremes,
    /// The extremes along one of several axes, where several elements are equal.
    ExtremesAlongAxis,
    /// The largest element of a window, where several are equal.
    Window,
    /// `clamp` at a bound.
    Bound,
    /// The norm of a zero vector; the standard deviation of equal elements.
    Norm,
    /// `a^0` at `a = 0`, in `a`.
    PowerOfZero,
    /// `0^b` for `b < 0`, in `b`; for `b ≥ 0` it is 0.
    ZeroToPower,
    /// `logsumexp` of nothing above -∞.
    Logsumexp,
    /// `sqrt` and `log` at 0.
    Pole,
}

/// What a gradient is at a [`Kink`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subgradient {
    /// The cotangent times this number.
    Slope(f64),
    /// An equal part for each of several equal elements.
    Even,
    /// All for the first of several equal elements.
    First,
    /// What the formula gives without a guard: NaN.
    Formula,
    /// 0 if the exponent is a whole number in the program or comes of integers, else what the formula gives: NaN.
    ByExponent,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KinkRow {
    /// Where it is.
    pub kink: Kink,
    /// The ops and the point, in words.
    pub place: &'static str,
    /// The answer of [`KinkPolicy::MinNorm`].
    pub min_norm: Subgradient,
    /// The answer of [`KinkPolicy::Torch`].
    pub torch: Subgradient,
    /// The answer of [`KinkPolicy::Jax`].
    pub jax: Subgradient,
}

use Subgradient::{ByExponent, Even, First, Formula, Slope};

const fn row(kink: Kink, place: &'static str, answers: [Subgradient; 3]) -> KinkRow {
    let [min_norm, torch, jax] = answers;
    KinkRow { kink, place, min_norm, torch, jax }
}

impl Kink {
    /// Every row, in the order of the variants.
    pub const TABLE: [KinkRow; 13] = [
        row(Kink::Relu, "relu at 0", [Slope(0.0); 3]),
        row(Kink::Joint, "relu6, hard_tanh, hard_sigmoid, hard_swish at their joints", [Slope(0.0); 3]),
        row(Kink::Abs, "abs at 0", [Slope(0.0), Slope(0.0), Slope(1.0)]),
        row(Kink::Pair, "maximum, minimum of equal operands", [Slope(0.5); 3]),
        row(Kink::Extremes, "max, min of all or several axes, ties", [Even; 3]),
        row(Kink::ExtremesAlongAxis, "max, min along one of several axes, ties", [Even, First, Even]),
        row(Kink::Window, "max pool and median, ties", [First; 3]),
        row(Kink::Bound, "clamp at a bound", [Slope(0.0); 3]),
        row(Kink::Norm, "norm of a zero vector, std of equal elements", [Slope(0.0), Slope(0.0), Formula]),
        row(Kink::PowerOfZero, "a^0 at a = 0, in a", [Slope(0.0), Slope(0.0), ByExponent]),
        row(
            Kink::ZeroToPower,
            "0^b for b < 0, in b (0 for b ≥ 0)",
            [Slope(f64::NEG_INFINITY), Slope(f64::NEG_INFINITY), Formula],
        ),
        row(Kink::Logsumexp, "logsumexp of nothing above -∞", [Slope(0.0), Formula, Formula]),
        row(Kink::Pole, "sqrt and log at 0", [Slope(f64::INFINITY); 3]),
    ];

    /// The row of this kink.
    #[must_use]
    pub fn row(self) -> KinkRow {
        Kink::TABLE[self as usize]
    }

    /// The table as text, in Markdown.
    #[must_use]
    pub fn table() -> String {
        let mut rows = vec![["at".to_string(), "min_norm".into(), "torch".into(), "jax".into()]];
        let row = |row: KinkRow| {
            [row.place.into(), row.min_norm.to_string(), row.torch.to_string(), row.jax.to_string()]
        };
        rows.extend(Kink::TABLE.map(row));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        let mut table = String::new();
        for (at, row) in rows.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            table.push_str(&format!("| {} |\n", cells.join(" | ")));
            if at == 0 {
                let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                table.push_str(&format!("| {} |\n", dashes.join(" | ")));
            }
        }
        table
    }
}

impl KinkPolicy {
    /// Every policy, in the order of the table's columns.
    pub const ALL: [KinkPolicy; 3] = [KinkPolicy::MinNorm, KinkPolicy::Torch, KinkPolicy::Jax];

    /// What gradients are at `kink`.
    #[must_use]
    pub fn at(self, kink: Kink) -> Subgradient {
        let row = kink.row();
        match self {
            KinkPolicy::MinNorm => row.min_norm,
            KinkPolicy::Torch => row.torch,
            KinkPolicy::Jax => row.jax,
        }
    }

    /// The number that the cotangent is multiplied with at `kink`; NaN where the answer is no number.
    #[must_use]
    pub(crate) fn slope(self, kink: Kink) -> f64 {
        match self.at(kink) {
            Slope(slope) => slope,
            Even | First | Formula | ByExponent => f64::NAN,
        }
    }

    /// The name used in the text IR and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            KinkPolicy::MinNorm => "min_norm",
            KinkPolicy::Torch => "torch",
            KinkPolicy::Jax => "jax",
        }
    }

    /// Whether this is what a new builder has.
    pub(crate) fn is_default(&self) -> bool {
        *self == KinkPolicy::default()
    }
}

impl fmt::Display for KinkPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KinkPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = KinkPolicy::ALL.into_iter().find(|policy| policy.name() == text);
        found.ok_or_else(|| format!("unknown kink policy {text:?}, expected min_norm, torch or jax"))
    }
}

impl fmt::Display for Subgradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slope(f64::INFINITY) => f.write_str("∞"),
            Slope(f64::NEG_INFINITY) => f.write_str("-∞"),
            Slope(slope) => write!(f, "{slope}"),
            Even => f.write_str("1/k each"),
            First => f.write_str("all to the first"),
            Formula => f.write_str("NaN, by the formula"),
            ByExponent => f.write_str("0 for a whole exponent, else NaN"),
        }
    }
}
