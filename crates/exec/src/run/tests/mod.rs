//! Runs: the schedule alone, and sessions against the interpreter.

mod schedule;
mod sessions;
mod failures;
mod support;
