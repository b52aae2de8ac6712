//! The command: every workload on every number of threads, line by line as they are done.

use std::io::Write;
use std::time::Duration;

use pullback::exec::Profile;
use serde_json::json;

use crate::arguments::Rivals;
use crate::check::check;
use crate::error::BenchError;
use crate::machine;
use crate::measure::measure;
use crate::report::{Finding, HEAD, limits_json, limits_line};
use crate::rivals::{Limits, Others, published};
use crate::runner::Runner;
use crate::workloads::{MODELS, Row, WORKLOADS, Workload, find};

/// Measures the workloads, writes a table to `out`, and answers whether all losses agree.
///
/// # Errors
/// When a workload is not known, a run fails, or the report cannot be written.
pub fn rivals(arguments: &Rivals, out: &mut impl Write) -> Result<bool, BenchError> {
    let rows = chosen(&arguments.only, arguments.models)?;
    let others = arguments.others.as_deref().map(Others::read).transpose()?.unwrap_or_default();
    let mut limits = Vec::new();
    for threads in &arguments.threads {
        let found = machine::limits((*threads).max(1));
        writeln!(out, "{}", limits_line(*threads, &found))?;
        limits.push(found);
    }
    writeln!(out, "\n{HEAD}")?;
    let (mut findings, mut profiles) = (Vec::new(), Vec::new());
    for row in rows {
        let failed = |error| BenchError::Engine { workload: row.name.to_string(), error };
        let workload = (row.build)().map_err(failed)?;
        for (threads, here) in arguments.threads.iter().zip(&limits) {
            let (finding, profile) =
                find_out(row, &workload, (*threads).max(1), *here, &others, arguments).map_err(failed)?;
            writeln!(out, "{}", finding.row())?;
            out.flush()?;
            findings.push(finding);
            profiles.extend(profile.map(|profile| (row.name, *threads, profile)));
        }
    }
    for (name, threads, profile) in profiles.iter().filter(|_| arguments.profile) {
        write!(out, "\n{name}, {threads} thread(s):\n{profile:.*}", arguments.top)?;
    }
    if !arguments.predict.is_empty() {
        predictions(&profiles, &arguments.predict, out)?;
    }
    for finding in findings.iter().filter(|finding| !finding.agreement.holds()) {
        writeln!(out, "\n{} is off:\n  {}", finding.workload.name, finding.agreement.off.join("\n  "))?;
    }
    if let Some(file) = &arguments.json {
        let limits = arguments.threads.iter().zip(&limits);
        let report = json!({
            "machine": limits.map(|(threads, limits)| limits_json(*threads, limits)).collect::<Vec<_>>(),
            "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
        });
        std::fs::write(file, format!("{report:#}\n"))?;
    }
    Ok(findings.iter().all(|finding| finding.agreement.holds()))
}

/// A table of what the steps' times come to on machines with more cores of the same kind.
fn predictions(
    profiles: &[(&str, usize, Profile)],
    workers: &[usize],
    out: &mut impl Write,
) -> Result<(), BenchError> {
    let cells = |cells: Vec<String>| cells.join(" | ");
    let heads = workers.iter().map(|count| format!("× on {count}")).collect();
    writeln!(out, "\n| workload | measured on | work | span | {} |", cells(heads))?;
    writeln!(out, "|---|---|---|---|{}", "---|".repeat(workers.len()))?;
    for (name, threads, profile) in profiles {
        let predict = |count: usize| {
            let predicted = profile.predict(count).map_err(pullback::Error::from);
            predicted.map_err(|error| BenchError::Engine { workload: (*name).to_string(), error })
        };
        // As many workers as anything could use: what is left is the longest chain.
        let Some(span) = predict(usize::from(u16::MAX))? else { continue };
        let mut ups = Vec::new();
        for count in workers {
            ups.extend(predict((*count).max(1))?.map(|simulation| format!("{:.1}", simulation.speed_up())));
        }
        let micros = |nanos: u64| format!("{:.1} µs", nanos as f64 / 1e3);
        writeln!(
            out,
            "| {name} | {threads} | {} | {} | {} |",
            micros(span.work),
            micros(span.makespan),
            cells(ups)
        )?;
    }
    Ok(())
}

/// The workloads and models of these names; if there are none, all models or all workloads.
pub(crate) fn chosen(names: &[String], models: bool) -> Result<Vec<&'static Row>, BenchError> {
    if names.is_empty() {
        return Ok(if models { MODELS.iter().collect() } else { WORKLOADS.iter().collect() });
    }
    let row = |name: &String| {
        let known = || WORKLOADS.iter().chain(&MODELS).map(|row| row.name).collect();
        find(name).ok_or_else(|| BenchError::Unknown { name: name.clone(), known: known() })
    };
    names.iter().map(row).collect()
}

fn find_out(
    row: &'static Row,
    workload: &Workload,
    threads: usize,
    here: Limits,
    others: &Others,
    arguments: &Rivals,
) -> Result<(Finding, Option<Profile>), pullback::Error> {
    let known = published(row.name).expect("what other engines answer is known of every workload");
    let (published, aim) = known.rival(threads);
    let rival = others.best(row.name, threads).or(published);
    let mut runner = Runner::new(workload, threads)?;
    let patience = if arguments.full_check { Duration::MAX } else { Duration::from_secs(10) };
    let agreement = check(&mut runner, known, usize::MAX, patience)?;
    let window = Duration::try_from_secs_f64(arguments.seconds).unwrap_or_default();
    let as_theirs = rival.as_ref().map_or(1, |rival| rival.steps_per_call);
    let per_call = arguments.steps_per_call.unwrap_or(as_theirs).max(1);
    let times = measure(&mut runner, window, per_call)?;
    let (steps, bytes) = runner.size()?;
    let (building, planning) = runner.preparation();
    let profile = (arguments.profile || !arguments.predict.is_empty()).then(|| {
        // About a second.
        let runs = (1e6 / times.median()).clamp(2.0, 200.0) as usize;
        runner.profile(runs)
    });
    let finding = Finding {
        workload: row,
        threads,
        times,
        per_call,
        known,
        rival,
        aim,
        here,
        agreement,
        steps,
        bytes,
        building,
        planning,
    };
    Ok((finding, profile.transpose()?))
}
