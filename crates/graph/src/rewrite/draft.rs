//! The graph that a sweep writes: interning on the way in, compaction at the end.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::{Candidate, Replacement, Swept, live_uses};
use crate::graph::{Body, Graph, Node, Operands, Output};
use crate::id::NodeId;
use crate::op::Op;
use crate::pass::Pass;
use crate::provenance::{CotangentLink, Origin, Provenance, Role};
use crate::shape::TensorType;

/// How often a node may be replaced before it is written. Rules make nodes simpler, so this is never reached.
const MOST_REPLACEMENTS: usize = 64;

/// The graph being written. Provenance still speaks of the old ids; `finish` translates it.
pub(super) struct Draft {
    body: Body,
    /// The written nodes by op and operands.
    interned: HashTable<NodeId>,
    /// How often each written node is used, by the counts of the old nodes that it stands for.
    uses: Vec<u32>,
    /// The written node that stands for each old one.
    place: Vec<Option<NodeId>>,
    /// The old node that each written one was made for first.
    principal: Vec<NodeId>,
    /// Nodes of which a rule was told that they have other users.
    doubts: RefCell<Vec<NodeId>>,
}

impl Draft {
    /// Nothing yet, in the scopes of `graph`.
    pub(super) fn after(graph: &Graph) -> Draft {
        let count = graph.len();
        Draft {
            body: graph.body().without_nodes(),
            interned: HashTable::with_capacity(count),
            uses: Vec::with_capacity(count),
            place: vec![None; count],
            principal: Vec::with_capacity(count),
            doubts: RefCell::default(),
        }
    }

    /// A node that is written.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.body.nodes[id.index()]
    }

    /// Notes that a rule was told of other users of a node.
    pub(super) fn doubt(&self, id: NodeId) {
        self.doubts.borrow_mut().push(id);
    }

    /// How often a written node is used, as far as is known.
    pub(super) fn uses(&self, id: NodeId) -> u32 {
        self.uses[id.index()]
    }

    /// Writes what stands for the old node `id`, which is used `uses` times.
    pub(super) fn write(&mut self, graph: &Graph, id: NodeId, uses: u32, passes: &[&Pass]) {
        let node = graph.node(id);
        let mut operands: Operands = node.operands.iter().map(|operand| self.at(*operand)).collect();
        // Most nodes stay as they are: nothing of theirs is copied before it is known where to.
        let mut op = Cow::Borrowed(&node.op);
        let mut provenance = Cow::Borrowed(graph.provenance(id));
        let mut replaced = 0;
        let place = loop {
            let candidate = Candidate {
                op: &op,
                operands: &operands,
                ty: &node.ty,
                draft: self,
                original: replaced == 0,
            };
            let Some((pass, replacement)) = first_match(&candidate, passes) else {
                break self.intern(id, op, operands, &node.ty, provenance);
            };
            debug_assert!(replaced < MOST_REPLACEMENTS, "{pass}: rules undo each other at {:?}", node.op);
            replaced += 1;
            let pass = self.body.intern_name(pass);
            provenance.to_mut().origins.iter_mut().for_each(|origin| origin.pass = Some(pass));
            match replacement {
                Replacement::New(new, over) => (op, operands) = (Cow::Owned(new), over),
                Replacement::Existing(existing) => {
                    self.merge(existing, &provenance);
                    break existing;
                }
            }
        };
        self.place[id.index()] = Some(place);
        self.uses[place.index()] += uses;
    }

    /// The written node that stands for the old node `id`, which is live.
    fn at(&self, id: NodeId) -> NodeId {
        self.place[id.index()].expect("operands come before their users, and are live when those are")
    }

    /// The node of this op and these operands, written now if there is none.
    fn intern(
        &mut self,
        old: NodeId,
        op: Cow<'_, Op>,
        operands: Operands,
        ty: &TensorType,
        provenance: Cow<'_, Provenance>,
    ) -> NodeId {
        let nodes = &self.body.nodes;
        let is_same = |at: &NodeId| {
            let node = &nodes[at.index()];
            node.op == *op && same_operands(&op, &node.operands, &operands)
        };
        let hash = |at: &NodeId| key_hash(&nodes[at.index()].op, &nodes[at.index()].operands);
        let id = NodeId::new(nodes.len());
        match self.interned.entry(key_hash(&op, &operands), is_same, hash) {
            Entry::Occupied(found) => {
                let found = *found.get();
                self.merge(found, &provenance);
                return found;
            }
            Entry::Vacant(vacant) => vacant.insert(id),
        };
        if matches!(*op, Op::Input(_)) {
            self.body.inputs.push(id);
        }
        self.body.nodes.push(Node { op: op.into_owned(), operands, ty: ty.clone() });
        self.body.provenance.push(provenance.into_owned());
        self.uses.push(0);
        self.principal.push(old);
        id
    }

    /// Records that `id` also stands for a node of this provenance.
    fn merge(&mut self, id: NodeId, provenance: &Provenance) {
        let first = &mut self.body.provenance[id.index()];
        // A text need not say where nodes come from: then there is nothing to keep.
        let says_something = |origin: &&Origin| origin.source.is_some() || origin.role != Role::Forward;
        first.origins.extend(provenance.origins.iter().filter(says_something).copied());
        // An input has a name already.
        if !matches!(self.body.nodes[id.index()].op, Op::Input(_)) {
            first.label = first.label.or(provenance.label);
        }
    }

    /// Drops what the rules left without users, and translates everything into the ids that remain.
    pub(super) fn finish(mut self, graph: &Graph) -> Swept {
        let outputs: Vec<NodeId> = graph.outputs().iter().map(|output| self.at(output.node)).collect();
        let kept = self.kept(&outputs);
        let doubts = std::mem::take(self.doubts.get_mut());
        let doubts: Vec<NodeId> = doubts.into_iter().filter_map(|id| kept[id.index()]).collect();
        let place: Vec<Option<NodeId>> =
            self.place.iter().map(|at| at.and_then(|at| kept[at.index()])).collect();
        let now = |id: NodeId| kept[id.index()].expect("what is used is kept");

        let mut cotangents = Vec::new();
        for link in graph.cotangents() {
            // The gradient of one node is not that of the node it was merged into.
            let is_principal =
                self.place[link.forward.index()].is_some_and(|at| self.principal[at.index()] == link.forward);
            if let (Some(forward), Some(gradient), true) =
                (place[link.forward.index()], place[link.gradient.index()], is_principal)
            {
                cotangents.push(CotangentLink { forward, gradient });
            }
        }
        let mut at = 0;
        self.body.nodes.retain_mut(|node| {
            at += 1;
            let keep = kept[at - 1].is_some();
            if keep {
                node.operands.iter_mut().for_each(|operand| *operand = now(*operand));
            }
            keep
        });
        let mut at = 0;
        self.body.provenance.retain_mut(|provenance| {
            at += 1;
            let keep = kept[at - 1].is_some();
            if keep {
                translate_origins(&mut provenance.origins, &place);
            }
            keep
        });
        self.body.inputs.iter_mut().for_each(|input| *input = now(*input));
        self.body.cotangents = cotangents;
        let outputs = graph.outputs().iter().zip(&outputs).map(|(output, node)| Output {
            name: output.name.clone(),
            node: now(*node),
            updates: output.updates.map(|state| place[state.index()].expect("inputs are kept")),
        });
        let graph = Graph::from_parts(Arc::new(self.body), outputs.collect());
        let graph = graph.expect("a sweep keeps the signature");
        let is_unsettled = !doubts.is_empty() && {
            let uses = live_uses(&graph);
            doubts.iter().any(|id| uses[id.index()] == 1)
        };
        Swept { graph, is_unsettled }
    }

    /// The new id of each written node that is an input or that an output depends on.
    fn kept(&self, outputs: &[NodeId]) -> Vec<Option<NodeId>> {
        let mut live = vec![false; self.body.nodes.len()];
        for id in outputs.iter().chain(&self.body.inputs) {
            live[id.index()] = true;
        }
        for (at, node) in self.body.nodes.iter().enumerate().rev() {
            if live[at] {
                node.operands.iter().for_each(|operand| live[operand.index()] = true);
            }
        }
        let mut count = 0;
        let number = |live: bool| {
            count += usize::from(live);
            live.then(|| NodeId::new(count - 1))
        };
        live.into_iter().map(number).collect()
    }
}

/// The first rule that has something to say, and its pass.
fn first_match(candidate: &Candidate<'_>, passes: &[&Pass]) -> Option<(&'static str, Replacement)> {
    let rules = passes.iter().flat_map(|pass| pass.rules.iter().map(|(_, rule)| (pass.name, rule)));
    rules.into_iter().find_map(|(pass, rule)| Some((pass, rule(candidate)?)))
}

/// Equal for what [`same_operands`] calls the same.
fn key_hash(op: &Op, operands: &[NodeId]) -> u64 {
    let mut hasher = FxHasher::default();
    op.hash(&mut hasher);
    match operands {
        [left, right] if op.is_commutative() => [left.min(right), left.max(right)].hash(&mut hasher),
        _ => operands.hash(&mut hasher),
    }
    hasher.finish()
}

/// Whether `op` gives the same for both lists. The order that was written first is the one that stays.
fn same_operands(op: &Op, left: &[NodeId], right: &[NodeId]) -> bool {
    left == right || (op.is_commutative() && left.len() == 2 && left.iter().rev().eq(right))
}

/// Forward nodes by their new ids, `None` for those that are gone; then each origin once.
pub(crate) fn translate_origins(origins: &mut SmallVec<[Origin; 1]>, place: &[Option<NodeId>]) {
    for origin in origins.iter_mut() {
        if let Role::Gradient { forward, .. } = &mut origin.role {
            *forward = forward.and_then(|id| place[id.index()]);
        }
    }
    if origins.len() > 1 {
        let mut seen = HashSet::new();
        origins.retain(|origin| seen.insert(*origin));
    }
}
