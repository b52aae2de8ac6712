//! Normalization by neighbouring channels.

use std::panic::Location;

use crate::expr::Expr;
use crate::op::Window;

impl<'g> Expr<'g> {
    /// `x / (k + alpha / size · Σ x²)^beta`, the sum over `size` neighbouring channels (axis 1): `size / 2` before each and
    /// `(size - 1) / 2` after it, as far as there are so many (Krizhevsky et al., "ImageNet classification with deep
    /// convolutional neural networks", 2012; divided by the size, as PyTorch has it).
    ///
    /// # Panics
    /// When there are fewer than two axes, `size` is 0, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn local_response_norm(self, size: usize, alpha: f64, beta: f64, k: f64) -> Expr<'g> {
        self.builder().derived("local_response_norm", Location::caller(), || {
            if self.rank() < 2 {
                self.refuse_rank("local_response_norm", 2);
            }
            let channels =
                Window { size, before: size / 2, after: size.saturating_sub(1) / 2, ..Window::UNIT };
            let neighbours = self.square().flatten(2).unfold(&[channels, Window::UNIT]);
            let sums = neighbours.sum_over([1, 2]).reshape(self.shape());
            self / (sums * (alpha / size as f64) + k).pow(beta)
        })
    }
}
