//! Graphs as parts of others: their nodes over given inputs.

use crate::builder::Builder;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::Op;

impl Graph {
    /// Appends what the outputs need, with `inputs` in place of the graph's, and gives the outputs.
    ///
    /// # Panics
    /// When the inputs' number or types are others.
    pub(crate) fn inline<'g>(&self, builder: &'g Builder, inputs: &[Expr<'g>]) -> Vec<Expr<'g>> {
        assert_eq!(inputs.len(), self.inputs().len(), "one expression per input");
        let mut live = vec![false; self.len()];
        for output in self.outputs() {
            live[output.node.index()] = true;
        }
        for id in self.ids().rev() {
            if live[id.index()] {
                self.node(id).operands.iter().for_each(|operand| live[operand.index()] = true);
            }
        }
        let mut given = inputs.iter();
        let mut places: Vec<Option<Expr<'g>>> = Vec::with_capacity(self.len());
        for (node, live) in self.nodes().iter().zip(live) {
            places.push(match &node.op {
                Op::Input(input) => {
                    let given = *given.next().expect("one expression per input");
                    assert_eq!(given.ty(), input.ty, "the expression for input \"{}\"", input.name);
                    Some(given)
                }
                op if live => {
                    let operand = |id: &crate::id::NodeId| places[id.index()].expect("operands are live");
                    let operands: Vec<Expr<'g>> = node.operands.iter().map(operand).collect();
                    Some(builder.push(op.clone(), &operands).expect("the same op fitted the same types"))
                }
                _ => None,
            });
        }
        self.outputs().iter().map(|output| places[output.node.index()].expect("outputs are live")).collect()
    }

    /// The same graph without lines, scopes, labels, and nodes that no output depends on.
    pub(crate) fn anonymous(&self) -> Graph {
        let builder = Builder::new();
        builder.without_lines(|| {
            let inputs = self.inputs().iter().map(|id| builder.leaf(self.node(*id).op.clone()));
            let inputs: Vec<Expr<'_>> = inputs.collect();
            let outputs = self.inline(&builder, &inputs);
            let outputs = self.outputs().iter().map(|output| output.name.clone()).zip(outputs);
            builder.finish(outputs).expect("the names are those of before")
        })
    }
}
