//! From a bound graph to a plan: lower, donate, order, place.

use petgraph::Direction;
use petgraph::graph::DiGraph;
use pullback_graph::{Graph, NodeId, Tensor};
use rustc_hash::FxHashSet;

use crate::csr::Csr;
use crate::error::ExecError;
use crate::kernel::{again, recompute, summed};
use crate::plan::cost::{Cost, Rates};
use crate::plan::donate::donate;
use crate::plan::fit::fit;
use crate::plan::id::{SlotId, StepId, ValueId};
use crate::plan::invariant::hold;
use crate::plan::lower::{Lowered, lower};
use crate::plan::memory::{self, Assignment};
use crate::plan::order::{self, Lengths};
use crate::plan::problem::{Problem, StepUse, ValueUse};
use crate::plan::reach::Reach;
use crate::plan::simulate::list_schedule;
use crate::plan::step::{Owner, Place, Slot, State, Step, Update, Value};
use crate::plan::verify::verify;

/// How a graph is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The threads that will run the plan. With one, steps run in order and memory is reused more tightly.
    pub threads: usize,
    /// Runs whose estimated time is below so many ns stay on one thread, and so do those that more threads would not make
    /// faster; with 0 nothing is estimated, and all threads may take part.
    pub inline_below: u64,
    /// Whether training state may be updated where it is, before it is known that the run succeeds.
    pub update_in_place: bool,
    /// Whether every node gets a step of its own, needed or not, so that its value can be looked at.
    pub every_node: bool,
    /// Whether what follows from constants alone, and from state that no run changes, is held from run to run instead of being
    /// computed in each. Never with `every_node`; with `fit_in`, if there is room.
    pub hold_invariants: bool,
    /// The most bytes that the plan may hold: some values are then computed again instead of being held. `None`: all that
    /// it takes.
    pub fit_in: Option<usize>,
    /// How fast the machine is taken to be.
    pub rates: Rates,
    /// Buffers of so many bytes are shared even if a step is made to wait, for one that should have ended by then.
    pub share_from: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions {
            threads: 1,
            inline_below: 20_000,
            update_in_place: true,
            every_node: false,
            hold_invariants: true,
            fit_in: None,
            rates: Rates::default(),
            share_from: 1 << 14,
        }
    }
}

/// What runs, in which order, where values are: a graph made ready for execution.
///
/// A plan is a value without data but constants; [`Session`](crate::Session) gives it memory. `Display` prints it.
#[derive(Debug)]
pub struct Plan {
    pub(crate) graph: Graph,
    pub(crate) options: PlanOptions,
    pub(crate) steps: Vec<Step>,
    pub(crate) values: Vec<Value>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) constants: Vec<Tensor>,
    pub(crate) states: Vec<State>,
    /// The inputs that are read where the caller has them: index into the graph's inputs, and value.
    pub(crate) feeds: Vec<(usize, ValueId)>,
    /// The outputs that are handed to the caller: index into the graph's outputs, and value.
    pub(crate) results: Vec<(usize, ValueId)>,
    pub(crate) value_of: Vec<Option<ValueId>>,
    pub(crate) dag: DiGraph<StepId, ()>,
    pub(crate) costs: Vec<Cost>,
    pub(crate) lengths: Lengths,
    /// The estimated way to the end of the run from each step: of the steps that are ready, those with more go first.
    pub(crate) urgency: Vec<u64>,
    pub(crate) in_order: bool,
    pub(crate) arena_bytes: usize,
}

impl Plan {
    /// The graph that is computed.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the plan was made with.
    #[must_use]
    pub fn options(&self) -> &PlanOptions {
        &self.options
    }

    /// The steps. Each comes after those it depends on.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The values, by [`ValueId`].
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The buffers, by [`SlotId`].
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The training state and what becomes of it.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The value of a node; `None` if it is not computed, or only inside a kernel.
    #[must_use]
    pub fn value_of(&self, node: NodeId) -> Option<ValueId> {
        self.value_of[node.index()]
    }

    /// The step `id`.
    ///
    /// # Panics
    /// When the plan has no such step.
    #[must_use]
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }

    /// The steps by depth: those of a wave depend on steps of earlier waves alone, so they may run side by side. Linear in
    /// steps and edges.
    #[must_use]
    pub fn waves(&self) -> Vec<Vec<StepId>> {
        let mut depth = vec![0; self.steps.len()];
        let mut waves: Vec<Vec<StepId>> = Vec::new();
        // Steps are stored in an order in which each comes after those it depends on.
        for node in self.dag.node_indices() {
            let before = self.dag.neighbors_directed(node, Direction::Incoming);
            let own = before.map(|other| depth[other.index()] + 1).max().unwrap_or(0);
            depth[node.index()] = own;
            if waves.len() <= own {
                waves.resize_with(own + 1, Vec::new);
            }
            waves[own].push(self.dag[node]);
        }
        waves
    }

    /// What must wait for what: node `i` is step `i`, an edge goes from a step to one that comes after it. Edges that
    /// follow from others are left out, as far as that is cheap.
    #[must_use]
    pub fn dag(&self) -> &DiGraph<StepId, ()> {
        &self.dag
    }

    /// Whether steps must run one by one, in their order: memory was planned for that.
    #[must_use]
    pub fn in_order(&self) -> bool {
        self.in_order
    }

    /// The estimated costs, by step.
    #[must_use]
    pub fn costs(&self) -> &[Cost] {
        &self.costs
    }

    /// The estimated time of all steps on one thread, in ns.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.lengths.work
    }

    /// The estimated time of the longest chain of steps, in ns.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.lengths.span
    }

    /// The steps of the longest chain.
    #[must_use]
    pub fn critical_path(&self) -> Vec<StepId> {
        order::critical_path(&self.dag, &self.lengths.tail)
    }

    /// The bytes that a session holds to run this plan: buffers, state, results and constants. Tensors that are fed are
    /// the caller's and do not count; nor do the workers' own small buffers, of which
    /// [`Session::scratch_bytes`](crate::Session::scratch_bytes) tells.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        let owned = self.slots.iter().filter(|slot| !matches!(slot.owner, Owner::Plan { .. }));
        let constants = self.constants.iter().map(|value| value.len() * value.dtype().bytes());
        let staged = self.states.iter().filter_map(|state| match state.update {
            Update::Copy(value) if self.is_in_state(value) => Some(self.bytes_of(value)),
            Update::Copy(_) | Update::InPlace(_) | Update::Keep => None,
        });
        let held = owned.map(|slot| slot.bytes).chain(constants).chain(staged);
        self.arena_bytes + held.sum::<usize>()
    }

    /// Whether a value is in the buffer of a state: what is copied from there to another is put aside first.
    pub(crate) fn is_in_state(&self, value: ValueId) -> bool {
        match self.values[value.index()].place {
            Place::Slot(slot) => self.slots[slot.index()].owner == Owner::State,
            Place::Feed(_) | Place::Constant(_) => false,
        }
    }

    /// The bytes of a value's elements.
    pub(crate) fn bytes_of(&self, value: ValueId) -> usize {
        let value = &self.values[value.index()];
        value.len * value.dtype.bytes()
    }
}

/// Plans a graph whose sizes are all known. With [`PlanOptions::fit_in`] the [graph of the plan](Plan::graph) is another
/// one, in which some nodes stand more than once.
///
/// # Errors
/// [`ExecError::Unbound`] when a size is not known, [`ExecError::Kernel`] when a constant cannot be evaluated,
/// [`ExecError::DoesNotFit`] when the plan cannot be made small enough.
///
/// # Complexity
/// `O(n log n)` in the nodes and operands; a few times that to fit in so many bytes.
pub fn plan(graph: &Graph, options: &PlanOptions) -> Result<Plan, ExecError> {
    let fewer = if options.every_node { None } else { summed(graph) };
    let graph = fewer.as_ref().unwrap_or(graph);
    let made = if options.every_node { None } else { again(graph) };
    let none = FxHashSet::default();
    let (graph, held) = made.as_ref().map_or((graph, &none), |made| (&made.graph, &made.held));
    let cheaper = if options.every_node { None } else { recompute(graph, held) };
    let graph = cheaper.as_ref().unwrap_or(graph);
    match options.fit_in {
        Some(budget) => fit(graph, options, budget),
        None => plan_as_written(graph, options),
    }
}

/// Plans a graph in which every node stands as often as it is to be computed.
pub(crate) fn plan_as_written(graph: &Graph, options: &PlanOptions) -> Result<Plan, ExecError> {
    let mut lowered = lower(graph, options)?;
    let costs: Vec<Cost> =
        lowered.steps.iter().map(|step| cost(graph, &lowered, step, &options.rates)).collect();
    let mut problem = problem(&lowered, &costs, options);
    let in_order = stays_inline(&problem, options);
    let states = donate(graph, &lowered, &mut problem, options.update_in_place);
    let results = results(graph, &lowered);
    problem.fixed = states.iter().map(|state| bytes_of_state(graph, &lowered, &problem, state)).collect();
    for (_, value) in &results {
        let uses = &mut problem.values[value.index()];
        if uses.writer.is_some() && uses.fixed.is_none() {
            uses.fixed = Some(SlotId::new(problem.fixed.len()));
            problem.fixed.push(uses.bytes);
        }
    }
    let lent = problem.fixed.len();
    let once = hold(&mut problem, &lowered.invariant);
    // State, results and what is held have memory of their own, of just their size.
    for value in problem.values.iter_mut().filter(|value| value.fixed.is_none()) {
        value.bytes = padded(value.bytes, in_order);
    }

    let order = arrange(&problem);
    problem.reorder(&order);
    let urgency = expect_times(&mut problem, options.threads, in_order);
    let mut assignment = memory::assign(&problem, &mut reach(&problem, in_order));
    debug_assert_eq!(
        verify(&problem, &assignment, &mut reach(&problem, in_order)),
        Ok(()),
        "the memory plan is wrong"
    );

    let (slots, arena_bytes) = slots(&assignment, states.len(), lent);
    for (value, slot) in lowered.values.iter_mut().zip(&assignment.slots) {
        if let Some(slot) = slot {
            value.place = Place::Slot(*slot);
        }
    }
    let mut steps: Vec<Option<Step>> = lowered.steps.into_iter().map(Some).collect();
    let steps: Vec<Step> = order
        .iter()
        .zip(assignment.in_place.drain(..))
        .map(|(id, in_place)| {
            let mut step = steps[id.index()].take().expect("an order lists every step once");
            step.kernel.overwrite(&in_place);
            Step { in_place, once: once[id.index()], ..step }
        })
        .collect();
    let costs: Vec<Cost> = order.iter().map(|id| costs[id.index()]).collect();
    let feeds = lowered.values.iter().enumerate().filter_map(|(at, value)| match value.place {
        Place::Feed(input) => Some((input, ValueId::new(at))),
        _ => None,
    });
    let feeds = feeds.collect();
    let dag = order::step_graph(&assignment.predecessors);
    let lengths = lengths(&assignment.predecessors, &costs);
    Ok(Plan {
        graph: graph.clone(),
        options: options.clone(),
        steps,
        values: lowered.values,
        slots,
        constants: lowered.constants,
        states,
        feeds,
        results,
        value_of: lowered.value_of,
        dag,
        costs,
        lengths,
        urgency,
        in_order,
        arena_bytes,
    })
}

fn cost(graph: &Graph, lowered: &Lowered, step: &Step, rates: &Rates) -> Cost {
    let bytes = |value: &ValueId| {
        let value = &lowered.values[value.index()];
        (value.len * value.dtype.bytes()) as u64
    };
    let moved = step.reads.iter().chain(&step.writes).map(bytes).sum::<u64>();
    let (flops, products) = (step.kernel.flops(), step.kernel.flops_of_products());
    Cost::of(&graph.node(step.node).op, flops, products, moved, rates)
}

/// What memory planning needs to know, with steps in the order of the graph and sizes as they are.
fn problem(lowered: &Lowered, costs: &[Cost], options: &PlanOptions) -> Problem {
    let steps = lowered.steps.iter().zip(&lowered.after).zip(costs).map(|((step, after), cost)| StepUse {
        reads: step.reads.clone(),
        writes: step.writes.clone(),
        may_overwrite: step.kernel.in_place().iter().map(|position| *position as u32).collect(),
        after: after.iter().map(|step| StepId::new(*step as usize)).collect(),
        time: cost.time,
        pieces: u32::try_from(step.pieces()).expect("fewer than 2^32 pieces"),
        start: 0,
        end: 0,
    });
    let values = lowered.values.iter().zip(&lowered.writer).map(|(value, writer)| ValueUse {
        len: value.len,
        bytes: value.len * value.dtype.bytes(),
        dtype: value.dtype,
        writer: writer.map(|step| StepId::new(step as usize)),
        until_end: false,
        fixed: None,
    });
    Problem {
        steps: steps.collect(),
        values: values.collect(),
        fixed: Vec::new(),
        ordering_from: options.share_from,
    }
}

/// Whether more threads would not make a run noticeably faster.
fn stays_inline(problem: &Problem, options: &PlanOptions) -> bool {
    let threads = options.threads.max(1);
    if threads == 1 || options.inline_below == 0 {
        return threads == 1;
    }
    let work: u64 = problem.steps.iter().map(|step| step.time).sum();
    if work < options.inline_below {
        return true;
    }
    let pieces = problem.steps.iter().map(|step| step.pieces as usize).sum();
    let shared: Vec<u64> =
        problem.steps.iter().map(|step| step.time / threads.min(step.pieces as usize) as u64).collect();
    let span = order::tails(&order::reversed(&problem.predecessors()), &shared).span;
    options.rates.parallel_time(work, span, pieces, threads) * 10 > work * 9
}

/// Writes down when each step is expected to run, if that matters, and returns how urgent each is.
///
/// Urgency is taken before memory planning adds edges: then those edges do not change the schedule that they were
/// derived from.
fn expect_times(problem: &mut Problem, threads: usize, in_order: bool) -> Vec<u64> {
    let times: Vec<u64> = problem.steps.iter().map(|step| step.time).collect();
    let successors = order::reversed(&problem.predecessors());
    let urgency = order::tails(&successors, &times).tail;
    if !in_order {
        let pieces: Vec<u64> = problem.steps.iter().map(|step| u64::from(step.pieces)).collect();
        let schedule = list_schedule(&successors, &urgency, &times, &pieces, threads);
        for (step, (start, end)) in problem.steps.iter_mut().zip(schedule) {
            (step.start, step.end) = (start, end);
        }
    }
    urgency
}

/// The bytes of a buffer. Threads that write neighbors must not share a cache line; one thread alone packs tightly.
fn padded(bytes: usize, in_order: bool) -> usize {
    let unit = if in_order && bytes < 64 { 8 } else { 64 };
    bytes.max(1).next_multiple_of(unit)
}

fn bytes_of_state(graph: &Graph, lowered: &Lowered, problem: &Problem, state: &State) -> usize {
    let value = lowered.value_of[graph.inputs()[state.input].index()].expect("state is lowered");
    problem.values[value.index()].bytes
}

/// The outputs that the caller gets: those that update no state.
fn results(graph: &Graph, lowered: &Lowered) -> Vec<(usize, ValueId)> {
    let outputs = graph.outputs().iter().enumerate().filter(|(_, output)| output.updates.is_none());
    outputs
        .map(|(at, output)| (at, lowered.value_of[output.node.index()].expect("outputs are lowered")))
        .collect()
}

fn reach(problem: &Problem, in_order: bool) -> Reach {
    match in_order {
        true => Reach::in_order(problem.steps.len()),
        false => Reach::any_order(problem.steps.len()),
    }
}

/// The better of two orders: that of the graph, and depth first.
fn arrange(problem: &Problem) -> Vec<StepId> {
    let times: Vec<u64> = problem.steps.iter().map(|step| step.time).collect();
    let as_written: Vec<StepId> = (0..problem.steps.len()).map(StepId::new).collect();
    let depth_first = order::depth_first(&problem.predecessors(), &times);
    match problem.live_peak(&depth_first) < problem.live_peak(&as_written) {
        true => depth_first,
        false => as_written,
    }
}

/// The slots with their owners, and the bytes of those that the plan owns: all but the first `lent`, of which the first are
/// `states`.
fn slots(assignment: &Assignment, states: usize, lent: usize) -> (Vec<Slot>, usize) {
    let mut end = 0_usize;
    let slots = assignment.bytes.iter().enumerate().map(|(at, bytes): (usize, &usize)| {
        let owner = match at {
            at if at < states => Owner::State,
            at if at < lent => Owner::Result,
            _ => {
                // Large buffers start on a cache line; small ones only where their elements may.
                let offset = end.next_multiple_of(if *bytes < 64 { 8 } else { 64 });
                end = offset + bytes;
                Owner::Plan { offset }
            }
        };
        Slot { bytes: *bytes, owner }
    });
    let slots = slots.collect();
    (slots, end)
}

fn lengths(predecessors: &Csr<StepId>, costs: &[Cost]) -> Lengths {
    let times: Vec<u64> = costs.iter().map(|cost| cost.time).collect();
    order::tails(&order::reversed(predecessors), &times)
}
