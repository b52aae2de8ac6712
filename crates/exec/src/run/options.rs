//! How a session runs.

use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;

use crate::plan::{PlanOptions, Rates};

/// How a session plans and runs graphs. Made with [`Options::default`] and changed by the methods of the same name.
///
/// ```
/// use pullback_exec::Options;
/// let options = Options::default().threads(2).check_finite(true);
/// assert_eq!(options.threads, Some(2));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many threads work on a run, the calling one included; `None`: those of the pool, or as many as there are cores.
    pub threads: Option<usize>,
    /// The pool whose threads help; `None`: one of the session's own, started when it is first needed.
    pub pool: Option<Arc<ThreadPool>>,
    /// Whether every value is checked for NaN and infinity. Steps are not fused then, so that the error names the node whose
    /// value was the first.
    pub check_finite: bool,
    /// Whether the graph is optimized before it is planned. Values stay the same to the bit.
    pub passes: bool,
    /// Whether state is updated where it is. It saves a copy of all state, but a run that fails may leave part of the state
    /// updated, which then has to be set anew. Without, a failed run changes nothing.
    pub update_in_place: bool,
    /// The most bytes that a plan may [hold](crate::Plan::peak_bytes): values that are needed late are then computed again
    /// instead of being held, to the same bits but for the rounding of sums over leading axes. `None`: all that it takes. Runs that record statistics hold every value.
    pub fit_in: Option<usize>,
    /// Runs estimated to be shorter stay on the calling thread, and so do those that more threads would not make faster.
    /// With zero nothing is estimated, and all threads may take part.
    pub inline_below: Duration,
    /// How fast the machine is taken to be, which decides what is worth several threads; see [`Rates::measured`].
    pub rates: Rates,
    /// How long helping threads look out for another run before they go back to their pool.
    pub linger: Duration,
    /// How many plans, one per binding of symbolic sizes, are kept with their memory.
    pub plans_kept: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            threads: None,
            pool: None,
            check_finite: false,
            passes: true,
            update_in_place: true,
            fit_in: None,
            inline_below: Duration::from_micros(20),
            rates: Rates::default(),
            linger: Duration::from_millis(2),
            plans_kept: 16,
        }
    }
}

impl Options {
    /// See [`Options::threads`](field@Options::threads).
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Options { threads: Some(threads), ..self }
    }

    /// See [`Options::pool`](field@Options::pool).
    #[must_use]
    pub fn pool(self, pool: Arc<ThreadPool>) -> Self {
        Options { pool: Some(pool), ..self }
    }

    /// See [`Options::check_finite`](field@Options::check_finite).
    #[must_use]
    pub fn check_finite(self, check_finite: bool) -> Self {
        Options { check_finite, ..self }
    }

    /// See [`Options::passes`](field@Options::passes).
    #[must_use]
    pub fn passes(self, passes: bool) -> Self {
        Options { passes, ..self }
    }

    /// See [`Options::update_in_place`](field@Options::update_in_place).
    #[must_use]
    pub fn update_in_place(self, update_in_place: bool) -> Self {
        Options { update_in_place, ..self }
    }

    /// See [`Options::fit_in`](field@Options::fit_in).
    #[must_use]
    pub fn fit_in(self, bytes: usize) -> Self {
        Options { fit_in: Some(bytes), ..self }
    }

    /// See [`Options::inline_below`](field@Options::inline_below).
    #[must_use]
    pub fn inline_below(self, inline_below: Duration) -> Self {
        Options { inline_below, ..self }
    }

    /// See [`Options::rates`](field@Options::rates).
    #[must_use]
    pub fn rates(self, rates: Rates) -> Self {
        Options { rates, ..self }
    }

    /// See [`Options::linger`](field@Options::linger).
    #[must_use]
    pub fn linger(self, linger: Duration) -> Self {
        Options { linger, ..self }
    }

    /// See [`Options::plans_kept`](field@Options::plans_kept).
    #[must_use]
    pub fn plans_kept(self, plans_kept: usize) -> Self {
        Options { plans_kept, ..self }
    }

    /// The number of threads that these options come to on this machine.
    pub(crate) fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let of_pool = || self.pool.as_ref().map(|pool| pool.current_num_threads());
        self.threads.or_else(of_pool).unwrap_or_else(cores).max(1)
    }

    /// How plans are made; `every_node` for runs that look at all values.
    pub(crate) fn plan_options(&self, every_node: bool) -> PlanOptions {
        PlanOptions {
            threads: self.worker_count(),
            inline_below: u64::try_from(self.inline_below.as_nanos()).unwrap_or(u64::MAX),
            update_in_place: self.update_in_place,
            // The first value that is not finite may be inside a fused step: only then is it seen.
            every_node: every_node || self.check_finite,
            fit_in: self.fit_in.filter(|_| !every_node),
            rates: self.rates,
            ..PlanOptions::default()
        }
    }
}

/// What a run writes down beside its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub(crate) trace: bool,
    pub(crate) stats: bool,
}

impl Record {
    /// Nothing: the default, and free.
    #[must_use]
    pub fn off() -> Self {
        Record::default()
    }

    /// When each step ran, and where: about 50 ns per step.
    #[must_use]
    pub fn trace() -> Self {
        Record { trace: true, stats: false }
    }

    /// The statistics of every node's value, and a trace. Such runs execute the graph as it was written, node by node, which
    /// may round in another way than fused kernels do.
    #[must_use]
    pub fn stats() -> Self {
        Record { trace: true, stats: true }
    }
}
