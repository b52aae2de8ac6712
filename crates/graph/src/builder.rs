//! The builder: appends nodes and remembers where each comes from.

mod moves;
mod leading_axis;

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;

use smallvec::smallvec;

use crate::dtype::DType;
use crate::error::{GraphError, TypeError};
use crate::expr::Expr;
use crate::graph::{Body, Graph, Operands, Output};
use crate::id::{NodeId, ScopeId, SourceId};
use crate::kinks::KinkPolicy;
use crate::op::{Constant, Input, InputKind, Literal, Op, Scalar};
use crate::provenance::{CotangentLink, Origin, Provenance, Role, Source};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use moves::Moves;

/// Builds a [`Graph`] node by node.
///
/// [`Expr`] handles borrow the builder, so it takes `&self` everywhere and is used from one thread.
#[derive(Debug, Default)]
pub struct Builder {
    state: RefCell<State>,
    /// What has become of handles.
    moves: RefCell<Moves>,
}

#[derive(Debug, Default)]
struct State {
    body: Arc<Body>,
    scope: ScopeStack,
    /// Where all nodes come from while a rule, a transform or a derived op appends them.
    pinned: Option<Origin>,
    /// Sources by the address of the compiler's `Location`: one hash of a pointer per node.
    locations: FxHashMap<usize, SourceId>,
    /// The names taken inside a scope, and the suffix that the next box of each name gets.
    taken: FxHashMap<(ScopeId, Arc<str>), usize>,
    /// The scope under a root that mirrors a forward scope.
    mirrors: FxHashMap<(ScopeId, ScopeId), ScopeId>,
}

#[derive(Clone, Copy, Debug)]
struct ScopeStack(ScopeId);

impl Default for ScopeStack {
    fn default() -> Self {
        ScopeStack(ScopeId::new(0))
    }
}

/// Puts a part of the state back when a closure ends, by return or by panic.
struct Restore<'b, T> {
    builder: &'b Builder,
    value: Option<T>,
    put: fn(&mut State, T),
}

impl<T> Drop for Restore<'_, T> {
    fn drop(&mut self) {
        if let (Some(value), Ok(mut state)) = (self.value.take(), self.builder.state.try_borrow_mut()) {
            (self.put)(&mut state, value);
        }
    }
}

impl Builder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Builder::default()
    }

    /// The same builder, whose gradients at kinks are chosen by `policy`.
    ///
    /// ```
    /// use pullback_graph::{Builder, KinkPolicy};
    /// let b = Builder::new().with_kinks(KinkPolicy::Torch);
    /// assert_eq!(b.kinks(), KinkPolicy::Torch);
    /// ```
    #[must_use]
    pub fn with_kinks(self, policy: KinkPolicy) -> Self {
        self.set_kinks(policy);
        self
    }

    /// Chooses gradients at kinks by `policy` from here on, in a builder that someone else made.
    pub fn set_kinks(&self, policy: KinkPolicy) {
        Arc::make_mut(&mut self.state.borrow_mut().body).kinks = policy;
    }

    /// How gradients at kinks are chosen.
    #[must_use]
    pub fn kinks(&self) -> KinkPolicy {
        self.state.borrow().body.kinks
    }

    /// A builder that goes on where `graph` ends: its nodes keep their ids.
    ///
    /// The graph is not copied unless nodes are appended.
    #[must_use]
    pub fn extending(graph: &Graph) -> Self {
        let builder = Builder::new();
        {
            let mut state = builder.state.borrow_mut();
            state.body = graph.body().clone();
            let boxes = graph.scopes().iter().filter_map(|scope| Some((scope.parent?, scope.name.clone())));
            state.taken = boxes.map(|name| (name, 1)).collect();
        }
        builder
    }

    /// An input: a value that every run is fed.
    #[track_caller]
    pub fn input(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Expr<'_> {
        self.input_of(name, InputKind::Data, TensorType::new(dtype, shape))
    }

    /// A parameter: an input that training changes.
    #[track_caller]
    pub fn parameter(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Expr<'_> {
        self.input_of(name, InputKind::Parameter, TensorType::new(dtype, shape))
    }

    /// State that is carried from run to run without being trained: optimizer moments, counters, keys.
    #[track_caller]
    pub fn state(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Expr<'_> {
        self.input_of(name, InputKind::State, TensorType::new(dtype, shape))
    }

    #[track_caller]
    fn input_of(&self, name: &str, kind: InputKind, ty: TensorType) -> Expr<'_> {
        self.leaf(Input { name: name.into(), kind, ty })
    }

    /// A tensor whose every element is `value`, converted to `dtype`.
    ///
    /// # Panics
    /// When `dtype` is i64 and `value` is not a whole number.
    #[track_caller]
    pub fn full(&self, dtype: DType, shape: impl Into<Shape>, value: f64) -> Expr<'_> {
        let value = match Scalar::of(dtype, value) {
            Ok(value) => value,
            Err(message) => panic!("full: {message}"),
        };
        self.leaf(Literal { value, shape: shape.into() })
    }

    /// A tensor that is part of the program.
    #[track_caller]
    pub fn constant(&self, value: Tensor) -> Expr<'_> {
        self.leaf(Constant { value: Arc::new(value) })
    }

    /// Appends an op without operands; such ops fit by construction.
    #[track_caller]
    pub(crate) fn leaf(&self, op: impl Into<Op>) -> Expr<'_> {
        match self.push(op, &[]) {
            Ok(expr) => expr,
            Err(error) => crate::expr::fail(&error),
        }
    }

    /// Appends a node: the way in for readers, generators and transforms, which want errors as values.
    ///
    /// # Errors
    /// [`TypeError`] when the op does not fit the operands.
    ///
    /// # Panics
    /// When an operand belongs to another builder.
    #[track_caller]
    pub fn push(&self, op: impl Into<Op>, operands: &[Expr<'_>]) -> Result<Expr<'_>, Box<TypeError>> {
        // A loop and no closure, so that a handle that does not belong is shown with the caller's line.
        let mut ids = Operands::with_capacity(operands.len());
        for operand in operands {
            ids.push(operand.id_in(self));
        }
        let mut state = self.state.borrow_mut();
        let origin = state.origin(Location::caller());
        let provenance = Provenance { scope: state.scope.0, label: None, origins: smallvec![origin] };
        let id = Arc::make_mut(&mut state.body).push(op.into(), ids, provenance)?;
        Ok(Expr::new(self, id))
    }

    /// The handle of a node that exists.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    #[track_caller]
    pub fn expr(&self, id: NodeId) -> Expr<'_> {
        assert!(id.index() < self.len(), "{id} does not exist: the graph has {} nodes", self.len());
        Expr::new(self, id)
    }

    /// The number of nodes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.borrow().body.nodes.len()
    }

    /// Whether there are no nodes yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `build`; the nodes it appends stand in a box named `name` in every dump.
    ///
    /// Each call opens a box of its own: a second one of the same name is called `name_1`.
    pub fn scope<R>(&self, name: &str, build: impl FnOnce() -> R) -> R {
        let scope = self.open_scope(name);
        self.within(scope, build)
    }

    /// A new box in the present one, to be entered with [`within`](Builder::within).
    pub fn open_scope(&self, name: &str) -> ScopeId {
        let mut state = self.state.borrow_mut();
        let (parent, name) = (state.scope.0, Arc::<str>::from(name));
        let mut unique = name.clone();
        while state.taken.contains_key(&(parent, unique.clone())) {
            // The suffix goes on where the last box of that name ended, and past those that users have chosen.
            let next = state.taken.entry((parent, name.clone())).or_default();
            unique = format!("{name}_{next}").into();
            *next += 1;
        }
        state.taken.insert((parent, unique.clone()), 1);
        Arc::make_mut(&mut state.body).new_scope(parent, unique)
    }

    /// Runs `build` inside a box that exists.
    pub fn within<R>(&self, scope: ScopeId, build: impl FnOnce() -> R) -> R {
        let before = std::mem::replace(&mut self.state.borrow_mut().scope, ScopeStack(scope));
        let _restore = Restore {
            builder: self,
            value: Some(before),
            put: |state, scope: ScopeStack| state.scope = scope,
        };
        build()
    }

    /// The path of the present scope, outermost first.
    #[must_use]
    pub fn scope_path(&self) -> String {
        let state = self.state.borrow();
        crate::graph::scope_path(&state.body.scopes, state.scope.0)
    }

    /// Runs `build` as the rule `rule` applied to `forward`: the nodes it appends are gradient nodes, carry the forward
    /// node's line, and stand in a box under `root` that mirrors the forward node's box.
    pub fn deriving<R>(&self, root: ScopeId, forward: NodeId, rule: &str, build: impl FnOnce() -> R) -> R {
        let (origin, scope) = {
            let mut state = self.state.borrow_mut();
            let rule = Arc::make_mut(&mut state.body).intern_name(rule);
            let Provenance { scope, origins, .. } = &state.body.provenance[forward.index()];
            let (of, source) = (*scope, origins[0].source);
            let scope = state.mirror(root, of);
            (Origin { source, role: Role::Gradient { forward: Some(forward), rule }, pass: None }, scope)
        };
        self.pin(origin, || self.within(scope, build))
    }

    /// Runs `build`; the nodes it appends carry the line `caller`: for code that appends nodes on a user's behalf.
    pub fn at_line<R>(&self, caller: &'static Location<'static>, build: impl FnOnce() -> R) -> R {
        let origin = self.state.borrow_mut().origin(caller);
        self.pin(origin, build)
    }

    /// Runs `build` as the op `name`, composed of others: its nodes stand in a box of that name and carry the line
    /// `caller`, unless they are part of a rule of differentiation, which has a line of its own.
    pub fn derived<R>(&self, name: &str, caller: &'static Location<'static>, build: impl FnOnce() -> R) -> R {
        let origin = self.state.borrow_mut().origin(caller);
        self.pin(origin, || self.scope(name, build))
    }

    /// Runs `build`; the nodes it appends carry no line.
    pub(crate) fn without_lines<R>(&self, build: impl FnOnce() -> R) -> R {
        self.pin(Origin { source: None, role: Role::Forward, pass: None }, build)
    }

    /// The line that a node would carry if `caller` appended it now.
    pub(crate) fn line(&self, caller: &'static Location<'static>) -> Option<Source> {
        let origin = self.state.borrow_mut().origin(caller);
        self.read(|body| origin.source.map(|source| body.sources.items()[source.index()].clone()))
    }

    /// Runs `build`; all nodes it appends come from `origin`.
    fn pin<R>(&self, origin: Origin, build: impl FnOnce() -> R) -> R {
        let before = self.state.borrow_mut().pinned.replace(origin);
        let _restore = Restore {
            builder: self,
            value: Some(before),
            put: |state, origin: Option<Origin>| state.pinned = origin,
        };
        build()
    }

    /// Runs `build`; the nodes it appends carry the line of node `id` of `graph`, as if that line had made them: for
    /// transforms that write one graph after another.
    pub fn on_behalf_of<R>(&self, graph: &Graph, id: NodeId, build: impl FnOnce() -> R) -> R {
        let origin = {
            let mut state = self.state.borrow_mut();
            let line = graph.source(id).cloned();
            let source = line.map(|line| Arc::make_mut(&mut state.body).intern_source(line));
            Origin { source, role: Role::Forward, pass: None }
        };
        self.pin(origin, build)
    }

    /// Records that `gradient` is the gradient with respect to `forward`.
    #[track_caller]
    pub fn link_cotangent(&self, forward: Expr<'_>, gradient: Expr<'_>) {
        let link = CotangentLink { forward: forward.id_in(self), gradient: gradient.id_in(self) };
        Arc::make_mut(&mut self.state.borrow_mut().body).cotangents.push(link);
    }

    /// The graph of all nodes so far, with these outputs; the builder can go on.
    ///
    /// # Errors
    /// When two inputs or two outputs have one name, or an output does not fit the state it updates.
    ///
    /// # Panics
    /// When an output is a handle to a node that is no longer there, as one kept out of `vmap`.
    #[track_caller]
    pub fn finish<O: Into<Output>>(&self, outputs: impl IntoIterator<Item = O>) -> Result<Graph, GraphError> {
        let mut named = Vec::new();
        for output in outputs {
            named.push(output.into());
        }
        let body = self.state.borrow().body.clone();
        Ok(Graph::from_parts(body, named)?)
    }

    /// The nodes so far, without outputs. Shares them with the builder, which copies them if it appends while the
    /// snapshot lives.
    #[must_use]
    pub fn snapshot(&self) -> Graph {
        let body = self.state.borrow().body.clone();
        Graph::from_parts_unchecked(body)
    }

    /// Reads the body; the closure must not append.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Body) -> R) -> R {
        read(&self.state.borrow().body)
    }

    /// The present era: handles made now name the nodes of now.
    pub(crate) fn era(&self) -> u32 {
        self.moves.borrow().era()
    }

    /// The node that `id` of `era` is now.
    pub(crate) fn resolve(&self, id: NodeId, era: u32) -> Option<NodeId> {
        self.moves.borrow().resolve(id, era)
    }

    pub(crate) fn set_label(&self, id: NodeId, label: &str) {
        let mut state = self.state.borrow_mut();
        let body = Arc::make_mut(&mut state.body);
        let name = body.intern_name(label);
        body.provenance[id.index()].label = Some(name);
    }
}

impl State {
    fn origin(&mut self, location: &'static Location<'static>) -> Origin {
        if let Some(origin) = self.pinned {
            return origin;
        }
        let address = std::ptr::from_ref(location) as usize;
        let body = &mut self.body;
        let source = *self
            .locations
            .entry(address)
            .or_insert_with(|| Arc::make_mut(body).intern_source(Source::from(location)));
        Origin { source: Some(source), role: Role::Forward, pass: None }
    }

    /// The scope under `root` with the path of `of`, made on first use, outermost first.
    fn mirror(&mut self, root: ScopeId, of: ScopeId) -> ScopeId {
        let mut missing = Vec::new();
        let (mut at, mut mirrored) = (of, root);
        while let Some(parent) = self.body.scopes[at.index()].parent {
            if let Some(found) = self.mirrors.get(&(root, at)) {
                mirrored = *found;
                break;
            }
            missing.push(at);
            at = parent;
        }
        for scope in missing.into_iter().rev() {
            let name = self.body.scopes[scope.index()].name.clone();
            mirrored = Arc::make_mut(&mut self.body).new_scope(mirrored, name);
            self.mirrors.insert((root, scope), mirrored);
        }
        mirrored
    }
}

impl<N: Into<Arc<str>>> From<(N, Expr<'_>)> for Output {
    #[track_caller]
    fn from((name, expr): (N, Expr<'_>)) -> Self {
        Output::new(name, expr.id())
    }
}

impl Output {
    /// The same output as the next value of the state input `input`.
    #[must_use]
    #[track_caller]
    pub fn updating(self, input: Expr<'_>) -> Self {
        Output { updates: Some(input.id()), ..self }
    }
}
