//! What routines of both element types are written in.

use pullback_graph::op::Real;

/// An element type with the functions that others are made of. Where they are given a range, they are right only there.
pub(super) trait Number: Real {
    /// π/4 in two parts.
    const QUARTER_PI: [Self; 2];
    /// From here on `x + 1` is `x`, and `x²` still a number.
    const LARGE: Self;

    /// `a · b + c`, rounded once with `FMA`.
    fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self;

    /// `self` with the sign of `sign`.
    fn with_sign(self, sign: Self) -> Self;

    /// Whether it is negative, -0 included.
    fn has_minus(self) -> bool;

    /// `log x`.
    fn log<const FMA: bool>(x: Self) -> Self;

    /// `log(1 + x)`.
    fn log1p<const FMA: bool>(x: Self) -> Self;

    /// `log(1 + x)` for `0 ≤ x ≤ 1`.
    fn log1p_of_fraction<const FMA: bool>(x: Self) -> Self;

    /// `e^-|x|`.
    fn decayed<const FMA: bool>(x: Self) -> Self;

    /// `q` in `atan t = t + t³ · q(t²)`, for `|t| ≤ tan(π/8)`.
    fn atan_series<const FMA: bool>(square: Self) -> Self;

    /// `q` in `asin t = t + t³ · q(t²)`, for `|t| ≤ ½`.
    fn asin_series<const FMA: bool>(square: Self) -> Self;
}
