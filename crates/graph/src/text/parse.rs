//! Parsing: from a text to a graph, of which every invariant has been checked.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::assemble::{Assembly, WrittenNode};
use crate::error::FormatError;
use crate::graph::{Graph, Operands, Output};
use crate::id::{NameId, NodeId, ScopeId};
use crate::op::{Choices, Op, Registry};
use crate::provenance::{CotangentLink, Origin, Provenance, Role, Source};
use crate::shape::TensorType;
use crate::text::cursor::Cursor;
use crate::text::scopes::ScopeTable;
use crate::text::value::{IMPLIED, implied, read_name, read_value};

impl Graph {
    /// Reads the text IR; custom ops are looked up in `registry`. Linear in the text.
    ///
    /// ```
    /// use pullback_graph::{Graph, op::Registry};
    /// let text = "graph {\n  %0 = input() name=x kind=data : f32[batch, 3]\n  %1 = tanh(%0) : f32[batch, 3]\n  return y=%1\n}\n";
    /// let graph = Graph::parse(text, &Registry::new())?;
    /// assert_eq!(graph.to_string(), text);
    /// # Ok::<(), pullback_graph::FormatError>(())
    /// ```
    ///
    /// # Errors
    /// [`FormatError::Syntax`] with line and column where the text is malformed, [`FormatError::UnknownOp`] and
    /// [`FormatError::Attributes`] where there is no such op, and [`FormatError::Invalid`] where an invariant does not
    /// hold: an operand that does not come before its user, a type that is not the inferred one.
    pub fn parse(text: &str, registry: &Registry) -> Result<Graph, FormatError> {
        let mut parser = Parser {
            cursor: Cursor::new(text),
            assembly: Assembly::new(registry),
            scopes: ScopeTable::default(),
            implied: HashMap::new(),
            outputs: Vec::new(),
        };
        parser.graph()?;
        parser.assembly.finish(parser.outputs)
    }
}

struct Parser<'t, 'r> {
    cursor: Cursor<'t>,
    assembly: Assembly<'r>,
    scopes: ScopeTable,
    /// Which attributes of an op may repeat its type.
    implied: HashMap<String, Vec<&'static str>>,
    outputs: Vec<Output>,
}

impl Parser<'_, '_> {
    fn graph(&mut self) -> Result<(), FormatError> {
        self.cursor.expect("graph")?;
        self.cursor.skip_blanks();
        if self.cursor.eat("kinks=") {
            let start = self.cursor;
            let policy = self.cursor.word("a kink policy", |c| c.is_ascii_alphanumeric() || c == '_')?;
            self.assembly.body.kinks = policy.parse().map_err(|message: String| start.error(message))?;
        }
        self.cursor.expect("{")?;
        loop {
            self.cursor.skip_space();
            if self.cursor.peek() == Some('%') {
                self.node(ScopeId::new(0))?;
            } else if self.cursor.eat_keyword("scope") {
                self.scope()?;
            } else if self.cursor.eat_keyword("return") {
                self.outputs()?;
            } else if self.cursor.eat_keyword("cotangents") {
                self.cotangents()?;
            } else if self.cursor.eat("}") {
                break;
            } else {
                return Err(self.cursor.expected("a node, `scope`, `return`, `cotangents` or `}`"));
            }
        }
        self.cursor.skip_space();
        if self.cursor.rest().is_empty() { Ok(()) } else { Err(self.cursor.expected("the end of the text")) }
    }

    fn scope(&mut self) -> Result<(), FormatError> {
        self.cursor.skip_blanks();
        let scope = self.scopes.read(&mut self.cursor, &mut self.assembly)?;
        self.cursor.expect("{")?;
        loop {
            self.cursor.skip_space();
            if self.cursor.eat("}") {
                return Ok(());
            }
            self.node(scope)?;
        }
    }

    /// `%2 = op(%0, %1) key=value … : type // origins`
    fn node(&mut self, scope: ScopeId) -> Result<(), FormatError> {
        let expected = NodeId::new(self.assembly.body.nodes.len());
        if self.cursor.peek() != Some('%') {
            return Err(self.cursor.expected("a node or `}`"));
        }
        let start = self.cursor;
        if self.id()? != expected {
            return Err(start.expected(&format!("`{expected}`, for nodes are numbered in order")));
        }
        self.cursor.expect("=")?;
        self.cursor.skip_space();
        let op =
            self.cursor.word("the name of an op", |c| c.is_ascii_alphanumeric() || c == '_')?.to_string();
        let operands: Operands = self.cursor.list('(', ')', node_id)?.into_iter().collect();
        let mut attributes = self.attributes()?;
        let ty = self.ty()?;
        self.imply(&op, &mut attributes, &ty);
        let provenance = self.provenance(scope)?;
        self.assembly.node(WrittenNode { op, attributes, operands, ty, provenance })?;
        Ok(())
    }

    fn id(&mut self) -> Result<NodeId, FormatError> {
        node_id(&mut self.cursor)
    }

    /// Attributes up to and including the `:` before the type.
    fn attributes(&mut self) -> Result<Map<String, Value>, FormatError> {
        let mut attributes = Map::new();
        loop {
            self.cursor.skip_space();
            if self.cursor.eat(":") {
                return Ok(attributes);
            }
            let key = self.cursor.word("an attribute or `:`", |c| c.is_ascii_alphanumeric() || c == '_')?;
            self.cursor.expect("=")?;
            self.cursor.skip_space();
            let value = read_value(&mut self.cursor, 0)?;
            if attributes.insert(key.to_string(), value).is_some() {
                return Err(self.cursor.error(format!("attribute `{key}` is given twice")));
            }
        }
    }

    fn ty(&mut self) -> Result<TensorType, FormatError> {
        self.cursor.skip_space();
        let rest = self.cursor.rest();
        let line = rest.lines().next().unwrap_or_default();
        let Some(end) = line.find(']') else {
            return Err(self.cursor.expected("a type such as `f32[2, batch]`"));
        };
        let ty = line[..=end].parse().map_err(|message| self.cursor.error(message))?;
        self.cursor.advance(end + 1);
        Ok(ty)
    }

    /// Adds the attributes that were left out because they repeat the type.
    fn imply(&mut self, op: &str, attributes: &mut Map<String, Value>, ty: &TensorType) {
        if !self.implied.contains_key(op) {
            // Which attributes an op has is seen at a sample of it.
            let entry = Op::catalogue().into_iter().find(|(name, _)| *name == op);
            let sample =
                entry.map(|(name, sample)| sample(name, &mut Choices::new(Vec::new())).op.to_parts().1);
            let has = |key: &&str| sample.as_ref().is_some_and(|attributes| attributes.contains_key(*key));
            self.implied.insert(op.to_string(), IMPLIED.into_iter().filter(has).collect());
        }
        for key in &self.implied[op] {
            if !attributes.contains_key(*key) {
                attributes.extend(implied(key, ty).map(|value| ((*key).to_string(), value)));
            }
        }
    }

    fn provenance(&mut self, scope: ScopeId) -> Result<Provenance, FormatError> {
        let (mut label, mut origins) = (None, SmallVec::new());
        self.cursor.skip_blanks();
        if self.cursor.eat("//") {
            self.cursor.skip_blanks();
            if self.cursor.peek() == Some('"') && !self.is_source() {
                let text = self.cursor.quoted()?;
                label = Some(self.assembly.body.intern_name(&text));
                self.cursor.skip_blanks();
            }
            while !self.cursor.at_line_end() {
                origins.push(self.origin()?);
                self.cursor.skip_blanks();
                if !self.cursor.eat(";") && !self.cursor.at_line_end() {
                    return Err(self.cursor.expected("`,`, `;` or the end of the line"));
                }
                self.cursor.skip_blanks();
            }
        }
        if origins.is_empty() {
            origins.push(Origin { source: None, role: Role::Forward, pass: None });
        }
        Ok(Provenance { scope, label, origins })
    }

    /// Whether the string that comes next is a file and not a label.
    fn is_source(&self) -> bool {
        let rest = self.cursor.rest();
        let mut ahead = Cursor::new(rest.lines().next().unwrap_or_default());
        ahead.quoted().is_ok() && ahead.peek() == Some(':')
    }

    /// `∇%2 by tanh, src/net.rs:7:18, pass simplify`, each part at most once; or `?`.
    fn origin(&mut self) -> Result<Origin, FormatError> {
        let mut origin = Origin { source: None, role: Role::Forward, pass: None };
        if self.cursor.eat("?") {
            return Ok(origin);
        }
        loop {
            if origin.role == Role::Forward && self.cursor.eat("∇") {
                origin.role = self.gradient()?;
            } else if origin.pass.is_none() && self.cursor.eat("pass ") {
                origin.pass = Some(self.name("the name of a pass")?);
            } else if origin.source.is_none() {
                let source = self.source()?;
                origin.source = Some(self.assembly.body.intern_source(source));
            } else {
                return Err(self.cursor.expected("`;` or the end of the line"));
            }
            self.cursor.skip_blanks();
            if !self.cursor.eat(",") {
                return Ok(origin);
            }
            self.cursor.skip_blanks();
        }
    }

    /// `%2 by tanh`, or ` by seed`.
    fn gradient(&mut self) -> Result<Role, FormatError> {
        let forward = if self.cursor.peek() == Some('%') { Some(self.id()?) } else { None };
        self.cursor.skip_blanks();
        if !self.cursor.eat_keyword("by") {
            return Err(self.cursor.expected("`by` and the name of a rule"));
        }
        Ok(Role::Gradient { forward, rule: self.name("the name of a rule")? })
    }

    fn name(&mut self, what: &str) -> Result<NameId, FormatError> {
        self.cursor.skip_blanks();
        let name = read_name(&mut self.cursor, what)?;
        Ok(self.assembly.body.intern_name(&name))
    }

    /// `file:line:column`, the file in quotes where it has to be.
    fn source(&mut self) -> Result<Source, FormatError> {
        const WHAT: &str = "a place such as `src/net.rs:7:18`";
        if self.cursor.peek() == Some('"') {
            let file = self.cursor.quoted()?.into();
            self.cursor.expect(":")?;
            let line = self.cursor.number("a line")?;
            self.cursor.expect(":")?;
            return Ok(Source { file, line, column: self.cursor.number("a column")? });
        }
        let rest = self.cursor.rest();
        let word = rest.split(|c: char| c.is_whitespace() || ",;\"".contains(c)).next().unwrap_or_default();
        let mut parts = word.rsplitn(3, ':');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (column, line) = (number(), number());
        let file = parts.next().filter(|file| !file.is_empty());
        let (Some(file), Some(line), Some(column)) = (file, line, column) else {
            return Err(self.cursor.expected(WHAT));
        };
        self.cursor.advance(word.len());
        Ok(Source { file: file.into(), line, column })
    }

    /// `loss=%3, w=%9 updates %1`
    fn outputs(&mut self) -> Result<(), FormatError> {
        loop {
            self.cursor.skip_space();
            let name: Arc<str> = read_name(&mut self.cursor, "the name of an output")?.into();
            self.cursor.expect("=")?;
            self.cursor.skip_space();
            let node = self.id()?;
            self.cursor.skip_space();
            let mut updates = None;
            if self.cursor.eat_keyword("updates") {
                self.cursor.skip_space();
                updates = Some(self.id()?);
                self.cursor.skip_space();
            }
            self.outputs.push(Output { name, node, updates });
            if !self.cursor.eat(",") {
                return Ok(());
            }
        }
    }

    /// `%2: %9, %1: %12`
    fn cotangents(&mut self) -> Result<(), FormatError> {
        loop {
            self.cursor.skip_space();
            let forward = self.id()?;
            self.cursor.expect(":")?;
            self.cursor.skip_space();
            let gradient = self.id()?;
            self.assembly.body.cotangents.push(CotangentLink { forward, gradient });
            self.cursor.skip_space();
            if !self.cursor.eat(",") {
                return Ok(());
            }
        }
    }
}

/// `%7`
fn node_id(cursor: &mut Cursor<'_>) -> Result<NodeId, FormatError> {
    if !cursor.eat("%") {
        return Err(cursor.expected("a node such as `%7`"));
    }
    Ok(NodeId::new(cursor.number("a node's number")? as usize))
}
