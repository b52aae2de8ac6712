//! Linear equations.

use crate::kernel::linalg::elimination::Elimination;
use crate::kernel::linalg::per_matrix::{Rule, Task};
use crate::kernel::linalg::space::Space;

/// `X` with `A · X = B`.
#[derive(Debug)]
pub(crate) struct Solve;

impl Rule for Solve {
    const NAME: &'static str = "solve";
    const IN_PLACE: &'static [usize] = &[1];

    fn flops(&self, n: u64, columns: u64) -> u64 {
        2 * n * n * n / 3 + 2 * n * n * columns
    }

    fn compute(&self, Task { n, columns, matrix, result, space }: Task<'_>) -> Result<(), String> {
        let Space { factors, spare, rows, tools, .. } = space;
        let elimination = Elimination::of(matrix, n, factors, rows, tools);
        if let Some(row) = elimination.zero_pivot() {
            return Err(format!("is singular: pivot {row} is 0"));
        }
        elimination.solve(result, columns, spare, tools);
        Ok(())
    }
}
