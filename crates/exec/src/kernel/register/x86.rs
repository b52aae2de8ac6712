//! Registers of x86-64, with their instructions.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::arch::x86_64::*;

use crate::kernel::register::InRegisters;
use crate::kernel::register::vector::{Vector, registers};

/// Lanes that are all ones, then as many that are zero: from the middle on, masks for any count.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of AVX2 whose first `words` words are set.
///
/// # Safety
/// AVX2 must be there, and `words` at most 8.
#[inline(always)]
unsafe fn words(words: usize) -> __m256i {
    // SAFETY: 8 words from there on lie inside the table.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - words).cast()) }
}

/// The first few lanes of a register of AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    lanes: __m256i,
    count: usize,
}

/// Writes the first `count` elements, in pieces: some processors take dozens of instructions for a masked store.
///
/// # Safety
/// AVX must be there, and room for `count` elements.
#[inline(always)]
unsafe fn store_f32(to: *mut f32, values: __m256, count: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let (mut to, mut rest) = (to, _mm256_castps256_ps128(values));
        if count == 8 {
            _mm256_storeu_ps(to, values);
            return;
        }
        if count & 4 != 0 {
            _mm_storeu_ps(to, rest);
            (to, rest) = (to.add(4), _mm256_extractf128_ps::<1>(values));
        }
        if count & 2 != 0 {
            _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
            (to, rest) = (to.add(2), _mm_movehl_ps(rest, rest));
        }
        if count & 1 != 0 {
            _mm_store_ss(to, rest);
        }
    }
}

/// As [`store_f32`].
///
/// # Safety
/// AVX must be there, and room for `count` elements.
#[inline(always)]
unsafe fn store_f64(to: *mut f64, values: __m256d, count: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let (mut to, mut rest) = (to, _mm256_castpd256_pd128(values));
        if count == 4 {
            _mm256_storeu_pd(to, values);
            return;
        }
        if count & 2 != 0 {
            _mm_storeu_pd(to, rest);
            (to, rest) = (to.add(2), _mm256_extractf128_pd::<1>(values));
        }
        if count & 1 != 0 {
            _mm_store_sd(to, rest);
        }
    }
}

/// Computes something in registers of AVX2.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn avx2<V: Vector, W: InRegisters<V::Element>>(work: W) {
    // SAFETY: this function is compiled for what the register needs.
    unsafe { work.compute::<V>() }
}

/// Computes something in registers of AVX-512.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<V: Vector, W: InRegisters<V::Element>>(work: W) {
    // SAFETY: this function is compiled for what the register needs.
    unsafe { work.compute::<V>() }
}

registers! {
    __m512 of f32, 16 lanes, 12 rows, turning __m512:
        _mm512_setzero_ps(), _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_mul_ps avx512,
        larger |x, y| _mm512_max_ps(x, y), smaller _mm512_min_ps(x, y),
        product |a, b, sum| _mm512_fmadd_ps(a, b, sum),
        part __mmask16: |count| ((1_u32 << count) - 1) as __mmask16,
        |from, part| _mm512_maskz_loadu_ps(part, from),
        |under| _mm512_mask_loadu_ps(under, part, from), |to, values| _mm512_mask_storeu_ps(to, part, values);
    __m512d of f64, 8 lanes, 12 rows, turning __m256d:
        _mm512_setzero_pd(), _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_mul_pd avx512,
        larger |x, y| _mm512_max_pd(x, y), smaller _mm512_min_pd(x, y),
        product |a, b, sum| _mm512_fmadd_pd(a, b, sum),
        part __mmask8: |count| ((1_u32 << count) - 1) as __mmask8,
        |from, part| _mm512_maskz_loadu_pd(part, from),
        |under| _mm512_mask_loadu_pd(under, part, from), |to, values| _mm512_mask_storeu_pd(to, part, values);
    __m256 of f32, 8 lanes, 6 rows, turning __m256:
        _mm256_setzero_ps(), _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_mul_ps avx2,
        larger |x, y| _mm256_max_ps(x, y), smaller _mm256_min_ps(x, y),
        product |a, b, sum| _mm256_fmadd_ps(a, b, sum),
        part Part: |count| Part { lanes: words(count), count },
        |from, part| _mm256_maskload_ps(from, part.lanes),
        |under| _mm256_blendv_ps(under, _mm256_maskload_ps(from, part.lanes), _mm256_castsi256_ps(part.lanes)), |to, values| store_f32(to, values, part.count);
    __m256d of f64, 4 lanes, 6 rows, turning __m256d:
        _mm256_setzero_pd(), _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_mul_pd avx2,
        larger |x, y| _mm256_max_pd(x, y), smaller _mm256_min_pd(x, y),
        product |a, b, sum| _mm256_fmadd_pd(a, b, sum),
        part Part: |count| Part { lanes: words(2 * count), count },
        |from, part| _mm256_maskload_pd(from, part.lanes),
        |under| _mm256_blendv_pd(under, _mm256_maskload_pd(from, part.lanes), _mm256_castsi256_pd(part.lanes)), |to, values| store_f64(to, values, part.count);
}
