//! Kernels that move elements, by strides, into padding, side by side and by indices, and that make them of nothing.

pub(crate) mod concat;
pub(crate) mod draw;
pub(crate) mod fill;
pub(crate) mod index;
pub(crate) mod pad;
pub(crate) mod rearrange;
pub(crate) mod rows;
pub(crate) mod updates;
pub(crate) mod scatter;
pub(crate) mod view;
