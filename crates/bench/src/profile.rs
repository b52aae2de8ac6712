//! Where the time of a step goes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use pullback::Error;
use pullback::exec::{Plan, Step};
use pullback::graph::OpRules;

use crate::runner::Runner;

/// As many operands of a step are listed.
const READS: usize = 8;

/// The time of steps, by kernel and one by one.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The time of a run, in µs.
    pub wall: f64,
    /// By kernel, the longest first.
    pub kernels: Vec<Line>,
    /// The steps that take longest, the longest first.
    pub steps: Vec<Line>,
}

/// A line of a profile.
#[derive(Clone, Debug)]
pub struct Line {
    /// The kernel, or the step and what it computes.
    pub what: String,
    /// The number of steps.
    pub count: usize,
    /// Their time in a run, in µs, on one thread: pieces that run side by side add up.
    pub micros: f64,
}

impl Profile {
    /// The medians of `runs` traced runs, with the `top` steps that take longest.
    ///
    /// # Errors
    /// When a run fails.
    pub fn of(runner: &mut Runner, runs: usize, top: usize) -> Result<Profile, Error> {
        runner.reset()?;
        let mut walls = Vec::with_capacity(runs);
        let mut times: Vec<Vec<u64>> = Vec::new();
        let mut first = None;
        runner.traced(runs, |trace, wall| {
            first.get_or_insert_with(|| trace.clone());
            walls.push(wall.as_nanos() as u64);
            times.resize_with(trace.plan().steps().len(), Vec::new);
            for (times, time) in times.iter_mut().zip(trace.step_times()) {
                times.push(time);
            }
        })?;
        let Some(trace) = first else {
            return Ok(Profile { wall: 0.0, kernels: Vec::new(), steps: Vec::new() });
        };
        let plan = trace.plan();
        let mut kernels: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        let mut steps = Vec::with_capacity(times.len());
        for (at, (step, times)) in plan.steps().iter().zip(&mut times).enumerate() {
            let micros = median(times);
            let kernel = kernels.entry(step.kernel()).or_default();
            *kernel = (kernel.0 + 1, kernel.1 + micros);
            steps.push((at, micros));
        }
        steps.sort_by(|a, b| b.1.total_cmp(&a.1));
        let kernels = kernels.into_iter();
        let mut kernels: Vec<Line> =
            kernels.map(|(what, (count, micros))| Line { what: what.to_string(), count, micros }).collect();
        kernels.sort_by(|a, b| b.micros.total_cmp(&a.micros));
        let line = |(at, micros)| Line { what: describe(plan, at), count: 1, micros };
        Ok(Profile {
            wall: median(&mut walls),
            kernels,
            steps: steps.into_iter().take(top).map(line).collect(),
        })
    }
}

/// The median of times in ns, in µs.
fn median(times: &mut [u64]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| *time as f64 / 1e3)
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

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside: f64 = self.kernels.iter().map(|line| line.micros).sum();
        writeln!(f, "  {:.1} µs a run, {inside:.1} µs in steps", self.wall)?;
        for line in &self.kernels {
            let share = 100.0 * line.micros / inside;
            writeln!(f, "  {:>12.1} µs {share:>5.1} % {:>6} × {}", line.micros, line.count, line.what)?;
        }
        for line in &self.steps {
            writeln!(f, "  {:>12.1} µs {:>5.1} %  {}", line.micros, 100.0 * line.micros / inside, line.what)?;
        }
        Ok(())
    }
}
