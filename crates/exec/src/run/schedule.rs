//! Running the steps of a graph on several threads: ready counters and work-stealing deques.
//!
//! Nothing here knows what a step does. `README.md` beside this file tells the protocol.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_deque::{Steal, Stealer};
use petgraph::Direction::Incoming;
use petgraph::graph::DiGraph;

use crate::csr::Csr;
use crate::plan::StepId;
use crate::run::idle::{Backoff, Sleepers};
use crate::run::queue::{Links, Queue, Task};

/// The steps as workers see them.
#[derive(Debug)]
pub(crate) struct Program {
    /// What becomes ready when a step is done: the most urgent last.
    successors: Csr<StepId>,
    /// How many steps must be done before each.
    predecessors: Box<[u32]>,
    /// How many parts each step has, at least one.
    pieces: Box<[u32]>,
    /// The steps without predecessors, the most urgent last.
    sources: Box<[StepId]>,
    /// How many steps have no successors: when they are done, all are.
    sinks: u32,
}

impl Program {
    /// The program of a step graph: `pieces` and `urgency` by step. Linear, but for sorting each step's successors.
    pub(crate) fn new(
        dag: &DiGraph<StepId, ()>,
        pieces: impl Iterator<Item = u32>,
        urgency: &[u64],
    ) -> Program {
        let edges =
            dag.raw_edges().iter().map(|edge| (edge.source().index(), StepId::new(edge.target().index())));
        let mut successors = Csr::from_pairs(dag.node_count(), edges);
        // Ties by id, so that the order does not depend on how the graph was put together.
        let key = |step: &StepId| (urgency[step.index()], std::cmp::Reverse(*step));
        for step in 0..successors.len() {
            successors.row_mut(step).sort_unstable_by_key(key);
        }
        let mut sources: Vec<StepId> =
            dag.externals(Incoming).map(|step| StepId::new(step.index())).collect();
        sources.sort_unstable_by_key(key);
        let mut predecessors = vec![0; dag.node_count()];
        for step in successors.items() {
            predecessors[step.index()] += 1;
        }
        let sinks = (0..successors.len()).filter(|step| successors.row(*step).is_empty()).count();
        Program {
            sinks: sinks as u32,
            successors,
            predecessors: predecessors.into(),
            pieces: pieces.map(|pieces| pieces.max(1)).collect(),
            sources: sources.into(),
        }
    }

    /// The number of steps.
    pub(crate) fn len(&self) -> usize {
        self.predecessors.len()
    }

    /// All of a step.
    fn whole(&self, step: StepId) -> Task {
        Task { step, start: 0, end: self.pieces[step.index()] }
    }
}

/// What running a step means.
pub(crate) trait Work {
    /// Why a step failed.
    type Error;

    /// Runs one part of a step. Parts of one step may run at once, after all predecessors of the step are done.
    fn piece(&mut self, step: StepId, piece: usize) -> Result<(), Self::Error>;

    /// Called once when all parts of `step` are done, before any successor starts.
    fn done(&mut self, _step: StepId) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why a run stopped before its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure<E> {
    /// The step that failed.
    pub(crate) step: StepId,
    /// What happened.
    pub(crate) cause: Cause<E>,
}

/// What ended a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cause<E> {
    /// The step returned this.
    Error(E),
    /// The step panicked with this message.
    Panic(String),
}

/// How far a run has come: made once per program, used by one run after another.
#[derive(Debug)]
pub(crate) struct Progress<E> {
    /// Per step: how many predecessors are not done.
    waiting: Box<[AtomicU32]>,
    /// Per step: how many parts are not done.
    left: Box<[AtomicU32]>,
    /// How many steps without successors are not done.
    sinks: AtomicU32,
    phase: AtomicU8,
    failure: Mutex<Option<Failure<E>>>,
    queues: Box<[Mutex<Queue>]>,
    links: Links,
    stealers: Box<[Stealer<Task>]>,
    sleepers: Sleepers,
}

const RUNNING: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;

impl<E> Progress<E> {
    /// For runs of `program` with up to `workers` workers.
    pub(crate) fn new(program: &Program, workers: usize) -> Progress<E> {
        let queues: Vec<Queue> = (0..workers).map(|_| Queue::new()).collect();
        Progress {
            waiting: program.predecessors.iter().map(|count| AtomicU32::new(*count)).collect(),
            left: program.pieces.iter().map(|count| AtomicU32::new(*count)).collect(),
            sinks: AtomicU32::new(program.sinks),
            phase: AtomicU8::new(DONE),
            failure: Mutex::new(None),
            stealers: queues.iter().map(Queue::stealer).collect(),
            queues: queues.into_iter().map(Mutex::new).collect(),
            links: Links::new(program.len()),
            sleepers: Sleepers::default(),
        }
    }

    /// Has a step of `program` run in so many parts, at least one, from the next run on.
    pub(crate) fn cut(&mut self, program: &mut Program, step: StepId, pieces: u32) {
        program.pieces[step.index()] = pieces.max(1);
        *self.left[step.index()].get_mut() = pieces.max(1);
    }

    /// Starts a run: the sources become worker 0's to run or to be stolen from. No worker may be at work.
    pub(crate) fn begin(&self, program: &Program) {
        if self.phase.load(Ordering::Relaxed) == FAILED {
            self.reset(program);
        }
        *lock(&self.failure) = None;
        self.sinks.store(program.sinks, Ordering::Relaxed);
        // There is nothing to steal yet, but a thread that steals for the first time allocates: not in the middle of a run.
        let _ = self.stealers[0].steal();
        let mut queue = lock(&self.queues[0]);
        for source in &program.sources {
            queue.push_step(program.whole(*source), &self.links);
        }
        // Published to the other workers by the hand-over of the run; see `crew`.
        self.phase.store(if program.len() == 0 { DONE } else { RUNNING }, Ordering::Release);
    }

    /// Ends a run, after every worker has left: what went wrong, if something did.
    pub(crate) fn end(&self) -> Result<(), Failure<E>> {
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    /// Counters set themselves back when they reach zero; after a failed run that has to be done for them.
    fn reset(&self, program: &Program) {
        for (counter, count) in self.waiting.iter().zip(&program.predecessors) {
            counter.store(*count, Ordering::Relaxed);
        }
        for (counter, count) in self.left.iter().zip(&program.pieces) {
            counter.store(*count, Ordering::Relaxed);
        }
        for queue in &self.queues {
            let mut queue = lock(queue);
            while queue.pop(&program.pieces, &self.links).is_some() {}
        }
    }

    /// Works until the run has ended. Panics of `work` end the run and come back from [`end`](Progress::end).
    pub(crate) fn work<W: Work<Error = E>>(&self, program: &Program, worker: usize, work: &mut W) {
        let current = Cell::new(StepId::new(0));
        let drive = || self.drive(program, worker, work, &current);
        let cause = match catch_unwind(AssertUnwindSafe(drive)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Cause::Error(error),
            Err(payload) => Cause::Panic(panic_message(&*payload)),
        };
        let failure = Failure { step: current.get(), cause };
        let mut first = lock(&self.failure);
        // Of several failures the one that stands first in the plan is told.
        if first.as_ref().is_none_or(|known| failure.step < known.step) {
            *first = Some(failure);
        }
        drop(first);
        self.phase.store(FAILED, Ordering::Release);
        self.sleepers.wake_all();
    }

    fn drive<W: Work<Error = E>>(
        &self,
        program: &Program,
        worker: usize,
        work: &mut W,
        current: &Cell<StepId>,
    ) -> Result<(), E> {
        let mut queue = lock(&self.queues[worker]);
        let mut backoff = Backoff::default();
        let mut next = None;
        while self.phase.load(Ordering::Acquire) == RUNNING {
            let own = next.take().or_else(|| queue.pop(&program.pieces, &self.links));
            let Some(task) = own.or_else(|| self.steal(worker)) else {
                backoff.wait(&self.sleepers, || {
                    self.phase.load(Ordering::Acquire) != RUNNING || self.has_tasks()
                });
                continue;
            };
            backoff.reset();
            current.set(task.step);
            next = self.run(program, task, &mut queue, work)?;
        }
        Ok(())
    }

    /// Runs one part of a task and offers the rest; the step to go on with, if one became ready.
    fn run<W: Work<Error = E>>(
        &self,
        program: &Program,
        mut task: Task,
        queue: &mut Queue,
        work: &mut W,
    ) -> Result<Option<Task>, E> {
        let step = task.step.index();
        if task.end - task.start > 1 {
            // Halves: whoever steals gets half of what is left and halves it again.
            while task.end - task.start > 1 {
                let middle = task.start.midpoint(task.end);
                queue.push_half(Task { start: middle, ..task });
                task.end = middle;
            }
            self.sleepers.wake_one();
        }
        work.piece(task.step, task.start as usize)?;
        let pieces = program.pieces[step];
        if pieces > 1 {
            if self.left[step].fetch_sub(1, Ordering::AcqRel) > 1 {
                return Ok(None);
            }
            self.left[step].store(pieces, Ordering::Relaxed);
        }
        work.done(task.step)?;
        Ok(self.release(program, task.step, queue))
    }

    /// Counts `step` as done: of the steps that became ready the most urgent is returned, the others are offered.
    fn release(&self, program: &Program, step: StepId, queue: &mut Queue) -> Option<Task> {
        let successors = program.successors.row(step.index());
        if successors.is_empty() && self.sinks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.phase.store(DONE, Ordering::Release);
            self.sleepers.wake_all();
        }
        let mut keep: Option<Task> = None;
        for next in successors {
            let waiting = &self.waiting[next.index()];
            let count = program.predecessors[next.index()];
            // A step with one predecessor needs no counter.
            if count > 1 && waiting.fetch_sub(1, Ordering::AcqRel) > 1 {
                continue;
            }
            if count > 1 {
                waiting.store(count, Ordering::Relaxed);
            }
            if let Some(offered) = keep.replace(program.whole(*next)) {
                queue.push_step(offered, &self.links);
                self.sleepers.wake_one();
            }
        }
        keep
    }

    fn steal(&self, worker: usize) -> Option<Task> {
        let others = (1..self.stealers.len()).map(|distance| (worker + distance) % self.stealers.len());
        for other in others {
            loop {
                match self.stealers[other].steal() {
                    Steal::Success(task) => return Some(task),
                    Steal::Empty => break,
                    Steal::Retry => {}
                }
            }
        }
        None
    }

    fn has_tasks(&self) -> bool {
        self.stealers.iter().any(|stealer| !stealer.is_empty())
    }
}

/// Runs every step, of so many pieces each, in order on the calling thread.
///
/// # Errors
/// What the first step that failed or panicked said.
pub(crate) fn run_in_order<W: Work>(pieces: &[u32], work: &mut W) -> Result<(), Failure<W::Error>> {
    let current = Cell::new(StepId::new(0));
    let drive = || {
        for (step, pieces) in pieces.iter().enumerate() {
            let step = StepId::new(step);
            current.set(step);
            for piece in 0..*pieces as usize {
                work.piece(step, piece)?;
            }
            work.done(step)?;
        }
        Ok(())
    };
    let cause = match catch_unwind(AssertUnwindSafe(drive)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => Cause::Error(error),
        Err(payload) => Cause::Panic(panic_message(&*payload)),
    };
    Err(Failure { step: current.get(), cause })
}

/// What a panic said.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_string())
}

/// Locks, also after a panic: what these locks guard is reset before it is used again.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
