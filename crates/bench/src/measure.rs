//! How long a step takes.

use std::time::{Duration, Instant};

use pullback::Error;

use crate::runner::Runner;

/// After so many steps the state goes back to its start, so that all values stay those of early training.
const BLOCK: usize = 200;
/// Steps before the first that counts, of every block.
const WARM_UP: usize = 5;
/// As many calls count at least.
const LEAST: usize = 10;

/// The times of steps, in µs: of each call, divided by its steps.
#[derive(Clone, Debug)]
pub struct Times {
    sorted: Vec<f64>,
}

impl Times {
    /// The number of calls.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The shortest.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.sorted[0]
    }

    /// Half of the steps took longer.
    #[must_use]
    pub fn median(&self) -> f64 {
        let (low, high) = (self.sorted[(self.count() - 1) / 2], self.sorted[self.count() / 2]);
        f64::midpoint(low, high)
    }

    /// One step in ten took longer.
    #[must_use]
    pub fn p90(&self) -> f64 {
        self.sorted[(self.count() - 1) * 9 / 10]
    }
}

/// Runs steps for `window`, `per_call` in each call, and no fewer than ten calls. Taking the state back is not timed.
///
/// # Errors
/// When a step fails.
pub fn measure(runner: &mut Runner, window: Duration, per_call: usize) -> Result<Times, Error> {
    let mut times = Vec::new();
    let begin = Instant::now();
    let mut enough = false;
    while !enough {
        runner.reset()?;
        for _ in 0..WARM_UP {
            runner.step()?;
            // A step of a second needs no warm-up.
            if begin.elapsed() > window {
                break;
            }
        }
        for _ in 0..(BLOCK / per_call).max(1) {
            let start = Instant::now();
            runner.steps(per_call)?;
            times.push(start.elapsed().as_nanos() as f64 / 1e3 / per_call as f64);
            enough = times.len() >= LEAST && begin.elapsed() > window;
            if enough {
                break;
            }
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Times { sorted: times })
}
