//! Values that their readers compute again, where that moves fewer bytes than keeping them.
//!
//! A gradient reads much of what elementwise ops computed on the way forward, a whole pass after it was written, when no
//! cache holds it any more. All of it follows from a few values: of what a region writes for later regions, only those are
//! kept from which the rest can be computed where it is read. Which ones these are is a minimum cut between what the region
//! reads and what is read of it, every value costing the bytes that are written, held and read for its sake. So arithmetic,
//! of which there is plenty, is spent for bytes, and for memory; automatic differentiation systems do this between the two
//! halves of a step, here it holds between any two regions.
//!
//! The rewriting is one of graphs, before regions are made for good: a copy of a node that is read in one region is computed
//! there. The copies are the same functions of the same values, so no bit changes.

use std::collections::BTreeSet;
use std::rc::Rc;

use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use pullback_graph::{Graph, NodeId, Op, OpClass, OpRules, Operands, Transcript};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::kernel::regions::fuse::LIMIT;
use crate::kernel::regions::role::{Role, numel};
use crate::kernel::regions::survey::Survey;

/// Elements of values that are worth it: fewer stay in a cache from one region to the next.
const LEAST: usize = 1 << 16;

/// Ops on an element that take about as long as writing it to memory and reading it back: some 0.08 ns each in a program, and
/// some 0.4 ns for eight bytes.
const OPS: u64 = 4;

/// What must not be cut.
const NEVER: u64 = u64::MAX / 4;

/// The graph in which readers compute again what is not worth keeping; `None` if all is.
///
/// # Complexity
/// Linear in nodes and operands, beside a maximum flow through each region that writes for others.
///
/// What is `held` by a strip is not written anyway, and stays as it is.
pub(crate) fn recompute(graph: &Graph, held: &FxHashSet<NodeId>) -> Option<Graph> {
    recompute_from(graph, held, LEAST)
}

/// [`recompute`] for values of `least` elements or more.
pub(crate) fn recompute_from(graph: &Graph, held: &FxHashSet<NodeId>, least: usize) -> Option<Graph> {
    let is_large = |id: NodeId| {
        graph.node(id).op.class() == OpClass::Elementwise
            && graph.ty(id).shape.known_numel().is_some_and(|len| len >= least)
    };
    if !graph.ids().any(is_large) || graph.ids().any(|id| !graph.ty(id).shape.is_known()) {
        return None;
    }
    let survey = Survey::of(graph);
    let mut lost = FxHashMap::default();
    for at in 0..survey.regions.len() {
        survey.choose(at, least, held, &mut lost);
    }
    (!lost.is_empty()).then(|| survey.rewritten(&lost))
}

/// The nodes that are computed again by the readers of a value that is not kept.
type Lost = FxHashMap<NodeId, Rc<FxHashSet<NodeId>>>;

impl Survey<'_> {
    fn bytes(&self, id: NodeId) -> u64 {
        (numel(self.graph, id) * self.graph.ty(id).dtype.bytes()) as u64
    }

    /// Whether a node is computed in a region, element by element from what that reads.
    fn is_inside(&self, at: usize, id: NodeId) -> bool {
        self.home[id.index()] == Some(at) && matches!(self.role(id), Role::Elementwise | Role::Alias)
    }

    /// The values of a region that all their readers could compute themselves.
    fn candidates(&self, at: usize, held: &FxHashSet<NodeId>) -> Vec<NodeId> {
        let region = &self.regions[at];
        let takes = |reader: &usize| {
            let reader = &self.regions[*reader];
            reader.extent.with(region.extent) == Some(reader.extent)
                && reader.nodes.len() + region.nodes.len() <= LIMIT as usize
        };
        let could = |id: &NodeId| {
            self.is_inside(at, *id)
                && !held.contains(id)
                && !self.kept[id.index()]
                && numel(self.graph, *id) == region.extent.len()
                && self.readers.get(id).is_some_and(|(readers, along)| *along && readers.iter().all(takes))
        };
        region.outputs.iter().copied().filter(could).collect()
    }

    /// Adds to `lost` the values of a region that are not worth keeping.
    fn choose(&self, at: usize, least: usize, held: &FxHashSet<NodeId>, lost: &mut Lost) {
        if !self.is_program(at) || self.regions[at].extent.len() < least {
            return;
        }
        let wanted = self.candidates(at, held);
        if wanted.is_empty() {
            return;
        }
        let mut readers: SmallVec<[usize; 2]> =
            wanted.iter().flat_map(|id| &self.readers[id].0).copied().collect();
        readers.sort_unstable();
        readers.dedup();
        let cost = |id: NodeId| {
            let bytes = self.bytes(id);
            if wanted.contains(&id) {
                return bytes * (1 + self.readers[&id].0.len() as u64);
            }
            let last = self.readers.get(&id).and_then(|(readers, _)| readers.last().copied());
            let is_leaf = self.graph.node(id).op.class() == OpClass::Leaf;
            // What somebody reads later anyway is there; else it is written, or held, for this alone.
            let is_there = is_leaf
                || self.kept[id.index()]
                || (last >= readers.last().copied() && !lost.contains_key(&id));
            let knows = |reader: &&usize| is_there && self.regions[**reader].operands.contains(&id);
            let new = readers.iter().filter(|reader| !knows(reader)).count();
            bytes * (u64::from(!is_there) + new as u64)
        };
        let again = self.cut(at, &wanted, cost);
        let (gone, held): (Vec<NodeId>, Vec<NodeId>) = wanted.iter().partition(|id| again.contains(*id));
        let saved: u64 = gone.iter().map(|id| cost(*id)).sum();
        let sources: FxHashSet<NodeId> = again.iter().flat_map(|id| self.sources(at, *id)).collect();
        let new = sources.iter().filter(|id| !again.contains(*id) && !held.contains(id));
        let spent: u64 = new.map(|id| cost(*id)).sum();
        let ops = again.iter().filter(|id| self.role(**id) == Role::Elementwise).count() * readers.len();
        let ops = (ops * self.regions[at].extent.len()) as u64;
        if saved > spent && ops <= OPS * (saved - spent) / 8 {
            let again = Rc::new(again);
            lost.extend(gone.into_iter().map(|id| (id, again.clone())));
        }
    }

    /// The buffers that a node of a region reads.
    fn sources(&self, region: usize, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let operands = 0..self.graph.node(id).operands.len();
        operands.filter_map(move |operand| self.read(region, id, operand).0)
    }

    /// The nodes of a region to compute again so that what is read for `wanted` costs least.
    fn cut(&self, at: usize, wanted: &[NodeId], cost: impl Fn(NodeId) -> u64) -> FxHashSet<NodeId> {
        let mut network: DiGraph<Option<NodeId>, u64> = DiGraph::new();
        let [start, end] = [network.add_node(None), network.add_node(None)];
        // A value is an edge from one node of the network to another, which costs what the value does.
        let mut ends: FxHashMap<NodeId, (NodeIndex, NodeIndex)> = FxHashMap::default();
        let mut waiting = wanted.to_vec();
        while let Some(id) = waiting.pop() {
            if ends.contains_key(&id) {
                continue;
            }
            let (before, after) = (network.add_node(Some(id)), network.add_node(Some(id)));
            network.add_edge(before, after, cost(id));
            ends.insert(id, (before, after));
            if self.is_inside(at, id) {
                waiting.extend(self.sources(at, id));
            } else {
                network.add_edge(start, before, NEVER);
            }
        }
        for (id, (before, _)) in &ends {
            if self.is_inside(at, *id) {
                for source in self.sources(at, *id) {
                    network.add_edge(ends[&source].1, *before, NEVER);
                }
            }
        }
        for id in wanted {
            network.add_edge(ends[id].1, end, NEVER);
        }
        let (_, flows) = dinics(&network, start, end);
        // What still leads to the end: the cut that lies latest, so that least is computed again.
        let mut leads = vec![false; network.node_count()];
        let mut waiting = vec![end];
        while let Some(node) = waiting.pop() {
            if std::mem::replace(&mut leads[node.index()], true) {
                continue;
            }
            let open =
                |edge: &petgraph::graph::EdgeReference<'_, u64>| flows[edge.id().index()] < *edge.weight();
            let incoming =
                network.edges_directed(node, petgraph::Incoming).filter(open).map(|edge| edge.source());
            let used = |edge: &petgraph::graph::EdgeReference<'_, u64>| flows[edge.id().index()] > 0;
            let outgoing = network.edges(node).filter(used).map(|edge| edge.target());
            waiting.extend(incoming.chain(outgoing));
        }
        let is_again = |(_, (before, _)): &(&NodeId, &(NodeIndex, NodeIndex))| leads[before.index()];
        ends.iter().filter(is_again).map(|(id, _)| *id).collect()
    }

    /// The graph in which readers compute what was lost.
    fn rewritten(&self, lost: &Lost) -> Graph {
        let mut transcript = Transcript::of(self.graph);
        let mut copies: FxHashMap<(usize, NodeId), NodeId> = FxHashMap::default();
        for id in self.graph.ids().filter(|id| !matches!(self.graph.node(*id).op, Op::Input(_))) {
            let mut operands = Operands::new();
            for operand in &self.graph.node(id).operands {
                let own = self.home[id.index()];
                operands.push(match (lost.get(operand), own) {
                    (Some(again), Some(reader)) if own != self.home[operand.index()] => {
                        self.copy(&mut transcript, &mut copies, reader, *operand, again)
                    }
                    _ => transcript.place(*operand),
                });
            }
            transcript.copy(id, operands);
        }
        transcript.finish()
    }

    /// The copy of `id` for a reader, written with those nodes of `again` that it follows from.
    fn copy(
        &self,
        transcript: &mut Transcript<'_>,
        copies: &mut FxHashMap<(usize, NodeId), NodeId>,
        reader: usize,
        id: NodeId,
        again: &FxHashSet<NodeId>,
    ) -> NodeId {
        // What is read through is copied with what it reads.
        let is_again = |id: NodeId| {
            let through = matches!(self.role(id), Role::Broadcast | Role::Spread(_));
            again.contains(if through { &self.graph.node(id).operands[0] } else { &id })
        };
        let mut missing = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(at) = waiting.pop() {
            if !copies.contains_key(&(reader, at)) && missing.insert(at) {
                let operands = self.graph.node(at).operands.iter().copied();
                waiting.extend(operands.filter(|operand| is_again(*operand)));
            }
        }
        for at in missing {
            let operands = self.graph.node(at).operands.iter();
            let operands = operands.map(|operand| match copies.get(&(reader, *operand)) {
                Some(copy) => *copy,
                None => transcript.place(*operand),
            });
            let operands = operands.collect();
            let copy = transcript.copy(at, operands);
            copies.insert((reader, at), copy);
        }
        copies[&(reader, id)]
    }
}
