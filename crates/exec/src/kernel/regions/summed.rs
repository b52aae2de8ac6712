//! Products that are added up, computed a few at a time.
//!
//! The gradient of a parameter that is used at every step of a recurrence is a sum of products, one for each step. Each comes to as
//! many elements as the parameter has, from a few rows: what it is made of is smaller than it is, and passing through the
//! sum again and again takes longer than multiplying. Products of one shape are one product of what they contract, side by side:
//! `Σᵢ Aᵢ · Bᵢ = [A₁ … Aₙ] · [B₁; …; Bₙ]`, whose sums stay in registers. So many are taken together as fill a block of the contracted
//! axis, and no more: operands need not be held for longer, and other threads may begin before the last one is there.
//!
//! The rewriting is one of graphs, before regions are made. It adds up in another order than the graph says, but in one that follows
//! from the graph alone.

use pullback_graph::op::{Concat, DotGeneral, ReduceKind};
use pullback_graph::{Graph, NodeId, Op, Operands, TensorType, Transcript};
use rustc_hash::FxHashMap;

use crate::kernel::matmul::DEPTH;
use crate::kernel::regions::role::numel;

/// The graph in which products that are added up are taken together; `None` if there are none for which that pays.
///
/// # Complexity
/// Linear in nodes and operands, and `O(n log n)` in the terms of a sum.
pub(crate) fn summed(graph: &Graph) -> Option<Graph> {
    if graph.ids().any(|id| !graph.ty(id).shape.is_known())
        || !graph.ids().any(|id| depth(graph, id).is_some())
    {
        return None;
    }
    let sums = Sums::of(graph);
    (!sums.groups.is_empty()).then(|| sums.rewritten())
}

/// How many elements a product contracts, if it comes to more than it is made of, and to fewer than fill a block.
fn depth(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    let Op::DotGeneral(op) = &node.op else { return None };
    let [left, right] = [0, 1].map(|at| node.operands[at]);
    let sizes = graph.ty(left).shape.known()?;
    let depth: usize = op.contract_left.iter().map(|axis| sizes[axis]).product();
    let is_small = numel(graph, left) + numel(graph, right) <= numel(graph, id);
    (is_small && !op.contract_left.is_empty() && (1..=DEPTH / 2).contains(&depth)).then_some(depth)
}

/// What is added up, and what of it is taken together.
struct Sums<'g> {
    graph: &'g Graph,
    /// The sums that are written in another way, by the node that completes them.
    terms: FxHashMap<NodeId, Vec<Term>>,
    /// Products that are taken together, by the last of them.
    groups: FxHashMap<NodeId, Vec<NodeId>>,
    /// Nodes that are not computed any more: parts of those sums, and the products.
    gone: Vec<bool>,
}

/// A term of a sum: a node, or the products that are taken together with it.
type Term = NodeId;

impl<'g> Sums<'g> {
    fn of(graph: &'g Graph) -> Sums<'g> {
        let mut uses = vec![0_u32; graph.len()];
        let read = graph.ids().flat_map(|id| &graph.node(id).operands).copied();
        read.chain(graph.outputs().iter().map(|output| output.node)).for_each(|id| uses[id.index()] += 1);
        let mut sums = Sums {
            graph,
            terms: FxHashMap::default(),
            groups: FxHashMap::default(),
            gone: vec![false; graph.len()],
        };
        // Whether a node was seen as part of the sum that a later one completes.
        let mut is_part = vec![false; graph.len()];
        for root in graph.ids().rev() {
            if !is_sum(graph, root) || is_part[root.index()] {
                continue;
            }
            let (mut parts, mut leaves) = (vec![root], Vec::new());
            let mut next = 0;
            while let Some(part) = parts.get(next).copied() {
                next += 1;
                for operand in &graph.node(part).operands {
                    let is_own = uses[operand.index()] == 1;
                    match is_own && is_sum(graph, *operand) {
                        true => {
                            is_part[operand.index()] = true;
                            parts.push(*operand);
                        }
                        false => leaves.push((*operand, is_own)),
                    }
                }
            }
            sums.group(root, &parts, leaves);
        }
        sums
    }

    /// Takes products among the leaves of a sum together; `is_own` are those that nothing else reads.
    fn group(&mut self, root: NodeId, parts: &[NodeId], mut leaves: Vec<(NodeId, bool)>) {
        let graph = self.graph;
        leaves.sort_unstable();
        let mut open: FxHashMap<(&DotGeneral, [&TensorType; 2]), Vec<NodeId>> = FxHashMap::default();
        let mut terms: Vec<Term> = Vec::with_capacity(leaves.len());
        let mut is_any = false;
        for (leaf, is_own) in leaves {
            let node = graph.node(leaf);
            let (Op::DotGeneral(op), Some(depth), true) = (&node.op, depth(graph, leaf), is_own) else {
                terms.push(leaf);
                continue;
            };
            let group = open.entry((op, [0, 1].map(|at| graph.ty(node.operands[at])))).or_default();
            group.push(leaf);
            if group.len() == DEPTH / depth {
                terms.push(leaf);
                is_any = true;
                self.close(std::mem::take(group));
            }
        }
        for group in open.into_values() {
            terms.extend(group.last());
            is_any |= group.len() > 1;
            self.close(group);
        }
        if is_any {
            terms.sort_unstable();
            self.terms.insert(root, terms);
            parts.iter().for_each(|part| self.gone[part.index()] = true);
        }
    }

    /// Notes that these products are taken together, if there are several.
    fn close(&mut self, group: Vec<NodeId>) {
        if let [_, .., last] = &group[..] {
            group.iter().for_each(|product| self.gone[product.index()] = true);
            self.groups.insert(*last, group);
        }
    }

    fn rewritten(&self) -> Graph {
        let graph = self.graph;
        let mut transcript = Transcript::of(graph);
        for id in graph.ids().filter(|id| !matches!(graph.node(*id).op, Op::Input(_))) {
            if let Some(group) = self.groups.get(&id) {
                let product = together(graph, &mut transcript, group);
                transcript.stand_in(id, product);
            } else if let Some(terms) = self.terms.get(&id) {
                let (first, rest) = terms.split_first().expect("a sum has terms");
                let mut sum = transcript.place(*first);
                for term in rest {
                    let operands = Operands::from_iter([sum, transcript.place(*term)]);
                    sum = transcript.write(id, ReduceKind::Sum.of_two(), operands);
                }
                transcript.stand_in(id, sum);
            } else if !self.gone[id.index()] {
                let operands = graph.node(id).operands.iter().map(|operand| transcript.place(*operand));
                let operands = operands.collect();
                transcript.copy(id, operands);
            }
        }
        transcript.finish()
    }
}

fn is_sum(graph: &Graph, id: NodeId) -> bool {
    matches!(&graph.node(id).op, Op::Binary(op) if *op == ReduceKind::Sum.of_two())
}

/// Writes the sum of some products of one shape, in place of the last of them.
fn together(graph: &Graph, transcript: &mut Transcript<'_>, products: &[NodeId]) -> NodeId {
    let last = *products.last().expect("there are several");
    let Op::DotGeneral(op) = &graph.node(last).op else { unreachable!("only products are taken together") };
    let axes = [&op.contract_left, &op.contract_right].map(|axes| axes.iter().next());
    let operands = [0, 1].map(|at| {
        let axis = axes[at].expect("they contract something");
        let parts = products.iter().map(|product| transcript.place(graph.node(*product).operands[at]));
        let parts: Operands = parts.collect();
        transcript.write(last, Concat { axis }, parts)
    });
    transcript.write(last, op.clone(), Operands::from_iter(operands))
}
