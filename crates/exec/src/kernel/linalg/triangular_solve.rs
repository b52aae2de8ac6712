//! Linear equations with a triangular matrix.

use pullback_graph::op;

use crate::kernel::linalg::per_matrix::{Rule, Task};
use crate::kernel::linalg::triangle::{RightSides, Triangle};
use crate::kernel::matmul::Matrix;

/// `X` with `M · X = B`, `M` being what the op says of `A`.
#[derive(Debug)]
pub(crate) struct TriangularSolve(pub(crate) op::TriangularSolve);

impl Rule for TriangularSolve {
    const NAME: &'static str = "triangular_solve";
    const IN_PLACE: &'static [usize] = &[1];

    fn flops(&self, n: u64, columns: u64) -> u64 {
        n * n * columns
    }

    fn compute(&self, Task { n, columns, matrix, result, space }: Task<'_>) -> Result<(), String> {
        let op::TriangularSolve { lower, transpose, unit_diagonal } = self.0;
        let zero = (0..n).find(|row| !unit_diagonal && matrix[row * n + row] == 0.0);
        if let Some(row) = zero {
            return Err(format!("is singular: its diagonal is 0 in row {row}"));
        }
        let stored = Matrix { elements: matrix, row: n, column: 1 };
        let matrix = if transpose { stored.transposed() } else { stored };
        let triangle = Triangle { matrix, n, is_lower: lower != transpose, is_unit: unit_diagonal };
        let right = RightSides { elements: result, columns, across: columns, is_wedge: false };
        triangle.solve(right, &mut space.tools);
        Ok(())
    }
}
