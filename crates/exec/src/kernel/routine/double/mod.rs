//! Routines of `f64`.

pub(super) mod exponential;
pub(super) mod logarithm;
mod angle;
pub(super) mod error;
pub(super) mod gamma;
pub(super) mod polygamma;
pub(super) mod power;
mod number;

use super::hyperbolic::{Acosh, Asinh, Atanh};
use super::inverse::{Acos, Asin, Atan, Atan2};
use super::pairs::{Logaddexp, Xlog1py, Xlogy};
use super::remainder::{Rem, Remainder};
use super::routines;

use angle::{Cos, Sin, Tan};
use error::{Erf, Erfc, Erfinv};
use exponential::{Cosh, Exp, Exp2, Expm1, Sigmoid, Sinh, Tanh};
use gamma::Lgamma;
use logarithm::{Log, Log1p, Log2, Log10, Softplus};
use power::{Hypot, Pow};

routines! { f64:
    unary
    Exp => Exp (1.0 ulp), Expm1 => Expm1 (2.0 ulp), Exp2 => Exp2 (1.0 ulp),
    Log => Log (1.0 ulp), Log1p => Log1p (2.0 ulp), Log2 => Log2 (1.0 ulp), Log10 => Log10 (1.0 ulp),
    Sin => Sin (1.0 ulp), Cos => Cos (1.0 ulp), Tan => Tan (2.0 ulp),
    Asin => Asin (2.0 ulp), Acos => Acos (2.0 ulp), Atan => Atan (2.0 ulp),
    Sinh => Sinh (2.0 ulp), Cosh => Cosh (2.0 ulp), Tanh => Tanh (3.0 ulp),
    Asinh => Asinh (3.0 ulp), Acosh => Acosh (3.0 ulp), Atanh => Atanh (3.0 ulp),
    Sigmoid => Sigmoid (2.0 ulp), Softplus => Softplus (2.0 ulp),
    Erf => Erf (1.0 ulp), Erfc => Erfc (4.0 ulp), Erfinv => Erfinv (4.0 ulp), Lgamma => Lgamma (6.0 ulp);
    binary
    Pow => Pow (1.0 ulp), Atan2 => Atan2 (2.0 ulp), Hypot => Hypot (1.0 ulp), Rem => Rem (0.0 ulp), Remainder => Remainder (0.5 ulp),
    Logaddexp => Logaddexp (3.0 ulp), Xlogy => Xlogy (2.0 ulp), Xlog1py => Xlog1py (2.0 ulp);
}
