//! How long a plan would take on so many workers: list scheduling with given step times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::csr::Csr;
use crate::error::ExecError;
use crate::plan::compile::{Plan, PlanOptions, plan_as_written};
use crate::plan::id::StepId;
use crate::plan::step::Step;

/// What [`simulate`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The number of workers.
    pub workers: usize,
    /// From the first start to the last end, in ns.
    pub makespan: u64,
    /// The sum of all step times, in ns: what one worker would take.
    pub work: u64,
    /// When each step starts, by step, in ns.
    pub starts: Vec<u64>,
}

impl Simulation {
    /// How many times faster than one worker.
    #[must_use]
    pub fn speed_up(&self) -> f64 {
        self.work as f64 / self.makespan.max(1) as f64
    }
}

/// Runs `plan` on paper, with `workers` workers and these step times in ns.
///
/// Whenever a worker is free it takes, of the ready pieces, one of the step that the plan holds most urgent. The pieces of
/// a step share its time evenly. Times come from [`Plan::costs`] or from a [`Trace`](crate::Trace).
///
/// # Panics
/// When there is not one time per step, or no worker.
///
/// # Complexity
/// `O((pieces + edges) · log(pieces))`.
#[must_use]
pub fn simulate(plan: &Plan, times: &[u64], workers: usize) -> Simulation {
    assert_eq!(times.len(), plan.steps.len(), "one time per step");
    assert!(workers > 0, "somebody has to work");
    let edges = plan.dag.raw_edges().iter();
    let edges = edges.map(|edge| (edge.source().index(), StepId::new(edge.target().index())));
    let successors = Csr::from_pairs(times.len(), edges);
    let pieces: Vec<u64> = plan.steps.iter().map(|step| step.pieces() as u64).collect();
    let schedule = list_schedule(&successors, &plan.urgency, times, &pieces, workers);
    Simulation {
        workers,
        makespan: schedule.iter().map(|(_, end)| *end).max().unwrap_or(0),
        work: times.iter().sum(),
        starts: schedule.iter().map(|(start, _)| *start).collect(),
    }
}

/// What the graph of `plan` would take with so many workers, planned for them, if the steps take these times.
///
/// Steps are the same for every number of threads, but not their order, nor what they wait for: memory is shared in another
/// way. So a plan is made for so many, and each of its steps gets the time of the step that computes the same.
///
/// # Panics
/// When there is not one time per step of `plan`, or no worker.
///
/// # Errors
/// Those of [`plan`](crate::plan()), though not for a graph and options that gave a plan already.
pub fn predict(plan: &Plan, times: &[u64], workers: usize) -> Result<Simulation, ExecError> {
    assert_eq!(times.len(), plan.steps.len(), "one time per step");
    // Totals are combined in a step of the node whose region they came of.
    let name = |step: &Step| (step.node(), step.kernel());
    let known: FxHashMap<_, u64> = plan.steps.iter().map(name).zip(times.iter().copied()).collect();
    // The graph is the one that came of fitting in, if the plan had to.
    let options = PlanOptions { threads: workers, inline_below: 0, fit_in: None, ..plan.options.clone() };
    let planned = plan_as_written(&plan.graph, &options)?;
    let times: Vec<u64> =
        planned.steps.iter().map(|step| known.get(&name(step)).copied().unwrap_or(0)).collect();
    Ok(simulate(&planned, &times, workers))
}

/// When each step starts and ends with `workers` workers, the most urgent ready piece first.
///
/// Edges that agree with the schedule found do not change it, as long as the urgencies stay.
pub(crate) fn list_schedule(
    successors: &Csr<StepId>,
    urgency: &[u64],
    times: &[u64],
    pieces: &[u64],
    workers: usize,
) -> Vec<(u64, u64)> {
    let mut waiting = vec![0_u32; times.len()];
    for step in successors.items() {
        waiting[step.index()] += 1;
    }
    let (mut unstarted, mut unfinished) = (pieces.to_vec(), pieces.to_vec());
    let mut schedule = vec![(0, 0); times.len()];
    let mut ready: BinaryHeap<(u64, Reverse<StepId>)> = (0..times.len())
        .filter(|step| waiting[*step] == 0)
        .map(|step| (urgency[step], Reverse(StepId::new(step))))
        .collect();
    let mut running: BinaryHeap<Reverse<(u64, StepId)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < workers
            && let Some((_, Reverse(step))) = ready.peek().copied()
        {
            let at = step.index();
            if unstarted[at] == pieces[at] {
                schedule[at].0 = now;
            }
            unstarted[at] -= 1;
            if unstarted[at] == 0 {
                ready.pop();
            }
            running.push(Reverse((now + times[at] / pieces[at], step)));
        }
        let Some(Reverse((end, step))) = running.pop() else { return schedule };
        now = end;
        unfinished[step.index()] -= 1;
        if unfinished[step.index()] > 0 {
            continue;
        }
        schedule[step.index()].1 = now;
        for next in successors.row(step.index()) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push((urgency[next.index()], Reverse(*next)));
            }
        }
    }
}
