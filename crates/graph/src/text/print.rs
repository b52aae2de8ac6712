//! Printing (placeholder until the format lands in this session).

use std::fmt;

use crate::graph::Graph;
use crate::op::OpRules;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in self.ids() {
            let node = self.node(id);
            write!(f, "{id} = {}(", node.op.name())?;
            for (at, operand) in node.operands.iter().enumerate() {
                write!(f, "{}{operand}", if at > 0 { ", " } else { "" })?;
            }
            writeln!(f, ") : {}", node.ty)?;
        }
        Ok(())
    }
}
