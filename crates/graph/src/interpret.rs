//! The reference interpreter: every node by its op's `evaluate`, in storage order. It defines what a graph means.

use std::collections::HashMap;

use crate::error::{EvalError, GraphError};
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::{Op, OpRules};
use crate::tensor::Tensor;

/// The value of every node, for these feeds.
///
/// The graph is bound to the sizes of the feeds first. Linear in nodes; nothing is freed before the end.
///
/// ```
/// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
/// let b = Builder::new();
/// let x = b.input("x", F64, [2]);
/// let graph = b.finish([("y", x.square().sum())])?;
/// let values = interpret(&graph, [("x", &Tensor::of([2], [3.0, 4.0]))])?;
/// assert_eq!(values.output("y")?.item(), Some(25.0));
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
///
/// # Errors
/// A feed that does not fit, or an op that fails on its values, with node and line.
pub fn interpret<'t, N: AsRef<str>>(
    graph: &Graph,
    feeds: impl IntoIterator<Item = (N, &'t Tensor)>,
) -> Result<Values, GraphError> {
    let feeds: Vec<(N, &Tensor)> = feeds.into_iter().collect();
    let bindings = graph.solve(feeds.iter().map(|(name, tensor)| (name.as_ref(), *tensor)))?;
    // A graph without symbols is bound already.
    let bound = if bindings.is_empty() { graph.clone() } else { graph.bind(&bindings)? };
    let fed: HashMap<&str, &Tensor> = feeds.iter().map(|(name, tensor)| (name.as_ref(), *tensor)).collect();
    let mut values: Vec<Tensor> = Vec::with_capacity(bound.len());
    for id in bound.ids() {
        let node = bound.node(id);
        let value = match &node.op {
            Op::Input(input) => {
                let value = *fed.get(&*input.name).expect("`solve` has seen a feed for every input");
                value.clone()
            }
            op => {
                let operands: Vec<&Tensor> =
                    node.operands.iter().map(|operand| &values[operand.index()]).collect();
                op.evaluate(&operands, &node.ty).map_err(|message| EvalError {
                    node: id,
                    op: op.name().to_string(),
                    label: bound.label(id).cloned(),
                    message,
                    at: bound.source(id).cloned(),
                })?
            }
        };
        debug_assert_eq!(value.ty(), node.ty, "{id}: `evaluate` and `infer` must agree");
        values.push(value);
    }
    Ok(Values { graph: bound, values })
}

/// The value of every node of a bound graph.
#[derive(Clone, Debug)]
pub struct Values {
    graph: Graph,
    values: Vec<Tensor>,
}

impl Values {
    /// The graph with every size known; node ids are those of the graph interpreted.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The value of node `id`.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Tensor {
        &self.values[id.index()]
    }

    /// The value of the output named `name`.
    ///
    /// # Errors
    /// [`VerifyError::Dangling`](crate::VerifyError::Dangling) when there is no such output.
    pub fn output(&self, name: &str) -> Result<&Tensor, GraphError> {
        match self.graph.output(name) {
            Some(output) => Ok(self.node(output.node)),
            None => {
                Err(crate::error::VerifyError::Dangling { what: "output", id: format!("{name:?}") }.into())
            }
        }
    }

    /// The outputs' values, in order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.graph.outputs().iter().map(|output| (&*output.name, self.node(output.node)))
    }
}
