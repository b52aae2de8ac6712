//! How long a plan would take on so many workers: list scheduling with given step times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::NodeIndex;

use crate::plan::compile::Plan;
use crate::plan::id::StepId;

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
/// Whenever a worker is free it takes, of the ready pieces, one of the step with the longest way to the end. The pieces of
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
    let dag = &plan.dag;
    let count = plan.steps.len();
    let mut tail = vec![0; count];
    for step in (0..count).rev() {
        let behind = dag.neighbors_directed(NodeIndex::new(step), Outgoing).map(|next| tail[next.index()]).max();
        tail[step] = times[step] + behind.unwrap_or(0);
    }
    let mut waiting: Vec<usize> =
        (0..count).map(|step| dag.neighbors_directed(NodeIndex::new(step), Incoming).count()).collect();
    let pieces: Vec<u64> = plan.steps.iter().map(|step| step.pieces() as u64).collect();
    let mut unstarted = pieces.clone();
    let mut unfinished = pieces.clone();
    let mut starts = vec![0; count];
    let mut ready: BinaryHeap<(u64, Reverse<StepId>)> = (0..count)
        .filter(|step| waiting[*step] == 0)
        .map(|step| (tail[step], Reverse(StepId::new(step))))
        .collect();
    let mut running: BinaryHeap<Reverse<(u64, StepId)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < workers
            && let Some((_, Reverse(step))) = ready.peek().copied()
        {
            let at = step.index();
            if unstarted[at] == pieces[at] {
                starts[at] = now;
            }
            unstarted[at] -= 1;
            if unstarted[at] == 0 {
                ready.pop();
            }
            running.push(Reverse((now + times[at] / pieces[at], step)));
        }
        let Some(Reverse((end, step))) = running.pop() else { break };
        now = end;
        unfinished[step.index()] -= 1;
        if unfinished[step.index()] > 0 {
            continue;
        }
        for next in dag.neighbors_directed(NodeIndex::new(step.index()), Outgoing) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push((tail[next.index()], Reverse(dag[next])));
            }
        }
    }
    Simulation { workers, makespan: now, work: times.iter().sum(), starts }
}
