//! Printing: one pass over the nodes, one line each.

use std::fmt::{self, Write};

use crate::graph::Graph;
use crate::id::{NodeId, ScopeId};
use crate::provenance::{Origin, Role};
use crate::stats::RunStats;
use crate::text::scopes;
use crate::text::value::{implied, write_name, write_quoted, write_value};

/// The column at which origins stand, where lines are short enough.
const ORIGIN_COLUMN: usize = 64;
/// The attributes that come first, in this order; the others follow by name.
const FIRST: [&str; 6] = ["name", "kind", "starts", "ends", "low", "high"];
/// Lists of outputs and of cotangents are broken into lines of this width.
const WIDTH: usize = 100;

/// The text IR of a graph; made by [`Graph::text`].
#[derive(Clone, Copy, Debug)]
pub struct Text<'g> {
    graph: &'g Graph,
    stats: Option<&'g RunStats>,
}

impl Graph {
    /// The text IR, as `Display` prints it, to be dressed with what a run recorded.
    #[must_use]
    pub fn text(&self) -> Text<'_> {
        Text { graph: self, stats: None }
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl<'g> Text<'g> {
    /// The same text with a comment behind every node that has statistics. It reads back as the same graph.
    #[must_use]
    pub fn with_stats(self, stats: &'g RunStats) -> Self {
        Text { stats: Some(stats), ..self }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph;
        let paths = scopes::paths(graph.scopes());
        let scope_of = |id: NodeId| graph.provenance(id).scope;
        match graph.kinks() {
            policy if policy.is_default() => writeln!(f, "graph {{")?,
            policy => writeln!(f, "graph kinks={policy} {{")?,
        }
        for scope in scopes::declared(graph) {
            writeln!(f, "  scope {} {{}}", paths[scope.index()])?;
        }
        let root = ScopeId::new(0);
        let mut open = root;
        let mut line = String::new();
        for id in graph.ids() {
            if scope_of(id) != open {
                if open != root {
                    writeln!(f, "  }}")?;
                }
                open = scope_of(id);
                if open != root {
                    writeln!(f, "  scope {} {{", paths[open.index()])?;
                }
            }
            line.clear();
            line.push_str(if open == root { "  " } else { "    " });
            self.node(&mut line, id);
            writeln!(f, "{line}")?;
        }
        if open != root {
            writeln!(f, "  }}")?;
        }
        self.outputs(f)?;
        self.cotangents(f)?;
        writeln!(f, "}}")
    }
}

impl Text<'_> {
    fn node(&self, line: &mut String, id: NodeId) {
        let node = self.graph.node(id);
        let (name, attributes) = node.op.to_parts();
        // Writing to a string cannot fail.
        let _ = write!(line, "{id} = {name}(");
        for (at, operand) in node.operands.iter().enumerate() {
            let _ = write!(line, "{}{operand}", if at > 0 { ", " } else { "" });
        }
        line.push(')');
        let mut attributes: Vec<_> = attributes
            .iter()
            .filter(|(key, value)| implied(key, &node.ty).as_ref() != Some(*value))
            .collect();
        let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
        attributes.sort_by_key(|(key, _)| (rank(key), *key));
        for (key, value) in attributes {
            let _ = write!(line, " {key}=");
            write_value(line, value);
        }
        let _ = write!(line, " : {}", node.ty);
        self.origins(line, id);
        if let Some(stats) = self.stats.and_then(|stats| stats.get(id)) {
            let _ = write!(line, "  # {stats}");
        }
    }

    /// The label and where the node comes from, unless there is nothing to say.
    fn origins(&self, line: &mut String, id: NodeId) {
        let provenance = self.graph.provenance(id);
        let nothing = Origin { source: None, role: Role::Forward, pass: None };
        let silent =
            provenance.origins.len() < 2 && provenance.origins.iter().all(|origin| *origin == nothing);
        if silent && provenance.label.is_none() {
            return;
        }
        let gap = ORIGIN_COLUMN.saturating_sub(line.chars().count()).max(2);
        let _ = write!(line, "{:gap$}//", "");
        if let Some(label) = provenance.label {
            line.push(' ');
            write_quoted(line, self.graph.name(label));
        }
        if silent {
            return;
        }
        for (at, origin) in provenance.origins.iter().enumerate() {
            line.push_str(if at > 0 { "; " } else { " " });
            self.origin(line, origin);
        }
    }

    fn origin(&self, line: &mut String, origin: &Origin) {
        let start = line.len();
        let separate = |line: &mut String| line.push_str(if line.len() > start { ", " } else { "" });
        if let Role::Gradient { forward, rule } = origin.role {
            line.push('∇');
            if let Some(forward) = forward {
                let _ = write!(line, "{forward}");
            }
            line.push_str(" by ");
            write_name(line, self.graph.name(rule));
        }
        if let Some(source) = origin.source {
            let source = self.graph.source_at(source);
            separate(line);
            match is_plain_file(&source.file) {
                true => line.push_str(&source.file),
                false => write_quoted(line, &source.file),
            }
            let _ = write!(line, ":{}:{}", source.line, source.column);
        }
        if let Some(pass) = origin.pass {
            separate(line);
            line.push_str("pass ");
            write_name(line, self.graph.name(pass));
        }
        if line.len() == start {
            line.push('?');
        }
    }

    fn outputs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.graph.outputs().iter().map(|output| {
            let mut item = String::new();
            write_name(&mut item, &output.name);
            let _ = write!(item, "={}", output.node);
            if let Some(state) = output.updates {
                let _ = write!(item, " updates {state}");
            }
            item
        });
        wrapped(f, "return", items)
    }

    fn cotangents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.graph.cotangents().iter();
        wrapped(f, "cotangents", links.map(|link| format!("{}: {}", link.forward, link.gradient)))
    }
}

/// Whether a file's name can be told from what else an origin holds.
fn is_plain_file(file: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !r#"",;#"#.contains(c);
    !file.is_empty() && !file.starts_with(['∇', '?']) && file.chars().all(plain)
}

/// A keyword and a list, broken into lines.
fn wrapped(f: &mut fmt::Formatter<'_>, keyword: &str, items: impl Iterator<Item = String>) -> fmt::Result {
    let mut column = 0;
    for (at, item) in items.enumerate() {
        let width = item.chars().count() + 2;
        if at == 0 {
            write!(f, "  {keyword} {item}")?;
            column = 2 + keyword.len() + width;
        } else if column + width <= WIDTH {
            write!(f, ", {item}")?;
            column += width;
        } else {
            write!(f, ",\n    {item}")?;
            column = 4 + width;
        }
    }
    if column > 0 { writeln!(f) } else { Ok(()) }
}
