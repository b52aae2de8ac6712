//! Where a node comes from: the user's line, the scope, the forward node and rule, the pass.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::id::{NameId, NodeId, ScopeId, SourceId};

/// A position in a source file: the user's line that made a node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The file, as the compiler names it (relative to where the program was compiled).
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl From<&Location<'_>> for Source {
    fn from(location: &Location<'_>) -> Self {
        Source { file: location.file().into(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a node stands for in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Written by the user.
    Forward,
    /// Appended by differentiation.
    Gradient {
        /// The forward node that was differentiated; `None` once a pass has removed it.
        forward: Option<NodeId>,
        /// The name of the rule: the forward op's name, or what the walker itself did (`seed`, `accumulate`, …).
        rule: NameId,
    },
}

/// One reason for a node to exist. A node that passes merged has one of each node it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The user's line. For a gradient node: the line of the forward node.
    pub source: Option<SourceId>,
    /// What the node stands for.
    pub role: Role,
    /// The pass that put the node into its present form, if one did.
    pub pass: Option<NameId>,
}

/// All that is known about where a node comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The box the node stands in.
    pub scope: ScopeId,
    /// The name the user gave it.
    pub label: Option<NameId>,
    /// At least one; several when passes have merged nodes.
    pub origins: SmallVec<[Origin; 1]>,
}

/// A scope: a named box of nodes inside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The enclosing scope; `None` for the root.
    pub parent: Option<ScopeId>,
    /// The name, unique among its siblings.
    pub name: Arc<str>,
}

/// `gradient` is the sum of all cotangents that reached `forward` in one differentiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CotangentLink {
    /// The forward node.
    pub forward: NodeId,
    /// The node that holds the gradient with respect to it.
    pub gradient: NodeId,
}
