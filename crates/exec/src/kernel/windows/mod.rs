//! Kernels over windows that slide along axes, of which overlapping ones are added up.

pub(crate) mod padded;
pub(crate) mod window;
pub(crate) mod window_arg;
