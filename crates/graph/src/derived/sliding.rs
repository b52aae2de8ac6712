//! What convolutions, pools and resizing say per axis.

use smallvec::SmallVec;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;

/// A number for every axis: one for all of them, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PerAxis {
    /// The same for all axes.
    All(usize),
    /// One per axis.
    Each(SmallVec<[usize; 3]>),
}

/// A number for both sides of every axis: one for all of them, one per axis, or a pair per axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sides {
    /// The same before and after each axis.
    Both(PerAxis),
    /// Before and after, per axis.
    Each(SmallVec<[(usize, usize); 3]>),
}

impl PerAxis {
    /// The numbers of `axes` axes.
    ///
    /// # Errors
    /// C2 when there is a list, and it is not as long as that; it is named `what`.
    pub(crate) fn of(&self, what: &str, axes: usize) -> Result<Vec<usize>, Violation> {
        match self {
            PerAxis::All(value) => Ok(vec![*value; axes]),
            PerAxis::Each(values) if values.len() == axes => Ok(values.to_vec()),
            PerAxis::Each(values) => {
                Err(Violation::new("C2", format!("takes a {what} for each of {axes} axes, got {values:?}")))
            }
        }
    }
}

impl Sides {
    /// The numbers before and after each of `axes` axes.
    ///
    /// # Errors
    /// C2 when there is a list, and it is not as long as that; it is named `what`.
    pub(crate) fn of(&self, what: &str, axes: usize) -> Result<Vec<(usize, usize)>, Violation> {
        match self {
            Sides::Both(values) => {
                Ok(values.of(what, axes)?.into_iter().map(|value| (value, value)).collect())
            }
            Sides::Each(pairs) if pairs.len() == axes => Ok(pairs.to_vec()),
            Sides::Each(pairs) => {
                Err(Violation::new("C2", format!("takes a {what} for each of {axes} axes, got {pairs:?}")))
            }
        }
    }
}

impl From<usize> for PerAxis {
    fn from(value: usize) -> Self {
        PerAxis::All(value)
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis {
    fn from(values: [usize; N]) -> Self {
        PerAxis::Each(values.into_iter().collect())
    }
}

impl From<Vec<usize>> for PerAxis {
    fn from(values: Vec<usize>) -> Self {
        PerAxis::Each(values.into())
    }
}

impl<T: Into<PerAxis>> From<T> for Sides {
    fn from(values: T) -> Self {
        Sides::Both(values.into())
    }
}

impl<const N: usize> From<[(usize, usize); N]> for Sides {
    fn from(pairs: [(usize, usize); N]) -> Self {
        Sides::Each(pairs.into_iter().collect())
    }
}

impl From<Vec<(usize, usize)>> for Sides {
    fn from(pairs: Vec<(usize, usize)>) -> Self {
        Sides::Each(pairs.into())
    }
}

/// The sizes, if all are known.
pub(crate) fn known_sizes(dims: &[Dim]) -> Option<Vec<usize>> {
    dims.iter().map(Dim::known).collect()
}

impl<'g> Expr<'g> {
    /// The sizes of the last axes, `count` of them, which must be known.
    #[track_caller]
    pub(super) fn last_sizes(self, op: &str, count: usize) -> Vec<usize> {
        let own = self.shape();
        let Some(lead) = own.rank().checked_sub(count) else { self.refuse_rank(op, count) };
        known_sizes(&own[lead..]).unwrap_or_else(|| {
            let message = format!("the sizes of the last {count} axes must be known, got {}", self.ty());
            self.refuse(op, Violation::new("C5", message), &[])
        })
    }

    #[track_caller]
    pub(super) fn refuse_rank(self, op: &str, least: usize) -> ! {
        let message = format!("takes at least {least} axes, got {}", self.ty());
        self.refuse(op, Violation::new("C2", message), &[])
    }
}
