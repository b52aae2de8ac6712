//! Convolutions and their gradients without the matrix of windows.
//!
//! Every element of a window is at a fixed distance from the window's first one, once the tensor is copied with its
//! [padding](crate::kernel::windows::padded). So a product with windows is a product by tables of [distances](taps), which reads a copy that fits
//! the first-level cache many times instead of a matrix that does not fit the second once. Where windows that overlap are added
//! up, each [phase] of their stride is such a product with some places of the kernel.
//!
//! What this does not pay for, or cannot do, remains a [product](crate::kernel::products::dot) of windows made matrix by matrix.

mod taps;
mod along;
mod panel;
mod phase;
mod slide;
mod forward;
mod adjoint;
mod weights;

pub(crate) use slide::Slide;
pub(crate) use weights::Weights;
