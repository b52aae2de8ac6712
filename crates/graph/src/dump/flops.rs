//! How many floating-point operations a node takes: an estimate to compare nodes and models by.

use crate::dim::Dim;
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::{Op, OpClass, OpRules};

impl Graph {
    /// The operations that node `id` takes; a polynomial where sizes are symbols.
    ///
    /// A product of matrices counts a multiplication and an addition per term; everything elementwise, reduced, drawn or
    /// added at an index counts one per element, however long it takes; movement and leaves count nothing. `None` for
    /// linear algebra and custom ops.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    pub fn flops(&self, id: NodeId) -> Option<Dim> {
        let node = self.node(id);
        let operand = |at: usize| self.ty(node.operands[at]);
        match node.op.class() {
            OpClass::Leaf | OpClass::Movement => Some(Dim::Known(0)),
            OpClass::Elementwise | OpClass::Random => Some(node.ty.shape.numel()),
            OpClass::Reduction => Some(operand(0).shape.numel()),
            OpClass::Contraction => match &node.op {
                Op::DotGeneral(dot) => {
                    let contracted = dot.contract_left.iter().map(|axis| operand(0).shape[axis].clone());
                    Some(
                        contracted
                            .fold(node.ty.shape.numel() * Dim::Known(2), |product, size| product * size),
                    )
                }
                _ => None,
            },
            // Reading places costs nothing, adding to them one operation per update.
            OpClass::Indexing => {
                Some(if node.operands.len() > 2 { operand(2).shape.numel() } else { Dim::Known(0) })
            }
            OpClass::Opaque => None,
        }
    }
}
