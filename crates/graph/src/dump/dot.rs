//! A picture for Graphviz: boxes for scopes, forward and gradient nodes in colours of their own.

use std::fmt;

use crate::dump::boxes::{Step, walk};
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::{InputKind, Op, OpRules};
use crate::stats::RunStats;

/// The graph in the language of Graphviz. Made by [`Graph::dot`].
///
/// Forward nodes are blue, gradient nodes orange; inputs are ellipses, parameters and state are cylinders, outputs have a
/// node of their own. A dashed line leads from a gradient to the node it is the gradient of, a dotted one from an output
/// back to the state it updates.
#[derive(Clone, Copy, Debug)]
pub struct Dot<'g> {
    graph: &'g Graph,
    stats: Option<&'g RunStats>,
}

impl Graph {
    /// The graph as a picture: `graph.dot().to_string()` is what the program `dot` reads.
    #[must_use]
    pub fn dot(&self) -> Dot<'_> {
        Dot { graph: self, stats: None }
    }
}

impl<'g> Dot<'g> {
    /// The same picture with what a run recorded in each node.
    #[must_use]
    pub fn with_stats(self, stats: &'g RunStats) -> Self {
        Dot { stats: Some(stats), ..self }
    }
}

const FORWARD: &str = "fillcolor=\"#dbe9f9\", color=\"#3b6ea5\"";
const GRADIENT: &str = "fillcolor=\"#fde5cc\", color=\"#c0731c\"";
const LEAF: &str = "fillcolor=\"#f4f4f4\", color=\"#999999\"";
const DATA: &str = "shape=ellipse, fillcolor=\"#e2f3e1\", color=\"#3f8f3b\"";
const PARAMETER: &str = "shape=cylinder, fillcolor=\"#f2e3f7\", color=\"#8a4aa1\"";
const STATE: &str = "shape=cylinder, fillcolor=\"#eeeeee\", color=\"#666666\"";
const OUTPUT: &str = "shape=box, style=\"filled,bold\", fillcolor=\"#ffffff\", color=\"#222222\"";

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph pullback {{")?;
        writeln!(f, "  graph [fontname=\"sans-serif\", fontsize=11]")?;
        writeln!(f, "  node [fontname=\"sans-serif\", fontsize=10, shape=box, style=\"rounded,filled\"]")?;
        writeln!(f, "  edge [fontname=\"sans-serif\", fontsize=9, color=\"#555555\", arrowsize=0.7]")?;
        for step in walk(self.graph) {
            match step {
                Step::Open { scope, depth } => {
                    let indent = "  ".repeat(depth + 1);
                    let name = escaped(&self.graph.scopes()[scope.index()].name);
                    writeln!(f, "{indent}subgraph cluster_{} {{", scope.index())?;
                    writeln!(
                        f,
                        "{indent}  graph [label=\"{name}\", labeljust=l, style=rounded, color=\"#aaaaaa\"]"
                    )?;
                }
                Step::Node { node, depth } => writeln!(f, "{}{}", "  ".repeat(depth + 1), self.node(node))?,
                Step::Close { depth } => writeln!(f, "{}}}", "  ".repeat(depth + 1))?,
            }
        }
        for (at, output) in self.graph.outputs().iter().enumerate() {
            writeln!(f, "  out{at} [label=\"{}\", {OUTPUT}]", escaped(&output.name))?;
        }
        self.edges(f)?;
        writeln!(f, "}}")
    }
}

impl Dot<'_> {
    fn node(&self, id: NodeId) -> String {
        let (graph, node) = (self.graph, self.graph.node(id));
        let gradient = graph.gradient_of(id);
        let style = match &node.op {
            Op::Input(input) => match input.kind {
                InputKind::Data => DATA,
                InputKind::Parameter => PARAMETER,
                InputKind::State => STATE,
            },
            _ if gradient.is_some() => GRADIENT,
            _ if node.operands.is_empty() => LEAF,
            _ => FORWARD,
        };
        let mut lines = vec![format!("{id} {}", node.op.name())];
        match &node.op {
            Op::Input(input) => lines[0] = format!("{id} {}", input.name),
            Op::Literal(literal) => lines[0] = format!("{id} {}", literal.value),
            _ => lines.extend(graph.label(id).map(|label| format!("{label:?}"))),
        }
        lines.push(node.ty.to_string());
        lines.extend(self.stats.and_then(|stats| stats.get(id)).map(ToString::to_string));
        let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let mut origin = graph.source(id).map(ToString::to_string).unwrap_or_default();
        if let Some((forward, rule)) = gradient {
            let forward = forward.map(|id| id.to_string()).unwrap_or_default();
            origin = format!("∇{forward} by {rule}, {origin}");
        }
        format!(
            "n{} [label=\"{}\", tooltip=\"{}\", {style}]",
            id.index(),
            label.join("\\n"),
            escaped(&origin)
        )
    }

    fn edges(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph;
        for id in graph.ids() {
            let operands = &graph.node(id).operands;
            for (at, operand) in operands.iter().enumerate() {
                // The place of an operand is told where there are several.
                let place = if operands.len() > 1 { format!(" [headlabel=\"{at}\"]") } else { String::new() };
                writeln!(f, "  n{} -> n{}{place}", operand.index(), id.index())?;
            }
        }
        for link in graph.cotangents() {
            let (from, to) = (link.gradient.index(), link.forward.index());
            writeln!(
                f,
                "  n{from} -> n{to} [label=\"∇\", style=dashed, color=\"#c0731c\", constraint=false]"
            )?;
        }
        for (at, output) in graph.outputs().iter().enumerate() {
            writeln!(f, "  n{} -> out{at}", output.node.index())?;
            if let Some(state) = output.updates {
                writeln!(f, "  out{at} -> n{} [style=dotted, constraint=false]", state.index())?;
            }
        }
        Ok(())
    }
}

/// Text between quotes: quotes, backslashes and line ends escaped, other control characters left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::text::round_trip::seeded_graph;

    /// The text without what stands in quotes, which are all closed on their line.
    fn unquoted(line: &str) -> String {
        let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
        for c in line.chars() {
            match (quoted, c) {
                (true, '"') if !escaped => quoted = false,
                (true, _) => escaped = c == '\\' && !escaped,
                (false, '"') => quoted = true,
                (false, c) => out.push(c),
            }
        }
        assert!(!quoted, "{line}");
        out
    }

    /// Checks the picture line by line and returns its number of boxes, nodes and edges.
    fn check(dot: &str) -> (usize, usize, usize) {
        let (mut depth, mut boxes, mut edges) = (0_usize, 0, 0);
        let mut nodes: HashSet<String> = HashSet::new();
        let mut ends: Vec<String> = Vec::new();
        for line in dot.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            let line = unquoted(line);
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(line.matches('[').count(), line.matches(']').count(), "{line}");
            match words.as_slice() {
                ["digraph", "pullback", "{"] => depth += 1,
                ["subgraph", name, "{"] => {
                    assert!(depth > 0 && name.starts_with("cluster_"));
                    (depth, boxes) = (depth + 1, boxes + 1);
                }
                ["}"] => depth -= 1,
                ["graph" | "node" | "edge", attribute, ..] => assert!(attribute.starts_with('[')),
                [from, "->", to, ..] => {
                    ends.extend([(*from).to_string(), (*to).to_string()]);
                    edges += 1;
                }
                [node, attribute, ..] => {
                    assert!(attribute.starts_with("[label="), "{line}");
                    assert!(nodes.insert((*node).to_string()), "{node} stands twice");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(depth, 0);
        assert!(ends.iter().all(|end| nodes.contains(end)));
        (boxes, nodes.len(), edges)
    }

    #[test]
    fn every_picture_is_well_formed() {
        for seed in 0..8 {
            let graph = seeded_graph(seed);
            let (boxes, nodes, edges) = check(&graph.dot().to_string());
            let operands: usize = graph.nodes().iter().map(|node| node.operands.len()).sum();
            let updates = graph.outputs().iter().filter(|output| output.updates.is_some()).count();
            assert_eq!(nodes, graph.len() + graph.outputs().len());
            assert_eq!(edges, operands + graph.cotangents().len() + graph.outputs().len() + updates);
            assert!(boxes < graph.scopes().len());
        }
    }
}
