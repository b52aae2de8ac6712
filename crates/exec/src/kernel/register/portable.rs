//! Registers of the baseline where nothing is known of it, or, on x86-64, where it lacks a fused product and sum.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use crate::kernel::register::InRegisters;
use crate::kernel::register::{Turn, Vector};

/// Registers of the baseline: arrays that the compiler keeps in what the target has.
macro_rules! portable {
    ($($Name:ident: [$ty:ty; $lanes:literal]),*) => {
        $(
            /// A register of the baseline.
            #[derive(Clone, Copy)]
            pub(crate) struct $Name([$ty; $lanes]);

            // SAFETY: no instruction set is needed; pointers are used for as many elements as the trait says.
            unsafe impl Vector for $Name {
                type Element = $ty;
                type Mask = usize;
                type Turning = Self;
                const LANES: usize = $lanes;
                const ROWS: usize = 4;

                #[inline(always)]
                unsafe fn zero() -> Self {
                    $Name([0.0; $lanes])
                }

                #[inline(always)]
                unsafe fn splat(from: *const $ty) -> Self {
                    // SAFETY: one element is there to read.
                    $Name([unsafe { *from }; $lanes])
                }

                #[inline(always)]
                unsafe fn load(from: *const $ty) -> Self {
                    // SAFETY: `LANES` elements are there to read.
                    $Name(unsafe { from.cast::<[$ty; $lanes]>().read_unaligned() })
                }

                #[inline(always)]
                unsafe fn first(count: usize) -> usize {
                    count
                }

                #[inline(always)]
                unsafe fn load_part(from: *const $ty, count: usize) -> Self {
                    let mut lanes = [0.0; $lanes];
                    // SAFETY: `count` elements are there to read.
                    lanes[..count].copy_from_slice(unsafe { std::slice::from_raw_parts(from, count) });
                    $Name(lanes)
                }

                #[inline(always)]
                unsafe fn load_over(mut self, from: *const $ty, count: usize) -> Self {
                    // SAFETY: `count` elements are there to read.
                    self.0[..count].copy_from_slice(unsafe { std::slice::from_raw_parts(from, count) });
                    self
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut $ty) {
                    // SAFETY: there is room for `LANES` elements.
                    unsafe { to.cast::<[$ty; $lanes]>().write_unaligned(self.0) }
                }

                #[inline(always)]
                unsafe fn store_part(self, to: *mut $ty, count: usize) {
                    // SAFETY: there is room for `count` elements.
                    unsafe { std::slice::from_raw_parts_mut(to, count) }.copy_from_slice(&self.0[..count]);
                }

                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // Not all of these targets have an instruction that rounds once, and a call per element would be slow.
                    $Name(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    $Name(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
                }

                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    $Name(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
                }

                #[inline(always)]
                unsafe fn larger(self, other: Self) -> Self {
                    let larger = |x, y| if x > y { x } else { y };
                    $Name(std::array::from_fn(|lane| larger(self.0[lane], other.0[lane])))
                }

                #[inline(always)]
                unsafe fn smaller(self, other: Self) -> Self {
                    let smaller = |x, y| if x < y { x } else { y };
                    $Name(std::array::from_fn(|lane| smaller(self.0[lane], other.0[lane])))
                }

                #[inline(never)]
                unsafe fn apart(work: impl InRegisters<$ty>) {
                    // SAFETY: no instruction set is needed.
                    unsafe { work.compute::<Self>() }
                }
            }

            // SAFETY: pointers are used for as many elements as the trait says.
            unsafe impl Turn for $Name {
                const LINES: usize = $lanes;
                const NEIGHBORS: usize = 1;

                #[inline(always)]
                unsafe fn turn(from: *const $ty, row: usize, to: *mut $ty, _: usize) {
                    for lane in 0..$lanes {
                        // SAFETY: there is an element in each of `LANES` rows, and room for as many.
                        unsafe { to.add(lane).write(from.add(lane * row).read()) }
                    }
                }
            }
        )*
    };
}

portable!(Four: [f32; 4], Two: [f64; 2]);
