//! Functions of angles.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{SHIFT, fma, polynomial};

/// The largest angle, in radians, that is reduced here.
const LARGEST: f64 = 1e5;

/// π/2 in three parts (Sun's fdlibm).
const HALF_PI: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// The sine and the cosine of `x`, and the quadrant that it was turned from, as bits (kernels of Sun's fdlibm).
#[inline(always)]
fn sin_cos<const FMA: bool>(x: f64) -> (f64, f64, u64) {
    let shifted = fma::<FMA>(x, std::f64::consts::FRAC_2_PI, SHIFT);
    let n = shifted - SHIFT;
    let high = x - n * HALF_PI[0];
    let r = high - n * HALF_PI[1];
    // What the subtraction lost, and the last part.
    let tail = ((high - r) - n * HALF_PI[1]) - n * HALF_PI[2];
    let (r, tail) = (r + tail, tail - ((r + tail) - r));
    let z = r * r;
    let odd = polynomial::<FMA, 5>(
        z,
        [
            0.008_333_333_333_322_49,
            -0.000_198_412_698_298_579_5,
            2.755_731_370_707_007e-6,
            -2.505_076_025_340_686_3e-8,
            1.589_690_995_211_55e-10,
        ],
    );
    let cube = z * r;
    let sin = r - ((z * (0.5 * tail - cube * odd) - tail) - cube * -0.166_666_666_666_666_32);
    let even = z * polynomial::<FMA, 6>(
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
    let half = 0.5 * z;
    let w = 1.0 - half;
    let cos = w + (((1.0 - w) - half) + (z * even - r * tail));
    (sin, cos, shifted.to_bits())
}

/// `x` with its sign turned if bit 1 of `quadrant` is set.
#[inline(always)]
fn turned(x: f64, quadrant: u64) -> f64 {
    f64::from_bits(x.to_bits() ^ ((quadrant & 2) << 62))
}

/// Declares a routine over angles.
macro_rules! angles {
    ($($Name:ident: $exactly:ident, |$x:ident, $sin:ident, $cos:ident, $quadrant:ident| $value:expr;)*) => {
        $(
            pub(super) struct $Name;

            impl Routine<f64> for $Name {
                #[inline(always)]
                fn at<const FMA: bool>($x: f64) -> f64 {
                    let ($sin, $cos, $quadrant) = sin_cos::<FMA>($x);
                    $value
                }

                #[inline(always)]
                fn covers(x: f64) -> bool {
                    x.abs() <= LARGEST
                }

                fn exactly(x: f64) -> f64 {
                    Real::$exactly(x)
                }
            }
        )*
    };
}

angles! {
    Sin: sin, |x, sin, cos, quadrant| {
        let value = turned(if quadrant & 1 == 0 { sin } else { cos }, quadrant);
        if x == 0.0 { x } else { value }
    };
    Cos: cos, |x, sin, cos, quadrant| {
        turned(if quadrant & 1 == 0 { cos } else { sin }, quadrant.wrapping_add(quadrant & 1))
    };
    Tan: tan, |x, sin, cos, quadrant| {
        let (dividend, divisor) = if quadrant & 1 == 0 { (sin, cos) } else { (-cos, sin) };
        if x == 0.0 { x } else { dividend / divisor }
    };
}
