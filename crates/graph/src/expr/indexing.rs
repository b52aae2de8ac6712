//! Methods that read and write places given by indices.

use crate::expr::Expr;
use crate::op::{Gather, GatherAlong, ScatterAdd, ScatterAddAlong};

impl<'g> Expr<'g> {
    /// Whole slices of this tensor at `indices` along `axis`, as `numpy.take`: the axis is replaced by the axes of
    /// `indices`. Slices taken twice add up their gradients.
    ///
    /// # Panics
    /// When there is no such axis or `indices` is not of type i64. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn gather(self, indices: Expr<'g>, axis: i64) -> Expr<'g> {
        let axis = self.axis("gather", axis);
        self.apply_to(Gather { axis }, &[indices])
    }

    /// One element per index along `axis`, as `numpy.take_along_axis`: `indices` has this tensor's shape but for `axis`.
    ///
    /// # Panics
    /// When the shapes do not fit or `indices` is not of type i64. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn gather_along(self, indices: Expr<'g>, axis: i64) -> Expr<'g> {
        let axis = self.axis("gather_along", axis);
        self.apply_to(GatherAlong { axis }, &[indices])
    }

    /// This tensor with whole slices of `updates` added at `indices` along `axis`; repeated indices add up.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_add(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        let axis = self.axis("scatter_add", axis);
        self.apply_to(ScatterAdd { axis }, &[indices, updates])
    }

    /// This tensor with each element of `updates` added at its index along `axis`; repeated indices add up.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_add_along(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        let axis = self.axis("scatter_add_along", axis);
        self.apply_to(ScatterAddAlong { axis }, &[indices, updates])
    }
}
