//! Which line is which: colors, strokes and the names beside them.

use std::fmt::Write;

use super::svg::{Series, WIDTH, escaped};

/// The width of a letter, on average: text is not measured.
pub(super) const LETTER: f64 = 6.8;

/// Colors that also differ in brightness and for the color-blind (after Okabe and Ito).
const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];

/// The strokes of the first seven series, of the next seven, and so on.
const DASHES: [&str; 3] = ["", " stroke-dasharray=\"7 4\"", " stroke-dasharray=\"2 3\""];

/// The names of the series with their strokes, in rows above the frame.
pub(super) struct Legend {
    pub(super) rows: usize,
    /// Offset from the frame's left side, row, name.
    entries: Vec<(f64, usize, String)>,
}

impl Legend {
    pub(super) fn of(series: &[Series]) -> Legend {
        let (mut x, mut row) = (0.0, 0);
        let mut entries = Vec::new();
        for series in series {
            let width = 46.0 + LETTER * series.name.chars().count() as f64;
            if x > 0.0 && x + width > WIDTH - 100.0 {
                (x, row) = (0.0, row + 1);
            }
            entries.push((x, row, series.name.clone()));
            x += width;
        }
        Legend { rows: if entries.is_empty() { 0 } else { row + 1 }, entries }
    }

    pub(super) fn draw(&self, out: &mut String, left: f64) -> std::fmt::Result {
        for (index, (offset, row, name)) in self.entries.iter().enumerate() {
            let (x, y, stroke) = (left + offset, 46.0 + 20.0 * *row as f64, stroke(index));
            writeln!(out, "<path d=\"M{x:.1} {y:.1}h20\" {stroke} stroke-width=\"2\"/>")?;
            let (x, y, name) = (x + 26.0, y + 4.0, escaped(name));
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>")?;
        }
        Ok(())
    }
}

/// The color of the series at position `index`.
pub(super) fn color(index: usize) -> &'static str {
    COLORS[index % COLORS.len()]
}

/// The attributes of its line.
pub(super) fn stroke(index: usize) -> String {
    format!("stroke=\"{}\"{}", color(index), DASHES[index / COLORS.len() % DASHES.len()])
}
