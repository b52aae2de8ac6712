//! `plan`: how the graph would run, and how long it would take on machines with more threads.

use std::io::Write;

use pullback_exec::{Options, Plan as Planned, compile, predict};
use pullback_graph::Bindings;

use crate::arguments::Plan;
use crate::error::CliError;
use crate::file::{bind_all, load};

/// A petabyte: no machine runs such a graph, and sums of larger sizes might overflow.
pub(crate) const MAX_BYTES: u64 = 1 << 50;

pub(crate) fn plan(arguments: &Plan, out: &mut impl Write) -> Result<(), CliError> {
    let graph = bind_all(&load(&arguments.file)?.graph, &arguments.sizes, MAX_BYTES)?;
    let mut options = Options::default().passes(!arguments.no_passes);
    options.fit_in = arguments.fit_in;
    let plan = compile(&graph, &Bindings::new(), &options)?;
    writeln!(out, "{plan}")?;
    let times: Vec<u64> = plan.costs().iter().map(|cost| cost.time).collect();
    predictions(&plan, &times, "from estimated", &arguments.threads, out)
}

/// A table of what the graph would take with so many threads, if its steps take these times.
pub(crate) fn predictions(
    plan: &Planned,
    times: &[u64],
    whence: &str,
    threads: &[u16],
    out: &mut impl Write,
) -> Result<(), CliError> {
    if threads.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:>7}  {:>12}  {:>8}, {whence} times of steps", "threads", "predicted µs", "speed-up")?;
    for count in threads {
        let simulation = predict(plan, times, usize::from(*count))?;
        let micros = simulation.makespan as f64 / 1e3;
        writeln!(out, "{count:>7}  {micros:>12.1}  {:>8.2}", simulation.speed_up())?;
    }
    Ok(())
}
