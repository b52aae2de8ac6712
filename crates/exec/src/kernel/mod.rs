//! Kernels: how each op is computed over slices.
//!
//! [`Kernel::lower`] turns a [`Region`] of a bound graph into a kernel: elementwise nodes into one [`program`],
//! [`products`] with what is done to them, [`conv`]olutions, and a family of kernels each for [`windows`], [`reductions`],
//! [`movement`] and [`linalg`] (linear algebra); kernels that go through the same rows become a [`strip`], and what has no loop
//! of its own is left to [`mod@reference`], the interpreter's rule. Sizes, strides and cuts are fixed when a kernel is made;
//! what a run needs beside its operands is in the worker's [`Scratch`], so that it allocates nothing (the reference does).
//!
//! Invariants: the bits of a result depend on the bound graph alone, not on how it was cut into [`pieces`] or in which
//! order those ran, and for elementwise ops not on how nodes were fused (a product that reads a broadcast in place may
//! round otherwise than one that reads it copied); no kernel names an elementwise op; only [`simd`], [`register`], [`matmul`],
//! [`ahead`], [`opaque`], what [`conv`] multiplies with and running [`program`]s contain unsafe code.

mod compute;
mod lower;
mod regions;
mod program;
mod routine;
mod products;
mod matmul;
mod strip;
mod conv;
mod windows;
mod reductions;
mod movement;
mod linalg;
mod reference;
mod loops;
mod simd;
mod register;
mod ahead;
mod opaque;
mod pieces;
mod scratch;
mod slice;
#[cfg(test)]
mod tests;

pub(crate) use compute::{Buffers, Kernel};
pub(crate) use movement::rearrange::Rearrange;
pub(crate) use regions::fuse::regions;
pub(crate) use regions::recompute::recompute;
pub(crate) use regions::region::Region;
pub(crate) use regions::summed::summed;
pub(crate) use regions::turned::{Turned, turned};
pub(crate) use scratch::Scratch;
pub(crate) use slice::{Slice, SliceMut, Typed};
pub(crate) use strip::{again, strips};
