//! Remainders of divisions, without any error.

use pullback_graph::op::Real;

use crate::kernel::routine::Routine;
use crate::kernel::routine::double::power::product;

/// Quotients from here on have digits that remainders need.
const LARGEST_QUOTIENT: f64 = 4_503_599_627_370_496.0;

/// Below this, products may lose digits.
const SMALL: f64 = 1e-280;

/// `x - y · trunc(x / y)`.
#[inline(always)]
fn rem<const FMA: bool>(x: f64, y: f64) -> f64 {
    let (multiple, rest) = product::<FMA>((x / y).trunc(), y);
    let value = (x - multiple) - rest;
    // A quotient that is nearly whole has been rounded to what is one too many.
    let is_beyond = if x < 0.0 { value > 0.0 } else { value < 0.0 };
    let value = if is_beyond { value + y.abs().copysign(x) } else { value };
    value.copysign(x)
}

/// Whether that is exact.
#[inline(always)]
fn is_moderate(x: f64, y: f64) -> bool {
    let (x, y) = (x.abs(), y.abs());
    x < LARGEST_QUOTIENT * y && y < f64::INFINITY && (x > SMALL || x < y)
}

pub(super) struct Rem;

pub(super) struct Remainder;

/// Declares both for an element type.
macro_rules! remainders {
    ($($ty:ident),*) => {
        $(
            impl Routine<$ty, ($ty, $ty)> for Rem {
                #[inline(always)]
                fn at<const FMA: bool>((x, y): ($ty, $ty)) -> $ty {
                    // That of two `f32` is one.
                    rem::<FMA>(x.into(), y.into()) as $ty
                }

                #[inline(always)]
                fn covers((x, y): ($ty, $ty)) -> bool {
                    is_moderate(x.into(), y.into())
                }

                fn exactly((x, y): ($ty, $ty)) -> $ty {
                    x % y
                }
            }

            impl Routine<$ty, ($ty, $ty)> for Remainder {
                #[inline(always)]
                fn at<const FMA: bool>((x, y): ($ty, $ty)) -> $ty {
                    let rem = Rem::at::<FMA>((x, y));
                    let moved = if (rem < 0.0) == (y < 0.0) { rem } else { rem + y };
                    if rem == 0.0 { rem.copysign(y) } else { moved }
                }

                #[inline(always)]
                fn covers((x, y): ($ty, $ty)) -> bool {
                    is_moderate(x.into(), y.into())
                }

                fn exactly((x, y): ($ty, $ty)) -> $ty {
                    x.floored_rem(y)
                }
            }
        )*
    };
}

remainders!(f32, f64);
