//! Kernels along axes: what elements come to, alone and on the way, extremes and their places, and sorting.

pub(crate) mod arg;
pub(crate) mod columns;
pub(crate) mod fold;
pub(crate) mod lanes;
pub(crate) mod reduce;
mod registers;
pub(crate) mod running;
pub(crate) mod sort;
pub(crate) mod terms;
