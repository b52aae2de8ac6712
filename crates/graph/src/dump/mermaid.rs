//! A picture for Mermaid, which READMEs draw: good for up to a hundred nodes.

use std::fmt;

use crate::dump::boxes::{Step, walk};
use crate::graph::Graph;
use crate::op::{Op, OpRules};

/// The graph as a Mermaid flowchart. Made by [`Graph::mermaid`].
#[derive(Clone, Copy, Debug)]
pub struct Mermaid<'g> {
    graph: &'g Graph,
}

impl Graph {
    /// The graph as a Mermaid flowchart, in the colours of [`Graph::dot`].
    #[must_use]
    pub fn mermaid(&self) -> Mermaid<'_> {
        Mermaid { graph: self }
    }
}

impl fmt::Display for Mermaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph;
        writeln!(f, "flowchart TD")?;
        for step in walk(graph) {
            match step {
                Step::Open { scope, depth } => {
                    let name = escaped(&graph.scopes()[scope.index()].name);
                    writeln!(f, "{}subgraph s{}[\"{name}\"]", "  ".repeat(depth + 1), scope.index())?;
                }
                Step::Close { depth } => writeln!(f, "{}end", "  ".repeat(depth + 1))?,
                Step::Node { node: id, depth } => {
                    let node = graph.node(id);
                    let class = match &node.op {
                        Op::Input(_) => "input",
                        _ if graph.gradient_of(id).is_some() => "gradient",
                        _ => "forward",
                    };
                    let name = match &node.op {
                        Op::Input(input) => input.name.to_string(),
                        Op::Literal(literal) => literal.value.to_string(),
                        op => op.name().into_owned(),
                    };
                    let label = format!("{} {}<br/>{}", id, escaped(&name), escaped(&node.ty.to_string()));
                    writeln!(f, "{}n{}[\"{label}\"]:::{class}", "  ".repeat(depth + 1), id.index())?;
                }
            }
        }
        for id in graph.ids() {
            for operand in &graph.node(id).operands {
                writeln!(f, "  n{} --> n{}", operand.index(), id.index())?;
            }
        }
        for link in graph.cotangents() {
            writeln!(f, "  n{} -. ∇ .-> n{}", link.gradient.index(), link.forward.index())?;
        }
        for (at, output) in graph.outputs().iter().enumerate() {
            writeln!(f, "  n{} --> out{at}([\"{}\"])", output.node.index(), escaped(&output.name))?;
            if let Some(state) = output.updates {
                writeln!(f, "  out{at} -.-> n{}", state.index())?;
            }
        }
        writeln!(f, "  classDef input fill:#e2f3e1,stroke:#3f8f3b,color:#000")?;
        writeln!(f, "  classDef forward fill:#dbe9f9,stroke:#3b6ea5,color:#000")?;
        writeln!(f, "  classDef gradient fill:#fde5cc,stroke:#c0731c,color:#000")
    }
}

/// Text between quotes, which Mermaid reads as HTML: what would end it or start something else is written by number.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | ';' => out.push_str(&format!("#{};", c as u32)),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
