//! Runs: the schedule alone, and sessions against the interpreter.

mod schedule;
mod sessions;
mod random;
mod failures;
mod held;
mod support;
