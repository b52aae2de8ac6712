//! What is asked of the checker: a graph, what is differentiated in what, and where.

use pullback_graph::{Graph, NodeId, Tensor};

use crate::check::error::CheckError;

/// A function of a graph at a point.
#[derive(Clone, Debug)]
pub struct Case {
    /// The graph.
    pub graph: Graph,
    /// The output that is differentiated.
    pub output: String,
    /// The inputs it is differentiated in.
    pub wrt: Vec<String>,
    /// The values of the inputs that the output depends on, and maybe of others.
    pub feeds: Vec<(String, Tensor)>,
}

impl Case {
    /// The case of these names, which must exist and stand for floating-point tensors.
    ///
    /// # Errors
    /// [`CheckError::Unknown`] and [`CheckError::NotFloat`] when they do not.
    pub fn new(
        graph: &Graph,
        output: &str,
        wrt: &[&str],
        feeds: &[(&str, &Tensor)],
    ) -> Result<Case, CheckError> {
        let Some(found) = graph.output(output) else {
            let known = graph.outputs().iter().map(|output| format!("\"{}\"", output.name)).collect();
            return Err(CheckError::Unknown { kind: "output", name: output.into(), known });
        };
        expect_float("output", output, graph, found.node)?;
        for name in wrt {
            let Some(input) = graph.input(name) else {
                let labels = graph.inputs().iter().filter_map(|input| graph.label(*input));
                let known = labels.map(|label| format!("\"{label}\"")).collect();
                return Err(CheckError::Unknown { kind: "input", name: (*name).into(), known });
            };
            expect_float("input", name, graph, input)?;
        }
        Ok(Case {
            graph: graph.clone(),
            output: output.into(),
            wrt: wrt.iter().map(|name| (*name).into()).collect(),
            feeds: feeds.iter().map(|(name, value)| ((*name).into(), (*value).clone())).collect(),
        })
    }
}

fn expect_float(kind: &'static str, name: &str, graph: &Graph, node: NodeId) -> Result<(), CheckError> {
    let dtype = graph.ty(node).dtype;
    match dtype.is_float() {
        true => Ok(()),
        false => Err(CheckError::NotFloat { kind, name: name.into(), dtype }),
    }
}
