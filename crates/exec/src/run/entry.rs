//! What a session keeps per binding: a plan with its memory, and how feeds and results map to it.

use std::collections::HashMap;
use std::sync::Arc;

use pullback_graph::{Bindings, DType, Graph, NodeId, NodeStats, Sizes, Tensor};

use crate::plan::{Place, Plan, ValueId};
use crate::run::instance::Instance;
use crate::run::memory::tensor_of;
use crate::run::stats::stats_of;
use crate::run::trace::Trace;

/// A plan in a session.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The sizes that the plan was made for.
    pub(crate) bindings: Bindings,
    /// Whether every node has a step, for runs that look at all values.
    pub(crate) recording: bool,
    pub(crate) instance: Arc<Instance>,
    /// The type of every input of the session's graph.
    pub(crate) inputs: Vec<(DType, Sizes)>,
    /// When the plan was used last.
    pub(crate) used: u64,
    /// The session's input behind each of the plan's feeds.
    feeds: Vec<(usize, ValueId)>,
    /// The results and their sizes, in the order of the outputs.
    results: Vec<(ValueId, Sizes)>,
}

impl Entry {
    /// Gives `plan`, made of `graph` with `bindings`, memory for `workers` workers.
    pub(crate) fn new(
        graph: &Graph,
        plan: Plan,
        bindings: Bindings,
        recording: bool,
        workers: usize,
    ) -> Entry {
        let sizes = |graph: &Graph, id: NodeId| graph.ty(id).shape.known().expect("the graph is bound");
        let inputs = graph.inputs().iter().map(|id| {
            let ty = graph.ty(*id).bind(&bindings).expect("the plan was made with these sizes");
            (ty.dtype, ty.shape.known().expect("the plan was made with these sizes"))
        });
        // Passes keep the names of inputs, not their positions.
        let positions: HashMap<_, _> =
            graph.inputs().iter().enumerate().map(|(at, id)| (graph.label(*id), at)).collect();
        let position = |input: usize| positions[&plan.graph().label(plan.graph().inputs()[input])];
        let results = plan.results.iter().map(|(output, value)| {
            let node = plan.graph().outputs()[*output].node;
            (*value, sizes(plan.graph(), node))
        });
        Entry {
            inputs: inputs.collect(),
            feeds: plan.feeds.iter().map(|(input, value)| (position(*input), *value)).collect(),
            results: results.collect(),
            instance: Arc::new(Instance::new(Arc::new(plan), workers)),
            bindings,
            recording,
            used: 0,
        }
    }

    /// The instance, between runs.
    pub(crate) fn instance_mut(&mut self) -> &mut Instance {
        Arc::get_mut(&mut self.instance).expect("no helper holds a plan between runs")
    }

    /// Lends the plan the tensors given, by input of the session's graph, and memory for its results.
    pub(crate) fn lend(&mut self, given: &mut [Option<Tensor>]) {
        let instance = Arc::get_mut(&mut self.instance).expect("no helper holds a plan between runs");
        for (input, value) in &self.feeds {
            instance.slots.feed(*value, given[*input].take().expect("feeds were checked against the plan"));
        }
        instance.slots.renew_results();
    }

    /// The results of a run that succeeded.
    pub(crate) fn results(&mut self) -> impl Iterator<Item = Tensor> {
        let instance = Arc::get_mut(&mut self.instance).expect("no helper holds a plan between runs");
        let (slots, plan) = (&mut instance.slots, &instance.plan);
        self.results.iter().map(|(value, sizes)| {
            let shared = match plan.values()[value.index()].place {
                Place::Constant(at) => Some(&plan.constants[at]),
                _ => slots.result(*value),
            };
            match shared.map(|tensor| tensor.reshape(sizes)) {
                Some(Ok(tensor)) => tensor,
                // In the buffer of a state, or the start of a longer constant.
                _ => tensor_of(slots.read(*value), sizes),
            }
        })
    }

    /// What follows a run that succeeded: state that was not updated in place gets its next value.
    pub(crate) fn carry_over(&mut self) {
        let instance = self.instance_mut();
        instance.slots.copy_to_states();
        instance.settle();
        instance.hold(true);
    }

    /// The statistics of what is there before the first step, by value.
    pub(crate) fn stats_of_inputs(&mut self) -> Vec<Option<NodeStats>> {
        let instance = self.instance_mut();
        let plan = instance.plan.clone();
        let mut stats = vec![None; plan.values().len()];
        for node in plan.graph().ids().filter(|id| plan.graph().node(*id).operands.is_empty()) {
            if let Some(value) = plan.value_of(node) {
                stats[value.index()] = Some(stats_of(instance.slots.read(value)));
            }
        }
        stats
    }

    /// The statistics of each node's value after a run; `inputs` are those from before.
    pub(crate) fn stats_of_nodes(
        &self,
        inputs: &[Option<NodeStats>],
        trace: Option<&Trace>,
    ) -> Vec<Option<NodeStats>> {
        let plan = &self.instance.plan;
        let times = trace.map(Trace::step_times);
        let mut stats = inputs.to_vec();
        for (at, step) in plan.steps().iter().enumerate() {
            let time = times.as_ref().map_or(0, |times| times[at]);
            for value in step.writes() {
                stats[value.index()] =
                    self.instance.stats(*value).map(|stats| NodeStats { nanos: Some(time), ..stats });
            }
        }
        let of_node = |node: NodeId| {
            let value = plan.value_of(node)?;
            let known = stats[value.index()].clone()?;
            // A reshape shares the value of its operand and took no time.
            let own = plan.values()[value.index()].node == node;
            Some(if own { known } else { NodeStats { nanos: None, ..known } })
        };
        plan.graph().ids().map(of_node).collect()
    }
}
