//! Methods that read and write places given by indices.
//!
//! Indices are of type i64 and lie in `0..size`; negative ones do not count from the end. One that is out of range is an
//! error when the graph runs, which names index, bound and node.

use crate::expr::Expr;
use crate::op::{Gather, GatherAlong, Scatter, ScatterAlong, ScatterKind};

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

    /// This tensor with whole slices of `updates` in place of those at `indices` along `axis`; `updates` has the shape
    /// that [`gather`](Expr::gather) gives. Of updates with one index the last in row-major order remains, and it alone
    /// gets a gradient; what was overwritten gets none.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", F64, [4]);
    /// let y = x.scatter_set(b.constant(Tensor::vector([2_i64, 0, 2])), b.constant(Tensor::vector([5.0, 6.0, 7.0])), 0);
    /// let graph = b.finish([("y", y)])?;
    /// let values = interpret(&graph, [("x", &Tensor::of([4], [1.0; 4]))])?;
    /// assert_eq!(values.output("y")?, &Tensor::vector([6.0, 1.0, 7.0, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_set(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter("scatter_set", ScatterKind::Set, indices, updates, axis)
    }

    /// This tensor with whole slices of `updates` added at `indices` along `axis`; repeated indices add up.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_add(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter("scatter_add", ScatterKind::Add, indices, updates, axis)
    }

    /// This tensor with the larger of each element and those of `updates` at its index, by whole slices along `axis`. All
    /// that equal the maximum share the gradient evenly.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_max(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter("scatter_max", ScatterKind::Max, indices, updates, axis)
    }

    /// This tensor with the smaller of each element and those of `updates` at its index, by whole slices along `axis`. All
    /// that equal the minimum share the gradient evenly.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_min(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter("scatter_min", ScatterKind::Min, indices, updates, axis)
    }

    #[track_caller]
    fn scatter(
        self,
        name: &str,
        kind: ScatterKind,
        indices: Expr<'g>,
        updates: Expr<'g>,
        axis: i64,
    ) -> Expr<'g> {
        let axis = self.axis(name, axis);
        self.apply_to(Scatter { kind, axis }, &[indices, updates])
    }

    /// This tensor with each element of `updates` in place of the one at its index along `axis`; `indices` and `updates`
    /// have this tensor's shape but for `axis`. Of updates with one index the last remains, as in
    /// [`scatter_set`](Expr::scatter_set).
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_set_along(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter_along("scatter_set_along", ScatterKind::Set, indices, updates, axis)
    }

    /// This tensor with each element of `updates` added at its index along `axis`; repeated indices add up.
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_add_along(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter_along("scatter_add_along", ScatterKind::Add, indices, updates, axis)
    }

    /// This tensor with the larger of each element and those of `updates` at its index along `axis`, as
    /// [`scatter_max`](Expr::scatter_max).
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_max_along(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter_along("scatter_max_along", ScatterKind::Max, indices, updates, axis)
    }

    /// This tensor with the smaller of each element and those of `updates` at its index along `axis`, as
    /// [`scatter_min`](Expr::scatter_min).
    ///
    /// # Panics
    /// When the shapes or types do not fit. An index out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn scatter_min_along(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        self.scatter_along("scatter_min_along", ScatterKind::Min, indices, updates, axis)
    }

    #[track_caller]
    fn scatter_along(
        self,
        name: &str,
        kind: ScatterKind,
        indices: Expr<'g>,
        updates: Expr<'g>,
        axis: i64,
    ) -> Expr<'g> {
        let axis = self.axis(name, axis);
        self.apply_to(ScatterAlong { kind, axis }, &[indices, updates])
    }
}
