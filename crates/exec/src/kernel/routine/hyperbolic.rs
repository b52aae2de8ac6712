//! Inverses of hyperbolic functions.

use crate::kernel::routine::Routine;
use crate::kernel::routine::number::Number;

/// `log 2`.
#[inline(always)]
fn log_2<T: Number>() -> T {
    T::from_f64(std::f64::consts::LN_2)
}

pub(super) struct Asinh;

impl<T: Number> Routine<T> for Asinh {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let one = T::from_f64(1.0);
        let size = x.abs();
        let large = size > T::LARGE;
        let square = size * size;
        let moderate = size + square / (one + T::fma::<FMA>(size, size, one).sqrt());
        let log = T::log1p::<FMA>(if large { size } else { moderate });
        (if large { log + log_2() } else { log }).with_sign(x)
    }
}

pub(super) struct Acosh;

impl<T: Number> Routine<T> for Acosh {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let one = T::from_f64(1.0);
        let above = x - one;
        let large = x > T::LARGE;
        let moderate = above + (above * (x + one)).sqrt();
        let log = T::log1p::<FMA>(if large { x } else { moderate });
        let log = if large { log + log_2() } else { log };
        if x >= one { log } else { T::NAN }
    }
}

pub(super) struct Atanh;

impl<T: Number> Routine<T> for Atanh {
    #[inline(always)]
    fn at<const FMA: bool>(x: T) -> T {
        let size = x.abs();
        let half = T::from_f64(0.5);
        (half * T::log1p::<FMA>((size + size) / (T::from_f64(1.0) - size))).with_sign(x)
    }
}
