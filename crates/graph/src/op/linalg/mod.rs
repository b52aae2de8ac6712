//! Linear algebra on stacks of matrices: the last two axes are the matrix, the axes before them count matrices.
//!
//! Every op takes f32 and f64 and computes in f64. A matrix that has no answer is an error of the run that says which one
//! of the stack it is; a NaN in a matrix makes NaN, not an error.

mod matrix;
mod cholesky;
mod triangular_solve;
mod solve;
mod determinant;
mod cofactor;

pub use cholesky::Cholesky;
pub use cofactor::Cofactor;
pub use determinant::{Determinant, DeterminantForm};
pub(crate) use matrix::{Part, identity_like, part};
pub use solve::Solve;
pub use triangular_solve::TriangularSolve;
