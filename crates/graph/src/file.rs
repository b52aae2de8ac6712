//! The file format: versioned JSON, one node a line.
//!
//! The structs here are the format, apart from the types that the program works with: those may change, these may not.
//! What a later program adds as an optional field is ignored by an earlier one; anything else takes a new version number.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::assemble::{Assembly, WrittenNode};
use crate::atomic_file;
use crate::error::FormatError;
use crate::graph::{Graph, Output};
use crate::id::{NodeId, ScopeId, SourceId};
use crate::kinks::KinkPolicy;
use crate::op::Registry;
use crate::provenance::{CotangentLink, Origin, Provenance, Role, Source};
use crate::shape::TensorType;
use crate::stats::{NodeStats, RunStats};

/// A graph as a file holds it, with what a run recorded, if it did.
///
/// Reading does not trust the file: [`graph`](GraphFile::graph) infers every type anew and checks every invariant.
///
/// ```
/// use pullback_graph::{Builder, DType::F64, GraphFile, op::Registry};
/// let b = Builder::new();
/// let graph = b.finish([("y", b.input("x", F64, [2]).tanh())])?;
/// let json = GraphFile::of(&graph).to_json();
/// assert_eq!(GraphFile::from_json(&json)?.graph(&Registry::new())?, graph);
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GraphFile {
    format: Cow<'static, str>,
    version: u32,
    producer: String,
    #[serde(default, skip_serializing_if = "KinkPolicy::is_default")]
    kinks: KinkPolicy,
    #[serde(default)]
    scopes: Vec<ScopeEntry>,
    #[serde(default)]
    sources: Vec<SourceEntry>,
    nodes: Vec<NodeEntry>,
    #[serde(default)]
    outputs: Vec<OutputEntry>,
    #[serde(default)]
    cotangents: Vec<CotangentEntry>,
    #[serde(default)]
    stats: Vec<StatsEntry>,
}

/// What is read first: it says whether the rest can be read.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// A box inside the one at position `parent`; scope 0, the root, is not listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScopeEntry {
    parent: u32,
    name: Arc<str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SourceEntry {
    file: Arc<str>,
    line: u32,
    column: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NodeEntry {
    op: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    operands: Vec<u32>,
    #[serde(rename = "type", with = "crate::op::attributes::as_text")]
    ty: TensorType,
    #[serde(default, skip_serializing_if = "is_zero")]
    scope: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<OriginEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OriginEntry {
    /// A position in `sources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gradient: Option<GradientEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pass: Option<Arc<str>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct GradientEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forward: Option<u32>,
    rule: Arc<str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OutputEntry {
    name: Arc<str>,
    node: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updates: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CotangentEntry {
    forward: u32,
    gradient: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StatsEntry {
    node: u32,
    #[serde(flatten)]
    stats: NodeStats,
}

impl GraphFile {
    /// What the field `format` says.
    pub const FORMAT: &'static str = "pullback-graph";
    /// The version that is written, the newest that can be read.
    pub const VERSION: u32 = 1;

    /// The file of a graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let body = graph.body();
        let scopes = graph.scopes().iter().filter_map(|scope| {
            scope.parent.map(|parent| ScopeEntry { parent: number(parent.index()), name: scope.name.clone() })
        });
        let sources = body.sources.items().iter().map(|source| SourceEntry {
            file: source.file.clone(),
            line: source.line,
            column: source.column,
        });
        let outputs = graph.outputs().iter().map(|output| OutputEntry {
            name: output.name.clone(),
            node: number(output.node.index()),
            updates: output.updates.map(|id| number(id.index())),
        });
        let cotangents = graph.cotangents().iter().map(|link| CotangentEntry {
            forward: number(link.forward.index()),
            gradient: number(link.gradient.index()),
        });
        GraphFile {
            format: Self::FORMAT.into(),
            version: Self::VERSION,
            producer: concat!("pullback ", env!("CARGO_PKG_VERSION")).to_string(),
            kinks: graph.kinks(),
            scopes: scopes.collect(),
            sources: sources.collect(),
            nodes: graph.ids().map(|id| NodeEntry::of(graph, id)).collect(),
            outputs: outputs.collect(),
            cotangents: cotangents.collect(),
            stats: Vec::new(),
        }
    }

    /// The same file with the statistics of a run.
    #[must_use]
    pub fn with_stats(mut self, stats: &RunStats) -> Self {
        let entry =
            |(id, stats): (NodeId, &NodeStats)| StatsEntry { node: number(id.index()), stats: stats.clone() };
        self.stats = stats.iter().map(entry).collect();
        self
    }

    /// Which program wrote the file.
    #[must_use]
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// The statistics of the run, empty if the file has none.
    #[must_use]
    pub fn stats(&self) -> RunStats {
        self.stats.iter().map(|entry| (id(entry.node), entry.stats.clone())).collect()
    }

    /// The graph; custom ops are looked up in `registry`. Linear in the file.
    ///
    /// # Errors
    /// [`FormatError`] when an op is not known or does not fit its attributes or operands, a type is not the inferred
    /// one, or something refers to what does not exist.
    pub fn graph(&self, registry: &Registry) -> Result<Graph, FormatError> {
        let mut assembly = Assembly::new(registry);
        assembly.body.kinks = self.kinks;
        for (at, entry) in self.scopes.iter().enumerate() {
            let parent = entry.parent as usize;
            let made = (parent <= at).then(|| assembly.scope(ScopeId::new(parent), entry.name.clone()));
            made.flatten()
                .ok_or_else(|| malformed(format!("scope {} stands in none that can hold it", at + 1)))?;
        }
        let source =
            |entry: &SourceEntry| Source { file: entry.file.clone(), line: entry.line, column: entry.column };
        let sources: Vec<SourceId> =
            self.sources.iter().map(|entry| assembly.body.intern_source(source(entry))).collect();
        for entry in &self.nodes {
            let written = entry.written(&mut assembly, &sources)?;
            assembly.node(written)?;
        }
        for entry in &self.cotangents {
            let link = CotangentLink { forward: id(entry.forward), gradient: id(entry.gradient) };
            assembly.body.cotangents.push(link);
        }
        let outputs = self.outputs.iter().map(|entry| Output {
            name: entry.name.clone(),
            node: id(entry.node),
            updates: entry.updates.map(id),
        });
        assembly.finish(outputs.collect())
    }

    /// The JSON text. Its order and line breaks depend on the graph alone, so that files can be compared.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\n");
        let head = [
            ("format", json(&self.format)),
            ("version", json(&self.version)),
            ("producer", json(&self.producer)),
        ];
        let lists = [
            ("scopes", lines(&self.scopes)),
            ("sources", lines(&self.sources)),
            ("nodes", lines(&self.nodes)),
            ("outputs", lines(&self.outputs)),
            ("cotangents", lines(&self.cotangents)),
            ("stats", lines(&self.stats)),
        ];
        let kinks = (!self.kinks.is_default()).then(|| ("kinks", json(&self.kinks)));
        let fields = head
            .into_iter()
            .chain(kinks)
            .chain(lists.into_iter().filter(|(key, list)| *key == "nodes" || list != "[]"));
        for (at, (key, value)) in fields.enumerate() {
            out.push_str(if at > 0 { ",\n" } else { "" });
            out.push_str(&format!("  {}: {value}", json(key)));
        }
        out.push_str("\n}\n");
        out
    }

    /// Reads the JSON text; the graph in it has not been checked yet.
    ///
    /// # Errors
    /// [`FormatError`] when it is not JSON, ends early, is of another kind, or of a newer version.
    pub fn from_json(text: &str) -> Result<GraphFile, FormatError> {
        let header: Header = serde_json::from_str(text)?;
        if header.format != Self::FORMAT {
            return Err(FormatError::Kind { found: header.format, expected: Self::FORMAT });
        }
        if header.version > Self::VERSION {
            return Err(FormatError::Version { found: header.version, supported: Self::VERSION });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Writes the file, replacing what was there as a whole.
    ///
    /// # Errors
    /// [`FormatError::Io`] with the path and the system's error.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FormatError> {
        let path = path.as_ref();
        atomic_file::write(path, self.to_json().as_bytes()).map_err(|error| at(path, error))
    }

    /// Reads a file; the graph in it has not been checked yet.
    ///
    /// # Errors
    /// As [`from_json`](GraphFile::from_json), and [`FormatError::Io`].
    pub fn load(path: impl AsRef<Path>) -> Result<GraphFile, FormatError> {
        let path = path.as_ref();
        GraphFile::from_json(&std::fs::read_to_string(path).map_err(|error| at(path, error))?)
    }
}

impl NodeEntry {
    fn of(graph: &Graph, id: NodeId) -> Self {
        let (node, provenance) = (graph.node(id), graph.provenance(id));
        let (op, attributes) = node.op.to_parts();
        let origin = |origin: &Origin| OriginEntry {
            source: origin.source.map(|source| number(source.index())),
            gradient: match origin.role {
                Role::Forward => None,
                Role::Gradient { forward, rule } => Some(GradientEntry {
                    forward: forward.map(|forward| number(forward.index())),
                    rule: graph.name(rule).clone(),
                }),
            },
            pass: origin.pass.map(|pass| graph.name(pass).clone()),
        };
        NodeEntry {
            op,
            attributes,
            operands: node.operands.iter().map(|operand| number(operand.index())).collect(),
            ty: node.ty.clone(),
            scope: number(provenance.scope.index()),
            label: provenance.label.map(|label| graph.name(label).clone()),
            origins: provenance.origins.iter().map(origin).collect(),
        }
    }

    fn written(&self, assembly: &mut Assembly<'_>, sources: &[SourceId]) -> Result<WrittenNode, FormatError> {
        let node = NodeId::new(assembly.body.nodes.len());
        if self.scope as usize >= assembly.body.scopes.len() {
            return Err(malformed(format!("{node}: scope {} does not exist", self.scope)));
        }
        let mut origins = Vec::with_capacity(self.origins.len());
        for origin in &self.origins {
            let source = match origin.source {
                None => None,
                Some(source) => match sources.get(source as usize) {
                    None => return Err(malformed(format!("{node}: source {source} does not exist"))),
                    known => known.copied(),
                },
            };
            let role = match &origin.gradient {
                None => Role::Forward,
                Some(gradient) => Role::Gradient {
                    forward: gradient.forward.map(id),
                    rule: assembly.body.intern_name(&gradient.rule),
                },
            };
            let pass = origin.pass.as_ref().map(|pass| assembly.body.intern_name(pass));
            origins.push(Origin { source, role, pass });
        }
        if origins.is_empty() {
            origins.push(Origin { source: None, role: Role::Forward, pass: None });
        }
        Ok(WrittenNode {
            op: self.op.clone(),
            attributes: self.attributes.clone(),
            operands: self.operands.iter().map(|operand| id(*operand)).collect(),
            ty: self.ty.clone(),
            provenance: Provenance {
                scope: ScopeId::new(self.scope as usize),
                label: self.label.as_ref().map(|label| assembly.body.intern_name(label)),
                origins: origins.into(),
            },
        })
    }
}

fn id(number: u32) -> NodeId {
    NodeId::new(number as usize)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("ids have 32 bits")
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One element a line.
fn lines<T: Serialize>(items: &[T]) -> String {
    let lines: Vec<String> = items.iter().map(|item| format!("\n    {}", json(item))).collect();
    if lines.is_empty() { "[]".into() } else { format!("[{}\n  ]", lines.join(",")) }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("entries have string keys and finite numbers")
}

fn malformed(message: String) -> FormatError {
    FormatError::Json(serde::de::Error::custom(message))
}

fn at(path: &Path, error: io::Error) -> FormatError {
    FormatError::Io { path: path.into(), error }
}
