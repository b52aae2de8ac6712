//! Who ran what, and when: one event per call of a step's kernel, written into memory that is there before the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use pullback_graph::OpRules;
use serde_json::{Value, json};

use crate::plan::{Plan, StepId};

/// A piece of a step that ran, or neighboring pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The step.
    pub step: StepId,
    /// Which of its pieces; the first, if neighbors ran in one call.
    pub piece: usize,
    /// Who ran it: 0 is the calling thread.
    pub worker: usize,
    /// When it started, in ns since the run began.
    pub start: u64,
    /// When it ended, in ns since the run began.
    pub end: u64,
}

/// When each step of a run ran, and on which thread.
#[derive(Clone, Debug)]
pub struct Trace {
    plan: Arc<Plan>,
    events: Vec<Event>,
}

impl Trace {
    /// What ran, by step and piece.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The plan that ran.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn shared_plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The time each step took on one thread, in ns: the sum of its pieces. Ready for [`simulate`](crate::simulate()).
    #[must_use]
    pub fn step_times(&self) -> Vec<u64> {
        let mut times = vec![0; self.plan.steps().len()];
        for event in &self.events {
            times[event.step.index()] += event.end - event.start;
        }
        times
    }

    /// The trace in the format of `chrome://tracing` and Perfetto.
    #[must_use]
    pub fn to_chrome_json(&self) -> Value {
        let graph = self.plan.graph();
        let events = self.events.iter().map(|event| {
            let step = &self.plan.steps()[event.step.index()];
            let node = step.node();
            let op = graph.node(node).op.name();
            let name = graph.label(node).map_or_else(|| op.to_string(), |label| format!("{op} \"{label}\""));
            json!({
                "name": name,
                "cat": step.kernel(),
                "ph": "X",
                "pid": 0,
                "tid": event.worker,
                "ts": event.start as f64 / 1e3,
                "dur": (event.end - event.start) as f64 / 1e3,
                "args": {
                    "step": event.step.to_string(),
                    "piece": event.piece,
                    "node": node.to_string(),
                    "op": op,
                    "type": graph.ty(node).to_string(),
                    "label": graph.label(node).map(|label| label.to_string()),
                    "source": graph.source(node).map(ToString::to_string),
                    "scope": graph.scope_path(graph.provenance(node).scope),
                    "nodes": step.covers().len(),
                },
            })
        });
        json!({ "displayTimeUnit": "ns", "traceEvents": events.collect::<Vec<_>>() })
    }
}

/// The memory of a trace.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// The first piece of each step.
    offsets: Box<[u32]>,
    marks: Box<[Mark]>,
    origin: Instant,
}

#[derive(Debug, Default)]
struct Mark {
    start: AtomicU64,
    end: AtomicU64,
    /// The worker plus one; zero if the piece did not run.
    worker: AtomicU32,
}

impl Recorder {
    pub(crate) fn new(plan: &Plan) -> Recorder {
        let mut count = 0;
        let offsets = plan.steps().iter().map(|step| {
            let offset = count;
            count += u32::try_from(step.pieces()).expect("fewer than 2^32 pieces");
            offset
        });
        let offsets = offsets.collect();
        Recorder { offsets, marks: (0..count).map(|_| Mark::default()).collect(), origin: Instant::now() }
    }

    /// Starts a run.
    pub(crate) fn begin(&mut self) {
        for mark in &mut self.marks {
            *mark.worker.get_mut() = 0;
        }
        self.origin = Instant::now();
    }

    /// The present time.
    pub(crate) fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// A piece ran from `start` until now.
    pub(crate) fn mark(&self, step: StepId, piece: usize, worker: usize, start: u64) {
        let mark = &self.marks[self.offsets[step.index()] as usize + piece];
        mark.start.store(start, Ordering::Relaxed);
        mark.end.store(self.now(), Ordering::Relaxed);
        mark.worker.store(worker as u32 + 1, Ordering::Relaxed);
    }

    /// What was recorded, once all workers have left.
    pub(crate) fn trace(&self, plan: &Arc<Plan>) -> Trace {
        let mut events = Vec::with_capacity(self.marks.len());
        for (step, offset) in self.offsets.iter().enumerate() {
            let end = self.offsets.get(step + 1).map_or(self.marks.len(), |next| *next as usize);
            for (piece, mark) in self.marks[*offset as usize..end].iter().enumerate() {
                let Some(worker) = mark.worker.load(Ordering::Relaxed).checked_sub(1) else { continue };
                events.push(Event {
                    step: StepId::new(step),
                    piece,
                    worker: worker as usize,
                    start: mark.start.load(Ordering::Relaxed),
                    end: mark.end.load(Ordering::Relaxed),
                });
            }
        }
        Trace { plan: plan.clone(), events }
    }
}
