//! The error function and its complement.

use super::exponential::{expm1_of_rest, moderate_exp, reduced};
use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{TWO_EXPONENTS, fma, limit, polynomial, powers_of_two};

pub(super) struct Erf;

impl Routine<f32> for Erf {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let size = limit(x.abs(), 0.0, 3.95);
        let p = polynomial::<FMA, 7>(
            size * size,
            [
                0.128_379_17,
                -0.376_126_26,
                0.112_835_824,
                -0.026_853_643,
                0.005_187_962_7,
                -0.000_800_679_3,
                0.000_078_422_89,
            ],
        );
        let near = fma::<FMA>(size, p, size);
        // -log(1 - erf) is nearly a parabola.
        let far = polynomial::<FMA, 7>(
            size,
            [
                0.000_592_169_5,
                1.126_063_6,
                0.639_859_56,
                0.101_608_9,
                -0.021_117_754,
                0.002_766_998_5,
                -0.000_167_929_71,
            ],
        );
        let far = 1.0 - moderate_exp::<FMA>(-far);
        let value = if size < 1.0 { near } else { far };
        value.copysign(x)
    }
}

/// Where the variable of [`Erfc`]'s polynomial is zero.
const MIDDLE: f32 = 3.5;

pub(super) struct Erfc;

impl Routine<f32> for Erfc {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        // Far out it is zero, by powers of two that are, as in `exp`.
        let size = if x.abs() > 10.06 { 13.27 } else { x.abs() };
        // A variable that maps the whole axis to a finite stretch. What its division has lost is found by multiplying.
        let inverse = 1.0 / (size + MIDDLE);
        let t = (size - MIDDLE) * inverse;
        let lost = fma::<FMA>(-t, size, fma::<FMA>(-(1.0 + t), MIDDLE, size));
        let t = fma::<FMA>(lost, inverse, t);
        // e^(x²) erfc(x), with a relative error below 2⁻²⁵.
        let scaled = polynomial::<FMA, 11>(
            t,
            [
                0.155_293_66,
                -0.289_265_04,
                0.233_130_5,
                -0.161_339_09,
                0.094_427_36,
                -0.045_430_057,
                0.016_981_972,
                -0.004_272_502,
                0.000_236_208_42,
                0.000_334_716_87,
                -0.000_041_673_225,
            ],
        );
        // x² = square + rest: of half as many digits the square is exact.
        let half = f32::from_bits(size.to_bits() & 0xFFFF_F000);
        let (square, rest) = (half * half, (size - half) * (size + half));
        let (shifted, r) = reduced::<FMA>(-square, TWO_EXPONENTS);
        let e = expm1_of_rest::<FMA>(r - rest);
        let [one, two] = powers_of_two(shifted);
        let value = fma::<FMA>(scaled, e, scaled) * one * two;
        if x < 0.0 { 2.0 - value } else { value }
    }
}
