//! What products ask of a register.
#![allow(unsafe_code, reason = "what needs an instruction set is unsafe to call")]

use crate::kernel::matmul::InRegisters;

/// A vector register.
///
/// # Safety
/// Methods may be called only where the instruction set of the implementing type is available, with pointers to as many
/// elements as they say.
pub(crate) unsafe trait Vector: Copy {
    /// What it holds.
    type Element: Copy;
    /// How the first few lanes are told.
    type Mask: Copy;
    /// The register to turn rows with.
    type Turning: Turn<Element = Self::Element>;
    /// How many elements it holds.
    const LANES: usize;
    /// Rows of a tile: as many as leave registers for the operands.
    const ROWS: usize;
    /// Nothing but zeros.
    unsafe fn zero() -> Self;
    /// The element at `from`, in every lane.
    unsafe fn splat(from: *const Self::Element) -> Self;
    /// The elements at `from`.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// The first `count` lanes; at most all.
    unsafe fn first(count: usize) -> Self::Mask;
    /// The elements at `from` in the lanes of `mask`, the only ones read, and zeros.
    unsafe fn load_part(from: *const Self::Element, mask: Self::Mask) -> Self;
    /// Writes the elements to `to`.
    unsafe fn store(self, to: *mut Self::Element);
    /// Writes the elements in the lanes of `mask` to `to`.
    unsafe fn store_part(self, to: *mut Self::Element, mask: Self::Mask);
    /// `self + a · b`, rounded once where the instruction set can.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// Computes a product in a function of its own, compiled for the instruction set of this register.
    unsafe fn apart(product: impl InRegisters<Self::Element>);
}

/// A register that turns rows into columns.
///
/// # Safety
/// As [`Vector`].
pub(crate) unsafe trait Turn: Vector {
    /// Rows that are turned at once, and how many neighbors of each.
    const LINES: usize;
    /// See [`LINES`](Turn::LINES).
    const NEIGHBORS: usize;
    /// Turns `LINES` rows of `NEIGHBORS` elements, `row` apart, into `NEIGHBORS` rows of `LINES`, `to_row` apart.
    unsafe fn turn(from: *const Self::Element, row: usize, to: *mut Self::Element, to_row: usize);
}
