//! The `pullback-bench` command. Exit codes: 0, all is well; 1, an answer was off or a run failed; 2, the command was not
//! understood.

use std::process::ExitCode;

use clap::Parser;
use pullback_bench::arguments::{Arguments, Command};
use pullback_bench::{run_memory, run_rivals};

fn main() -> ExitCode {
    let out = &mut std::io::stdout().lock();
    let done = match Arguments::parse().command {
        Command::Rivals(arguments) => run_rivals(&arguments, out),
        Command::Memory(arguments) => run_memory(&arguments, out).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
