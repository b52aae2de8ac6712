//! How registers of x86-64 turn rows into columns.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

use std::arch::x86_64::*;

use crate::kernel::register::Turn;
use crate::kernel::register::turning::{turn_four, turn_two, turning};

/// Four elements of `f32` in each half of a register, from two rows four apart.
///
/// # Safety
/// AVX must be there, and four elements in both rows.
#[inline(always)]
unsafe fn halves_f32(from: *const f32, row: usize) -> __m256 {
    // SAFETY: as the caller promises.
    unsafe {
        _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from.add(4 * row)))
    }
}

/// Two elements of `f64` in each half of a register, from two rows two apart.
///
/// # Safety
/// AVX must be there, and two elements in both rows.
#[inline(always)]
unsafe fn halves_f64(from: *const f64, row: usize) -> __m256d {
    // SAFETY: as the caller promises.
    unsafe {
        _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(_mm_loadu_pd(from)), _mm_loadu_pd(from.add(2 * row)))
    }
}

/// Four lines of sixteen elements, turned inside each 128 bits: the elements number `at` of each four.
///
/// # Safety
/// AVX-512 must be there, and the lines, `row` apart.
#[inline(always)]
unsafe fn four_lines(from: *const f32, row: usize) -> [__m512d; 4] {
    // SAFETY: as the caller promises.
    unsafe {
        let (a, b) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(row)));
        let (c, d) = (_mm512_loadu_ps(from.add(2 * row)), _mm512_loadu_ps(from.add(3 * row)));
        let [ab, cd] =
            [_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpacklo_ps(c, d))];
        let [ef, gh] =
            [_mm512_castps_pd(_mm512_unpackhi_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d))];
        [
            _mm512_unpacklo_pd(ab, cd),
            _mm512_unpackhi_pd(ab, cd),
            _mm512_unpacklo_pd(ef, gh),
            _mm512_unpackhi_pd(ef, gh),
        ]
    }
}

// SAFETY: these are instructions of the register's set, on as many elements as the trait says.
unsafe impl Turn for __m512 {
    const LINES: usize = 8;
    const NEIGHBORS: usize = 16;

    #[inline(always)]
    unsafe fn turn(from: *const f32, row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: the instruction set is there, the rows have so many elements, and there is room.
        unsafe {
            let low = four_lines(from, row);
            let high = four_lines(from.add(4 * row), row);
            let first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
            let last = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
            for at in 0..4 {
                for (index, half) in [first, last].into_iter().enumerate() {
                    let two = _mm512_permutex2var_pd(low[at], half, high[at]);
                    let place = to.add((8 * index + at) * to_row);
                    _mm256_storeu_pd(place.cast(), _mm512_castpd512_pd256(two));
                    _mm256_storeu_pd(place.add(4 * to_row).cast(), _mm512_extractf64x4_pd::<1>(two));
                }
            }
        }
    }
}

turning! {
    __m256 of f32, 8 lines, 4 neighbors: turn_four halves_f32 _mm256_unpacklo_ps _mm256_unpackhi_ps
        _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_castps_pd _mm256_castpd_ps;
    __m256d of f64, 4 lines, 2 neighbors: turn_two halves_f64 _mm256_unpacklo_pd _mm256_unpackhi_pd;
}
