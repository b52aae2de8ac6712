//! The threads of a session: rayon's, borrowed for a while.
//!
//! A run is worked on by the thread that calls and by helpers on the pool. A helper is one rayon task that stays: it
//! joins run after run, looks out for the next one for a short while, and then gives its thread back. A helper that comes
//! too late for a run finds nothing and waits for the next; nobody waits for helpers that have not started.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::run::schedule::lock;

/// What the members of a crew do together.
pub(crate) trait Job: Send + Sync {
    /// Takes part as worker `worker` until there is nothing left to do. Must not panic.
    fn work(&self, worker: usize);
}

/// The calling thread and its helpers.
#[derive(Debug)]
pub(crate) struct Crew {
    pool: Arc<ThreadPool>,
    shared: Arc<Shared>,
    workers: usize,
}

struct Shared {
    /// Counts runs.
    round: AtomicU64,
    /// Helpers that hold the job of the present run.
    active: AtomicUsize,
    /// Set when the crew is dropped.
    dismissed: AtomicBool,
    /// How long a helper looks out for the next run.
    linger: Duration,
    desk: Mutex<Desk>,
}

struct Desk {
    /// The present run, until the caller has seen its end.
    job: Option<Arc<dyn Job>>,
    /// Which seats have a helper. Seat 0 is the caller's.
    present: Box<[bool]>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("round", &self.round)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl Crew {
    /// `workers` workers, one of them the caller. A pool of one's own is given `workers - 1` threads.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub(crate) fn new(
        workers: usize,
        pool: Option<Arc<ThreadPool>>,
        linger: Duration,
    ) -> Result<Crew, rayon::ThreadPoolBuildError> {
        let pool = match pool {
            Some(pool) => pool,
            None => {
                let threads = rayon::ThreadPoolBuilder::new().num_threads(workers.saturating_sub(1).max(1));
                Arc::new(threads.thread_name(|at| format!("pullback-{}", at + 1)).build()?)
            }
        };
        let shared = Shared {
            round: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            dismissed: AtomicBool::new(false),
            linger,
            desk: Mutex::new(Desk { job: None, present: vec![false; workers].into() }),
        };
        Ok(Crew { pool, shared: Arc::new(shared), workers })
    }

    /// The number of workers, the caller included.
    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Runs a job; when this returns no helper holds it any more.
    pub(crate) fn run(&self, job: &Arc<impl Job + 'static>) {
        let missing: Vec<usize> = {
            let mut desk = lock(&self.shared.desk);
            desk.job = Some(job.clone());
            self.shared.round.fetch_add(1, Ordering::Release);
            let missing = (1..self.workers).filter(|seat| !desk.present[*seat]).collect();
            desk.present[1..].fill(true);
            missing
        };
        for seat in missing {
            let shared = self.shared.clone();
            self.pool.spawn(move || shared.help(seat));
        }
        let _closing = Closing(&self.shared);
        job.work(0);
    }
}

/// Ends a run: takes the job off the desk and waits for those who hold it.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        drop(lock(&self.0.desk).job.take());
        let mut rounds = 0_u32;
        while self.0.active.load(Ordering::Acquire) > 0 {
            rounds += 1;
            if rounds < 1000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

impl Shared {
    /// A helper's stay, on a thread of the pool.
    fn help(&self, seat: usize) {
        let mut seen = 0;
        loop {
            let (round, job) = {
                let desk = lock(&self.desk);
                let job = desk.job.clone();
                if job.is_some() {
                    self.active.fetch_add(1, Ordering::Relaxed);
                }
                (self.round.load(Ordering::Acquire), job)
            };
            seen = round.max(seen);
            if let Some(job) = job {
                job.work(seat);
                drop(job);
                self.active.fetch_sub(1, Ordering::Release);
            }
            if !self.await_round(seen) {
                let mut desk = lock(&self.desk);
                // A run may have begun since: it counts on everybody who was there.
                if self.round.load(Ordering::Acquire) == seen {
                    desk.present[seat] = false;
                    return;
                }
            }
        }
    }

    /// Looks out for a run after `seen`; whether there is one.
    fn await_round(&self, seen: u64) -> bool {
        let start = Instant::now();
        let mut rounds = 0_u32;
        while !self.dismissed.load(Ordering::Relaxed) {
            if self.round.load(Ordering::Acquire) != seen {
                return true;
            }
            rounds += 1;
            if rounds < 2000 {
                std::hint::spin_loop();
                continue;
            }
            if start.elapsed() > self.linger {
                return false;
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.dismissed.store(true, Ordering::Relaxed);
    }
}
