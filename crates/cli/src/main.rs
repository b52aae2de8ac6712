//! The `pullback` command: look at, check, plan, time and convert graph files.
//!
//! Reading a file checks every invariant of the graph in it. What a command finds goes to standard output, errors go to
//! standard error. Exit codes: 0, all is well; 1, the file is wrong or a check failed; 2, the command was not understood.

mod arguments;
mod error;
mod file;
mod view;
mod plan;
mod check;
mod bench;
mod feeds;
mod convert;
mod cases;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::styling::{AnsiColor, Style};

use crate::arguments::{Arguments, Command};
use crate::error::CliError;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = BufWriter::new(anstream::stdout().lock());
    let result = run(arguments.command, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match result {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            // If standard error is gone, too, nobody is left to tell.
            let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {}", error::printable(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command, out: &mut impl Write) -> Result<ExitCode, CliError> {
    match command {
        Command::Show(arguments) => view::show(&arguments, out)?,
        Command::Text(arguments) => view::text(&arguments, out)?,
        Command::Gradients(arguments) => view::gradients(&arguments, out)?,
        Command::Dot(arguments) => view::dot(&arguments, out)?,
        Command::Mermaid(arguments) => view::mermaid(&arguments, out)?,
        Command::Plan(arguments) => plan::plan(&arguments, out)?,
        Command::Bench(arguments) => bench::bench(&arguments, out)?,
        Command::Check(arguments) => return check::check(&arguments, out),
        Command::Convert(arguments) => convert::convert(&arguments)?,
        Command::Reference(arguments) => cases::reference(&arguments, out)?,
    }
    Ok(ExitCode::SUCCESS)
}
