//! Several kernels over the same rows, a few rows at a time.
//!
//! In `softmax(q · kᵀ) · v`, and in `tanh(x · a) · b`, what lies between two products may be by far the largest value; the
//! gradient of attention has several of that size. If nobody else reads them, all kernels that make and read them are run as
//! one: for a few dozen rows one kernel after the other, then for the next rows. What they hand to each other is then
//! [held] by the worker for a block of rows, in the cache, and never in memory as a whole.
//!
//! A kernel takes part if it makes rows of its result of the same rows of what it reads, or if it is a product that
//! [contracts](sum) the rows: that adds each block's share to its result. What is copied of a right operand for one block is
//! kept for the next ones. The bits are those of the kernels run one after the other.
//!
//! [`strips`] finds the regions that go together, [`Blockwise`] runs them, and [`again`] has what was made on the way forward
//! made once more for the gradient, so that it too is never in memory.

mod again;
mod blockwise;
mod form;
mod group;
mod held;
mod size;
mod strips;
mod sum;

pub(crate) use again::again;
#[cfg(test)]
pub(crate) use again::again_from;
pub(crate) use blockwise::Blockwise;
pub(crate) use group::Strip;
pub(crate) use strips::{product_of, strips};
