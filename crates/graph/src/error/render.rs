//! The picture of the user's line under an error, drawn by annotate-snippets.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::provenance::Source;

/// The message with the user's line drawn beneath it, as rustc does.
///
/// The source file is read when this is called; where it cannot be, the message comes back as it is.
/// The message's own `-->` line is dropped when the picture replaces it.
#[must_use]
pub fn render(message: &str, source: Option<&Source>) -> String {
    let picture = source.and_then(|source| {
        let text = std::fs::read_to_string(&*source.file).ok()?;
        let above = (source.line as usize).checked_sub(1)?;
        let start: usize = text.split_inclusive('\n').take(above).map(str::len).sum();
        let line = text[start..].lines().next()?;
        let column = line.char_indices().nth((source.column as usize).checked_sub(1)?)?.0;
        let end = column + identifier_len(&line[column..]);
        let (title, notes) = split_notes(message);
        let snippet = Snippet::source(line)
            .path(&*source.file)
            .line_start(source.line as usize)
            .annotation(AnnotationKind::Primary.span(column..end));
        let report = [Level::ERROR.primary_title(title).element(snippet)];
        Some(format!("{}{notes}", Renderer::plain().render(&report)))
    });
    picture.unwrap_or_else(|| format!("error: {message}"))
}

/// How far the mark under the line goes: the identifier at its start, at least one character.
fn identifier_len(text: &str) -> usize {
    let len = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    len.max(text.chars().next().map_or(0, char::len_utf8))
}

/// The first line, and the `= operand`/`= help` lines after the `-->` line.
fn split_notes(message: &str) -> (&str, String) {
    let mut lines = message.lines();
    let title = lines.next().unwrap_or_default();
    let notes = lines.filter(|line| !line.trim_start().starts_with("-->"));
    (title, notes.map(|line| format!("\n{line}")).collect())
}
