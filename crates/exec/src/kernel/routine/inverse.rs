//! Angles from their sines, cosines and tangents.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::number::Number;

/// `tan(π/8)` and `tan(3π/8)`.
const TANGENTS: [f64; 2] = [std::f64::consts::SQRT_2 - 1.0, std::f64::consts::SQRT_2 + 1.0];

/// `t + t³ · q`, given `q`.
#[inline(always)]
fn summed<const FMA: bool, T: Number>(t: T, square: T, q: T) -> T {
    T::fma::<FMA>(t * square, q, t)
}

/// `eighths · π/4 + atan(t)` for `|t| ≤ tan(π/8)`.
#[inline(always)]
fn atan_from<const FMA: bool, T: Number>(eighths: T, t: T) -> T {
    let square = t * t;
    let rest = summed::<FMA, T>(t, square, T::atan_series::<FMA>(square));
    T::fma::<FMA>(eighths, T::QUARTER_PI[0], T::fma::<FMA>(eighths, T::QUARTER_PI[1], rest))
}

pub(super) struct Atan;

impl<T: Number> Routine<T> for Atan {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let one = T::from_f64(1.0);
        let size = x.abs();
        let (steep, steepest) = (size > T::from_f64(TANGENTS[0]), size > T::from_f64(TANGENTS[1]));
        let dividend = if steep { size - one } else { size };
        let divisor = if steep { size + one } else { one };
        let dividend = if steepest { -one } else { dividend };
        let divisor = if steepest { size } else { divisor };
        let eighths = T::from_f64(if steep { 1.0 } else { 0.0 });
        let eighths = if steepest { T::from_f64(2.0) } else { eighths };
        atan_from::<FMA, T>(eighths, dividend / divisor).with_sign(x)
    }
}

pub(super) struct Atan2;

impl<T: Number> Routine<T, (T, T)> for Atan2 {
    #[inline(always)]
    fn at<const FMA: bool>((y, x): (T, T)) -> T {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        let (height, width) = (y.abs(), x.abs());
        let swapped = height > width;
        let (short, long) = if swapped { (width, height) } else { (height, width) };
        let steep = short > T::from_f64(TANGENTS[0]) * long;
        let dividend = if steep { short - long } else { short };
        let divisor = if steep { short + long } else { long };
        let divisor = if long == zero { one } else { divisor };
        let t = dividend / divisor;
        // The angle from the nearest axis, then that from the axis of x, then that from its positive side.
        let eighths = if steep { one } else { zero };
        let (eighths, t) = if swapped { (T::from_f64(2.0) - eighths, -t) } else { (eighths, t) };
        let (eighths, t) = if x.has_minus() { (T::from_f64(4.0) - eighths, -t) } else { (eighths, t) };
        atan_from::<FMA, T>(eighths, t).with_sign(y)
    }

    #[inline(always)]
    fn covers((y, x): (T, T)) -> bool {
        // The sum of both must be a number.
        y.abs() < T::from_f64(1e38) && x.abs() < T::from_f64(1e38)
    }

    fn exactly((y, x): (T, T)) -> T {
        Real::atan2(y, x)
    }
}

/// `t` and its arc sine, where `t` is `x`, or, if `|x| > ½`, the sine of half the angle that is missing to a quarter turn.
#[inline(always)]
fn half_of_rest<const FMA: bool, T: Number>(x: T) -> (bool, T) {
    let half = T::from_f64(0.5);
    let size = x.abs();
    let large = size > half;
    let square = if large { T::fma::<FMA>(-half, size, half) } else { size * size };
    let t = if large { square.sqrt() } else { size };
    (large, summed::<FMA, T>(t, square, T::asin_series::<FMA>(square)))
}

pub(super) struct Asin;

impl<T: Number> Routine<T> for Asin {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let two = T::from_f64(2.0);
        let (large, angle) = half_of_rest::<FMA, T>(x);
        let rest = T::fma::<FMA>(T::QUARTER_PI[0], two, -two * angle) + two * T::QUARTER_PI[1];
        (if large { rest } else { angle }).with_sign(x)
    }
}

pub(super) struct Acos;

impl<T: Number> Routine<T> for Acos {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let two = T::from_f64(2.0);
        let (large, angle) = half_of_rest::<FMA, T>(x);
        let angle = if large { two * angle } else { angle };
        // From 0, a quarter or half a turn.
        let eighths = if x < T::from_f64(0.0) { T::from_f64(4.0) } else { T::from_f64(0.0) };
        let eighths = if large { eighths } else { two };
        let angle = if large { angle.with_sign(x) } else { (-angle).with_sign(-x) };
        T::fma::<FMA>(eighths, T::QUARTER_PI[0], angle) + eighths * T::QUARTER_PI[1]
    }
}
