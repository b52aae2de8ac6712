//! Paths of scopes, such that no two scopes have the same one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::assemble::Assembly;
use crate::error::FormatError;
use crate::graph::Graph;
use crate::id::ScopeId;
use crate::provenance::Scope;
use crate::text::cursor::Cursor;
use crate::text::value::write_quoted;

/// The path of every scope: names joined by `/`. Of siblings with one name, the second is `name~2`.
pub(super) fn paths(scopes: &[Scope]) -> Vec<String> {
    let mut counts: HashMap<(ScopeId, &str), usize> = HashMap::new();
    let mut paths: Vec<String> = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let Some(parent) = scope.parent else {
            paths.push(String::new());
            continue;
        };
        let count = counts.entry((parent, &scope.name)).or_default();
        *count += 1;
        let mut path = paths[parent.index()].clone();
        if !path.is_empty() {
            path.push('/');
        }
        match is_plain(&scope.name) {
            true => path.push_str(&scope.name),
            false => write_quoted(&mut path, &scope.name),
        }
        if *count > 1 {
            path.push_str(&format!("~{count}"));
        }
        paths.push(path);
    }
    paths
}

fn is_name_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !r#"/"~{}#"#.contains(c)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

/// The scopes that a reader has met.
#[derive(Default)]
pub(super) struct ScopeTable {
    /// By parent, name and which of the siblings of that name it is.
    known: HashMap<(ScopeId, Arc<str>, u32), ScopeId>,
}

impl ScopeTable {
    /// The scope of the path that comes next; it and those around it are made if they are new.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        assembly: &mut Assembly<'_>,
    ) -> Result<ScopeId, FormatError> {
        let mut scope = ScopeId::new(0);
        loop {
            let quoted = cursor.peek() == Some('"');
            let name = if quoted {
                cursor.quoted()?
            } else {
                cursor.word("a scope's name", is_name_char)?.to_string()
            };
            let name: Arc<str> = name.into();
            let which = if cursor.eat("~") { cursor.number("a count")? } else { 1 };
            scope = match self.known.get(&(scope, name.clone(), which)) {
                Some(known) => *known,
                None => self.make(scope, name, which, cursor, assembly)?,
            };
            if !cursor.eat("/") {
                return Ok(scope);
            }
        }
    }

    fn make(
        &mut self,
        parent: ScopeId,
        name: Arc<str>,
        which: u32,
        cursor: &Cursor<'_>,
        assembly: &mut Assembly<'_>,
    ) -> Result<ScopeId, FormatError> {
        let follows = match which {
            0 => false,
            1 => true,
            _ => self.known.contains_key(&(parent, name.clone(), which - 1)),
        };
        if !follows {
            return Err(cursor.error(format!("the scope before `{name}~{which}` has not been seen")));
        }
        let made = assembly.scope(parent, name.clone());
        let made = made.ok_or_else(|| cursor.error("scopes are nested too deeply".into()))?;
        self.known.insert((parent, name, which), made);
        Ok(made)
    }
}

/// The scopes that must be declared ahead of the nodes for a reader to make these: none, where it makes exactly these, in
/// this order, as nodes mention them; else those that no node mentions; all, where their order tells siblings of one
/// name apart.
pub(super) fn declared(graph: &Graph) -> Vec<ScopeId> {
    let (scopes, used) = (graph.scopes(), || graph.ids().map(|id| graph.provenance(id).scope));
    if follow_from_use(scopes, used()) {
        return Vec::new();
    }
    let mut siblings = HashSet::new();
    let twins = !scopes.iter().all(|scope| siblings.insert((scope.parent, &scope.name)));
    let mut mentioned = vec![twins; scopes.len()];
    for scope in used().filter(|_| !twins) {
        let mut at = Some(scope);
        while let Some(scope) = at.filter(|scope| !std::mem::replace(&mut mentioned[scope.index()], true)) {
            at = scopes[scope.index()].parent;
        }
    }
    (1..scopes.len()).filter(|at| mentioned[*at] == twins).map(ScopeId::new).collect()
}

/// Whether a reader that makes scopes where nodes first mention them makes exactly these, in this order.
fn follow_from_use(scopes: &[Scope], used: impl Iterator<Item = ScopeId>) -> bool {
    let mut seen = 1;
    let mut missing = Vec::new();
    for scope in used {
        let mut at = scope;
        while at.index() >= seen {
            missing.push(at);
            let Some(parent) = scopes[at.index()].parent else { break };
            at = parent;
        }
        while let Some(next) = missing.pop() {
            if next.index() != seen {
                return false;
            }
            seen += 1;
        }
    }
    seen == scopes.len()
}
