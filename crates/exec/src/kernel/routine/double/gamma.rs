//! The logarithm of the gamma function.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, polynomial};
use crate::kernel::routine::double::logarithm::Log;

/// From here on Stirling's series is as good as any other.
const LARGE: f64 = 8.0;

/// `log Γ(2 + distance)` for distances of up to ½, with its zeros as factors.
#[inline(always)]
fn lgamma_near_two<const FMA: bool>(distance: f64) -> f64 {
    let p = polynomial::<FMA, 18>(
        distance,
        [
            0.422_784_335_098_467_13,
            -0.100_317_301_674_353_92,
            0.032_965_000_621_155_205,
            -0.012_384_192_193_371_132,
            0.004_998_641_164_844_802,
            -0.002_108_130_834_019_967_4,
            0.000_915_376_914_788_825,
            -0.000_405_707_394_071_563_5,
            0.000_182_552_807_958_805_8,
            -0.000_083_095_205_508_739_34,
            0.000_038_166_836_310_018_064,
            -0.000_017_660_705_676_623_73,
            8.236_483_542_093_443e-6,
            -3.854_111_593_274_971e-6,
            1.751_325_516_054_956_2e-6,
            -8.259_288_460_474_655e-7,
            5.215_177_758_521_948e-7,
            -2.478_162_554_095_284_4e-7,
        ],
    );
    distance * (1.0 + distance) * p
}

/// `log Γ(x) = (x - ½) (log x - 1) + series(1 / x²) / x + …`, given the logarithm, for large `x` (Stirling).
#[inline(always)]
fn lgamma_of_large<const FMA: bool>(x: f64, log: f64) -> f64 {
    let inverse = 1.0 / x;
    let series = polynomial::<FMA, 7>(
        inverse * inverse,
        [
            0.083_333_333_333_333_33,
            -0.002_777_777_777_766_814_4,
            0.000_793_650_786_092_387_2,
            -0.000_595_235_783_578_289_1,
            0.000_841_384_838_146_075_8,
            -0.001_886_026_056_204_232_3,
            0.004_980_233_245_855_698,
        ],
    );
    fma::<FMA>(x - 0.5, log - 1.0, fma::<FMA>(inverse, series, 0.418_938_533_204_672_7))
}

pub(in crate::kernel::routine) struct Lgamma;

impl Routine<f64> for Lgamma {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        // Moved to between 3/2 and 5/2 by Γ(x + 1) = x · Γ(x); the factors that came in or went out.
        let mut near = x;
        let mut factors = 1.0;
        for _ in 0..6 {
            let above = near >= 2.5;
            near = if above { near - 1.0 } else { near };
            factors = if above { factors * near } else { factors };
        }
        let (below, far_below) = (near < 1.5, near < 0.5);
        let divisors = if far_below { near * (near + 1.0) } else { near };
        let factors = if below { divisors } else { factors };
        // That from 2, with which no digit is lost.
        let distance = if below { near - 1.0 } else { near - 2.0 };
        let distance = if far_below { near } else { distance };
        let large = x >= LARGE;
        let log = Log::at::<FMA>(if large { x } else { factors });
        let around = lgamma_near_two::<FMA>(distance);
        let value = if below { around - log } else { around + log };
        if large { lgamma_of_large::<FMA>(x, log) } else { value }
    }

    #[inline(always)]
    fn covers(x: f64) -> bool {
        x > 0.0 && x < f64::INFINITY
    }

    fn exactly(x: f64) -> f64 {
        Real::lgamma(x)
    }
}
