//! Whether the answers are those of the other engines.

use std::fmt;
use std::time::{Duration, Instant};

use pullback::Error;
use pullback::exec::Outputs;

use crate::rivals::Published;
use crate::runner::Runner;

/// How far losses after up to so many updates may be apart, relative to their size. Adam divides by small numbers at first
/// and so makes rounding errors large: after 10 updates of W2, PyTorch and JAX are 7e-5 from each other, after 50 of W5
/// 2.5e-3.
const TOLERANCES: [(usize, f64); 3] = [(1, 1e-5), (10, 2e-4), (50, 5e-3)];
/// How far they may be apart anyway: a loss of 1e-8 has no digits.
const ABSOLUTE: f64 = 1e-7;
/// How far sums and norms may be apart, relative to the norm or the sum, whichever is larger.
const OF_SUMS: f64 = 2e-5;

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreement {
    /// The numbers compared.
    pub compared: usize,
    /// Updates made before the last of them.
    pub updates: usize,
    /// Those that disagree, in words.
    pub off: Vec<String>,
}

impl Agreement {
    /// Whether all numbers agree.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.off.is_empty()
    }

    fn compare(&mut self, what: impl fmt::Display, got: f64, expected: f64, tolerance: f64) {
        self.compared += 1;
        let near = (got - expected).abs() <= tolerance;
        // NaN is not near.
        if !near {
            self.off.push(format!("{what}: {got:e} instead of {expected:e}"));
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.off.first() {
            None => write!(f, "ok to {}", self.updates),
            Some(first) => write!(f, "OFF {first}"),
        }
    }
}

/// Runs steps from the start, and compares what is known of their results: of the first, and after no more than `updates`
/// updates. Beyond ten, only if they take less than `patience`.
///
/// # Errors
/// When a step fails.
pub fn check(
    runner: &mut Runner,
    known: &Published,
    updates: usize,
    patience: Duration,
) -> Result<Agreement, Error> {
    let mut agreement = Agreement::default();
    runner.reset()?;
    let last = known.losses.last().map_or(0, |(at, _)| *at).min(updates);
    let begin = Instant::now();
    for done in 0..=last {
        if done > 10 && begin.elapsed().mul_f64(last as f64 / done as f64) > patience {
            break;
        }
        let outputs = runner.step()?;
        if done == 0 {
            compare_sums(&mut agreement, &outputs, known);
        }
        let Some((_, expected)) = known.losses.iter().find(|(at, _)| *at == done) else { continue };
        let relative = TOLERANCES.iter().find(|(at, _)| done <= *at).map_or(5e-3, |(_, size)| *size);
        let loss = outputs["loss"].item().unwrap_or(f64::NAN);
        let tolerance = relative * expected.abs() + ABSOLUTE;
        agreement.compare(format_args!("loss after {done}"), loss, *expected, tolerance);
        agreement.updates = done;
    }
    Ok(agreement)
}

fn compare_sums(agreement: &mut Agreement, outputs: &Outputs, known: &Published) {
    let others = outputs.iter().filter(|(name, _)| *name != "loss");
    for ((name, value), (sum, norm)) in others.zip(known.sums) {
        let values = value.to_f64_vec();
        let tolerance = OF_SUMS * sum.abs().max(*norm) + ABSOLUTE;
        agreement.compare(format_args!("sum of {name}"), values.iter().sum(), *sum, tolerance);
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        agreement.compare(format_args!("norm of {name}"), length, *norm, OF_SUMS * norm + ABSOLUTE);
    }
}
