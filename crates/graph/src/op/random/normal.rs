//! Normal numbers, two of two uniform ones (Box and Muller, "A note on the generation of random normal deviates", 1958).
//!
//! The logarithm, sine and cosine are made of sums and products that every machine rounds alike, none of them fused, and have
//! no branch: interpreter and kernels take the same function, so that a key means the same bits everywhere, and compilers
//! make vector instructions of it. The kernels' own routines for these functions fuse where a processor can, and would not do.
//! Series and coefficients are those of Sun's fdlibm.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// 2⁵² + 2⁵¹: what is added to it is rounded to a whole number, the lowest bits of the sum.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// Two independent normal numbers of two independent uniform ones in [0, 1).
#[inline(always)]
pub(super) fn normal([u, v]: [f64; 2]) -> [f64; 2] {
    let radius = (-2.0 * log(1.0 - u)).sqrt();
    turned(v).map(|side| radius * side)
}

/// The natural logarithm of a number that is neither subnormal nor above 1.
#[inline(always)]
fn log(x: f64) -> f64 {
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    // x = 2ⁿ · (1 + f) with 1 + f between √½ and √2; n by way of 2⁵² + 2048 + n, which needs no conversion.
    let exponent = x.to_bits().wrapping_sub(FRAC_1_SQRT_2.to_bits()) & 0xFFF0_0000_0000_0000;
    let biased = (exponent >> 52).wrapping_add(2048) & 0xFFF;
    let n = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0);
    let f = f64::from_bits(x.to_bits().wrapping_sub(exponent)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let series = z * polynomial(
        z,
        [
            0.666_666_666_666_673_5,
            0.399_999_999_994_094_2,
            0.285_714_287_436_623_9,
            0.222_221_984_321_497_84,
            0.181_835_721_616_180_5,
            0.153_138_376_992_093_73,
            0.147_981_986_051_165_86,
        ],
    );
    let half = 0.5 * f * f;
    n * LN_2[0] - ((half - (n * LN_2[1] + s * (half + series))) - f)
}

/// The cosine and the sine of a part of a turn, in [0, 1).
#[inline(always)]
fn turned(part: f64) -> [f64; 2] {
    // Quarters of a turn are taken off exactly.
    let shifted = part * 4.0 + SHIFT;
    let quarter = shifted.to_bits();
    let x = TAU * (part - (shifted - SHIFT) * 0.25);
    let z = x * x;
    let sine = x + x
        * z
        * polynomial(
            z,
            [
                -0.166_666_666_666_666_32,
                0.008_333_333_333_322_49,
                -0.000_198_412_698_298_579_5,
                2.755_731_370_707_007e-6,
                -2.505_076_025_340_686_3e-8,
                1.589_690_995_211_55e-10,
            ],
        );
    let even = z * polynomial(
        z,
        [
            0.041_666_666_666_666_6,
            -0.001_388_888_888_887_411,
            0.000_024_801_587_289_476_73,
            -2.755_731_435_139_066_3e-7,
            2.087_572_321_298_175e-9,
            -1.135_964_755_778_819_5e-11,
        ],
    );
    let (half, whole) = (0.5 * z, 1.0 - 0.5 * z);
    let cosine = whole + (((1.0 - whole) - half) + z * even);
    let [across, up] = if quarter & 1 == 0 { [cosine, sine] } else { [sine, cosine] };
    // Negative in the second and third quarter, and in the third and fourth one.
    let signed = |x: f64, quarter: u64| f64::from_bits(x.to_bits() ^ (quarter & 2) << 62);
    [signed(across, quarter.wrapping_add(1)), signed(up, quarter)]
}

/// `c₀ + c₁ · x + c₂ · x² + …`.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for at in (0..N - 1).rev() {
        sum = sum * x + coefficients[at];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [0, 1), those at quarters, eighths and the ends among them.
    fn parts() -> impl Iterator<Item = f64> {
        let some = (0..100_000_u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64);
        let step = 1.0 / (1_u64 << 53) as f64;
        let ends = (0..8).flat_map(move |eighth| {
            let at = f64::from(eighth) / 8.0;
            [at, at + step, if eighth == 0 { 1.0 - step } else { at - step }]
        });
        some.map(move |word| word * step).chain(ends)
    }

    #[test]
    fn functions_are_those_of_the_system_but_for_rounding() {
        for part in parts() {
            let (got, expected) = (log(1.0 - part), (1.0 - part).ln());
            assert!((got - expected).abs() <= f64::EPSILON * expected.abs(), "log({})", 1.0 - part);
            // The system's are of an angle that was rounded.
            let angle = TAU * part;
            for (got, expected) in turned(part).into_iter().zip([angle.cos(), angle.sin()]) {
                assert!((got - expected).abs() <= 4.0 * f64::EPSILON, "{part}: {got}, {expected}");
            }
        }
    }

    #[test]
    fn quarters_of_a_turn_are_exact() {
        let points: Vec<[f64; 2]> = (0..4).map(|quarter| turned(f64::from(quarter) / 4.0)).collect();
        assert_eq!(points, [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]);
    }
}
