//! `docs/ops.md`: every op and method, from the comments and tables in the sources, with an example drawn as the tests draw.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use pullback::graph::op::{Choices, Sample};
use pullback::graph::{Kink, KinkRow, Op};
use pullback::{Builder, Expr};

use crate::formula;

const HEAD: &str = "\
# Operations

Written by a test from the comments in `crates/graph/src/`; `UPDATE_EXPECT=1 cargo test --test docs` writes it anew.

- [Elementwise primitives](#elementwise-primitives): rows of tables. Operands have one shape and type. The gradient makes
  `x̄`, or `ā` and `b̄`, of the cotangent `ȳ`; `x`, or `a` and `b`, are the operands and `y` is the result. Kinks are the
  points where there is no derivative, with the rows of the table in `docs/gradients.md` that choose an answer; what does
  not depend on the choice stands with the gradient.
- [Structural primitives](#structural-primitives): formula, operands, constraints, gradient.
- [Methods](#methods): what is called to append them, and what is composed of them. Gradients of composed methods follow from the
  primitives; their documentation says what they are at kinks.

Constraints are numbered; a violation names the number. What gradients are at kinks is chosen by a table: see `docs/gradients.md`.
";

/// Something documented in a source file.
struct Item {
    doc: Vec<String>,
    code: String,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    /// A row of a table of elementwise ops.
    Row,
    Struct,
    /// A method of `Expr` or of the builder, or a function.
    Function,
}

/// A source file: what its first comment says, and its items.
struct Source {
    title: String,
    items: Vec<Item>,
}

/// The document.
pub(crate) fn document(root: &Path) -> String {
    let sources = |folder: &str| sources(&root.join("crates/graph/src").join(folder));
    let ops = sources("op");
    let mut text = HEAD.to_string();
    let mut seen = Vec::new();

    text.push_str("\n## Elementwise primitives\n");
    for source in &ops {
        let rows: Vec<&Item> = source.items.iter().filter(|item| item.kind == Kind::Row).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\n### {}\n\n| op | value | gradient | kinks | example |\n|---|---|---|---|---|\n",
            source.title
        );
        for row in rows {
            let name = row.name();
            let cells = [format!("`{name}`"), row.summary(), row.gradient(), row.kinks(), example(&name)];
            let _ = writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
            seen.push(name);
        }
    }

    text.push_str("\n## Structural primitives\n");
    let list = fs::read_to_string(root.join("crates/graph/src/op/list.rs")).unwrap();
    for (name, structure) in list.lines().filter_map(listed) {
        let item = ops.iter().flat_map(|source| &source.items).find(|item| item.is_struct(structure));
        let item = item.unwrap_or_else(|| panic!("no documentation of {structure} is found"));
        let _ = write!(text, "\n### `{name}`\n\n{}\n\nExample: {}\n", item.text(), example(name));
        seen.push(name.to_string());
    }
    for (name, _) in Op::catalogue() {
        assert!(seen.iter().any(|known| known == name), "{name} is not documented");
    }

    text.push_str("\n## Methods\n");
    for source in sources("expr").iter().chain(&sources("derived")) {
        let methods: Vec<&Item> = source.items.iter().filter(|item| item.kind == Kind::Function).collect();
        if methods.is_empty() {
            continue;
        }
        let _ = write!(text, "\n### {}\n", source.title);
        for method in methods {
            let _ = write!(text, "\n#### `{}`\n\n{}\n", method.code, method.text());
        }
    }
    text
}

/// The name and the struct of a line of the list of ops.
fn listed(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim().strip_prefix('"')?.split_once("\" => ")?;
    Some((name, rest.split_once('(')?.1.strip_suffix("),")?))
}

/// The files of a folder and those below, by path.
fn sources(folder: &Path) -> Vec<Source> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![source(path)] })
        .collect()
}

fn source(path: PathBuf) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let title = text.lines().find_map(|line| line.strip_prefix("//! ")).unwrap_or_default();
    let title = title.split(". ").next().unwrap_or_default().trim_end_matches(['.', ':']).to_string();
    let mut items = Vec::new();
    let (mut doc, mut of_users): (Vec<String>, bool) = (Vec::new(), true);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if let Some(comment) = trimmed.strip_prefix("///") {
            doc.push(comment.strip_prefix(' ').unwrap_or(comment).to_string());
            continue;
        }
        if trimmed.starts_with("#[") {
            continue;
        }
        if line.starts_with("impl") {
            // Methods of options are documented with these; those of expressions and builders are operations.
            of_users = line.contains(" Expr<'g> {") && !line.contains(" for ") || line == "impl Builder {";
        } else if line == "}" {
            of_users = true;
        }
        let doc = std::mem::take(&mut doc);
        let is_row = row(trimmed);
        if doc.is_empty() || !(of_users || is_row) {
            continue;
        }
        if is_row {
            let mut code = trimmed.to_string();
            while !code.ends_with(';') || unclosed(&code) {
                let next = lines.next().expect("a row ends").trim();
                let next = next.split("// ").next().unwrap_or(next);
                code = format!("{code} {next}").trim_end().to_string();
            }
            items.push(Item { doc, code, kind: Kind::Row });
        } else if let Some(code) = running(trimmed) {
            items.push(Item { doc, code, kind: Kind::Function });
        } else if trimmed.starts_with("pub struct ") {
            items.push(Item { doc, code: trimmed.to_string(), kind: Kind::Struct });
        } else if trimmed.starts_with("pub fn ") && !trimmed.contains('$') {
            let mut code = trimmed.to_string();
            while !code.ends_with('{') {
                code = format!("{code} {}", lines.next().expect("a function begins").trim());
            }
            let code = code
                .trim_start_matches("pub fn ")
                .trim_end_matches(" {")
                .replace("( ", "(")
                .replace(", )", ")");
            // What gives no expression appends nothing.
            if !code.split_once(" -> ").is_some_and(|(_, result)| result.contains("Expr")) {
                continue;
            }
            items.push(Item {
                doc,
                code: code.replace("<'g>", "").replace("&'g ", "&"),
                kind: Kind::Function,
            });
        }
    }
    Source { title, items }
}

/// Whether a line begins a row: `Variant = name, …`.
fn row(line: &str) -> bool {
    let Some((variant, rest)) = line.split_once(" = ") else { return false };
    let name: &str = rest.split(',').next().unwrap_or_default();
    let of = |text: &str, part: fn(char) -> bool| !text.is_empty() && text.chars().all(part);
    of(variant, |c| c.is_ascii_alphanumeric())
        && variant.starts_with(|c: char| c.is_ascii_uppercase())
        && of(name, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && rest.contains(',')
}

/// The methods of a row of running combinations: `method, method_reversed = Kind;`.
fn running(line: &str) -> Option<String> {
    let (methods, kind) = line.strip_suffix(';')?.split_once(" = ")?;
    let (method, reversed) = methods.split_once(", ")?;
    let is_row = reversed.starts_with(method) && kind.chars().all(char::is_alphanumeric);
    is_row.then(|| format!("{method}(self, axis: i64) -> Expr`, `{reversed}(self, axis: i64) -> Expr"))
}

fn unclosed(code: &str) -> bool {
    code.matches('{').count() > code.matches('}').count()
}

impl Item {
    /// The name of a row.
    fn name(&self) -> String {
        let rest = self.code.split_once(" = ").expect("a row").1;
        rest.split(',').next().unwrap_or_default().to_string()
    }

    fn is_struct(&self, name: &str) -> bool {
        let rest = self.code.strip_prefix("pub struct ").and_then(|rest| rest.strip_prefix(name));
        self.kind == Kind::Struct && rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    }

    /// What a row computes, on one line.
    fn summary(&self) -> String {
        self.said().0
    }

    /// What the documentation of a row says of the value, and of the gradient behind `Gradient:`.
    fn said(&self) -> (String, Option<String>) {
        let doc = without_links(&self.doc.join(" "));
        match doc.split_once("Gradient: ") {
            Some((value, gradient)) => (value.trim_end().into(), Some(gradient.into())),
            None => (doc, None),
        }
    }

    /// The documentation without examples; what panics is a constraint.
    fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut in_code = false;
        for line in &self.doc {
            if line.starts_with("```") {
                in_code = !in_code;
            } else if line == "# Panics" {
                lines.push("Panics:".into());
            } else if !in_code && !line.starts_with("# ") {
                // A line break of its own where a new statement of the contract begins.
                let begins =
                    ["Operands:", "Constraints:", "Gradient:"].iter().any(|word| line.starts_with(word));
                let last_is_text = lines.last().is_some_and(|last| !last.is_empty());
                if begins && last_is_text {
                    lines.push(String::new());
                }
                lines.push(line.clone());
            }
        }
        let text = without_links(&lines.join("\n"));
        let mut kept: Vec<&str> = text.trim().lines().collect();
        kept.dedup_by(|a, b| a.is_empty() && b.is_empty());
        kept.join("\n").replace("Panics:\nWhen", "Panics when")
    }

    /// What a row makes of the cotangent: as its documentation says, else the slopes as formulas.
    fn gradient(&self) -> String {
        if let Some(words) = self.said().1 {
            assert!(
                self.slopes().all(|(bar, _)| words.contains(&format!("{bar} ="))),
                "{words}: not every operand"
            );
            return words;
        }
        let formulas: Vec<String> = self
            .slopes()
            .map(|(bar, slope)| match formula::of_slope(slope) {
                Some(formula) => format!("`{bar} = {formula}`"),
                None => {
                    panic!("{}: {slope} is no formula: the row needs a line `/// Gradient: …`", self.name())
                }
            })
            .collect();
        if formulas.is_empty() { "none".into() } else { formulas.join("; ") }
    }

    /// The cotangents of the operands and the slopes they are made by, as the row has them.
    fn slopes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("slope |", "x̄"), ("left |", "ā"), ("right |", "b̄")].into_iter().filter_map(|(word, bar)| {
            let rest = &self.code[self.code.find(&format!(" {word}"))? + 1 + word.len()..];
            let end = rest.find(", right |").or(rest.rfind(';')).unwrap_or(rest.len());
            let (_, slope) = rest[..end].trim_end_matches([',', ' ']).split_once("| ")?;
            Some((bar, slope))
        })
    }

    /// The points where a row has a kink, and the answers of the table that its documentation names.
    fn kinks(&self) -> String {
        let points =
            self.code.split_once(" .. ").and_then(|(_, rest)| rest.split_once(" [")?.1.split_once(']'));
        let points = points.map(|(points, _)| points.replace(".0", "")).unwrap_or_default();
        // Several points are those of a pattern, within the range that tests draw from.
        let points = if points.contains(',') { format!("…, {points}, …") } else { points };
        let doc = self.doc.join(" ");
        let rows: Vec<KinkRow> =
            Kink::TABLE.into_iter().filter(|row| doc.contains(&format!("`Kink::{:?}`", row.kink))).collect();
        let names = rows.iter().map(|row| match points.is_empty() {
            true => format!("{} (`Kink::{:?}`)", row.place, row.kink),
            false => format!("`Kink::{:?}`", row.kink),
        });
        let names = names.collect::<Vec<_>>().join("; ");
        match (points.is_empty(), names.is_empty()) {
            (true, _) => names,
            (false, true) => points,
            (false, false) => format!("{points} ({names})"),
        }
    }
}

/// The text with `[words](target)` and `[words]` replaced by the words.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        plain.push_str(&rest[..start]);
        let inner = &rest[start + 1..];
        let Some(end) = inner.find("`]") else { break };
        plain.push_str(&inner[..=end]);
        rest = &inner[end + 2..];
        if let Some(target) = rest.strip_prefix('(') {
            rest = target.split_once(')').map_or("", |(_, rest)| rest);
        }
    }
    plain.push_str(rest);
    // Links on ordinary words, to names in the sources.
    let mut text = plain;
    let mut from = 0;
    while let Some(at) = text[from..].find("](").map(|at| from + at) {
        let target: String =
            text[at + 2..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
        let end = at + 2 + target.len();
        let start = text[..at].rfind('[').filter(|_| text[end..].starts_with(')'));
        from = at + 1;
        if let Some(start) = start {
            text = format!("{}{}{}", &text[..start], &text[start + 1..at], &text[end + 1..]);
            from = start;
        }
    }
    text
}

/// A line of the text form in which the op is applied.
fn example(name: &str) -> String {
    let (_, sample) = Op::catalogue().into_iter().find(|(known, _)| *known == name).expect("a known op");
    let drawn: Vec<Sample> = (0..24).map(|seed| sample(name, &mut Choices::seeded(seed))).collect();
    // One that shows something: several elements, and not too many axes.
    let shows = |sample: &&Sample| {
        let types = sample.operands.iter().map(|operand| &operand.ty);
        let mut sizes = types.map(|ty| ty.shape.known().unwrap_or_default());
        sizes.all(|sizes| (1..3).contains(&sizes.len()) && sizes.iter().all(|size| *size > 1))
    };
    let sample = drawn.iter().find(shows).unwrap_or(&drawn[0]);
    let b = Builder::new();
    let input = |(at, operand): (usize, &pullback::graph::op::OperandSample)| {
        b.input(&format!("x{at}"), operand.ty.dtype, &operand.ty.shape)
    };
    let operands: Vec<Expr<'_>> = sample.operands.iter().enumerate().map(input).collect();
    let result = b.push(sample.op.clone(), &operands).unwrap_or_else(|error| panic!("{error}"));
    let types: Vec<String> = operands.iter().map(|operand| operand.ty().to_string()).collect();
    let graph = b.finish([("y", result)]).unwrap().to_string();
    let start = format!("{} = ", result.id());
    let line = graph.lines().find_map(|line| line.trim().strip_prefix(&start)).expect("the node is printed");
    let line = line.split("  // ").next().unwrap_or(line).split(" // ").next().unwrap_or(line).trim_end();
    match types.is_empty() {
        true => format!("`{line}`"),
        false => format!("`{line}` of `{}`", types.join(", ")),
    }
}
