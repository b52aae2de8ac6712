//! Tables of text: columns as wide as their widest cell.

use std::fmt;

/// Rows of cells.
pub(super) struct Table<const N: usize> {
    /// Which columns hold numbers, which stand at the right.
    numbers: [bool; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&str; N], numbers: [bool; N]) -> Self {
        Table { numbers, rows: vec![head.map(str::to_string)] }
    }

    /// Appends a row. Control characters are escaped: names come from files, and tables go to terminals.
    pub(super) fn row(&mut self, cells: [String; N]) {
        let plain = |cell: String| match cell.contains(char::is_control) {
            true => cell.escape_debug().to_string(),
            false => cell,
        };
        self.rows.push(cells.map(plain));
    }

    /// The width of each column: that of its widest cell.
    fn widths(&self) -> [usize; N] {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    /// Writes the rows; behind each one, the lines that `beneath` gives for its number, the head's being 0.
    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        beneath: impl Fn(&mut fmt::Formatter<'_>, usize) -> fmt::Result,
    ) -> fmt::Result {
        let widths = self.widths();
        let mut line = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            line.clear();
            for at in 0..N {
                let (cell, gap) = (&row[at], widths[at] - row[at].chars().count());
                let (before, after) = if self.numbers[at] { (gap, 0) } else { (0, gap) };
                line.push_str(&format!(
                    "{}{:before$}{cell}{:after$}",
                    if at > 0 { "  " } else { "" },
                    "",
                    ""
                ));
            }
            writeln!(f, "{}", line.trim_end())?;
            beneath(f, number)?;
        }
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |_, _| Ok(()))
    }
}
