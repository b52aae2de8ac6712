//! Routines of `f32`: the most used in `f32`, whose results are within a few units of the exact ones; the others in `f64`,
//! where what cancels still leaves more digits than an `f32` has, so that the result is the exact one rounded, or its
//! neighbor.
//!
//! The polynomials are minimax approximations with coefficients rounded to `f32`; those of [`wide`] interpolate at Chebyshev
//! nodes.

mod exponential;
mod logarithm;
mod angle;
mod error;
mod power;
mod wide;
mod number;

use super::hyperbolic::{Acosh, Asinh, Atanh};
use super::inverse::{Acos, Asin, Atan, Atan2};
use super::pairs::{Logaddexp, Xlog1py, Xlogy};
use super::remainder::{Rem, Remainder};
use super::routines;

use angle::{Cos, Sin};
use error::{Erf, Erfc};
use exponential::{Exp, Expm1, Sigmoid, Tanh};
use logarithm::{Log, Log1p, Softplus};
use power::{Hypot, Pow};
use wide::{Cosh, Erfinv, Exp2, Lgamma, Log2, Log10, Sinh, Tan};

routines! { f32:
    unary
    Exp => Exp (1.5 ulp), Expm1 => Expm1 (1.5 ulp), Exp2 => Exp2 (1.0 ulp),
    Log => Log (1.0 ulp), Log1p => Log1p (1.5 ulp), Log2 => Log2 (1.0 ulp), Log10 => Log10 (1.0 ulp),
    Sin => Sin (2.0 ulp), Cos => Cos (2.0 ulp), Tan => Tan (1.0 ulp),
    Asin => Asin (2.5 ulp), Acos => Acos (2.5 ulp), Atan => Atan (2.5 ulp),
    Sinh => Sinh (1.0 ulp), Cosh => Cosh (1.0 ulp), Tanh => Tanh (1.5 ulp),
    Asinh => Asinh (3.5 ulp), Acosh => Acosh (3.5 ulp), Atanh => Atanh (3.5 ulp),
    Sigmoid => Sigmoid (1.5 ulp), Softplus => Softplus (2.0 ulp),
    Erf => Erf (1.5 ulp), Erfc => Erfc (4.5 ulp), Erfinv => Erfinv (1.0 ulp), Lgamma => Lgamma (1.0 ulp);
    binary
    Pow => Pow (1.0 ulp), Atan2 => Atan2 (2.5 ulp), Hypot => Hypot (1.0 ulp), Rem => Rem (0.0 ulp), Remainder => Remainder (0.5 ulp),
    Logaddexp => Logaddexp (3.0 ulp), Xlogy => Xlogy (2.0 ulp), Xlog1py => Xlog1py (2.5 ulp);
}
