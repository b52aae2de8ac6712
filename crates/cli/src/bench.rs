//! `bench`: how long a graph takes on this machine, where the time goes, and what it would take on others.

use std::io::Write;
use std::time::{Duration, Instant};

use pullback_exec::{ExecError, Options, Profile, Rates, Record, Session};
use pullback_graph::{Graph, Tensor};

use crate::arguments::Bench;
use crate::error::CliError;
use crate::feeds::random;
use crate::file::{bind_all, load};
use crate::plan::{MAX_BYTES, predictions};

/// Runs whose steps are timed one by one, at most.
const TRACED: usize = 200;

pub(crate) fn bench(arguments: &Bench, out: &mut impl Write) -> Result<(), CliError> {
    let graph = bind_all(&load(&arguments.file)?.graph, &arguments.sizes, MAX_BYTES)?;
    let feeds = random(&graph, arguments.range, arguments.seed);
    let rates = if arguments.measure_rates { Rates::measured() } else { Rates::default() };
    writeln!(out, "{}", describe(&rates, arguments.measure_rates))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match arguments.threads.as_slice() {
        [] if cores == 1 => vec![1],
        [] => vec![1, cores],
        given => given.iter().map(|count| usize::from(*count)).collect(),
    };
    let window = Duration::try_from_secs_f64(arguments.seconds).unwrap_or_default();
    let mut first = None;
    for count in threads {
        let options = Options::default().threads(count).rates(rates);
        let profile = measure(&graph, options, &feeds, window, out)?;
        write!(out, "{profile:.*}", arguments.top)?;
        out.flush()?;
        first.get_or_insert(profile);
    }
    match first.as_ref().and_then(|profile| Some((profile.plan()?, profile.step_times()))) {
        Some((plan, times)) => predictions(plan, &times, "from measured", &arguments.predict, out),
        None => Ok(()),
    }
}

/// Times whole runs, says how long they took, and then times their steps.
fn measure(
    graph: &Graph,
    options: Options,
    feeds: &[(String, Tensor)],
    window: Duration,
    out: &mut impl Write,
) -> Result<Profile, CliError> {
    let begin = Instant::now();
    let threads = options.threads.unwrap_or(1);
    let mut session = Session::with(graph, options)?;
    let opening = begin.elapsed();
    let state: Vec<&str> = graph
        .outputs()
        .iter()
        .filter_map(|output| graph.label(output.updates?).map(|name| &**name))
        .collect();
    let (kept, fed): (Vec<_>, Vec<_>) = feeds.iter().partition(|(name, _)| state.contains(&name.as_str()));
    // State starts anew where runs have led it to, so that numbers do not grow beyond all bounds.
    let run = |session: &mut Session| -> Result<(), ExecError> {
        for (name, value) in &kept {
            session.set_state(name, value.clone())?;
        }
        session.run(fed.iter().map(|(name, value)| (name.as_str(), value.clone()))).map(drop)
    };
    // The first run also brings memory and threads to life.
    run(&mut session)?;
    let mut walls = Vec::new();
    let begin = Instant::now();
    while walls.is_empty() || begin.elapsed() < window {
        run(&mut session)?;
        walls.push(session.last_run().wall());
    }
    walls.sort_unstable();
    let micros = |at: usize| walls[at.min(walls.len() - 1)].as_secs_f64() * 1e6;
    writeln!(
        out,
        "\n{threads} thread(s): {:.1} µs a run (median of {}; fastest {:.1}, nine of ten within {:.1}), opened in {:.1} ms",
        micros(walls.len() / 2),
        walls.len(),
        micros(0),
        micros(walls.len() * 9 / 10),
        opening.as_secs_f64() * 1e3,
    )?;
    session.record(Record::trace());
    let mut profile = Profile::default();
    for _ in 0..walls.len().min(TRACED) {
        run(&mut session)?;
        profile.add(session.last_run());
    }
    Ok(profile)
}

fn describe(rates: &Rates, measured: bool) -> String {
    let giga = |a_micro: u64| a_micro as f64 / 1e3;
    format!(
        "{} rates of a thread: {} ns to start a step, {} to hand it over, {:.1} GFLOP/s in products, {:.1} in others, {:.1} GB/s",
        if measured { "measured" } else { "assumed" },
        rates.start,
        rates.hand_over,
        giga(rates.product),
        giga(rates.elementwise),
        giga(rates.bytes),
    )
}
