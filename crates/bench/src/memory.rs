//! By how much the process grows for a workload: inputs, graph, plan, state and a few steps.
//!
//! The system keeps the largest resident size of a process, and that only ever grows, so every workload gets a process of
//! its own.

use std::io::Write;
use std::process::Command;

use crate::arguments::Memory;
use crate::command::chosen;
use crate::error::BenchError;
use crate::runner::Runner;
use crate::workloads::Row;

/// Steps that are run: the first ones bring all memory to life.
const STEPS: usize = 20;

/// Measures the workloads one by one, and writes a line of a table for each.
///
/// # Errors
/// When a workload is not known, a run fails, the system does not tell, or the table cannot be written.
pub fn memory(arguments: &Memory, out: &mut impl Write) -> Result<(), BenchError> {
    let rows = chosen(&arguments.only, arguments.models)?;
    let pairs: Vec<(&Row, usize)> =
        rows.iter().flat_map(|row| arguments.threads.iter().map(move |threads| (*row, *threads))).collect();
    if let [(row, threads)] = pairs.as_slice() {
        return one(row, (*threads).max(1), out);
    }
    writeln!(
        out,
        "| workload | threads | plan MB | workers' buffers MB | resident growth MB |\n|---|---|---|---|---|"
    )?;
    out.flush()?;
    for (row, threads) in pairs {
        let threads = threads.to_string();
        let output = Command::new(std::env::current_exe()?)
            .args(["memory", "--only", row.name, "--threads", &threads])
            .output()?;
        if !output.status.success() {
            return Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()).into());
        }
        out.write_all(&output.stdout)?;
        out.flush()?;
    }
    Ok(())
}

/// The row of one workload.
fn one(row: &Row, threads: usize, out: &mut impl Write) -> Result<(), BenchError> {
    let failed = |error| BenchError::Engine { workload: row.name.to_string(), error };
    let before = kilobytes("VmRSS:")?;
    let workload = (row.build)().map_err(failed)?;
    let mut runner = Runner::new(&workload, threads).map_err(failed)?;
    for _ in 0..STEPS {
        runner.step().map_err(failed)?;
    }
    let grown = kilobytes("VmHWM:")?.saturating_sub(before);
    let (_, bytes) = runner.size().map_err(failed)?;
    let mega = |bytes: usize| bytes as f64 / 1e6;
    let (name, plan, scratch) = (row.name, mega(bytes), mega(runner.scratch_bytes()));
    writeln!(out, "| {name} | {threads} | {plan:.1} | {scratch:.1} | {:.1} |", mega(grown * 1024))?;
    Ok(())
}

/// What the system says of this process.
fn kilobytes(what: &str) -> Result<usize, BenchError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok());
    number.ok_or_else(|| std::io::Error::other(format!("the system does not say {what}")).into())
}
