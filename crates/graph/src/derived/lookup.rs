//! Rows chosen by ids: embeddings, one-hot rows, sums over segments.
//!
//! Ids are indices: of type i64, in `0..size`, and out of range an error when the graph runs.

use std::panic::Location;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{Literal, Scalar};
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// The rows of this table at `ids`: `[v, d…]` at `[i…]` gives `[i…, d…]`. Rows taken twice add up their gradients; the
    /// row `padding` stands for no word, and gets none.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::{F32, I64}};
    /// let b = Builder::new();
    /// let (table, ids) = (b.parameter("table", F32, [100, 16]), b.input("ids", I64, [8, 20]));
    /// assert_eq!(table.embedding(ids, Some(0)).ty().to_string(), "f32[8, 20, 16]");
    /// ```
    ///
    /// # Panics
    /// When this is a scalar, `ids` is not of type i64, or there is no row `padding`. An id out of range is an error when
    /// the graph runs.
    #[must_use]
    #[track_caller]
    pub fn embedding(self, ids: Expr<'g>, padding: Option<usize>) -> Expr<'g> {
        self.builder().derived("embedding", Location::caller(), || {
            let rows = self.gather(ids, 0);
            let Some(padding) = padding else { return rows };
            if self.shape()[0].known().is_some_and(|count| padding >= count) {
                let message = format!("there is no row {padding} in {}", self.ty());
                self.refuse("embedding", Violation::new("C4", message), &[ids]);
            }
            let lead = ids.shape();
            let ones = vec![Dim::Known(1); self.rank() - 1];
            let is_padding =
                ids.eq(padding as i64).reshape(lead.iter().cloned().chain(ones).collect::<Shape>());
            is_padding.select(rows.stop_gradient(), rows)
        })
    }

    /// Rows of `depth` elements, 1 at these ids and 0 elsewhere: `[i…]` gives `[i…, depth]` of type `dtype`.
    ///
    /// # Panics
    /// When the ids are not of type i64. An id out of range is an error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn one_hot(self, depth: impl Into<Dim>, dtype: DType) -> Expr<'g> {
        let depth = depth.into();
        self.builder().derived("one_hot", Location::caller(), || {
            let ids = self.expand_dims(-1);
            let shape: Shape = self.shape().iter().cloned().chain([depth]).collect();
            let ones = self.builder().full(dtype, ids.shape(), 1.0);
            self.builder().full(dtype, shape, 0.0).scatter_set_along(ids, ones, -1)
        })
    }

    /// This tensor with the slices of `updates` added at `indices`, of one axis, along `axis`; repeated indices add up:
    /// [`scatter_add`](Expr::scatter_add) of as many slices as indices.
    ///
    /// # Panics
    /// When `indices` has not one axis, or the shapes or types do not fit. An index out of range is an error when the
    /// graph runs.
    #[must_use]
    #[track_caller]
    pub fn index_add(self, indices: Expr<'g>, updates: Expr<'g>, axis: i64) -> Expr<'g> {
        if indices.rank() != 1 {
            let message = format!("takes indices of one axis, got {}", indices.ty());
            let help = "`scatter_add` takes indices of any shape";
            self.refuse("index_add", Violation::new("C3", message).help(help), &[indices, updates]);
        }
        self.scatter_add(indices, updates, axis)
    }

    /// The sums of the slices of each id: `[i…, d…]` with ids `[i…]` gives `[count, d…]`; 0 for an id that does not occur.
    ///
    /// # Panics
    /// When the shapes do not fit, `ids` is not of type i64, or the elements are truth values. An id out of range is an
    /// error when the graph runs.
    #[must_use]
    #[track_caller]
    pub fn segment_sum(self, ids: Expr<'g>, count: impl Into<Dim>) -> Expr<'g> {
        let count = count.into();
        self.builder().derived("segment_sum", Location::caller(), || {
            self.segments(ids, count, 0.0, 0).scatter_add(ids, self, 0)
        })
    }

    /// The largest of the slices of each id, element by element, as [`segment_sum`](Expr::segment_sum) adds them; -∞, or
    /// the smallest whole number, for an id that does not occur. Equal ones share the gradient evenly.
    ///
    /// # Panics
    /// As [`segment_sum`](Expr::segment_sum).
    #[must_use]
    #[track_caller]
    pub fn segment_max(self, ids: Expr<'g>, count: impl Into<Dim>) -> Expr<'g> {
        let count = count.into();
        self.builder().derived("segment_max", Location::caller(), || {
            self.segments(ids, count, f64::NEG_INFINITY, i64::MIN).scatter_max(ids, self, 0)
        })
    }

    /// The smallest of the slices of each id, element by element, as [`segment_sum`](Expr::segment_sum) adds them; ∞, or
    /// the largest whole number, for an id that does not occur. Equal ones share the gradient evenly.
    ///
    /// # Panics
    /// As [`segment_sum`](Expr::segment_sum).
    #[must_use]
    #[track_caller]
    pub fn segment_min(self, ids: Expr<'g>, count: impl Into<Dim>) -> Expr<'g> {
        let count = count.into();
        self.builder().derived("segment_min", Location::caller(), || {
            self.segments(ids, count, f64::INFINITY, i64::MAX).scatter_min(ids, self, 0)
        })
    }

    /// What segments are before anything falls into them: `float` or `whole`, by type.
    #[track_caller]
    fn segments(self, ids: Expr<'g>, count: Dim, float: f64, whole: i64) -> Expr<'g> {
        let own = self.shape();
        let Some(rest) = own.get(ids.rank()..) else {
            let message = format!("takes an id per slice, got {} for {}", ids.ty(), self.ty());
            self.refuse("segment", Violation::new("C4", message), &[ids])
        };
        let shape: Shape = std::iter::once(count).chain(rest.iter().cloned()).collect();
        match self.dtype() {
            DType::I64 => self.builder().leaf(Literal { value: Scalar::from(whole), shape }),
            dtype => self.builder().full(dtype, shape, float),
        }
    }
}
