//! The graph: an append-only list of typed nodes, as an immutable value.
//!
//! Operands have smaller ids than their users, so storage order is a topological order and a cycle cannot be written
//! down. Cloning is cheap: graphs and the builder they came from share their body until one of them changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use crate::error::{OperandNote, TypeError, VerifyError, Violation};
use crate::id::{NameId, NodeId, ScopeId, SourceId};
use crate::kinks::KinkPolicy;
use crate::op::{Op, OpRules};
use crate::provenance::{CotangentLink, Provenance, Role, Scope, Source};
use crate::shape::TensorType;

/// The operands of a node, in order.
pub type Operands = SmallVec<[NodeId; 2]>;

/// One op application.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// From what. Every id is smaller than the node's own.
    pub operands: Operands,
    /// The type of the result: exactly what the op infers.
    pub ty: TensorType,
}

/// A named result of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The name under which a run returns it.
    pub name: Arc<str>,
    /// The node.
    pub node: NodeId,
    /// The state input whose next value this is, if it is one.
    pub updates: Option<NodeId>,
}

impl Output {
    /// A plain result.
    pub fn new(name: impl Into<Arc<str>>, node: NodeId) -> Self {
        Output { name: name.into(), node, updates: None }
    }
}

/// Nodes and side tables; what a builder appends to and a graph shares.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) nodes: Vec<Node>,
    pub(crate) provenance: Vec<Provenance>,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) cotangents: Vec<CotangentLink>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) names: Interner<Arc<str>>,
    pub(crate) sources: Interner<Source>,
    pub(crate) kinks: KinkPolicy,
}

/// Values in order of first appearance; looked up by value, never iterated by hash.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    items: Vec<T>,
    index: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { items: Vec::new(), index: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interner<T> {
    pub(crate) fn intern(&mut self, item: T) -> usize {
        if let Some(at) = self.index.get(&item) {
            return *at as usize;
        }
        let at = self.items.len();
        self.index.insert(item.clone(), u32::try_from(at).expect("fewer than 2^32 names"));
        self.items.push(item);
        at
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }
}

impl Default for Body {
    fn default() -> Self {
        Body {
            nodes: Vec::new(),
            provenance: Vec::new(),
            inputs: Vec::new(),
            cotangents: Vec::new(),
            scopes: vec![Scope { parent: None, name: "".into() }],
            names: Interner::default(),
            sources: Interner::default(),
            kinks: KinkPolicy::default(),
        }
    }
}

impl Body {
    /// Another one with the same scopes, names and sources, and room for as many nodes: growing would copy all of them again
    /// and again.
    pub(crate) fn without_nodes(&self) -> Body {
        Body {
            nodes: Vec::with_capacity(self.nodes.len()),
            provenance: Vec::with_capacity(self.nodes.len()),
            scopes: self.scopes.clone(),
            names: self.names.clone(),
            sources: self.sources.clone(),
            kinks: self.kinks,
            ..Body::default()
        }
    }

    /// Appends a node: the only way nodes come to be, so every type is inferred.
    pub(crate) fn push(
        &mut self,
        op: Op,
        operands: Operands,
        provenance: Provenance,
    ) -> Result<NodeId, Box<TypeError>> {
        let inferred = {
            let types: SmallVec<[&TensorType; 4]> =
                operands.iter().map(|operand| &self.nodes[operand.index()].ty).collect();
            op.infer(&types).and_then(|ty| match ty.is_countable() {
                true => Ok(ty),
                false => Err(Violation::new("C0", format!("{ty} has more elements than can be counted"))),
            })
        };
        let ty = match inferred {
            Ok(ty) => ty,
            Err(violation) => {
                let operands = operands.iter().map(|operand| self.operand_note(*operand)).collect();
                let source = provenance.origins.first().and_then(|origin| origin.source);
                return Err(Box::new(TypeError {
                    op: op.name().to_string(),
                    violation,
                    operands,
                    at: source.map(|id| self.sources.items()[id.index()].clone()),
                }));
            }
        };
        let id = NodeId::new(self.nodes.len());
        if matches!(op, Op::Input(_)) {
            self.inputs.push(id);
        }
        self.nodes.push(Node { op, operands, ty });
        self.provenance.push(provenance);
        Ok(id)
    }

    pub(crate) fn operand_note(&self, id: NodeId) -> OperandNote {
        let node = &self.nodes[id.index()];
        OperandNote {
            node: id,
            ty: node.ty.clone(),
            label: self.label(id).cloned(),
            at: self.source(id).cloned(),
        }
    }

    /// The input's name, or the label the user gave.
    pub(crate) fn label(&self, id: NodeId) -> Option<&Arc<str>> {
        match &self.nodes[id.index()].op {
            Op::Input(input) => Some(&input.name),
            _ => self.provenance[id.index()].label.map(|name| &self.names.items()[name.index()]),
        }
    }

    pub(crate) fn source(&self, id: NodeId) -> Option<&Source> {
        let origin = self.provenance[id.index()].origins.first()?;
        origin.source.map(|source| &self.sources.items()[source.index()])
    }

    pub(crate) fn intern_name(&mut self, name: &str) -> NameId {
        NameId::new(self.names.intern(Arc::from(name)))
    }

    pub(crate) fn intern_source(&mut self, source: Source) -> SourceId {
        SourceId::new(self.sources.intern(source))
    }

    /// A new child of `parent`; the caller sees to it that the name is unique among its siblings.
    pub(crate) fn new_scope(&mut self, parent: ScopeId, name: Arc<str>) -> ScopeId {
        self.scopes.push(Scope { parent: Some(parent), name });
        ScopeId::new(self.scopes.len() - 1)
    }
}

/// A program: typed nodes, named inputs and outputs, and where everything comes from.
///
/// ```
/// use pullback_graph::{Builder, DType::F32, sym};
/// let b = Builder::new();
/// let x = b.input("x", F32, [sym("batch"), 3.into()]);
/// let graph = b.finish([("y", x.tanh())])?;
/// assert_eq!(graph.len(), 2);
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
#[derive(Clone)]
pub struct Graph {
    body: Arc<Body>,
    outputs: Vec<Output>,
    users: OnceLock<Users>,
}

/// Who uses each node: one list, cut by offsets.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    offsets: Vec<u32>,
    users: Vec<NodeId>,
}

impl Graph {
    /// Joins nodes and outputs; both builders and readers end here.
    pub(crate) fn from_parts(body: Arc<Body>, outputs: Vec<Output>) -> Result<Graph, VerifyError> {
        let graph = Graph { body, outputs, users: OnceLock::new() };
        crate::verify::signature(&graph)?;
        Ok(graph)
    }

    /// A graph without outputs, whose input names have not been compared.
    pub(crate) fn from_parts_unchecked(body: Arc<Body>) -> Graph {
        Graph { body, outputs: Vec::new(), users: OnceLock::new() }
    }

    pub(crate) fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.nodes.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.nodes.is_empty()
    }

    /// The nodes in storage order, which is a topological order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.body.nodes
    }

    /// The ids of all nodes, operands before users.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.len()).map(NodeId::new)
    }

    /// The node `id`.
    ///
    /// # Panics
    /// When `id` is of another graph and too large.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.body.nodes[id.index()]
    }

    /// The type of node `id`.
    #[must_use]
    pub fn ty(&self, id: NodeId) -> &TensorType {
        &self.node(id).ty
    }

    /// The inputs, in the order in which they were made.
    #[must_use]
    pub fn inputs(&self) -> &[NodeId] {
        &self.body.inputs
    }

    /// The input named `name`.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<NodeId> {
        self.inputs().iter().copied().find(|id| self.label(*id).is_some_and(|label| &**label == name))
    }

    /// The results.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The output named `name`.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| &*output.name == name)
    }

    /// The same nodes with other outputs.
    ///
    /// # Errors
    /// [`VerifyError`] when an output does not exist or two have one name.
    pub fn with_outputs(&self, outputs: impl IntoIterator<Item = Output>) -> Result<Graph, VerifyError> {
        Graph::from_parts(self.body.clone(), outputs.into_iter().collect())
    }

    /// Where node `id` comes from.
    #[must_use]
    pub fn provenance(&self, id: NodeId) -> &Provenance {
        &self.body.provenance[id.index()]
    }

    /// The input's name, or the label the user gave node `id`.
    #[must_use]
    pub fn label(&self, id: NodeId) -> Option<&Arc<str>> {
        self.body.label(id)
    }

    /// The user's line behind node `id`; for a gradient node, the line of its forward node.
    #[must_use]
    pub fn source(&self, id: NodeId) -> Option<&Source> {
        self.body.source(id)
    }

    /// The forward node and the rule that node `id` is the gradient of; `None` for forward nodes.
    #[must_use]
    pub fn gradient_of(&self, id: NodeId) -> Option<(Option<NodeId>, &Arc<str>)> {
        match self.provenance(id).origins.first()?.role {
            Role::Forward => None,
            Role::Gradient { forward, rule } => Some((forward, self.name(rule))),
        }
    }

    /// Which node holds the gradient with respect to which forward node, in the order of differentiation.
    #[must_use]
    pub fn cotangents(&self) -> &[CotangentLink] {
        &self.body.cotangents
    }

    /// What gradients of this graph are at kinks, if it is differentiated further.
    #[must_use]
    pub fn kinks(&self) -> KinkPolicy {
        self.body.kinks
    }

    /// The scopes; scope 0 is the root.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.body.scopes
    }

    /// The path of a scope, outermost name first: `encoder/0/attention`. The root's is empty.
    #[must_use]
    pub fn scope_path(&self, scope: ScopeId) -> String {
        scope_path(&self.body.scopes, scope)
    }

    /// An interned name.
    #[must_use]
    pub fn name(&self, name: NameId) -> &Arc<str> {
        &self.body.names.items()[name.index()]
    }

    /// An interned source position.
    #[must_use]
    pub fn source_at(&self, source: SourceId) -> &Source {
        &self.body.sources.items()[source.index()]
    }

    /// The nodes that use `id`, in ascending order; one that uses it twice is listed twice.
    ///
    /// The first call counts all users, in time linear in the edges.
    #[must_use]
    pub fn users(&self, id: NodeId) -> &[NodeId] {
        let table = self.users.get_or_init(|| Users::of(&self.body.nodes));
        &table.users[table.offsets[id.index()] as usize..table.offsets[id.index() + 1] as usize]
    }
}

pub(crate) fn scope_path(scopes: &[Scope], mut scope: ScopeId) -> String {
    let mut names = Vec::new();
    while let Some(parent) = scopes[scope.index()].parent {
        names.push(&*scopes[scope.index()].name);
        scope = parent;
    }
    names.reverse();
    names.join("/")
}

impl Users {
    fn of(nodes: &[Node]) -> Users {
        let mut offsets = vec![0_u32; nodes.len() + 1];
        for operand in nodes.iter().flat_map(|node| &node.operands) {
            offsets[operand.index() + 1] += 1;
        }
        for at in 0..nodes.len() {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut users = vec![NodeId::new(0); offsets[nodes.len()] as usize];
        for (at, node) in nodes.iter().enumerate() {
            for operand in &node.operands {
                users[next[operand.index()] as usize] = NodeId::new(at);
                next[operand.index()] += 1;
            }
        }
        Users { offsets, users }
    }
}

impl PartialEq for Graph {
    /// The same nodes, outputs and kink policy, and every scope path, label, line and origin the same.
    fn eq(&self, other: &Self) -> bool {
        // The text form holds all of it and nothing else.
        self.nodes() == other.nodes()
            && self.outputs == other.outputs
            && self.to_string() == other.to_string()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
