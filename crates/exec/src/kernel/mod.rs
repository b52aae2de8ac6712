//! Kernels: how each op is computed over slices.
//!
//! [`Kernel::lower`] turns a [`Region`] of a bound graph into a kernel: elementwise nodes into one [`program`],
//! products into [`dot`], the rest into a loop per family, and what has no loop of its own into [`mod@reference`], the
//! interpreter's rule. Sizes, strides and cuts are fixed when a kernel is made; what a run needs beside its operands is in
//! the worker's [`Scratch`], so that it allocates nothing (the reference does).
//!
//! Invariants: the bits of a result depend on the bound graph alone, not on how it was cut into [`pieces`] or in which
//! order those ran, and for elementwise ops not on how nodes were fused (a product that reads a broadcast in place may
//! round otherwise than one that reads it copied); no kernel names an elementwise op; only [`simd`], [`matmul`], [`ahead`],
//! what [`conv`] multiplies with and running [`program`]s contain unsafe code.

mod compute;
mod lower;
mod slice;
mod scratch;
mod pieces;
mod reference;
mod role;
mod read;
mod region;
mod fuse;
mod heads;
mod merge;
mod survey;
mod recompute;
mod summed;
mod program;
mod loops;
mod routine;
mod simd;
mod view;
mod movement;
mod pad;
mod concat;
mod index;
mod scatter;
mod window;
mod padded;
mod window_arg;
mod fill;
mod reduce;
mod fold;
mod columns;
mod lanes;
mod arg;
mod running;
mod sort;
mod dot;
mod contraction;
mod matmul;
mod turned;
mod ahead;
mod overlap;
mod epilogue;
mod conv;
mod strip;
#[cfg(test)]
mod tests;

pub(crate) use compute::{Buffers, Kernel};
pub(crate) use fuse::regions;
pub(crate) use movement::Rearrange;
pub(crate) use recompute::recompute;
pub(crate) use region::Region;
pub(crate) use scratch::Scratch;
pub(crate) use slice::{Slice, SliceMut, Typed};
pub(crate) use strip::{again, strips};
pub(crate) use summed::summed;
pub(crate) use turned::{Turned, turned};
