//! Functions of two numbers that logarithms are in.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::number::Number;

pub(super) struct Logaddexp;

impl<T: Number> Routine<T, (T, T)> for Logaddexp {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (T, T)) -> T {
        // Equal infinities have no difference.
        let distance = if x == y { T::from_f64(0.0) } else { x - y };
        Real::larger(x, y) + T::log1p_of_fraction::<FMA>(T::decayed::<FMA>(distance))
    }
}

pub(super) struct Xlogy;

impl<T: Number> Routine<T, (T, T)> for Xlogy {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (T, T)) -> T {
        x.times_log_of(y, T::log::<FMA>(y))
    }
}

pub(super) struct Xlog1py;

impl<T: Number> Routine<T, (T, T)> for Xlog1py {
    #[inline(always)]
    fn at<const FMA: bool>((x, y): (T, T)) -> T {
        x.times_log_of(y, T::log1p::<FMA>(y))
    }
}
