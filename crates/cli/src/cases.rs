//! `reference`: the answers to reference cases.

use std::io::Write;

use pullback_cli::reference::{Engine, Options, answer};

use crate::arguments::Reference;
use crate::error::CliError;
use crate::file::read_text;
use crate::view::save;

pub(crate) fn reference(arguments: &Reference, out: &mut impl Write) -> Result<(), CliError> {
    let cases = read_text(&arguments.cases)?;
    let engine = if arguments.interpret { Engine::Interpreter } else { Engine::default() };
    let options = Options { single: arguments.f32, kinks: arguments.kinks, engine };
    // An operation that panics is an answer like another: what it says stands there.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let lines = cases.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let answers: Vec<_> = lines.map(|(at, line)| answer(line, at + 1, &options)).collect();
    std::panic::set_hook(hook);
    let skipped = answers.iter().filter(|answer| answer.get("skip").is_some()).count();
    let text: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    save(&arguments.answers, &text)?;
    Ok(writeln!(out, "{} answers, {skipped} of them reasons why there is none", answers.len())?)
}
