//! Functions of angles.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::single::{SHIFT, fma, fused, polynomial, turned};

/// The largest angle, in radians, that is reduced here; larger ones are left to the reference.
const LARGEST: f32 = 1e5;

/// π in three parts.
const PI: [f32; 3] = [std::f32::consts::PI, -8.742_278e-8, -3.430_249e-15];

/// `sin(x - h · π)`, where that is between -π/2 and π/2.
#[inline(always)]
fn sin_less_half_turns<const FMA: bool>(x: f32, h: f32) -> f32 {
    // Exact: both are multiples of the unit in the last place of a number that is as large as the difference.
    let r = fused::<FMA>(h, -PI[0], x);
    let r = fused::<FMA>(h, -PI[2], fused::<FMA>(h, -PI[1], r));
    let z = r * r;
    let p = polynomial::<FMA, 4>(z, [-0.166_666_6, 0.008_333_067, -0.000_198_095_43, 2.605_409e-6]);
    fma::<FMA>(r * z, p, r)
}

pub(super) struct Sin;

impl Routine<f32> for Sin {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        let shifted = fma::<FMA>(x, std::f32::consts::FRAC_1_PI, SHIFT);
        let value = turned(sin_less_half_turns::<FMA>(x, shifted - SHIFT), shifted);
        if x == 0.0 { x } else { value }
    }

    #[inline(always)]
    fn covers(x: f32) -> bool {
        x.abs() <= LARGEST
    }

    fn exactly(x: f32) -> f32 {
        Real::sin(f64::from(x)) as f32
    }
}

pub(super) struct Cos;

impl Routine<f32> for Cos {
    #[inline(always)]
    fn at<const FMA: bool>(x: f32) -> f32 {
        // Cosines are sines a quarter turn further.
        let shifted = fma::<FMA>(x, std::f32::consts::FRAC_1_PI, -0.5) + SHIFT;
        -turned(sin_less_half_turns::<FMA>(x, shifted - SHIFT + 0.5), shifted)
    }

    #[inline(always)]
    fn covers(x: f32) -> bool {
        x.abs() <= LARGEST
    }

    fn exactly(x: f32) -> f32 {
        Real::cos(f64::from(x)) as f32
    }
}
