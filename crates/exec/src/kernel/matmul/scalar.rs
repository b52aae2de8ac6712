//! The arithmetic of elements.

use pullback_graph::Element;

use crate::kernel::matmul::Multiply;

/// Elements that matrices can be made of.
pub(crate) trait Scalar: Element + Multiply {
    /// `accumulator + a · b`, rounded after the product and after the sum.
    fn add_product(accumulator: Self, a: Self, b: Self) -> Self;
    /// `a + b`.
    fn add(a: Self, b: Self) -> Self;
}

impl Scalar for f32 {
    #[inline(always)]
    fn add_product(accumulator: f32, a: f32, b: f32) -> f32 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f32, b: f32) -> f32 {
        a + b
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn add_product(accumulator: f64, a: f64, b: f64) -> f64 {
        accumulator + a * b
    }

    #[inline(always)]
    fn add(a: f64, b: f64) -> f64 {
        a + b
    }
}
