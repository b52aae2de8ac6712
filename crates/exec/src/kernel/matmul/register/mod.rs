//! Vector registers as matrix products use them: whole and masked loads and stores, sums of products, and turning rows into
//! columns.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

mod portable;
#[cfg(target_arch = "x86_64")]
mod turn;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::kernel::matmul::InRegisters;

pub(crate) use portable::{Four, Two};

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a register turns its rows as element by element.
    fn turns<V: Turn<Element: Default + PartialEq + From<u8>>>() -> bool {
        let (row, to_row) = (V::NEIGHBORS + 3, V::LINES + 5);
        let from: Vec<V::Element> = (0..V::LINES * row).map(|at| V::Element::from(at as u8)).collect();
        let mut to = vec![V::Element::default(); V::NEIGHBORS * to_row];
        // SAFETY: the caller has the instruction set; both hold as many rows as are turned.
        unsafe { V::turn(from.as_ptr(), row, to.as_mut_ptr(), to_row) };
        (0..V::NEIGHBORS).all(|at| (0..V::LINES).all(|lane| to[at * to_row + lane] == from[lane * row + at]))
    }

    /// Whether parts of a register are read and written as they should be, and nothing behind them.
    fn has_parts<V: Vector<Element: Default + PartialEq + From<u8>>>() -> bool {
        let from: Vec<V::Element> = (0..V::LANES).map(|at| V::Element::from(at as u8 + 1)).collect();
        (0..=V::LANES).all(|count| {
            let (none, sentinel) = (V::Element::default(), V::Element::from(99));
            let [mut whole, mut part] = [vec![sentinel; V::LANES], vec![sentinel; V::LANES]];
            // SAFETY: the caller has the instruction set; all hold as many elements as a register.
            unsafe {
                let mask = V::first(count);
                V::load(from.as_ptr()).store_part(part.as_mut_ptr(), mask);
                V::load_part(from.as_ptr(), mask).store(whole.as_mut_ptr());
            }
            let expected = |rest: V::Element| (0..V::LANES).map(move |at| (at, rest));
            expected(none).all(|(at, rest)| whole[at] == if at < count { from[at] } else { rest })
                && expected(sentinel).all(|(at, rest)| part[at] == if at < count { from[at] } else { rest })
        })
    }

    #[test]
    fn parts_of_registers_are_read_and_written() {
        assert!(has_parts::<Four>() && has_parts::<Two>());
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            use std::arch::x86_64::{__m256, __m256d};
            assert!(has_parts::<__m256>() && has_parts::<__m256d>());
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            use std::arch::x86_64::{__m512, __m512d};
            assert!(has_parts::<__m512>() && has_parts::<__m512d>());
        }
    }

    #[test]
    fn rows_are_turned_into_columns() {
        assert!(turns::<Four>() && turns::<Two>());
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            use std::arch::x86_64::{__m256, __m256d};
            assert!(turns::<__m256>() && turns::<__m256d>());
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            assert!(turns::<std::arch::x86_64::__m512>());
        }
    }
}
