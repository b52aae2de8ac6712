//! Linear algebra on stacks of matrices: factorizations, and equations solved with them.
//!
//! All is computed in `f64`. A large matrix is cut in halves again and again: what one half does to the other is a
//! [product](crate::kernel::matmul), and only triangles and panels of a few rows or columns are left to loops of their own
//! (Toledo, "Locality of reference in LU decomposition with partial pivoting", 1997). A small matrix is one such triangle, on
//! which operations come in the interpreter's order and round as there: the bits are the interpreter's. Of a larger one every
//! element is the same chain of fused products and sums as without cuts, up to the depth of a product's block: so rows that
//! are equal leave exactly zero, wherever it is cut. A piece computes whole matrices.

mod per_matrix;
mod space;
mod triangle;
mod panel;
mod elimination;
mod cholesky;
mod triangular_solve;
mod solve;
mod determinant;
mod cofactor;

pub(crate) use cholesky::Cholesky;
pub(crate) use cofactor::Cofactor;
pub(crate) use determinant::Determinants;
pub(crate) use per_matrix::PerMatrix;
pub(crate) use solve::Solve;
pub(crate) use triangular_solve::TriangularSolve;
