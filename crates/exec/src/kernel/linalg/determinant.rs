//! Determinants, their signs and logarithms: all that is asked of one matrix, by one elimination.

use std::ops::Range;

use pullback_graph::op::DeterminantForm;
use pullback_graph::{DType, Graph, Op, dispatch_float};
use smallvec::SmallVec;

use crate::kernel::compute::{Buffers, Compute, ComputeAll};
use crate::kernel::linalg::elimination::Elimination;
use crate::kernel::linalg::per_matrix::{PerMatrix, Rule, Task};
use crate::kernel::linalg::space::Space;
use crate::kernel::pieces::Pieces;
use crate::kernel::regions::region::Region;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::Typed;

/// What ops tell of the determinants of one stack.
#[derive(Debug)]
pub(crate) struct Determinants {
    stack: PerMatrix<Told>,
    dtype: DType,
}

/// What is told of the determinant of one matrix.
#[derive(Debug)]
struct Told(SmallVec<[DeterminantForm; 2]>);

/// Where what is told of one matrix after the other is, before results take their parts.
const TOLD: usize = 8;

impl Determinants {
    /// What the nodes of a region tell of the matrices that they all read.
    pub(crate) fn of(graph: &Graph, region: &Region) -> Determinants {
        let form = |node| match &graph.node(node).op {
            Op::Determinant(op) => op.form,
            _ => unreachable!("determinants are in a region of their own"),
        };
        let forms: SmallVec<[DeterminantForm; 2]> = region.outputs.iter().map(|node| form(*node)).collect();
        let item = forms.len();
        let stack = PerMatrix::of(graph, region.root, Told(forms)).with_item(item);
        Determinants { stack, dtype: graph.ty(region.root).dtype }
    }

    fn forms(&self) -> usize {
        self.stack.item
    }
}

impl ComputeAll for Determinants {
    fn name(&self) -> &'static str {
        self.stack.name()
    }

    fn pieces(&self) -> Pieces {
        self.stack.pieces_of(1)
    }

    fn part(&self, _write: usize, range: Range<usize>) -> Range<usize> {
        range
    }

    fn in_place(&self) -> &[usize] {
        &[]
    }

    fn flops(&self) -> u64 {
        self.stack.flops()
    }

    fn flops_of_products(&self) -> u64 {
        self.stack.flops_of_products()
    }

    fn run(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let forms = self.forms();
        dispatch_float!(self.dtype, T => {
            let mut told = scratch.take::<T>(TOLD, range.len() * forms);
            let all = &mut told[..range.len() * forms];
            let elements = range.start * forms..range.end * forms;
            let done = self.stack.run(elements, buffers.reads, T::slice_mut(all), scratch);
            for (form, write) in buffers.writes.iter_mut().enumerate() {
                for (result, told) in write.typed::<T>().iter_mut().zip(all.chunks_exact(forms)) {
                    *result = told[form];
                }
            }
            scratch.put(TOLD, told);
            done
        }, else unreachable!("matrices have floating-point elements"))
    }
}

impl Rule for Told {
    const NAME: &'static str = "determinant";
    const IN_PLACE: &'static [usize] = &[];

    fn flops(&self, n: u64, _columns: u64) -> u64 {
        2 * n * n * n / 3
    }

    fn compute(&self, Task { n, matrix, result, space, .. }: Task<'_>) -> Result<(), String> {
        let Space { factors, rows, tools, .. } = space;
        let elimination = Elimination::of(matrix, n, factors, rows, tools);
        for (result, form) in result.iter_mut().zip(&self.0) {
            *result = told(*form, &elimination);
        }
        Ok(())
    }
}

fn told(form: DeterminantForm, elimination: &Elimination<'_>) -> f64 {
    let pivots = elimination.pivots();
    match form {
        DeterminantForm::Value => elimination.determinant(),
        DeterminantForm::LogAbs => pivots.fold(0.0, |sum, pivot| sum + pivot.abs().ln()),
        DeterminantForm::Sign => pivots.fold(elimination.sign_of_exchanges(), |sign, pivot| {
            let own = if pivot == 0.0 || pivot.is_nan() { pivot } else { pivot.signum() };
            sign * own
        }),
    }
}
