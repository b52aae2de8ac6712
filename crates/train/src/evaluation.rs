//! How good a model is on a data set.

use std::fmt;

use pullback_nn::LOSS;

/// Loss and metrics on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub(crate) values: Vec<(String, f64)>,
}

impl Evaluation {
    /// The loss, penalties included.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.get(LOSS).unwrap_or(f64::NAN)
    }

    /// The value of `loss` or of a metric.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// Loss and metrics by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} {value:.4}", if at > 0 { "  " } else { "" })?;
        }
        Ok(())
    }
}
