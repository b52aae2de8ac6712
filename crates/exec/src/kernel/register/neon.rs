//! Registers of NEON, which every processor of AArch64 has, with their instructions.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::arch::aarch64::*;

use crate::kernel::register::InRegisters;
use crate::kernel::register::turning::{turn_four, turn_two, turning};
use crate::kernel::register::vector::{Vector, registers};

/// Computes something in registers of NEON.
///
/// # Safety
/// The register is one of NEON.
#[inline(never)]
unsafe fn neon<V: Vector, W: InRegisters<V::Element>>(work: W) {
    // SAFETY: the caller's promise; the target has NEON.
    unsafe { work.compute::<V>() }
}

registers! {
    float32x4_t of f32, 4 lanes, 12 rows, turning float32x4_t:
        vdupq_n_f32(0.0), vdupq_n_f32 vld1q_f32 vst1q_f32 vaddq_f32 vmulq_f32 neon,
        larger |x, y| vbslq_f32(vcgtq_f32(x, y), x, y), smaller vbslq_f32(vcltq_f32(x, y), x, y),
        product |a, b, sum| vfmaq_f32(sum, a, b),
        part usize: |count| count,
        |from, count| match count {
            0 => vdupq_n_f32(0.0),
            1 => vld1q_lane_f32::<0>(from, vdupq_n_f32(0.0)),
            2 => vcombine_f32(vld1_f32(from), vdup_n_f32(0.0)),
            3 => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vdup_n_f32(0.0))),
            _ => vld1q_f32(from),
        },
        |under| match count {
            0 => under,
            1 => vld1q_lane_f32::<0>(from, under),
            2 => vcombine_f32(vld1_f32(from), vget_high_f32(under)),
            3 => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vget_high_f32(under))),
            _ => vld1q_f32(from),
        },
        |to, values| match count {
            0 => {}
            1 => vst1q_lane_f32::<0>(to, values),
            2 => vst1_f32(to, vget_low_f32(values)),
            3 => {
                vst1_f32(to, vget_low_f32(values));
                vst1q_lane_f32::<2>(to.add(2), values);
            }
            _ => vst1q_f32(to, values),
        };
    float64x2_t of f64, 2 lanes, 12 rows, turning float64x2_t:
        vdupq_n_f64(0.0), vdupq_n_f64 vld1q_f64 vst1q_f64 vaddq_f64 vmulq_f64 neon,
        larger |x, y| vbslq_f64(vcgtq_f64(x, y), x, y), smaller vbslq_f64(vcltq_f64(x, y), x, y),
        product |a, b, sum| vfmaq_f64(sum, a, b),
        part usize: |count| count,
        |from, count| match count {
            0 => vdupq_n_f64(0.0),
            1 => vld1q_lane_f64::<0>(from, vdupq_n_f64(0.0)),
            _ => vld1q_f64(from),
        },
        |under| match count {
            0 => under,
            1 => vld1q_lane_f64::<0>(from, under),
            _ => vld1q_f64(from),
        },
        |to, values| match count {
            0 => {}
            1 => vst1q_lane_f64::<0>(to, values),
            _ => vst1q_f64(to, values),
        };
}

/// The elements of one row.
///
/// # Safety
/// Four elements are there.
#[inline(always)]
unsafe fn line_f32(from: *const f32, _: usize) -> float32x4_t {
    // SAFETY: as the caller promises.
    unsafe { vld1q_f32(from) }
}

/// As [`line_f32`].
///
/// # Safety
/// Two elements are there.
#[inline(always)]
unsafe fn line_f64(from: *const f64, _: usize) -> float64x2_t {
    // SAFETY: as the caller promises.
    unsafe { vld1q_f64(from) }
}

turning! {
    float32x4_t of f32, 4 lines, 4 neighbors: turn_four line_f32 vzip1q_f32 vzip2q_f32
        vzip1q_f64 vzip2q_f64 vreinterpretq_f64_f32 vreinterpretq_f32_f64;
    float64x2_t of f64, 2 lines, 2 neighbors: turn_two line_f64 vzip1q_f64 vzip2q_f64;
}
