//! Determinants, their signs and logarithms.

use pullback_graph::op::{self, DeterminantForm};

use crate::kernel::linalg::elimination::Elimination;
use crate::kernel::linalg::per_matrix::{Rule, Task};
use crate::kernel::linalg::space::Space;

/// What the op tells of the determinant of each matrix.
#[derive(Debug)]
pub(crate) struct Determinant(pub(crate) op::Determinant);

impl Rule for Determinant {
    const NAME: &'static str = "determinant";
    const IN_PLACE: &'static [usize] = &[];

    fn flops(&self, n: u64, _columns: u64) -> u64 {
        2 * n * n * n / 3
    }

    fn compute(&self, Task { n, matrix, result, space, .. }: Task<'_>) -> Result<(), String> {
        let Space { factors, rows, tools, .. } = space;
        let elimination = Elimination::of(matrix, n, factors, rows, tools);
        result[0] = told(self.0.form, &elimination);
        Ok(())
    }
}

fn told(form: DeterminantForm, elimination: &Elimination<'_>) -> f64 {
    let pivots = elimination.pivots();
    let exchanges = if elimination.is_odd { -1.0 } else { 1.0 };
    match form {
        DeterminantForm::Value => pivots.fold(exchanges, |product, pivot| product * pivot),
        DeterminantForm::LogAbs => pivots.fold(0.0, |sum, pivot| sum + pivot.abs().ln()),
        DeterminantForm::Sign => pivots.fold(exchanges, |sign, pivot| {
            let own = if pivot == 0.0 || pivot.is_nan() { pivot } else { pivot.signum() };
            sign * own
        }),
    }
}
