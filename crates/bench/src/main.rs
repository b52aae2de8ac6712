//! The `pullback-bench` command. Exit codes: 0, all is well; 1, an answer was off or a run failed; 2, the command was not
//! understood.

use std::process::ExitCode;

use clap::Parser;
use pullback_bench::arguments::{Arguments, Command};
use pullback_bench::run_rivals;

fn main() -> ExitCode {
    let Command::Rivals(arguments) = Arguments::parse().command;
    match run_rivals(&arguments, &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
