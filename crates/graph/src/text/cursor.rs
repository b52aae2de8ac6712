//! A place in a text: what comes next, and messages that say where.

use crate::error::FormatError;

/// A place in a text, which moves on as things are read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Cursor { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Moves past white space, line ends and comments.
    pub(super) fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Moves past white space within the line.
    pub(super) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    }

    /// Whether the line has nothing more than a comment.
    pub(super) fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some('\n' | '#'))
    }

    /// Moves past `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Moves past a keyword: not the beginning of a longer word.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(keyword) else { return false };
        let whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.at += if whole { keyword.len() } else { 0 };
        whole
    }

    /// Moves past white space and `token`.
    pub(super) fn expect(&mut self, token: &str) -> Result<(), FormatError> {
        self.skip_space();
        if self.eat(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }

    /// The longest run of characters that `belongs`; at least one.
    pub(super) fn word(
        &mut self,
        what: &str,
        belongs: impl Fn(char) -> bool,
    ) -> Result<&'t str, FormatError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected(what));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    /// A number without sign that fits in 32 bits: ids, lines, columns.
    pub(super) fn number(&mut self, what: &str) -> Result<u32, FormatError> {
        let start = self.at;
        let digits = self.word(what, |c| c.is_ascii_digit())?;
        digits.parse().map_err(|_| {
            self.at = start;
            self.error(format!("{} is too large for {what}", abbreviated(digits)))
        })
    }

    /// A string in quotes, escaped as in JSON.
    pub(super) fn quoted(&mut self) -> Result<String, FormatError> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(self.error("a string is not closed".into())) };
        let text = &rest[..=end];
        let string =
            serde_json::from_str(text).map_err(|error| self.error(format!("malformed string: {error}")))?;
        self.at += text.len();
        Ok(string)
    }

    /// Items between `open` and `close`, parted by commas.
    pub(super) fn list<T>(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let (mut open_text, mut close_text) = ([0; 4], [0; 4]);
        let (open, close) = (open.encode_utf8(&mut open_text), close.encode_utf8(&mut close_text));
        self.expect(open)?;
        self.skip_space();
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                if !self.eat(",") {
                    return Err(self.expected(&format!("`,` or `{close}`")));
                }
                self.skip_space();
            }
            items.push(item(self)?);
            self.skip_space();
        }
        Ok(items)
    }

    /// An error here: `what` should have come.
    pub(super) fn expected(&self, what: &str) -> FormatError {
        let rest = self.rest();
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '%').unwrap_or(rest.len());
        let found = match rest.chars().next() {
            None => "the end of the text".to_string(),
            Some('\n') => "the end of the line".to_string(),
            Some(c) => format!("`{}`", abbreviated(&rest[..word.max(c.len_utf8())])),
        };
        self.error(format!("expected {what}, got {found}"))
    }

    /// An error here.
    pub(super) fn error(&self, message: String) -> FormatError {
        let before = &self.text[..self.at];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        FormatError::Syntax {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

/// The first characters of a word: an absurd one does not make an absurd message.
fn abbreviated(word: &str) -> String {
    const SHOWN: usize = 24;
    match word.char_indices().nth(SHOWN) {
        None => word.to_string(),
        Some((end, _)) => format!("{}…", &word[..end]),
    }
}
