//! Memory for time: values that are computed again when they are needed late, so that a plan takes fewer bytes.
//!
//! At the step at which most is held, the values that are read later only are looked at: one that can be computed again
//! from others that are held anyway need not be held over that step. Those that save most bytes for the time they cost go
//! first, no two of them next to each other, so that what they are computed from is there; then the graph is planned
//! anew, and if that is not enough, more of them go, which makes the stretches that are computed again longer. When this
//! does not help any more, the graph found is taken as the one to start from.
//!
//! A value that goes is computed again right before the first late reader, over barriers that hold it back until then:
//! so the rewriting is one of graphs, and planner and executor need no notion of it. Ops are pure, and a node that is
//! read in passing is copied with its reader, so kernels compute the same bits, up to how sums over leading axes are grouped.

use std::collections::BTreeSet;

use pullback_graph::{Graph, NodeId, Op, OpClass, OpRules, Operands, Transcript};

use crate::error::ExecError;
use crate::plan::compile::{Plan, PlanOptions, plan_as_written};
use crate::plan::id::ValueId;
use crate::plan::step::{Owner, Place};

/// How often the graph found is taken as the one to start from.
const ROUNDS: usize = 16;

/// Nodes that are computed again for one value at most, when it is chosen.
const LONGEST: usize = 256;

/// A plan whose peak is at most `budget` bytes.
///
/// # Errors
/// As [`plan`](crate::plan()), and [`ExecError::DoesNotFit`] with the least peak that was found.
///
/// # Complexity
/// That of a plan, times the logarithm of the longest stretch that is computed again.
pub(crate) fn fit(graph: &Graph, options: &PlanOptions, budget: usize) -> Result<Plan, ExecError> {
    let ample = plan_as_written(graph, options)?;
    if ample.peak_bytes() <= budget {
        return Ok(ample);
    }
    // What is held from run to run goes first: each run computes it then, but no run computes anything twice.
    let options = &PlanOptions { hold_invariants: false, ..options.clone() };
    let holds = ample.steps.iter().any(|step| step.once);
    let start = if holds { plan_as_written(graph, options)? } else { ample };
    if start.peak_bytes() <= budget {
        return Ok(start);
    }
    let mut least = start.peak_bytes();
    // To drop no more than is needed costs least time, but another way may lead further down.
    for target in [budget, 0] {
        let mut best = lowered(&start, options, target)?;
        for _ in 1..ROUNDS {
            let Some(base) = best.as_ref().filter(|best| best.peak_bytes() > budget) else { break };
            let Some(better) = lowered(base, options, target)? else { break };
            best = Some(better);
        }
        match best {
            Some(best) if best.peak_bytes() <= budget => return Ok(best),
            Some(best) => least = least.min(best.peak_bytes()),
            None => {}
        }
    }
    Err(ExecError::DoesNotFit { budget, least })
}

/// A plan with a lower peak, by what is held at the peak of `base`, down to `target` bytes; `None` if there is none.
fn lowered(base: &Plan, options: &PlanOptions, target: usize) -> Result<Option<Plan>, ExecError> {
    let mut drops = Drops::at_peak(base);
    let (mut best, mut peak) = (None, base.peak_bytes());
    while peak > target {
        if !drops.choose(peak - target) {
            break;
        }
        let next = plan_as_written(&drops.rewritten(), options)?;
        if next.peak_bytes() >= peak {
            break;
        }
        peak = next.peak_bytes();
        best = Some(next);
    }
    Ok(best)
}

/// Which values of a plan are not held over its peak.
struct Drops<'p> {
    plan: &'p Plan,
    /// The step at which most is held.
    peak: usize,
    /// Per node: the first step that computes it; that of its operands if it has none; whether an output needs it.
    step_of: Vec<usize>,
    live: Vec<bool>,
    /// Per value: whether it is held over the peak, or is there in any case.
    held: Vec<bool>,
    /// The values in buffers of the plan that are held over the peak and read after it alone.
    candidates: Vec<ValueId>,
    dropped: Vec<bool>,
}

impl<'p> Drops<'p> {
    fn at_peak(plan: &'p Plan) -> Drops<'p> {
        let (values, steps) = (plan.values.len(), plan.steps.len());
        let mut written = vec![0; values];
        let mut last_read = vec![None; values];
        for (at, step) in plan.steps.iter().enumerate() {
            step.writes.iter().for_each(|value| written[value.index()] = at);
            step.reads.iter().for_each(|value| last_read[value.index()] = Some(at));
        }
        let is_planned = |value: ValueId| match plan.values[value.index()].place {
            Place::Slot(slot) => matches!(plan.slots[slot.index()].owner, Owner::Plan { .. }),
            Place::Feed(_) | Place::Constant(_) => false,
        };
        let end = |value: ValueId| last_read[value.index()].unwrap_or(written[value.index()]);
        let planned: Vec<ValueId> =
            (0..values).map(ValueId::new).filter(|value| is_planned(*value)).collect();
        let mut change = vec![0_isize; steps + 1];
        for value in &planned {
            change[written[value.index()]] += plan.bytes_of(*value) as isize;
            change[end(*value) + 1] -= plan.bytes_of(*value) as isize;
        }
        let mut bytes = 0;
        let (_, peak) = change
            .iter()
            .enumerate()
            .map(|(at, change)| {
                bytes += change;
                (bytes, at)
            })
            .max()
            .unwrap_or_default();
        let mut held = vec![true; values];
        planned.iter().for_each(|value| {
            held[value.index()] = written[value.index()] <= peak && end(*value) > peak;
        });
        let at_peak = plan.steps.get(peak).map_or(&[][..], |step| &step.reads);
        let is_candidate = |value: &ValueId| {
            // What is only on the way to a node's value is not computed for its own sake.
            let is_whole = plan.value_of(plan.values[value.index()].node) == Some(*value);
            is_whole && held[value.index()] && written[value.index()] < peak && !at_peak.contains(value)
        };
        let candidates = planned.into_iter().filter(is_candidate).collect();
        let (step_of, live) = places(plan);
        Drops { plan, peak, step_of, live, held, candidates, dropped: vec![false; values] }
    }

    /// Whether a node is computed after the peak.
    fn is_late(&self, node: NodeId) -> bool {
        self.step_of[node.index()] > self.peak + 1
    }

    /// Whether what is computed late can read the node's value as it was computed early.
    fn is_held(&self, node: NodeId) -> bool {
        let graph = self.plan.graph();
        match self.plan.value_of(node) {
            // What stands in the program is no value to wait for.
            _ if is_leaf(graph, node) => matches!(graph.node(node).op, Op::Input(_)),
            Some(value) => self.held[value.index()] && !self.dropped[value.index()],
            None => false,
        }
    }

    /// Drops more values, of `bytes` in all if there are as many; whether there was one.
    fn choose(&mut self, bytes: usize) -> bool {
        let mut ranked = Vec::new();
        for value in &self.candidates {
            if !self.dropped[value.index()]
                && let Some((nodes, sources)) = self.stretch(self.plan.values[value.index()].node)
            {
                let time: u64 = nodes.iter().map(|node| self.time(*node)).sum();
                ranked.push((self.plan.bytes_of(*value) as f64 / (time + 1) as f64, *value, sources));
            }
        }
        // The latest first among equals: what comes before it is then what it is computed from.
        ranked.sort_by(|(one, at, _), (other, after, _)| other.total_cmp(one).then(after.cmp(at)));
        let mut needed = vec![false; self.plan.values.len()];
        let mut saved = 0;
        for (_, value, sources) in ranked {
            let is_needed = |value: &ValueId| needed[value.index()];
            if saved >= bytes
                || is_needed(&value)
                || sources.iter().any(|source| self.dropped[source.index()])
            {
                continue;
            }
            sources.iter().for_each(|source| needed[source.index()] = true);
            self.dropped[value.index()] = true;
            saved += self.plan.bytes_of(value);
        }
        saved > 0
    }

    /// What has to be computed again for `node`, and the values that this is computed from; `None` if nothing would hold
    /// it back, or if it is too much.
    fn stretch(&self, node: NodeId) -> Option<(BTreeSet<NodeId>, BTreeSet<ValueId>)> {
        let (mut nodes, mut sources, mut is_held_back) = (BTreeSet::new(), BTreeSet::new(), false);
        let mut waiting = vec![node];
        while let Some(at) = waiting.pop() {
            if !nodes.insert(at) {
                continue;
            }
            if nodes.len() > LONGEST {
                return None;
            }
            for operand in &self.plan.graph().node(at).operands {
                let is_source = self.is_held(*operand);
                is_held_back |= is_source;
                match self.plan.value_of(*operand).filter(|_| is_source) {
                    Some(value) => {
                        sources.insert(value);
                    }
                    None if is_leaf(self.plan.graph(), *operand) => {}
                    None => waiting.push(*operand),
                }
            }
        }
        is_held_back.then_some((nodes, sources))
    }

    /// About how long a node takes, in ns: its share of its step.
    fn time(&self, node: NodeId) -> u64 {
        let step = self.step_of[node.index()].saturating_sub(1);
        match self.plan.steps.get(step) {
            Some(uses) if uses.covers.contains(&node) => {
                self.plan.costs[step].time / uses.covers.len() as u64
            }
            _ => 0,
        }
    }

    /// The graph in which late readers have what was dropped computed again.
    fn rewritten(&self) -> Graph {
        let graph = self.plan.graph();
        let mut order: Vec<NodeId> = graph.ids().filter(|id| self.live[id.index()]).collect();
        order.sort_by_key(|id| self.step_of[id.index()]);
        let mut writing = Writing {
            drops: self,
            transcript: Transcript::of(graph),
            is_lost: vec![false; graph.len()],
            again: vec![None; graph.len()],
            held_back: vec![None; graph.len()],
            last: None,
        };
        for id in order.into_iter().filter(|id| !matches!(graph.node(*id).op, Op::Input(_))) {
            writing.write(id);
        }
        writing.transcript.finish()
    }
}

/// Per node: the first step that computes it, plus one, or that of its operands if none does; and whether an output needs
/// it.
fn places(plan: &Plan) -> (Vec<usize>, Vec<bool>) {
    let graph = plan.graph();
    let mut step_of = vec![usize::MAX; graph.len()];
    for (at, step) in plan.steps.iter().enumerate() {
        for node in &step.covers {
            step_of[node.index()] = step_of[node.index()].min(at + 1);
        }
    }
    for id in graph.ids() {
        if step_of[id.index()] == usize::MAX {
            let operands = graph.node(id).operands.iter();
            step_of[id.index()] = operands.map(|operand| step_of[operand.index()]).max().unwrap_or(0);
        }
    }
    let mut live = vec![false; graph.len()];
    graph.outputs().iter().for_each(|output| live[output.node.index()] = true);
    for id in graph.ids().rev() {
        if live[id.index()] {
            graph.node(id).operands.iter().for_each(|operand| live[operand.index()] = true);
        }
    }
    (step_of, live)
}

fn is_leaf(graph: &Graph, node: NodeId) -> bool {
    graph.node(node).op.class() == OpClass::Leaf
}

/// The rewritten graph, as far as it is written.
struct Writing<'d> {
    drops: &'d Drops<'d>,
    transcript: Transcript<'d>,
    /// Whether a node that was computed early is of no use to late readers.
    is_lost: Vec<bool>,
    /// The second copy of a node.
    again: Vec<Option<NodeId>>,
    /// The early copy of a node behind a barrier.
    held_back: Vec<Option<NodeId>>,
    /// The last node of a step that was written.
    last: Option<NodeId>,
}

impl Writing<'_> {
    fn write(&mut self, id: NodeId) {
        let graph = self.drops.plan.graph();
        let operands = &graph.node(id).operands;
        let copied: Operands = if self.drops.is_late(id) {
            let after = self.latest(id);
            operands.iter().map(|operand| self.read_late(*operand, after)).collect()
        } else {
            self.is_lost[id.index()] = match self.drops.plan.value_of(id) {
                _ if is_leaf(graph, id) => false,
                Some(_) => !self.drops.is_held(id),
                // What is read in passing is lost with what it reads.
                None => operands.iter().any(|operand| self.is_lost[operand.index()]),
            };
            operands.iter().map(|operand| self.transcript.place(*operand)).collect()
        };
        let copy = self.transcript.copy(id, copied);
        if !is_leaf(graph, id) {
            self.last = Some(copy);
        }
    }

    /// What the step of the late node `id` waits for longest: what is computed again for it need not be there earlier.
    fn latest(&self, id: NodeId) -> Option<NodeId> {
        let Drops { plan, step_of, .. } = self.drops;
        let step = plan.steps.get(step_of[id.index()] - 1)?;
        let nodes = step.reads.iter().map(|value| plan.values[value.index()].node);
        let latest = nodes.filter(|node| self.drops.is_late(*node)).max_by_key(|node| step_of[node.index()]);
        latest.map(|node| self.transcript.place(node)).or(self.last)
    }

    /// The node that a late reader of `id` reads; what has to be computed again for it waits for `after`.
    fn read_late(&mut self, id: NodeId, after: Option<NodeId>) -> NodeId {
        let (true, Some(after)) = (self.is_lost[id.index()], after) else { return self.transcript.place(id) };
        let graph = self.drops.plan.graph();
        let mut missing = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(at) = waiting.pop() {
            if self.again[at.index()].is_none() && missing.insert(at) {
                let operands = graph.node(at).operands.iter().copied();
                waiting.extend(operands.filter(|x| !is_leaf(graph, *x) && !self.drops.is_held(*x)));
            }
        }
        for at in missing {
            let operands = graph.node(at).operands.iter().map(|operand| {
                let early = self.transcript.place(*operand);
                match self.again[operand.index()] {
                    Some(again) => again,
                    None if self.drops.is_held(*operand) => *self.held_back[operand.index()]
                        .get_or_insert_with(|| self.transcript.barrier(*operand, early, after)),
                    None => early,
                }
            });
            let operands = operands.collect();
            self.again[at.index()] = Some(self.transcript.copy(at, operands));
        }
        self.again[id.index()].expect("it has just been written")
    }
}
