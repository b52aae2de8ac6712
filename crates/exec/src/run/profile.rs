//! Where the time of runs goes: by kernel, and step by step.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pullback_graph::OpRules;

use crate::error::ExecError;
use crate::plan::{Plan, Simulation, Step, predict};
use crate::run::report::RunReport;

/// As many operands of a step are listed.
const READS: usize = 8;

/// The times of a plan's steps over several runs; medians are what it tells. `Display` prints the kernels, then the steps that
/// take longest: `{:.5}` prints five of them.
///
/// ```
/// use pullback_exec::{Profile, Record, Session};
/// use pullback_graph::{Builder, DType::F32, Tensor};
/// let b = Builder::new();
/// let x = b.input("x", F32, [64, 64]);
/// let graph = b.finish([("y", x.dot(x).tanh().sum())])?;
///
/// let mut session = Session::new(&graph)?;
/// session.record(Record::trace());
/// let mut profile = Profile::default();
/// for _ in 0..5 {
///     session.run([("x", Tensor::zeros([64, 64]))])?;
///     profile.add(session.last_run());
/// }
/// println!("{profile:.3}");
/// assert!(profile.predict(8)?.is_some_and(|eight| eight.makespan <= eight.work));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Profile {
    plan: Option<Arc<Plan>>,
    walls: Vec<u64>,
    /// By step, over the runs.
    times: Vec<Vec<u64>>,
}

/// The steps of one kernel.
#[derive(Clone, Debug, PartialEq)]
struct Kernel {
    name: &'static str,
    steps: usize,
    nanos: u64,
    estimated: u64,
}

impl Profile {
    /// Adds a run; one of another plan than those before starts anew, and one without a trace does nothing.
    pub fn add(&mut self, report: &RunReport) {
        let Some(trace) = report.trace() else { return };
        if !self.plan.as_ref().is_some_and(|plan| Arc::ptr_eq(plan, trace.shared_plan())) {
            *self = Profile { plan: Some(trace.shared_plan().clone()), ..Profile::default() };
        }
        self.walls.push(nanos(report.wall()));
        let times = trace.step_times();
        self.times.resize_with(times.len(), Vec::new);
        for (times, time) in self.times.iter_mut().zip(times) {
            times.push(time);
        }
    }

    /// The plan that ran, if one did.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The median time of a run.
    #[must_use]
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(median(&self.walls))
    }

    /// The median time of each step, in ns on one thread: its pieces add up. Ready for [`simulate`](crate::simulate()) and
    /// [`predict`].
    #[must_use]
    pub fn step_times(&self) -> Vec<u64> {
        self.times.iter().map(|times| median(times)).collect()
    }

    /// What a run would take on so many threads; `None` if nothing has run.
    ///
    /// # Errors
    /// Those of [`predict`].
    pub fn predict(&self, threads: usize) -> Result<Option<Simulation>, ExecError> {
        self.plan.as_ref().map(|plan| predict(plan, &self.step_times(), threads)).transpose()
    }

    /// The kernels, the one that takes longest first.
    fn kernels(&self, plan: &Plan, times: &[u64]) -> Vec<Kernel> {
        let mut kernels: BTreeMap<&'static str, Kernel> = BTreeMap::new();
        for ((step, time), cost) in plan.steps().iter().zip(times).zip(plan.costs()) {
            let name = step.kernel();
            let kernel = kernels.entry(name).or_insert(Kernel { name, steps: 0, nanos: 0, estimated: 0 });
            kernel.steps += 1;
            kernel.nanos += time;
            kernel.estimated += cost.time;
        }
        let mut kernels: Vec<Kernel> = kernels.into_values().collect();
        kernels.sort_by_key(|kernel| std::cmp::Reverse(kernel.nanos));
        kernels
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn median(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(plan) = &self.plan else { return f.write_str("nothing has run") };
        let times = self.step_times();
        let inside = times.iter().sum::<u64>().max(1);
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let share = |nanos: u64| 100.0 * nanos as f64 / inside as f64;
        let wall = micros(nanos(self.wall()));
        writeln!(f, "  {wall:.1} µs a run, {:.1} µs in steps", micros(inside))?;
        for Kernel { name, steps, nanos, estimated } in self.kernels(plan, &times) {
            let (micros, share, estimated) = (micros(nanos), share(nanos), micros(estimated));
            writeln!(
                f,
                "  {micros:>12.1} µs {share:>5.1} % {steps:>6} × {name}, estimated {estimated:.1} µs"
            )?;
        }
        let mut longest: Vec<usize> = (0..times.len()).collect();
        longest.sort_by_key(|at| std::cmp::Reverse(times[*at]));
        for at in longest.into_iter().take(f.precision().unwrap_or(12)) {
            let (micros, share) = (micros(times[at]), share(times[at]));
            writeln!(f, "  {micros:>12.1} µs {share:>5.1} %  {}", describe(plan, at))?;
        }
        Ok(())
    }
}

/// A step in words: kernel, type of the result, ops computed, types read, place in the program.
fn describe(plan: &Plan, at: usize) -> String {
    let (graph, step) = (plan.graph(), &plan.steps()[at]);
    let mut read: Vec<String> = step
        .reads()
        .iter()
        .take(READS)
        .map(|value| graph.ty(plan.values()[value.index()].node).to_string())
        .collect();
    if step.reads().len() > READS {
        read.push(format!("{} more", step.reads().len() - READS));
    }
    let scope = graph.scope_path(graph.provenance(step.node()).scope);
    let pieces = if step.pieces() > 1 { format!(" in {} pieces", step.pieces()) } else { String::new() };
    format!(
        "s{at} {} {} = {} of {}{pieces} [{scope}]",
        step.kernel(),
        graph.ty(step.node()),
        ops(plan, step),
        read.join(", "),
    )
}

/// The ops that a step computes, and how many of each.
fn ops(plan: &Plan, step: &Step) -> String {
    let mut counts: Vec<(Cow<'static, str>, usize)> = Vec::new();
    for node in step.covers() {
        let name = plan.graph().node(*node).op.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let words: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| if count == 1 { name.into_owned() } else { format!("{count}·{name}") })
        .collect();
    words.join("+")
}
