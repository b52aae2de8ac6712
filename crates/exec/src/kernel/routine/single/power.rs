//! Powers and lengths, in `f64`.

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{EXPONENT, fma, limit, polynomial, power_of_two};
use crate::kernel::routine::double::logarithm::{exponent_bits, number};
use crate::kernel::routine::double::power::completed;

/// `log2 x` of an ordinary positive number, to 2⁻³⁷ of it.
#[inline(always)]
fn log2<const FMA: bool>(x: f64) -> f64 {
    let exponent = exponent_bits(x);
    let f = f64::from_bits(x.to_bits().wrapping_sub(exponent)) - 1.0;
    let s = f / (2.0 + f);
    let series = polynomial::<FMA, 5>(
        s * s,
        [
            2.000_000_000_008_421_7,
            0.666_666_652_405_483_5,
            0.400_003_858_698_755_04,
            0.285_349_853_690_232_86,
            0.236_174_806_981_884_48,
        ],
    );
    fma::<FMA>(s * series, std::f64::consts::LOG2_E, number(exponent))
}

/// `2^x` for `|x| ≤ 1000`.
#[inline(always)]
fn exp2<const FMA: bool>(x: f64) -> f64 {
    let shifted = x + EXPONENT;
    let r = x - (shifted - EXPONENT);
    let q = polynomial::<FMA, 6>(
        r,
        [
            0.693_147_203_518_167_5,
            0.240_226_478_288_921_57,
            0.055_503_309_141_201_69,
            0.009_618_443_649_145_214,
            0.001_339_952_276_167_391_8,
            0.000_153_528_306_623_613_73,
        ],
    );
    fma::<FMA>(r, q, 1.0) * power_of_two(shifted)
}

pub(super) struct Pow;

impl Routine<f32, (f32, f32)> for Pow {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (f32, f32)) -> f32 {
        let (x, y) = (f64::from(x), f64::from(y));
        let value = exp2::<FMA>(limit(y * log2::<FMA>(x.abs()), -160.0, 130.0));
        completed((x, y), value) as f32
    }

    #[inline(always)]
    fn covers((x, y): (f32, f32)) -> bool {
        x.abs() < f32::INFINITY && y.abs() < f32::INFINITY
    }

    fn exactly((x, y): (f32, f32)) -> f32 {
        x.powf(y)
    }
}

pub(super) struct Hypot;

impl Routine<f32, (f32, f32)> for Hypot {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (f32, f32)) -> f32 {
        let (x, y) = (f64::from(x), f64::from(y));
        let value = fma::<FMA>(x, x, y * y).sqrt() as f32;
        let is_infinite = x.abs() == f64::INFINITY || y.abs() == f64::INFINITY;
        if is_infinite { f32::INFINITY } else { value }
    }
}
