//! The interpreter's rule as a kernel: what every op can fall back to.
//!
//! It copies operands into tensors and the result out of one, so it allocates; an op that matters gets a loop.

use std::ops::Range;

use pullback_graph::{Graph, NodeId, Op, OpRules, Sizes, Tensor, TensorType, dispatch};

use crate::kernel::compute::Compute;
use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// An op evaluated as the interpreter does.
#[derive(Debug)]
pub(crate) struct Reference {
    op: Op,
    operands: Vec<Sizes>,
    result: TensorType,
    len: usize,
}

impl Reference {
    /// The rule of a node of a bound graph.
    pub(crate) fn of(graph: &Graph, node: NodeId) -> Reference {
        let sizes = |id: NodeId| graph.ty(id).shape.known().expect("a graph is bound before it is lowered");
        let node_of = graph.node(node);
        Reference {
            op: node_of.op.clone(),
            operands: node_of.operands.iter().map(|operand| sizes(*operand)).collect(),
            result: node_of.ty.clone(),
            len: sizes(node).iter().product(),
        }
    }
}

impl Compute for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn pieces(&self) -> Pieces {
        Pieces::whole(self.len)
    }

    fn flops(&self) -> u64 {
        self.len as u64
    }

    fn run(
        &self,
        _range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        _scratch: &mut Scratch,
    ) -> Result<(), String> {
        let tensor = |(read, sizes): (&Slice<'_>, &Sizes)| dispatch!(read.dtype(), T => Tensor::new(sizes, read.typed::<T>().to_vec()));
        let operands: Result<Vec<Tensor>, _> = reads.iter().zip(&self.operands).map(tensor).collect();
        let operands = operands.map_err(|error| error.to_string())?;
        let value = self.op.evaluate(&operands.iter().collect::<Vec<_>>(), &self.result)?;
        dispatch!(self.result.dtype, T => {
            write.typed::<T>().copy_from_slice(value.as_slice().map_err(|error| error.to_string())?);
        });
        Ok(())
    }
}
