//! The innermost loops of matrix products: a few rows times two registers of columns, kept in registers throughout.
//!
//! Written in intrinsics because compilers do not keep two dozen accumulators in registers on their own: the loops here
//! run at three quarters of the processor's peak and more, those over slices at a third.
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
    /// How many of them.
    const LANES: usize;
    /// Rows of a tile: as many as leave registers for the operands.
    const ROWS: usize;
    /// Nothing but zeros.
    unsafe fn zero() -> Self;
    /// The element at `from`, in every lane.
    unsafe fn splat(from: *const Self::Element) -> Self;
    /// The elements at `from`.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// The first `count` elements at `from`, then zeros; fewer than all.
    unsafe fn load_part(from: *const Self::Element, count: usize) -> Self;
    /// Writes the elements to `to`.
    unsafe fn store(self, to: *mut Self::Element);
    /// Writes the first `count` elements to `to`; fewer than all.
    unsafe fn store_part(self, to: *mut Self::Element, count: usize);
    /// `self + a · b`, rounded once where the instruction set can.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
}

/// Registers of columns in a tile.
pub(crate) const VECTORS: usize = 2;

/// One operand of a tile: where it starts, and how far apart its rows and columns are.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) start: *const T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// What a tile computes: `rows` × `depth` times `depth` × `columns`, the right operand's columns being neighbors.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    pub(crate) left: Strided<T>,
    pub(crate) right: *const T,
    pub(crate) right_row: usize,
    pub(crate) result: *mut T,
    pub(crate) result_row: usize,
    /// Whether the products are added to what the result holds.
    pub(crate) adds: bool,
}

/// Computes a tile. Every element is one chain of additions in the order of `depth`, whatever the tile's size.
///
/// # Safety
/// The instruction set of `V` must be available, `1 ≤ rows ≤ V::ROWS`, `1 ≤ columns ≤ VECTORS · V::LANES`, and all
/// elements that the tile names must lie inside their buffers.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(tile: Tile<V::Element>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tile.rows {
                $(
                    // SAFETY: as the caller promises; a tile with all columns has all of them to load.
                    $rows if $rows <= V::ROWS => unsafe {
                        if tile.columns == VECTORS * V::LANES {
                            multiply::<V, $rows, true>(tile);
                        } else {
                            multiply::<V, $rows, false>(tile);
                        }
                    },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// # Safety
/// As [`run`], for `tile.rows == ROWS` and all columns if `FULL`.
#[inline(always)]
unsafe fn multiply<V: Vector, const ROWS: usize, const FULL: bool>(tile: Tile<V::Element>) {
    let first = tile.columns.min(V::LANES);
    let counts = [first, tile.columns - first];
    // SAFETY: the caller promises that the elements of the tile lie inside their buffers; pointers move from one row to
    // the next and are not read behind the last.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let (mut left, mut right) = (tile.left.start, tile.right);
        for _ in 0..tile.depth {
            let mut columns = [V::zero(); VECTORS];
            for (vector, column) in columns.iter_mut().enumerate() {
                *column = load::<V, FULL>(right.wrapping_add(vector * V::LANES), counts[vector]);
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(left.wrapping_add(row * tile.left.row));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = sum.add_product(factor, column);
                }
            }
            left = left.wrapping_add(tile.left.column);
            right = right.wrapping_add(tile.right_row);
        }
        for (row, sums) in sums.iter().enumerate() {
            let result = tile.result.wrapping_add(row * tile.result_row);
            for (vector, sum) in sums.iter().enumerate() {
                let place = result.wrapping_add(vector * V::LANES);
                let sum = match tile.adds {
                    true => load::<V, FULL>(place, counts[vector]).add(*sum),
                    false => *sum,
                };
                match FULL {
                    true => sum.store(place),
                    false => store_some(sum, place, counts[vector]),
                }
            }
        }
    }
}

/// # Safety
/// `V`'s instruction set, and `count` elements at `from`, or all if `FULL`.
#[inline(always)]
unsafe fn load<V: Vector, const FULL: bool>(from: *const V::Element, count: usize) -> V {
    // SAFETY: as the caller promises.
    unsafe {
        match count {
            _ if FULL => V::load(from),
            count if count == V::LANES => V::load(from),
            0 => V::zero(),
            count => V::load_part(from, count),
        }
    }
}

/// # Safety
/// `V`'s instruction set, and room for `count` elements at `to`.
#[inline(always)]
unsafe fn store_some<V: Vector>(vector: V, to: *mut V::Element, count: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        match count {
            count if count == V::LANES => vector.store(to),
            0 => {}
            count => vector.store_part(to, count),
        }
    }
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
        )*
    };
}

portable!(Four: [f32; 4], Two: [f64; 2]);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    /// Lanes that are all ones, then as many that are zero: from the middle on, masks for any count.
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    /// The mask of AVX2 whose first `words` words are set.
    ///
    /// # Safety
    /// AVX2 must be there, and `words` at most 8.
    #[inline(always)]
    unsafe fn mask(words: usize) -> __m256i {
        // SAFETY: 8 words from there on lie inside the table.
        unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - words).cast()) }
    }

    /// Registers with their instructions; `part` says how the first `count` lanes are told.
    macro_rules! registers {
        ($($register:ident of $ty:ty, $lanes:literal lanes, $rows:literal rows: $zero:ident $splat:ident $load:ident $store:ident $fma:ident $add:ident,
            part |$from:ident, $count:ident| $load_part:expr, |$to:ident, $values:ident| $store_part:expr;)*) => {
            $(
                // SAFETY: every method is one instruction of the register's set; masked ones touch only the lanes of the mask.
                unsafe impl Vector for $register {
                    type Element = $ty;
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
                    unsafe fn load_part($from: *const $ty, $count: usize) -> Self {
                        // SAFETY: the instruction set is there, and `count` elements to read.
                        unsafe { $load_part }
                    }

                    #[inline(always)]
                    unsafe fn store(self, to: *mut $ty) {
                        // SAFETY: the instruction set is there, and room for `LANES` elements.
                        unsafe { $store(to, self) }
                    }

                    #[inline(always)]
                    unsafe fn store_part(self, $to: *mut $ty, $count: usize) {
                        let $values = self;
                        // SAFETY: the instruction set is there, and room for `count` elements.
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

    registers! {
        __m512 of f32, 16 lanes, 12 rows:
            _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps,
            part |from, count| _mm512_maskz_loadu_ps((1 << count) - 1, from),
            |to, values| _mm512_mask_storeu_ps(to, (1 << count) - 1, values);
        __m512d of f64, 8 lanes, 12 rows:
            _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd,
            part |from, count| _mm512_maskz_loadu_pd((1 << count) - 1, from),
            |to, values| _mm512_mask_storeu_pd(to, (1 << count) - 1, values);
        __m256 of f32, 8 lanes, 6 rows:
            _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps,
            part |from, count| _mm256_maskload_ps(from, mask(count)),
            |to, values| _mm256_maskstore_ps(to, mask(count), values);
        __m256d of f64, 4 lanes, 6 rows:
            _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd,
            part |from, count| _mm256_maskload_pd(from, mask(2 * count)),
            |to, values| _mm256_maskstore_pd(to, mask(2 * count), values);
    }
}
