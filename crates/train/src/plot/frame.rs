//! The inside of a chart: grid, axes and lines.

use std::fmt::Write;

use super::axis::Axis;
use super::legend::{color, stroke};
use super::svg::{Series, escaped};

/// About how many ticks the axes have.
const X_TICKS: u32 = 8;
pub(super) const Y_TICKS: u32 = 5;

/// Up to this many points, a series shows them as dots.
const DOTS: usize = 40;

/// The rectangle in which lines are drawn, and the axes along its sides.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    pub(super) x_axis: Axis,
    pub(super) y_axis: Axis,
}

impl Frame {
    fn x(&self, at: f64) -> f64 {
        self.left + at * (self.right - self.left)
    }

    fn y(&self, at: f64) -> f64 {
        self.bottom - at * (self.bottom - self.top)
    }

    /// Grid, axes, ticks.
    pub(super) fn draw(&self, out: &mut String) -> std::fmt::Result {
        let Frame { left, top, right, bottom, .. } = *self;
        for tick in self.y_axis.ticks(Y_TICKS) {
            let (y, label) = (self.y(tick.at), escaped(&tick.label));
            writeln!(out, "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#e4e4e4\"/>")?;
            let (x, y) = (left - 8.0, y + 4.0);
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{label}</text>")?;
        }
        for tick in self.x_axis.ticks(X_TICKS) {
            let (x, label) = (self.x(tick.at), escaped(&tick.label));
            writeln!(out, "<path d=\"M{x:.1} {bottom:.1}v5\" stroke=\"#888888\"/>")?;
            let y = bottom + 19.0;
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>")?;
        }
        writeln!(
            out,
            "<path d=\"M{left:.1} {top:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#888888\"/>"
        )
    }

    /// The lines and dots of the series at position `index`.
    pub(super) fn draw_series(&self, out: &mut String, index: usize, series: &Series) -> std::fmt::Result {
        let stroke = stroke(index);
        writeln!(out, "<g>")?;
        for run in self.runs(&series.points) {
            let mut path = String::new();
            for (x, y) in thinned(&run) {
                write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' })?;
            }
            // A line to itself shows a lone point as a dot, through its round ends.
            if run.len() == 1 {
                path.push_str("h0");
            }
            writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" {stroke} stroke-width=\"2\" stroke-linejoin=\"round\" \
                 stroke-linecap=\"round\"/>"
            )?;
        }
        if series.points.len() <= DOTS {
            for (x, y) in &series.points {
                if let Some((at_x, at_y)) = self.place(*x, *y) {
                    let (color, name) = (color(index), escaped(&series.name));
                    writeln!(
                        out,
                        "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"3\" fill=\"{color}\">\
                         <title>{name}: {y} at {x}</title></circle>"
                    )?;
                }
            }
        }
        writeln!(out, "</g>")
    }

    fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x(self.x_axis.at(x)?), self.y(self.y_axis.at(y)?)))
    }

    /// The places of `points`, cut where one cannot be drawn.
    fn runs(&self, points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let places: Vec<_> = points.iter().map(|(x, y)| self.place(*x, *y)).collect();
        places
            .split(Option::is_none)
            .filter(|run| !run.is_empty())
            .map(|run| run.iter().flatten().copied().collect())
            .collect()
    }
}

/// The points of a line that can be told apart: of consecutive ones in one column of pixels, the first, the lowest,
/// the highest and the last.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let lowest = (0..column.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..column.len()).max_by(by_height).unwrap_or(0);
        let mut picked = [0, lowest.min(highest), lowest.max(highest), column.len() - 1].to_vec();
        picked.dedup();
        kept.extend(picked.into_iter().map(|at| column[at]));
    }
    kept
}
