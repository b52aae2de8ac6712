//! What routines are written in, once for each element type.

/// Declares the arithmetic of `$ty`: `$shift` is 1.5 times the first power of two whose neighbors are whole
/// numbers, `$digits` the bits behind the first of a number, `$bias` what exponents are stored with.
macro_rules! arithmetic {
    ($ty:ident, shift $shift:literal, digits $digits:literal, bias $bias:literal) => {
        /// `a · b + c`, rounded once with `FMA`.
        #[inline(always)]
        pub(in crate::kernel::routine) fn fma<const FMA: bool>(a: $ty, b: $ty, c: $ty) -> $ty {
            if FMA { a.mul_add(b, c) } else { a * b + c }
        }

        /// `Σ coefficients[i] · xⁱ`, by Horner's rule.
        #[inline(always)]
        pub(in crate::kernel::routine) fn polynomial<const FMA: bool, const N: usize>(
            x: $ty,
            coefficients: [$ty; N],
        ) -> $ty {
            let mut sum = coefficients[N - 1];
            for at in 1..N {
                sum = fma::<FMA>(sum, x, coefficients[N - 1 - at]);
            }
            sum
        }

        /// `x` limited to `low … high`; NaN stays.
        #[inline(always)]
        pub(in crate::kernel::routine) fn limit(x: $ty, low: $ty, high: $ty) -> $ty {
            let x = if x > high { high } else { x };
            if x < low { low } else { x }
        }

        /// Adding it leaves the nearest whole number in the last bits.
        pub(in crate::kernel::routine) const SHIFT: $ty = $shift;

        /// [`SHIFT`] for exponents: it adds to them what they are stored with.
        pub(in crate::kernel::routine) const EXPONENT: $ty = $shift + $bias;

        /// `2ⁿ` for the whole number in the last bits of `shifted = n + EXPONENT`, neither subnormal nor infinite.
        #[inline(always)]
        pub(in crate::kernel::routine) fn power_of_two(shifted: $ty) -> $ty {
            $ty::from_bits(shifted.to_bits() << $digits)
        }

        /// [`SHIFT`] for sums of two exponents.
        pub(in crate::kernel::routine) const TWO_EXPONENTS: $ty = $shift + 2.0 * $bias;

        /// `2ⁿ` as a product of two powers, since the range of results is wider than that of powers of two; `n` is in the last
        /// bits of `shifted = n + TWO_EXPONENTS`.
        #[inline(always)]
        pub(in crate::kernel::routine) fn powers_of_two(shifted: $ty) -> [$ty; 2] {
            let half = shifted.to_bits() >> 1;
            let rest = shifted.to_bits().wrapping_sub(half);
            [$ty::from_bits(half << $digits), $ty::from_bits(rest << $digits)]
        }
    };
}

/// For `f32`.
pub(super) mod single {
    arithmetic! { f32, shift 12_582_912.0, digits 23, bias 127.0 }

    /// `a · b + c`, rounded once with `FMA`, and as good as that without: for differences that would lose their digits.
    #[inline(always)]
    pub(in crate::kernel::routine) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
        // The product is exact in `f64`.
        if FMA { a.mul_add(b, c) } else { (f64::from(a) * f64::from(b) + f64::from(c)) as f32 }
    }

    /// `x` with its sign turned if the whole number in the last bits of `shifted` is odd.
    #[inline(always)]
    pub(in crate::kernel::routine) fn turned(x: f32, shifted: f32) -> f32 {
        f32::from_bits(x.to_bits() ^ (shifted.to_bits() << 31))
    }
}

/// For `f64`.
pub(super) mod double {
    arithmetic! { f64, shift 6_755_399_441_055_744.0, digits 52, bias 1023.0 }
}
