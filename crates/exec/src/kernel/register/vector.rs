//! What loops ask of a register.
#![allow(unsafe_code, reason = "what needs an instruction set is unsafe to call")]

use crate::kernel::register::InRegisters;

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
    /// The elements at `from` in the lanes of `mask`, the only ones read, and those of `self`.
    unsafe fn load_over(self, from: *const Self::Element, mask: Self::Mask) -> Self;
    /// Writes the elements to `to`.
    unsafe fn store(self, to: *mut Self::Element);
    /// Writes the elements in the lanes of `mask` to `to`.
    unsafe fn store_part(self, to: *mut Self::Element, mask: Self::Mask);
    /// `self + a · b`, rounded once where the instruction set can.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self · other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self` where that is larger, else `other`: also where one of them is NaN.
    unsafe fn larger(self, other: Self) -> Self;
    /// `self` where that is smaller, else `other`: also where one of them is NaN.
    unsafe fn smaller(self, other: Self) -> Self;
    /// Computes something in a function of its own, compiled for the instruction set of this register.
    unsafe fn apart(work: impl InRegisters<Self::Element>);
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

/// Implements [`Vector`] for registers, each by its instructions.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! registers {
    ($($register:ident of $ty:ty, $lanes:literal lanes, $rows:literal rows, turning $turning:ident: $zero:expr, $splat:ident $load:ident $store:ident $add:ident $mul:ident $apart:ident,
        larger |$x:ident, $y:ident| $larger:expr, smaller $smaller:expr,
        product |$a:ident, $b:ident, $sum:ident| $fma:expr,
        part $mask:ty: |$count:ident| $first:expr, |$from:ident, $part:ident| $load_part:expr, |$under:ident| $load_over:expr, |$to:ident, $values:ident| $store_part:expr;)*) => {
        $(
            // SAFETY: methods are instructions of the register's set; masked ones touch only the lanes of the mask.
            unsafe impl $crate::kernel::register::Vector for $register {
                type Element = $ty;
                type Mask = $mask;
                type Turning = $turning;
                const LANES: usize = $lanes;
                const ROWS: usize = $rows;

                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: the instruction set is there.
                    unsafe { $zero }
                }

                #[inline(always)]
                unsafe fn splat(from: *const $ty) -> Self {
                    // SAFETY: the instruction set is there, and one element to read.
                    unsafe { $splat(*from) }
                }

                #[inline(always)]
                unsafe fn load(from: *const $ty) -> Self {
                    // SAFETY: the instruction set is there, and `LANES` elements to read.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                #[allow(unused_unsafe, reason = "some masks are numbers")]
                unsafe fn first($count: usize) -> $mask {
                    // SAFETY: the instruction set is there.
                    unsafe { $first }
                }

                #[inline(always)]
                unsafe fn load_part($from: *const $ty, $part: $mask) -> Self {
                    // SAFETY: the instruction set is there, and the elements in the lanes of the mask.
                    unsafe { $load_part }
                }

                #[inline(always)]
                unsafe fn load_over(self, $from: *const $ty, $part: $mask) -> Self {
                    let $under = self;
                    // SAFETY: the instruction set is there, and the elements in the lanes of the mask.
                    unsafe { $load_over }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut $ty) {
                    // SAFETY: the instruction set is there, and room for `LANES` elements.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                unsafe fn store_part(self, $to: *mut $ty, $part: $mask) {
                    let $values = self;
                    // SAFETY: the instruction set is there, and room in the lanes of the mask.
                    unsafe { $store_part }
                }

                #[inline(always)]
                unsafe fn add_product(self, $a: Self, $b: Self) -> Self {
                    let $sum = self;
                    // SAFETY: the instruction set is there.
                    unsafe { $fma }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the instruction set is there.
                    unsafe { $add(self, other) }
                }

                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: the instruction set is there.
                    unsafe { $mul(self, other) }
                }

                #[inline(always)]
                unsafe fn larger(self, $y: Self) -> Self {
                    let $x = self;
                    // SAFETY: the instruction set is there.
                    unsafe { $larger }
                }

                #[inline(always)]
                unsafe fn smaller(self, $y: Self) -> Self {
                    let $x = self;
                    // SAFETY: the instruction set is there.
                    unsafe { $smaller }
                }

                #[inline(always)]
                unsafe fn apart(work: impl $crate::kernel::register::InRegisters<$ty>) {
                    // SAFETY: the instruction set is there.
                    unsafe { $apart::<Self, _>(work) }
                }
            }
        )*
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use registers;
