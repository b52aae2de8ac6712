//! Windows as columns of a matrix.

use std::panic::Location;

use crate::derived::conv::ConvOptions;
use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// Windows as columns: `[n…, channels, sizes…]` is `[n…, channels · kernel…, windows]`, channels slowest, as the `unfold` of
    /// other libraries has it. Stride, padding and dilation are those of a [`conv`](Expr::conv).
    ///
    /// # Panics
    /// When there are fewer axes than the kernel and channels have, or a window does not fit.
    ///
    /// ```
    /// use pullback_graph::{Builder, ConvOptions, DType};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F32, [1, 2, 4, 4]);
    /// assert_eq!(x.im2col(&[2, 2], &ConvOptions::default()).ty().to_string(), "f32[1, 8, 9]");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn im2col(self, kernel: &[usize], options: &ConvOptions) -> Expr<'g> {
        self.builder().derived("im2col", Location::caller(), || {
            let own = self.shape();
            let Some(channels) = own.rank().checked_sub(kernel.len() + 1) else {
                self.refuse_rank("im2col", kernel.len() + 1)
            };
            let windows = self.or_refuse("im2col", options.windows(kernel, &own[channels + 1..]), &[]);
            let columns = self.unfold(&windows);
            let count = columns.shape()[channels + 1 + kernel.len()..].iter().product();
            let rows = own[channels].clone() * Dim::Known(kernel.iter().product());
            columns.reshape(own[..channels].iter().cloned().chain([rows, count]).collect::<Shape>())
        })
    }

    /// The adjoint of [`im2col`](Expr::im2col) for a tensor whose last axes have these sizes: `[n…, channels · kernel…, windows]`
    /// is `[n…, channels, sizes…]`, overlapping windows added up.
    ///
    /// # Panics
    /// When the axes are not those that [`im2col`](Expr::im2col) gives.
    #[must_use]
    #[track_caller]
    pub fn col2im(self, sizes: &[usize], kernel: &[usize], options: &ConvOptions) -> Expr<'g> {
        self.builder().derived("col2im", Location::caller(), || {
            let own = self.shape();
            let Some(rows) = own.rank().checked_sub(2) else { self.refuse_rank("col2im", 2) };
            let places = Dim::Known(kernel.iter().product());
            let (Some(channels), true) = (own[rows].exact_div(&places), sizes.len() == kernel.len()) else {
                let message = format!("{} is no windows of {kernel:?} of axes of sizes {sizes:?}", self.ty());
                self.refuse("col2im", Violation::new("C2", message), &[])
            };
            let dims: Vec<Dim> = sizes.iter().map(|size| Dim::Known(*size)).collect();
            let windows = self.or_refuse("col2im", options.windows(kernel, &dims), &[]);
            let counts = windows.iter().zip(&dims).map(|(window, size)| window.count(size));
            let counts: Vec<Dim> = self.or_refuse("col2im", counts.collect(), &[]);
            let lead = own[..rows].iter().cloned().chain([channels]);
            let kernel = kernel.iter().map(|size| Dim::Known(*size));
            self.reshape(lead.chain(kernel).chain(counts).collect::<Shape>()).fold(&windows, dims)
        })
    }
}
