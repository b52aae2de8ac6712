//! The order of steps: a linear one to plan memory along, and the graph of what must wait for what.

use std::cmp::Reverse;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::csr::Csr;
use crate::plan::id::StepId;

/// The lengths of a step graph in estimated time.
#[derive(Clone, Debug)]
pub(crate) struct Lengths {
    /// The time of each step and the longest way from its end to the end of the run.
    pub(crate) tail: Vec<u64>,
    /// The time of all steps one after the other.
    pub(crate) work: u64,
    /// The time of the longest chain: no number of threads is faster.
    pub(crate) span: u64,
}

/// An order that works depth first: a step's successors follow it as soon as they can, those with little behind them
/// first, so that what was just written is used, and freed, while it is in cache. So do the steps that wait for none: the
/// learning rate of an update must be there for the update to follow its gradient.
///
/// `predecessors` may be in any topological order; the result lists old ids in the new order.
///
/// # Complexity
/// `O(steps + edges)` and a sort of each step's successors; no recursion.
pub(crate) fn depth_first(predecessors: &Csr<StepId>, time: &[u64]) -> Vec<StepId> {
    let count = predecessors.len();
    let mut successors = reversed(predecessors);
    let tail = tails(&successors, time).tail;
    // Taken from the end: the shortest tail last, the older of equals after the younger.
    let turn = |step: &StepId| (Reverse(tail[step.index()]), Reverse(*step));
    for step in 0..count {
        successors.row_mut(step).sort_unstable_by_key(turn);
    }
    let mut waiting: Vec<u32> = (0..count).map(|step| predecessors.row(step).len() as u32).collect();
    let mut ready: Vec<StepId> = (0..count).filter(|step| waiting[*step] == 0).map(StepId::new).collect();
    ready.sort_unstable_by_key(turn);
    let mut order = Vec::with_capacity(count);
    while let Some(step) = ready.pop() {
        order.push(step);
        for next in successors.row(step.index()) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push(*next);
            }
        }
    }
    debug_assert_eq!(order.len(), count, "edges go from earlier steps to later ones");
    order
}

/// The edges turned round.
pub(crate) fn reversed(predecessors: &Csr<StepId>) -> Csr<StepId> {
    let edges = predecessors.pairs().map(|(step, predecessor)| (predecessor.index(), StepId::new(step)));
    Csr::from_pairs(predecessors.len(), edges)
}

/// Work, span and the way to the end of each step, whose ids are in topological order.
pub(crate) fn tails(successors: &Csr<StepId>, time: &[u64]) -> Lengths {
    let mut tail = vec![0; time.len()];
    for step in (0..time.len()).rev() {
        let behind = successors.row(step).iter().map(|next| tail[next.index()]).max().unwrap_or(0);
        tail[step] = time[step] + behind;
    }
    Lengths { work: time.iter().sum(), span: tail.iter().copied().max().unwrap_or(0), tail }
}

/// The step graph as petgraph has it: node `i` is step `i`.
pub(crate) fn step_graph(predecessors: &Csr<StepId>) -> DiGraph<StepId, ()> {
    let mut dag = DiGraph::with_capacity(predecessors.len(), predecessors.items().len());
    for step in 0..predecessors.len() {
        dag.add_node(StepId::new(step));
    }
    for (step, predecessor) in predecessors.pairs() {
        dag.add_edge(NodeIndex::new(predecessor.index()), NodeIndex::new(step), ());
    }
    dag
}

/// The steps of a longest chain, first to last.
pub(crate) fn critical_path(dag: &DiGraph<StepId, ()>, tail: &[u64]) -> Vec<StepId> {
    let longest = |steps: &mut dyn Iterator<Item = NodeIndex>| {
        steps.max_by_key(|step| (tail[step.index()], Reverse(step.index())))
    };
    let mut path = Vec::new();
    let mut at = longest(&mut dag.externals(Incoming));
    while let Some(step) = at {
        path.push(dag[step]);
        at = longest(&mut dag.neighbors_directed(step, Outgoing));
    }
    path
}
