//! Vector registers as matrix products use them: whole and masked loads and stores, sums of products, and turning rows into
//! columns.
#![allow(
    unsafe_code,
    reason = "loads and stores of vector registers, inside bounds that the caller has checked"
)]

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
                    // Where the target has no such instruction, rounding once would be a call per element.
                    $Name(std::array::from_fn(|lane| match cfg!(target_arch = "aarch64") {
                        true => a.0[lane].mul_add(b.0[lane], self.0[lane]),
                        false => self.0[lane] + a.0[lane] * b.0[lane],
                    }))
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    $Name(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Turn, Vector};

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

    /// Four elements of `f32` in each half of a register, from two rows four apart.
    ///
    /// # Safety
    /// AVX must be there, and four elements in both rows.
    #[inline(always)]
    unsafe fn halves_f32(from: *const f32, row: usize) -> __m256 {
        // SAFETY: as the caller promises.
        unsafe {
            _mm256_insertf128_ps::<1>(
                _mm256_castps128_ps256(_mm_loadu_ps(from)),
                _mm_loadu_ps(from.add(4 * row)),
            )
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
            _mm256_insertf128_pd::<1>(
                _mm256_castpd128_pd256(_mm_loadu_pd(from)),
                _mm_loadu_pd(from.add(2 * row)),
            )
        }
    }

    /// Turns four rows, inside each 128 bits, by the unpacking instructions of a register.
    macro_rules! turn_four {
        ($from:ident $row:ident, $gather:ident $low:ident $high:ident $low_pairs:ident $high_pairs:ident $to_pairs:ident $from_pairs:ident) => {{
            let rows: [_; 4] = std::array::from_fn(|at| $gather($from.add(at * $row), $row));
            let (a, b) = ($to_pairs($low(rows[0], rows[1])), $to_pairs($low(rows[2], rows[3])));
            let (c, d) = ($to_pairs($high(rows[0], rows[1])), $to_pairs($high(rows[2], rows[3])));
            [$low_pairs(a, b), $high_pairs(a, b), $low_pairs(c, d), $high_pairs(c, d)]
                .map(|row| $from_pairs(row))
        }};
    }

    /// Turns two rows, inside each 128 bits.
    macro_rules! turn_two {
        ($from:ident $row:ident, $gather:ident $low:ident $high:ident) => {{
            let rows = [$gather($from, $row), $gather($from.add($row), $row)];
            [$low(rows[0], rows[1]), $high(rows[0], rows[1])]
        }};
    }

    /// Registers with their instructions.
    macro_rules! registers {
        ($($register:ident of $ty:ty, $lanes:literal lanes, $rows:literal rows, turning $turning:ident: $zero:ident $splat:ident $load:ident $store:ident $fma:ident $add:ident,
            part $mask:ty: |$count:ident| $first:expr, |$from:ident, $part:ident| $load_part:expr, |$to:ident, $values:ident| $store_part:expr;)*) => {
            $(
                // SAFETY: methods are instructions of the register's set; masked ones touch only the lanes of the mask.
                unsafe impl Vector for $register {
                    type Element = $ty;
                    type Mask = $mask;
                    type Turning = $turning;
                    const LANES: usize = $lanes;
                    const ROWS: usize = $rows;

                    #[inline(always)]
                    unsafe fn zero() -> Self {
                        // SAFETY: the instruction set is there.
                        unsafe { $zero() }
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
                    #[allow(unused_unsafe, reason = "masks of AVX-512 are numbers")]
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
                    unsafe fn add_product(self, a: Self, b: Self) -> Self {
                        // SAFETY: the instruction set is there.
                        unsafe { $fma(a, b, self) }
                    }

                    #[inline(always)]
                    unsafe fn add(self, other: Self) -> Self {
                        // SAFETY: the instruction set is there.
                        unsafe { $add(self, other) }
                    }
                }
            )*
        };
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

    /// How registers turn rows: that many neighbors, by a macro and its instructions.
    macro_rules! turning {
        ($($register:ident of $ty:ty, $lines:literal lines, $neighbors:literal neighbors: $turn:ident $($with:ident)*;)*) => {
            $(
                // SAFETY: these are instructions of the register's set, on as many elements as the trait says.
                unsafe impl Turn for $register {
                    const LINES: usize = $lines;
                    const NEIGHBORS: usize = $neighbors;

                    #[inline(always)]
                    unsafe fn turn(from: *const $ty, row: usize, to: *mut $ty, to_row: usize) {
                        // SAFETY: the instruction set is there, the rows have so many elements, and there is room.
                        unsafe {
                            let turned = $turn!(from row, $($with)*);
                            for (at, row) in turned.into_iter().enumerate() {
                                row.store(to.add(at * to_row));
                            }
                        }
                    }
                }
            )*
        };
    }

    registers! {
        __m512 of f32, 16 lanes, 12 rows, turning __m512:
            _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps,
            part __mmask16: |count| ((1_u32 << count) - 1) as __mmask16,
            |from, part| _mm512_maskz_loadu_ps(part, from), |to, values| _mm512_mask_storeu_ps(to, part, values);
        __m512d of f64, 8 lanes, 12 rows, turning __m256d:
            _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd,
            part __mmask8: |count| ((1_u32 << count) - 1) as __mmask8,
            |from, part| _mm512_maskz_loadu_pd(part, from), |to, values| _mm512_mask_storeu_pd(to, part, values);
        __m256 of f32, 8 lanes, 6 rows, turning __m256:
            _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps,
            part Part: |count| Part { lanes: words(count), count },
            |from, part| _mm256_maskload_ps(from, part.lanes), |to, values| store_f32(to, values, part.count);
        __m256d of f64, 4 lanes, 6 rows, turning __m256d:
            _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd,
            part Part: |count| Part { lanes: words(2 * count), count },
            |from, part| _mm256_maskload_pd(from, part.lanes), |to, values| store_f64(to, values, part.count);
    }
    turning! {
        __m256 of f32, 8 lines, 4 neighbors: turn_four halves_f32 _mm256_unpacklo_ps _mm256_unpackhi_ps
            _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_castps_pd _mm256_castpd_ps;
        __m256d of f64, 4 lines, 2 neighbors: turn_two halves_f64 _mm256_unpacklo_pd _mm256_unpackhi_pd;
    }
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
