//! Kernels of products: of tensors, with what is done to their results, and where these overlap.

pub(crate) mod contraction;
pub(crate) mod dot;
pub(crate) mod epilogue;
pub(crate) mod overlap;
mod skip;
