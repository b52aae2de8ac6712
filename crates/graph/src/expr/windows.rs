//! Methods that slide windows over the last axes.

use crate::dim::Dim;
use crate::expr::Expr;
use crate::op::{Fold, Unfold, Window};

impl<'g> Expr<'g> {
    /// The windows of the last axes, one [`Window`] per axis: first the places of a window, then the windows, with zeros in
    /// the padding. `[n, c, 5, 5]` with windows of 3 × 3 is `[n, c, 3, 3, 3, 3]`.
    ///
    /// # Panics
    /// When a window does not fit its axis, or the size of an axis is not known and a stride leaves a remainder.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, op::Window};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [2, 7]);
    /// let windows = x.unfold(&[Window { size: 3, stride: 2, ..Window::UNIT }]);
    /// assert_eq!(windows.ty().to_string(), "f32[2, 3, 3]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn unfold(self, windows: &[Window]) -> Expr<'g> {
        self.apply(Unfold { windows: windows.into() })
    }

    /// Windows put back onto axes of these sizes, overlapping ones added up: the adjoint of [`unfold`](Expr::unfold).
    ///
    /// # Panics
    /// When this tensor does not have the axes that [`unfold`](Expr::unfold) gives, or its elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn fold<D: Into<Dim>>(self, windows: &[Window], sizes: impl IntoIterator<Item = D>) -> Expr<'g> {
        let sizes = sizes.into_iter().map(Into::into).collect();
        self.apply(Fold { windows: windows.into(), sizes })
    }
}
