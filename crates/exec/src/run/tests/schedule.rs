//! The schedule, without any tensors.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use petgraph::graph::{DiGraph, NodeIndex};
use proptest::prelude::*;

use crate::plan::StepId;
use crate::plan::tests::strategy::step_graphs;
use crate::run::crew::{Crew, Job};
use crate::run::schedule::{Cause, Failure, Program, Progress, Work, lock, run_in_order};

/// What is to go wrong, in which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Error(usize),
    Panic(usize),
}

/// Runs a graph and writes down what happened.
struct Trial {
    program: Program,
    progress: Progress<usize>,
    predecessors: Vec<Vec<StepId>>,
    pieces: Vec<u32>,
    fault: Mutex<Fault>,
    ran: Vec<AtomicU32>,
    done: Vec<AtomicU32>,
    wrong: AtomicUsize,
}

impl Trial {
    fn new(predecessors: Vec<Vec<StepId>>, pieces: Vec<u32>, workers: usize) -> Trial {
        let mut dag = DiGraph::new();
        for at in 0..predecessors.len() {
            dag.add_node(StepId::new(at));
        }
        for (at, row) in predecessors.iter().enumerate() {
            for predecessor in row {
                dag.add_edge(NodeIndex::new(predecessor.index()), NodeIndex::new(at), ());
            }
        }
        let urgency: Vec<u64> = (0..predecessors.len() as u64).rev().collect();
        let program = Program::new(&dag, pieces.iter().copied(), &urgency);
        let counters = |count: usize| (0..count).map(|_| AtomicU32::new(0)).collect();
        Trial {
            progress: Progress::new(&program, workers),
            program,
            ran: counters(predecessors.len()),
            done: counters(predecessors.len()),
            predecessors,
            pieces,
            fault: Mutex::new(Fault::None),
            wrong: AtomicUsize::new(0),
        }
    }

    fn run(self: &Arc<Self>, crew: &Crew, fault: Fault) -> Result<(), Failure<usize>> {
        for counter in self.ran.iter().chain(&self.done) {
            counter.store(0, Ordering::Relaxed);
        }
        *lock(&self.fault) = fault;
        self.progress.begin(&self.program);
        crew.run(self);
        self.progress.end()
    }

    fn counts(&self) -> (Vec<u32>, Vec<u32>) {
        let read = |counters: &[AtomicU32]| counters.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        (read(&self.ran), read(&self.done))
    }
}

impl Job for Trial {
    fn work(&self, worker: usize) {
        let fault = *lock(&self.fault);
        self.progress.work(&self.program, worker, &mut TrialHand { trial: self, fault });
    }
}

struct TrialHand<'a> {
    trial: &'a Trial,
    fault: Fault,
}

impl Work for TrialHand<'_> {
    type Error = usize;

    fn piece(&mut self, step: StepId, piece: usize) -> Result<(), usize> {
        let trial = self.trial;
        let ready = trial.predecessors[step.index()]
            .iter()
            .all(|p| trial.done[p.index()].load(Ordering::Acquire) == 1);
        let in_range = piece < trial.pieces[step.index()] as usize;
        trial.wrong.fetch_add(usize::from(!ready || !in_range), Ordering::Relaxed);
        match self.fault {
            Fault::Error(at) if at == step.index() => return Err(at),
            Fault::Panic(at) if at == step.index() => panic!("step {at} panics"),
            _ => {}
        }
        trial.ran[step.index()].fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn done(&mut self, step: StepId) -> Result<(), usize> {
        let trial = self.trial;
        let complete = trial.ran[step.index()].load(Ordering::Acquire) == trial.pieces[step.index()];
        trial.wrong.fetch_add(usize::from(!complete), Ordering::Relaxed);
        trial.done[step.index()].fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

fn crew(workers: usize) -> Crew {
    Crew::new(workers, None, Duration::from_millis(1)).expect("threads can be started")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_step_runs_once_after_its_predecessors(
        graph in step_graphs(120), pieces in prop::collection::vec(1..5_u32, 120), workers in 1..5_usize,
    ) {
        let pieces = pieces[..graph.len()].to_vec();
        let (trial, crew) = (Arc::new(Trial::new(graph, pieces.clone(), workers)), crew(workers));
        for _ in 0..5 {
            prop_assert_eq!(trial.run(&crew, Fault::None), Ok(()));
            prop_assert_eq!(trial.counts(), (pieces.clone(), vec![1; pieces.len()]));
        }
        prop_assert_eq!(trial.wrong.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn errors_and_panics_end_the_run_and_the_next_one_is_whole(
        graph in step_graphs(60), pieces in prop::collection::vec(1..4_u32, 60), workers in 1..4_usize,
        at in any::<prop::sample::Index>(), panics in any::<bool>(),
    ) {
        let at = at.index(graph.len());
        let pieces = pieces[..graph.len()].to_vec();
        let successors: Vec<usize> =
            (0..graph.len()).filter(|step| graph[*step].contains(&StepId::new(at))).collect();
        let (trial, crew) = (Arc::new(Trial::new(graph, pieces.clone(), workers)), crew(workers));
        let fault = if panics { Fault::Panic(at) } else { Fault::Error(at) };
        let cause = if panics { Cause::Panic(format!("step {at} panics")) } else { Cause::Error(at) };
        prop_assert_eq!(trial.run(&crew, fault), Err(Failure { step: StepId::new(at), cause }));
        let (ran, _) = trial.counts();
        prop_assert!(successors.iter().all(|step| ran[*step] == 0));
        prop_assert_eq!(trial.run(&crew, Fault::None), Ok(()));
        prop_assert_eq!(trial.counts(), (pieces.clone(), vec![1; pieces.len()]));
        prop_assert_eq!(trial.wrong.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn in_order_runs_report_the_step_that_failed() {
    let trial = Trial::new(vec![Vec::new(); 3], vec![2, 1, 3], 1);
    let mut hand = TrialHand { trial: &trial, fault: Fault::None };
    assert_eq!(run_in_order(&trial.pieces, &mut hand), Ok(()));
    assert_eq!(trial.counts(), (vec![2, 1, 3], vec![1, 1, 1]));
    let mut hand = TrialHand { trial: &trial, fault: Fault::Panic(1) };
    let failure = Failure { step: StepId::new(1), cause: Cause::Panic("step 1 panics".to_string()) };
    assert_eq!(run_in_order(&trial.pieces, &mut hand), Err(failure));
}

#[test]
fn a_crew_works_on_a_pool_that_is_brought_and_from_inside_it() {
    let pool =
        Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started"));
    let crew = Crew::new(2, Some(pool.clone()), Duration::from_millis(1)).expect("nothing to start");
    let chain: Vec<Vec<StepId>> =
        (0..100).map(|at: usize| at.checked_sub(1).map(StepId::new).into_iter().collect()).collect();
    let trial = Arc::new(Trial::new(chain, vec![3; 100], 2));
    assert_eq!(trial.run(&crew, Fault::None), Ok(()));
    // All threads of the pool are busy calling: nobody can help, and nobody waits for help.
    pool.broadcast(|_| {
        let crew = Crew::new(2, Some(pool.clone()), Duration::ZERO).expect("nothing to start");
        let trial = Arc::new(Trial::new(vec![Vec::new(); 50], vec![2; 50], 2));
        assert_eq!(trial.run(&crew, Fault::None), Ok(()));
    });
}

#[test]
fn no_steps_is_no_work() {
    let trial = Arc::new(Trial::new(Vec::new(), Vec::new(), 2));
    assert_eq!(trial.run(&crew(2), Fault::None), Ok(()));
}
