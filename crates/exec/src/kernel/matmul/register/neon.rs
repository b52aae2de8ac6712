//! Registers of NEON, which every processor of AArch64 has, with their instructions.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::arch::aarch64::*;

use crate::kernel::matmul::InRegisters;
use crate::kernel::matmul::register::{Turn, Vector};

/// Registers with their instructions.
macro_rules! registers {
    ($($register:ident of $ty:ty, $lanes:literal lanes: $splat:ident $repeat:ident $load:ident $store:ident $fma:ident $add:ident,
        |$from:ident, $count:ident| $load_part:expr, |$to:ident, $values:ident, $stored:ident| $store_part:expr;)*) => {
        $(
            // SAFETY: methods are instructions that the target has; parts touch only as many elements as they say.
            unsafe impl Vector for $register {
                type Element = $ty;
                type Mask = usize;
                type Turning = Self;
                const LANES: usize = $lanes;
                // Of 32 registers two are a row of the right operand, and some the factors.
                const ROWS: usize = 12;

                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: the target has the instruction.
                    unsafe { $splat(0.0) }
                }

                #[inline(always)]
                unsafe fn splat(from: *const $ty) -> Self {
                    // SAFETY: one element is there to read.
                    unsafe { $repeat(from) }
                }

                #[inline(always)]
                unsafe fn load(from: *const $ty) -> Self {
                    // SAFETY: `LANES` elements are there to read.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn first(count: usize) -> usize {
                    count
                }

                #[inline(always)]
                unsafe fn load_part($from: *const $ty, $count: usize) -> Self {
                    // SAFETY: `count` elements are there to read.
                    unsafe { $load_part }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut $ty) {
                    // SAFETY: there is room for `LANES` elements.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                unsafe fn store_part(self, $to: *mut $ty, $stored: usize) {
                    let $values = self;
                    // SAFETY: there is room for `count` elements.
                    unsafe { $store_part }
                }

                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: the target has the instruction.
                    unsafe { $fma(self, a, b) }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the target has the instruction.
                    unsafe { $add(self, other) }
                }

                #[inline(never)]
                unsafe fn apart(product: impl InRegisters<$ty>) {
                    // SAFETY: the target has NEON.
                    unsafe { product.compute::<Self>() }
                }
            }
        )*
    };
}

registers! {
    float32x4_t of f32, 4 lanes: vdupq_n_f32 vld1q_dup_f32 vld1q_f32 vst1q_f32 vfmaq_f32 vaddq_f32,
        |from, count| match count {
            0 => vdupq_n_f32(0.0),
            1 => vld1q_lane_f32::<0>(from, vdupq_n_f32(0.0)),
            2 => vcombine_f32(vld1_f32(from), vdup_n_f32(0.0)),
            3 => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vdup_n_f32(0.0))),
            _ => vld1q_f32(from),
        },
        |to, values, count| match count {
            0 => {}
            1 => vst1q_lane_f32::<0>(to, values),
            2 => vst1_f32(to, vget_low_f32(values)),
            3 => {
                vst1_f32(to, vget_low_f32(values));
                vst1q_lane_f32::<2>(to.add(2), values);
            }
            _ => vst1q_f32(to, values),
        };
    float64x2_t of f64, 2 lanes: vdupq_n_f64 vld1q_dup_f64 vld1q_f64 vst1q_f64 vfmaq_f64 vaddq_f64,
        |from, count| match count {
            0 => vdupq_n_f64(0.0),
            1 => vld1q_lane_f64::<0>(from, vdupq_n_f64(0.0)),
            _ => vld1q_f64(from),
        },
        |to, values, count| match count {
            0 => {}
            1 => vst1q_lane_f64::<0>(to, values),
            _ => vst1q_f64(to, values),
        };
}

// SAFETY: these are instructions of the target, on as many elements as the trait says.
unsafe impl Turn for float32x4_t {
    const LINES: usize = 4;
    const NEIGHBORS: usize = 4;

    #[inline(always)]
    unsafe fn turn(from: *const f32, row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: the rows have so many elements, and there is room.
        unsafe {
            let rows: [float32x4_t; 4] = std::array::from_fn(|at| vld1q_f32(from.add(at * row)));
            // Every second element of two rows, as pairs: first rows 0 and 1, 2 and 3.
            let pairs =
                |a, b| [vreinterpretq_f64_f32(vtrn1q_f32(a, b)), vreinterpretq_f64_f32(vtrn2q_f32(a, b))];
            let [even, odd] = pairs(rows[0], rows[1]);
            let [even_below, odd_below] = pairs(rows[2], rows[3]);
            let columns = [
                vtrn1q_f64(even, even_below),
                vtrn1q_f64(odd, odd_below),
                vtrn2q_f64(even, even_below),
                vtrn2q_f64(odd, odd_below),
            ];
            for (at, column) in columns.into_iter().enumerate() {
                vst1q_f32(to.add(at * to_row), vreinterpretq_f32_f64(column));
            }
        }
    }
}

// SAFETY: as above.
unsafe impl Turn for float64x2_t {
    const LINES: usize = 2;
    const NEIGHBORS: usize = 2;

    #[inline(always)]
    unsafe fn turn(from: *const f64, row: usize, to: *mut f64, to_row: usize) {
        // SAFETY: the rows have so many elements, and there is room.
        unsafe {
            let (a, b) = (vld1q_f64(from), vld1q_f64(from.add(row)));
            vst1q_f64(to, vtrn1q_f64(a, b));
            vst1q_f64(to.add(to_row), vtrn2q_f64(a, b));
        }
    }
}
