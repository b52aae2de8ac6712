//! `plan`: how the graph would run, and how long it would take on machines with more threads.

use std::io::Write;

use pullback_exec::{Options, Plan as Planned, compile, simulate};
use pullback_graph::Bindings;

use crate::arguments::Plan;
use crate::error::CliError;
use crate::file::{bind_all, load};

/// A petabyte: no machine runs such a graph, and sums of larger sizes might overflow.
const MAX_BYTES: u64 = 1 << 50;

pub(crate) fn plan(arguments: &Plan, out: &mut impl Write) -> Result<(), CliError> {
    let graph = bind_all(&load(&arguments.file)?.graph, &arguments.sizes, MAX_BYTES)?;
    let mut options = Options::default().passes(!arguments.no_passes);
    options.fit_in = arguments.fit_in;
    let plan = compile(&graph, &Bindings::new(), &options)?;
    writeln!(out, "{plan}")?;
    if !arguments.threads.is_empty() {
        predictions(&plan, &arguments.threads, out)?;
    }
    Ok(())
}

/// A table of what the schedule would take, from the estimated times of the steps.
fn predictions(plan: &Planned, threads: &[u16], out: &mut impl Write) -> Result<(), CliError> {
    let times: Vec<u64> = plan.costs().iter().map(|cost| cost.time).collect();
    writeln!(out, "\n{:>7}  {:>12}  {:>8}", "threads", "estimated µs", "speed-up")?;
    for count in threads {
        let simulation = simulate(plan, &times, usize::from(*count));
        let micros = simulation.makespan as f64 / 1e3;
        writeln!(out, "{count:>7}  {micros:>12.1}  {:>8.2}", simulation.speed_up())?;
    }
    Ok(())
}
