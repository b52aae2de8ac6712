//! Functions of the elementwise table as loops without branches or calls, which compilers turn into vector instructions.
//!
//! The table's own values come from the system's and from `libm`'s functions, one element at a time: those are the
//! reference. A routine here stands in for each row that is more than arithmetic. It states how far it may be from the exact value, in
//! units in the last place (ulp) of the result, and is tested against that over the whole range: ordinary numbers, zeros
//! of both signs, subnormal numbers, infinities and NaN.
//! [`Polygamma`], which is no row since it has an order, is held to the same.
//!
//! With FMA (AVX2, AVX-512, NEON) all variants of a routine give the same bits; the baseline of x86-64 lacks it, and may
//! differ in the last place.

mod arithmetic;
mod chain;
mod number;
mod inverse;
mod hyperbolic;
mod pairs;
mod remainder;
mod single;
mod double;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use pullback_graph::op::{BinaryOp, Real, UnaryOp};

pub(crate) use crate::kernel::routine::chain::{Chain, Make, Then, Value, is_product};
pub(crate) use crate::kernel::routine::double::polygamma::Polygamma;
use crate::kernel::simd::{self, Function, InstructionSet, Loop};

/// A routine over slices, as compiled for an instruction set.
pub(crate) type UnaryLoop<T> = fn(InstructionSet, x: &[T], out: &mut [T]);

/// The same for every two elements.
pub(crate) type BinaryLoop<T> = fn(InstructionSet, x: &[T], y: &[T], out: &mut [T]);

/// Element types with routines.
pub(crate) trait Routines: Real {
    /// The routine that computes `op` of every element, if there is one.
    fn unary_loop(op: UnaryOp) -> Option<UnaryLoop<Self>>;

    /// [`unary_loop`](Routines::unary_loop) for every two elements.
    fn binary_loop(op: BinaryOp) -> Option<BinaryLoop<Self>>;

    /// `op` of one element, with the bits of [`unary_loop`](Routines::unary_loop) if it has a routine, else with those of
    /// the table.
    fn unary_function(set: InstructionSet, op: UnaryOp) -> fn(Self) -> Self;

    /// The same for [`binary_loop`](Routines::binary_loop).
    fn binary_function(set: InstructionSet, op: BinaryOp) -> fn((Self, Self)) -> Self;

    /// How many ulp the routine of `op` may be off; `None` if there is no routine.
    #[cfg(test)]
    fn unary_accuracy(op: UnaryOp) -> Option<f64>;

    /// The same for [`binary_loop`](Routines::binary_loop).
    #[cfg(test)]
    fn binary_accuracy(op: BinaryOp) -> Option<f64>;
}

/// A function of an `X`, which is one number or two, to be compiled into a loop.
trait Routine<T, X = T> {
    /// The value at `x`. With `FMA` the instruction set rounds `a · b + c` once, at no cost.
    fn at<const FMA: bool>(x: X) -> T;

    /// Whether [`at`](Routine::at) is good for `x`; where it is not, [`exactly`](Routine::exactly) is called.
    #[inline(always)]
    fn covers(_x: X) -> bool {
        true
    }

    /// The value at an `x` that is not covered.
    fn exactly(_x: X) -> T {
        unreachable!("every number is covered")
    }
}

/// A routine over the elements that `x` yields.
struct Each<'a, I, T, R> {
    x: I,
    out: &'a mut [T],
    routine: PhantomData<R>,
}

impl<I: Iterator<Item: Copy> + Clone, T, R: Routine<T, I::Item>> Loop for Each<'_, I, T, R> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Each { x, out, routine: _ } = self;
        let mut covered = true;
        for (out, x) in out.iter_mut().zip(x.clone()) {
            *out = R::at::<FMA>(x);
            covered &= R::covers(x);
        }
        if !covered {
            for (out, x) in out.iter_mut().zip(x).filter(|(_, x)| !R::covers(*x)) {
                *out = R::exactly(x);
            }
        }
    }
}

fn each<T: Copy, R: Routine<T>>(set: InstructionSet, x: &[T], out: &mut [T]) {
    simd::run_as(set, Each { x: x.iter().copied(), out, routine: PhantomData::<R> });
}

fn each_pair<T: Copy, R: Routine<T, (T, T)>>(set: InstructionSet, x: &[T], y: &[T], out: &mut [T]) {
    let x = x.iter().copied().zip(y.iter().copied());
    simd::run_as(set, Each { x, out, routine: PhantomData::<R> });
}

/// A routine for single elements.
struct One<T, R>(PhantomData<(T, R)>);

impl<T, X: Copy, R: Routine<T, X>> Function<X> for One<T, R> {
    type Output = T;

    #[inline(always)]
    fn call<const FMA: bool>(x: X) -> T {
        if R::covers(x) { R::at::<FMA>(x) } else { R::exactly(x) }
    }
}

fn one<T, X: Copy, R: Routine<T, X>>(set: InstructionSet, _routine: R) -> fn(X) -> T {
    simd::function::<X, One<T, R>>(set)
}

/// Declares the routines of an element type: which rows of the tables they stand in for, and how accurate they are.
macro_rules! routines {
    ($ty:ty:
        unary $($Unary:ident => $Of:ident ($unary:literal ulp)),* $(,)?;
        binary $($Binary:ident => $OfTwo:ident ($binary:literal ulp)),* $(,)?;
    ) => {
        impl crate::kernel::routine::Routines for $ty {
            fn unary_loop(op: pullback_graph::op::UnaryOp) -> Option<crate::kernel::routine::UnaryLoop<$ty>> {
                match op {
                    $(pullback_graph::op::UnaryOp::$Unary => Some(crate::kernel::routine::each::<$ty, $Of>),)*
                    _ => None,
                }
            }

            fn binary_loop(
                op: pullback_graph::op::BinaryOp,
            ) -> Option<crate::kernel::routine::BinaryLoop<$ty>> {
                match op {
                    $(pullback_graph::op::BinaryOp::$Binary => {
                        Some(crate::kernel::routine::each_pair::<$ty, $OfTwo>)
                    })*
                    _ => None,
                }
            }

            fn unary_function(
                set: crate::kernel::simd::InstructionSet,
                op: pullback_graph::op::UnaryOp,
            ) -> fn($ty) -> $ty {
                match op {
                    $(pullback_graph::op::UnaryOp::$Unary => crate::kernel::routine::one(set, $Of),)*
                    _ => op.function(),
                }
            }

            fn binary_function(
                set: crate::kernel::simd::InstructionSet,
                op: pullback_graph::op::BinaryOp,
            ) -> fn(($ty, $ty)) -> $ty {
                match op {
                    $(pullback_graph::op::BinaryOp::$Binary => crate::kernel::routine::one(set, $OfTwo),)*
                    _ => op.function(),
                }
            }

            #[cfg(test)]
            fn unary_accuracy(op: pullback_graph::op::UnaryOp) -> Option<f64> {
                match op {
                    $(pullback_graph::op::UnaryOp::$Unary => Some($unary),)*
                    _ => None,
                }
            }

            #[cfg(test)]
            fn binary_accuracy(op: pullback_graph::op::BinaryOp) -> Option<f64> {
                match op {
                    $(pullback_graph::op::BinaryOp::$Binary => Some($binary),)*
                    _ => None,
                }
            }
        }
    };
}

use routines;
