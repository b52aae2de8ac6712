//! A workload made ready to run.

use std::time::{Duration, Instant};

use pullback::exec::{Options, Outputs, Profile, Record};
use pullback::graph::Bindings;
use pullback::{Error, Session};

use crate::workloads::Workload;

/// A session with a workload's state and feeds.
#[derive(Debug)]
pub struct Runner {
    session: Session,
    workload: Workload,
    planning: Duration,
}

impl Runner {
    /// Plans a workload for so many threads, and puts its state at the start.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub fn new(workload: &Workload, threads: usize) -> Result<Runner, Error> {
        let begin = Instant::now();
        let session = Session::with(&workload.graph, Options::default().threads(threads))?;
        let planning = begin.elapsed();
        let mut runner = Runner { session, workload: workload.clone(), planning };
        runner.reset()?;
        Ok(runner)
    }

    /// Puts the state back to its start.
    ///
    /// # Errors
    /// When the state does not fit the graph.
    pub fn reset(&mut self) -> Result<(), Error> {
        for (name, value) in &self.workload.start {
            self.session.set_state(name, value.clone())?;
        }
        Ok(())
    }

    /// One step.
    ///
    /// # Errors
    /// When it fails.
    pub fn step(&mut self) -> Result<Outputs, Error> {
        self.steps(1)
    }

    /// So many steps in one call; the results of the last.
    ///
    /// # Errors
    /// When one fails.
    ///
    /// # Panics
    /// When there are none.
    pub fn steps(&mut self, count: usize) -> Result<Outputs, Error> {
        let feeds = self.workload.feeds.iter().map(|(name, value)| (name.as_str(), value.clone()));
        Ok(self.session.run_steps(count, feeds)?)
    }

    /// Where the time of `runs` steps from the start goes.
    ///
    /// # Errors
    /// When one fails.
    pub fn profile(&mut self, runs: usize) -> Result<Profile, Error> {
        self.reset()?;
        // Switched once: the first run after a switch looks at all feeds anew, which costs the caches.
        self.session.record(Record::trace());
        let mut profile = Profile::default();
        let mut ended = Ok(());
        for _ in 0..runs {
            ended = self.step().map(drop);
            if ended.is_err() {
                break;
            }
            profile.add(self.session.last_run());
        }
        self.session.record(Record::off());
        ended.map(|()| profile)
    }

    /// What it took to build the graph, and to optimize and plan it.
    #[must_use]
    pub fn preparation(&self) -> (Duration, Duration) {
        (self.workload.building, self.planning)
    }

    /// The bytes of the workers' own buffers.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        self.session.scratch_bytes()
    }

    /// The number of steps of the plan, and the bytes that it holds.
    ///
    /// # Errors
    /// Never for a graph whose sizes are known.
    pub fn size(&mut self) -> Result<(usize, usize), Error> {
        let plan = self.session.plan_for(&Bindings::new())?;
        Ok((plan.steps().len(), plan.peak_bytes()))
    }
}
