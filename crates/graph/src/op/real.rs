//! The scalar functions behind the elementwise tables, for `f32` and `f64`.
//!
//! They are inlined always, as the tables' loops are: a loop is compiled anew for each instruction set that calls it.

use crate::dtype::Element;
use crate::op::special;

/// A floating-point element: arithmetic, and the functions that the tables are written in.
#[allow(missing_docs, reason = "the methods are the functions of their names")]
pub trait Real:
    Element
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Rem<Output = Self>
    + std::ops::Neg<Output = Self>
{
    const INFINITY: Self;
    const NAN: Self;
    fn abs(self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn exp2(self) -> Self;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tan(self) -> Self;
    fn asin(self) -> Self;
    fn acos(self) -> Self;
    fn atan(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn tanh(self) -> Self;
    fn asinh(self) -> Self;
    fn acosh(self) -> Self;
    fn atanh(self) -> Self;
    fn erf(self) -> Self;
    fn erfc(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    fn round_ties_even(self) -> Self;
    fn powf(self, exponent: Self) -> Self;
    fn atan2(self, other: Self) -> Self;
    fn hypot(self, other: Self) -> Self;
    fn lgamma(self) -> Self;
    fn erfinv(self) -> Self;
    fn is_nan(self) -> bool;

    /// 1 for positive, -1 for negative numbers, 0 for zeros, NaN for NaN.
    #[inline(always)]
    fn sign(self) -> Self {
        if self.is_nan() {
            self
        } else if self > Self::from_f64(0.0) {
            Self::from_f64(1.0)
        } else if self < Self::from_f64(0.0) {
            Self::from_f64(-1.0)
        } else {
            Self::from_f64(0.0)
        }
    }

    /// `1 / (1 + exp(-x))` without overflow on either side.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let one = Self::from_f64(1.0);
        let decayed = (-self.abs()).exp();
        if self >= Self::from_f64(0.0) { one / (one + decayed) } else { decayed / (one + decayed) }
    }

    /// `log(1 + exp(x))` without overflow.
    #[inline(always)]
    fn softplus(self) -> Self {
        self.larger(Self::from_f64(0.0)) + (-self.abs()).exp().ln_1p()
    }

    /// The larger of two numbers; NaN if either is.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self.is_nan() || self > other { self } else { other }
    }

    /// The remainder with the sign of the divisor, also where it is 0.
    #[inline(always)]
    fn floored_rem(self, divisor: Self) -> Self {
        let zero = Self::from_f64(0.0);
        let rem = self % divisor;
        if rem == zero {
            if divisor < zero { -rem.abs() } else { rem.abs() }
        } else if (rem < zero) != (divisor < zero) {
            rem + divisor
        } else {
            rem
        }
    }

    /// `log(e^a + e^b)` without overflow.
    #[inline(always)]
    fn ln_add_exp(self, other: Self) -> Self {
        // Equal infinities have no difference.
        let distance = if self == other { Self::from_f64(0.0) } else { (self - other).abs() };
        self.larger(other) + (-distance).exp().ln_1p()
    }

    /// `a · f(b)`, given `f(b)`; 0 where `a` is 0, unless `b` is NaN.
    #[inline(always)]
    fn times_log_of(self, b: Self, log: Self) -> Self {
        if self == Self::from_f64(0.0) && !b.is_nan() { Self::from_f64(0.0) } else { self * log }
    }

    /// The smaller of two numbers; NaN if either is.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if self.is_nan() || self < other { self } else { other }
    }
}

macro_rules! real {
    ($ty:ident: $($function:ident = $path:path),*) => {
        impl Real for $ty {
            const INFINITY: Self = $ty::INFINITY;
            const NAN: Self = $ty::NAN;
            real!(@std $ty: abs exp exp_m1 ln ln_1p exp2 log2 log10 sqrt sin cos tan asin acos atan sinh cosh tanh
                floor ceil trunc round_ties_even);

            $(fn $function(self) -> Self {
                $path(self)
            })*

            fn powf(self, exponent: Self) -> Self {
                $ty::powf(self, exponent)
            }

            fn atan2(self, other: Self) -> Self {
                $ty::atan2(self, other)
            }

            fn hypot(self, other: Self) -> Self {
                $ty::hypot(self, other)
            }

            // In double precision for both: single precision would lose digits near the roots.
            fn lgamma(self) -> Self {
                libm::lgamma(self.to_f64()) as Self
            }

            fn erfinv(self) -> Self {
                special::erfinv(self.to_f64()) as Self
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                $ty::is_nan(self)
            }
        }
    };
    (@std $ty:ident: $($method:ident)*) => {
        $(#[inline(always)]
        fn $method(self) -> Self {
            $ty::$method(self)
        })*
    };
}

// The inverses of the hyperbolic functions of std lose digits near the ends of their ranges.
real!(f32: erf = libm::erff, erfc = libm::erfcf, asinh = libm::asinhf, acosh = libm::acoshf, atanh = libm::atanhf);
real!(f64: erf = libm::erf, erfc = libm::erfc, asinh = libm::asinh, acosh = libm::acosh, atanh = libm::atanh);
