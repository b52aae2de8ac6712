//! A plan with its memory: what the workers of a run share.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pullback_graph::NodeStats;

use crate::csr::Csr;
use crate::error::ExecError;
use crate::kernel::Scratch;
use crate::plan::{Place, Plan, Step, StepId, Update, ValueId};
use crate::run::cancel::CancelToken;
use crate::run::crew::{Crew, Job};
use crate::run::options::Record;
use crate::run::schedule::{Cause, Failure, Program, Progress, Work, lock, run_in_order};
use crate::run::slots::{Lists, Slots};
use crate::run::stats::{first_non_finite, stats_of};
use crate::run::trace::{Recorder, Trace};

/// What is looked at while steps run. All of it is off by default, and then costs a test of a flag.
#[derive(Debug, Default)]
struct Watch {
    /// Whether there is anything to look at.
    is_on: bool,
    cancel: Option<CancelToken>,
    check_finite: bool,
    recorder: Option<Recorder>,
    /// The statistics of each value that a step wrote.
    stats: Option<Box<[Mutex<Option<NodeStats>>]>>,
}

/// A plan with memory for its values and counters for its steps.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) plan: Arc<Plan>,
    pub(crate) slots: Slots,
    watch: Watch,
    pace: Pace,
    /// How many neighboring pieces of each step run in one call.
    together: Box<[u32]>,
    /// The steps whose results [hold](Instance::hold) from run to run.
    once: Box<[StepId]>,
    /// Whether those results are there.
    holds: bool,
    desks: Box<[Mutex<Desk>]>,
    /// The states that each step writes over.
    touches: Csr<u32>,
    /// Which states the present run has begun to write, by state.
    touched: Box<[AtomicBool]>,
}

/// How the steps are gone through.
#[derive(Debug)]
enum Pace {
    /// One by one on the calling thread: how many calls each step has.
    InOrder(Box<[u32]>),
    /// By several workers, as soon as possible.
    Shared(Box<Shared>),
}

/// The steps as workers see them, and how far they have come.
#[derive(Debug)]
struct Shared {
    program: Program,
    progress: Progress<Box<ExecError>>,
}

impl Instance {
    /// Allocates what a plan needs to be run by up to `workers` workers.
    pub(crate) fn new(plan: Arc<Plan>, workers: usize) -> Instance {
        let workers = if plan.in_order() { 1 } else { workers };
        let together: Box<[u32]> =
            plan.steps().iter().map(|step| step.kernel.together(workers) as u32).collect();
        let calls = plan.steps().iter().zip(&together).map(|(step, together)| calls(step, *together));
        let pace = if plan.in_order() {
            Pace::InOrder(calls.collect())
        } else {
            let program = Program::new(plan.dag(), calls, &plan.urgency);
            let progress = Progress::new(&program, workers);
            Pace::Shared(Box::new(Shared { program, progress }))
        };
        let desk = || Desk { scratch: Scratch::default(), lists: Lists::of(&plan) };
        Instance {
            slots: Slots::new(plan.clone()),
            watch: Watch::default(),
            pace,
            together,
            desks: (0..workers).map(|_| Mutex::new(desk())).collect(),
            touches: touches(&plan),
            touched: plan.states().iter().map(|_| AtomicBool::new(false)).collect(),
            once: (0..plan.steps().len())
                .map(StepId::new)
                .filter(|step| plan.step(*step).is_once())
                .collect(),
            holds: false,
            plan,
        }
    }

    /// Whether a run needs more than the calling thread.
    pub(crate) fn wants_crew(&self) -> bool {
        matches!(self.pace, Pace::Shared(..))
    }

    /// Says what the next run is to look at.
    pub(crate) fn prepare(&mut self, record: Record, check_finite: bool, cancel: Option<CancelToken>) {
        let recorder = self.watch.recorder.take().filter(|_| record.trace);
        let mut recorder = recorder.or_else(|| record.trace.then(|| Recorder::new(&self.plan)));
        if let Some(recorder) = &mut recorder {
            recorder.begin();
        }
        let stats = record.stats.then(|| self.plan.values().iter().map(|_| Mutex::new(None)).collect());
        let is_on = cancel.is_some() || check_finite || recorder.is_some() || stats.is_some();
        self.watch = Watch { is_on, cancel, check_finite, recorder, stats };
    }

    /// Says whether what is computed [once](crate::plan::Step::is_once) is there: after a run that succeeded it is, until state
    /// is set. The steps that compute it do nothing then.
    pub(crate) fn hold(&mut self, holds: bool) {
        // Where nothing is computed once, no step need be asked.
        if self.holds == holds || self.once.is_empty() {
            return;
        }
        self.holds = holds;
        for step in &self.once {
            // A call that does nothing still tells its successors.
            let calls = if holds { 1 } else { calls(self.plan.step(*step), self.together[step.index()]) };
            match &mut self.pace {
                Pace::InOrder(all) => all[step.index()] = calls,
                Pace::Shared(shared) => {
                    let Shared { program, progress } = &mut **shared;
                    progress.cut(program, *step, calls);
                }
            }
        }
    }

    /// Grows what every worker has to what one of them needed: another schedule will not make it grow again.
    pub(crate) fn settle(&mut self) {
        let Some((first, others)) = self.desks.split_first_mut() else { return };
        let most = scratch_of(first);
        others.iter_mut().for_each(|other| most.cover(scratch_of(other)));
        others.iter_mut().for_each(|other| scratch_of(other).cover(most));
    }

    /// The bytes of the workers' own buffers.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.desks.iter().map(|desk| lock(desk).scratch.bytes()).sum()
    }

    /// When each step of the last run ran, if that was recorded.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.watch.recorder.as_ref().map(|recorder| recorder.trace(&self.plan))
    }

    /// The statistics of a value that a step wrote in the last run, if they were recorded.
    pub(crate) fn stats(&self, value: ValueId) -> Option<NodeStats> {
        self.watch.stats.as_ref().and_then(|stats| lock(&stats[value.index()]).clone())
    }

    /// Runs the plan; everything it reads must have been lent to the slots.
    ///
    /// # Errors
    /// What the first step that failed reports, with its node and line.
    pub(crate) fn run(self: &Arc<Self>, crew: Option<&Crew>) -> Result<(), ExecError> {
        for touched in &self.touched {
            touched.store(false, Ordering::Relaxed);
        }
        let ended = match &self.pace {
            Pace::InOrder(pieces) => {
                let mut desk = lock(&self.desks[0]);
                run_in_order(pieces, &mut Hand { instance: self, worker: 0, desk: &mut desk })
            }
            Pace::Shared(shared) => {
                let Shared { program, progress } = &**shared;
                let crew = crew.expect("a plan for several threads is run by a crew");
                progress.begin(program);
                crew.run(self);
                progress.end()
            }
        };
        ended.map_err(|Failure { step, cause }| match cause {
            Cause::Error(error) => *error,
            Cause::Panic(message) => {
                ExecError::panic(self.plan.graph(), self.plan.steps()[step.index()].node(), message)
            }
        })
    }

    /// The states that the last run has begun to write in place, as indices into the plan's.
    pub(crate) fn touched(&self) -> impl Iterator<Item = usize> {
        self.touched
            .iter()
            .enumerate()
            .filter(|(_, touched)| touched.load(Ordering::Relaxed))
            .map(|(at, _)| at)
    }
}

/// In how many calls the pieces of a step run, so many of them together.
fn calls(step: &Step, together: u32) -> u32 {
    step.pieces().div_ceil(together as usize) as u32
}

/// The states that each step writes over. State `k` is in slot `k`.
fn touches(plan: &Plan) -> Csr<u32> {
    let states = plan.states().len();
    let mut touches = Csr::with_rows(plan.steps().len());
    for step in plan.steps() {
        touches.push_row(step.writes().iter().filter_map(|write| match plan.values()[write.index()].place {
            Place::Slot(slot) if slot.index() < states => {
                debug_assert!(matches!(plan.states()[slot.index()].update, Update::InPlace(_)));
                Some(slot.index() as u32)
            }
            _ => None,
        }));
    }
    touches
}

impl Job for Instance {
    fn work(&self, worker: usize) {
        if let Pace::Shared(shared) = &self.pace {
            let Shared { program, progress } = &**shared;
            let mut desk = lock(&self.desks[worker]);
            progress.work(program, worker, &mut Hand { instance: self, worker, desk: &mut desk });
        }
    }
}

/// One worker in one run.
struct Hand<'a> {
    instance: &'a Instance,
    worker: usize,
    desk: &'a mut Desk,
}

impl Hand<'_> {
    #[inline(always)]
    fn compute(&mut self, step: StepId, pieces: Range<usize>) -> Result<(), Box<ExecError>> {
        let Instance { plan, slots, touches, touched, .. } = self.instance;
        for state in touches.row(step.index()) {
            touched[*state as usize].store(true, Ordering::Relaxed);
        }
        let Desk { scratch, lists } = &mut *self.desk;
        slots
            .with_pieces(step, pieces.clone(), lists, |kernel, buffers| kernel.run(pieces, buffers, scratch))
            .map_err(|message| {
                ExecError::kernel(plan.graph(), plan.steps()[step.index()].node(), message).into()
            })
    }
}

/// What a worker keeps from piece to piece.
#[derive(Debug)]
struct Desk {
    scratch: Scratch,
    lists: Lists,
}

/// The buffers of a worker that is not at work.
fn scratch_of(desk: &mut Mutex<Desk>) -> &mut Scratch {
    &mut desk.get_mut().unwrap_or_else(PoisonError::into_inner).scratch
}

impl Work for Hand<'_> {
    type Error = Box<ExecError>;

    #[inline]
    fn piece(&mut self, step: StepId, call: usize) -> Result<(), Box<ExecError>> {
        if self.instance.holds && self.instance.plan.step(step).is_once() {
            return Ok(());
        }
        let together = self.instance.together[step.index()] as usize;
        let pieces = call * together..(call + 1) * together;
        if self.instance.watch.is_on {
            self.compute_watched(step, pieces)
        } else {
            self.compute(step, pieces)
        }
    }

    #[inline]
    fn done(&mut self, step: StepId) -> Result<(), Box<ExecError>> {
        if self.instance.watch.is_on { self.look_at(step) } else { Ok(()) }
    }
}

/// What is looked at.
impl Hand<'_> {
    #[cold]
    fn compute_watched(&mut self, step: StepId, pieces: Range<usize>) -> Result<(), Box<ExecError>> {
        let watch = &self.instance.watch;
        if let Some(cancel) = &watch.cancel {
            cancel.check()?;
        }
        let start = watch.recorder.as_ref().map(Recorder::now);
        self.compute(step, pieces.clone())?;
        if let (Some(recorder), Some(start)) = (&watch.recorder, start) {
            recorder.mark(step, pieces.start, self.worker, start);
        }
        Ok(())
    }

    #[cold]
    fn look_at(&mut self, step: StepId) -> Result<(), Box<ExecError>> {
        let Instance { plan, slots, watch, .. } = self.instance;
        for value in plan.steps()[step.index()].writes() {
            if watch.check_finite
                && let Some(what) = slots.with_written(*value, first_non_finite)
            {
                let node = plan.values()[value.index()].node;
                return Err(ExecError::non_finite(plan.graph(), node, what).into());
            }
            if let Some(stats) = &watch.stats {
                *lock(&stats[value.index()]) = Some(slots.with_written(*value, stats_of));
            }
        }
        Ok(())
    }
}
