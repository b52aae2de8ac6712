//! The arithmetic of elements.

use pullback_graph::Element;

use crate::kernel::register::Registers;

/// Elements that matrices can be made of.
pub(crate) trait Scalar: Element + Registers {
    /// `accumulator + a · b`, rounded after the product and after the sum.
    fn add_product(accumulator: Self, a: Self, b: Self) -> Self;
    /// `a + b`.
    fn add(a: Self, b: Self) -> Self;
    /// The largest finite number.
    const LARGEST: Self;
    /// So large that `count` products of two numbers no larger can be added up.
    fn bound(count: usize) -> Self;
    /// Whether a number lies between `-bound` and `bound`.
    fn is_within(self, bound: Self) -> bool;
}

impl Scalar for f32 {
    const LARGEST: f32 = f32::MAX;

    #[inline(always)]
    fn add_product(accumulator: f32, a: f32, b: f32) -> f32 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f32, b: f32) -> f32 {
        a + b
    }

    fn bound(count: usize) -> f32 {
        (f32::MAX / count as f32 / 2.0).sqrt()
    }

    #[inline(always)]
    fn is_within(self, bound: f32) -> bool {
        self.abs() <= bound
    }
}

impl Scalar for f64 {
    const LARGEST: f64 = f64::MAX;

    #[inline(always)]
    fn add_product(accumulator: f64, a: f64, b: f64) -> f64 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f64, b: f64) -> f64 {
        a + b
    }

    fn bound(count: usize) -> f64 {
        (f64::MAX / count as f64 / 2.0).sqrt()
    }

    #[inline(always)]
    fn is_within(self, bound: f64) -> bool {
        self.abs() <= bound
    }
}
