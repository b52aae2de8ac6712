//! Functions of the elementwise table as loops without branches or calls, which compilers turn into vector instructions.
//!
//! The table's own values come from the system's and from `libm`'s functions, one element at a time: those are the
//! reference. A routine here stands in for the most used of them. Each states how far it may be from the exact value, in
//! units in the last place (ulp) of the result, and is tested against that over the whole range: ordinary numbers, zeros
//! of both signs, subnormal numbers, infinities and NaN.
//!
//! With FMA (AVX2, AVX-512, NEON) all variants of a routine give the same bits; the baseline of x86-64 lacks it, and may
//! differ in the last place.

mod single;
mod double;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use pullback_graph::op::{Real, UnaryOp};

use crate::kernel::simd::{self, InstructionSet, Loop};

/// Element types with routines.
pub(crate) trait Routines: Real {
    /// Computes `op` of every element as compiled for `set`, if it has a routine.
    fn unary(set: InstructionSet, op: UnaryOp, x: &[Self], out: &mut [Self]) -> bool;

    /// How many ulp the routine of `op` may be off; `None` if there is no routine.
    #[cfg(test)]
    fn accuracy(op: UnaryOp) -> Option<f64>;
}

/// A function of one number, to be compiled into a loop.
trait Routine<T> {
    /// The value at `x`. With `FMA` the instruction set rounds `a · b + c` once, at no cost.
    fn at<const FMA: bool>(x: T) -> T;

    /// Whether [`at`](Routine::at) is good for `x`; where it is not, [`exactly`](Routine::exactly) is called.
    #[inline(always)]
    fn covers(_x: T) -> bool {
        true
    }

    /// The value at an `x` that is not covered.
    fn exactly(x: T) -> T {
        x
    }
}

/// A routine over slices.
struct Each<'a, T, R> {
    x: &'a [T],
    out: &'a mut [T],
    routine: PhantomData<R>,
}

impl<T: Copy, R: Routine<T>> Loop for Each<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Each { x, out, routine: _ } = self;
        let mut covered = true;
        for (out, x) in out.iter_mut().zip(x) {
            *out = R::at::<FMA>(*x);
            covered &= R::covers(*x);
        }
        if !covered {
            for (out, x) in out.iter_mut().zip(x).filter(|(_, x)| !R::covers(**x)) {
                *out = R::exactly(*x);
            }
        }
    }
}

fn each<T: Copy, R: Routine<T>>(set: InstructionSet, _routine: R, x: &[T], out: &mut [T]) {
    simd::run_as(set, Each { x, out, routine: PhantomData::<R> });
}

/// Declares the routines of an element type: which rows of the table they stand in for, and how accurate they are.
macro_rules! routines {
    ($ty:ty: $($Op:ident => $Routine:ident ($ulp:literal ulp)),* $(,)?) => {
        impl crate::kernel::routine::Routines for $ty {
            fn unary(
                set: crate::kernel::simd::InstructionSet,
                op: pullback_graph::op::UnaryOp,
                x: &[$ty],
                out: &mut [$ty],
            ) -> bool {
                match op {
                    $(pullback_graph::op::UnaryOp::$Op => crate::kernel::routine::each(set, $Routine, x, out),)*
                    _ => return false,
                }
                true
            }

            #[cfg(test)]
            fn accuracy(op: pullback_graph::op::UnaryOp) -> Option<f64> {
                match op {
                    $(pullback_graph::op::UnaryOp::$Op => Some($ulp),)*
                    _ => None,
                }
            }
        }
    };
}

use routines;

/// `a · b + c`, rounded once with `FMA`.
#[inline(always)]
fn fma<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `Σ coefficients[i] · xⁱ`, by Horner's rule.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for at in 1..N {
        sum = fma::<FMA>(sum, x, coefficients[N - 1 - at]);
    }
    sum
}

/// 1.5 · 2⁵²: adding it leaves the nearest whole number in the last bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// `2ⁿ` for the whole number that is in the last bits of `shifted = n + SHIFT`, `-1022 ≤ n ≤ 1023`.
#[inline(always)]
fn power_of_two(shifted: f64) -> f64 {
    f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// `x` limited to `low … high`; NaN stays.
#[inline(always)]
fn limit(x: f64, low: f64, high: f64) -> f64 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}
