//! The table of a run, as Markdown, and the same as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::check::Agreement;
use crate::measure::Times;
use crate::rivals::{LIMITS, Limits, Published, Rival};
use crate::workloads::Row;

/// What was found for a workload on so many threads.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The workload.
    pub workload: &'static Row,
    /// The number of threads.
    pub threads: usize,
    /// The times of steps.
    pub times: Times,
    /// The steps in each call.
    pub per_call: usize,
    /// What is known of the workload.
    pub known: &'static Published,
    /// The engine compared with, if there is one.
    pub rival: Option<Rival>,
    /// How many times faster than that we mean to be, if that was said.
    pub aim: Option<f64>,
    /// What this machine can do.
    pub here: Limits,
    /// Whether the answers are right.
    pub agreement: Agreement,
    /// The steps of the plan.
    pub steps: usize,
    /// The bytes that the plan holds.
    pub bytes: usize,
    /// The time of building and differentiating the graph.
    pub building: Duration,
    /// The time of optimizing and planning it.
    pub planning: Duration,
}

/// The head of the table.
pub const HEAD: &str = "\
| workload | threads | a call | median | min | p90 | floor | its share | best rival | its median | times faster | aim | MB | steps | build + plan | losses |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// What stands in the table for a figure that is not known.
const UNKNOWN: &str = "–";

impl Finding {
    /// The time that this machine needs at least, in µs.
    fn floor(&self) -> Option<f64> {
        self.known.floor_micros(&self.here)
    }

    /// How many times faster than the best other engine.
    #[must_use]
    pub fn faster(&self) -> Option<f64> {
        self.rival.as_ref().map(|rival| rival.median / self.times.median())
    }

    /// The finding as a line of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let (floor, rival, faster) = (self.floor(), self.rival.as_ref(), self.faster());
        let met = |aim: f64| if faster.is_some_and(|faster| faster >= aim) { " met" } else { "" };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {} | {:.1} + {:.1} ms | {} |",
            self.workload.name,
            self.threads,
            self.per_call,
            time(self.times.median()),
            time(self.times.min()),
            time(self.times.p90()),
            cell(floor, time),
            cell(floor, |floor| format!("{:.0} %", 100.0 * floor / self.times.median())),
            rival.map_or(UNKNOWN, |rival| &rival.engine),
            cell(rival.map(|rival| rival.median), time),
            cell(faster, |faster| format!("{faster:.2}")),
            cell(self.aim, |aim| format!("{aim}{}", met(aim))),
            self.bytes as f64 / 1e6,
            self.steps,
            millis(self.building),
            millis(self.planning),
            self.agreement,
        )
    }

    /// The finding with all figures.
    #[must_use]
    pub fn json(&self) -> Value {
        let rival = self.rival.as_ref();
        json!({
            "workload": self.workload.name,
            "what": self.workload.what,
            "threads": self.threads,
            "steps_per_call": self.per_call,
            "calls_timed": self.times.count(),
            "median_us": self.times.median(),
            "min_us": self.times.min(),
            "p90_us": self.times.p90(),
            "floor_us": self.floor(),
            "floor_of_rivals_machine_us": self.known.floor_micros(&LIMITS[usize::from(self.threads > 1)]),
            "rival": rival.map(|rival| rival.engine.as_ref()),
            "rival_median_us": rival.map(|rival| rival.median),
            "times_faster": self.faster(),
            "aim": self.aim,
            "plan_steps": self.steps,
            "plan_bytes": self.bytes,
            "building_ms": millis(self.building),
            "planning_ms": millis(self.planning),
            "losses_agree": self.agreement.holds(),
            "numbers_compared": self.agreement.compared,
            "off": self.agreement.off,
        })
    }
}

/// What a machine can do, in words.
#[must_use]
pub fn limits_line(threads: usize, limits: &Limits) -> String {
    let [l1, l2, l3, memory] = limits.bandwidth;
    format!(
        "{threads} thread(s): {:.0} GFLOP/s; triad {l1:.0} GB/s in the first cache, {l2:.0} in the second, {l3:.0} in the \
         third, {memory:.0} in memory",
        limits.gflops
    )
}

/// The limits as JSON.
#[must_use]
pub fn limits_json(threads: usize, limits: &Limits) -> Value {
    json!({ "threads": threads, "gflops": limits.gflops, "triad_gb_per_s": limits.bandwidth })
}

/// A figure in a cell of the table, if it is known.
fn cell(figure: Option<f64>, print: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| UNKNOWN.to_string(), print)
}

/// A time in µs or ms, with three digits.
fn time(micros: f64) -> String {
    let (value, unit) = if micros < 1_000.0 { (micros, "µs") } else { (micros / 1_000.0, "ms") };
    let digits = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

fn millis(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e6
}
