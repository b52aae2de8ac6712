//! The error function.

use super::exponential::exp;
use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{fma, limit, polynomial};

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
        let far = 1.0 - exp::<FMA>(-far);
        let value = if size < 1.0 { near } else { far };
        value.copysign(x)
    }
}
