//! Line charts as SVG: self-contained, the same bytes for the same numbers.

use std::fmt::Write;
use std::io;
use std::path::Path;

use pullback_graph::atomic_file;

use super::axis::Axis;
use super::frame::{Frame, Y_TICKS};
use super::legend::{LETTER, Legend};

/// A line chart of one or several named series.
///
/// The picture needs nothing but itself: no fonts, scripts or styles from elsewhere, so it can be opened in a browser,
/// put into a page or committed. Where there are few points, each is a dot that shows its numbers under the mouse.
///
/// ```
/// use pullback_train::plot::LineChart;
///
/// let svg = LineChart::new("Loss")
///     .x_label("epoch")
///     .log_y()
///     .series("train", [(1.0, 2.3), (2.0, 0.7), (3.0, 0.31)])
///     .series("validation", [(1.0, 2.1), (2.0, 0.9), (3.0, 0.62)])
///     .to_svg();
/// assert!(svg.starts_with("<svg "));
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x_label: String,
    y_label: String,
    log_y: bool,
    series: Vec<Series>,
}

/// A named line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// The size of the picture, and its right margin.
pub(super) const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const RIGHT: f64 = 24.0;

impl LineChart {
    /// An empty chart under `title`.
    pub fn new(title: impl Into<String>) -> LineChart {
        LineChart {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            log_y: false,
            series: Vec::new(),
        }
    }

    /// What stands under the horizontal axis.
    #[must_use]
    pub fn x_label(self, label: impl Into<String>) -> Self {
        LineChart { x_label: label.into(), ..self }
    }

    /// What stands beside the vertical axis.
    #[must_use]
    pub fn y_label(self, label: impl Into<String>) -> Self {
        LineChart { y_label: label.into(), ..self }
    }

    /// Makes the vertical axis logarithmic. Values that are not positive are then gaps.
    #[must_use]
    pub fn log_y(self) -> Self {
        LineChart { log_y: true, ..self }
    }

    /// Adds a series of (x, y). A point that is not finite is a gap in its line.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.series.push(Series { name: name.into(), points: points.into_iter().collect() });
        self
    }

    /// Writes the picture to a file, which is replaced whole.
    ///
    /// # Errors
    /// The system's error.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        atomic_file::write(path, self.to_svg().as_bytes())
    }

    /// The picture as the text of an SVG file.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.draw(&mut out);
        out
    }

    fn draw(&self, out: &mut String) -> std::fmt::Result {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let drawable = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
        let x_axis = Axis::over(points().filter(drawable).map(|point| point.0), false, 0.0);
        let y_axis = Axis::over(points().filter(drawable).map(|point| point.1), self.log_y, 0.04);
        let legend = Legend::of(&self.series);
        let widest = y_axis.ticks(Y_TICKS).iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0);
        let y_label_width = if self.y_label.is_empty() { 0.0 } else { 22.0 };
        let frame = Frame {
            left: 20.0 + y_label_width + LETTER * widest as f64,
            top: 48.0 + 20.0 * legend.rows as f64,
            right: WIDTH - RIGHT,
            bottom: HEIGHT - if self.x_label.is_empty() { 34.0 } else { 54.0 },
            x_axis,
            y_axis,
        };

        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#444444\">"
        )?;
        writeln!(out, "<title>{}</title>", escaped(&self.title))?;
        writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>")?;
        let title = escaped(&self.title);
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"28\" font-size=\"16\" fill=\"#111111\">{title}</text>",
            frame.left
        )?;
        legend.draw(out, frame.left)?;
        frame.draw(out)?;
        self.draw_labels(out, &frame)?;
        for (index, series) in self.series.iter().enumerate() {
            frame.draw_series(out, index, series)?;
        }
        writeln!(out, "</svg>")
    }

    fn draw_labels(&self, out: &mut String, frame: &Frame) -> std::fmt::Result {
        if !self.x_label.is_empty() {
            let (x, y) = ((frame.left + frame.right) / 2.0, HEIGHT - 12.0);
            let label = escaped(&self.x_label);
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>")?;
        }
        if !self.y_label.is_empty() {
            let (x, y) = (20.0, (frame.top + frame.bottom) / 2.0);
            let (turn, label) = (format!("rotate(-90 {x:.1} {y:.1})"), escaped(&self.y_label));
            writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" transform=\"{turn}\">{label}</text>"
            )?;
        }
        Ok(())
    }
}

/// `text` as the content of an element. Control characters and the two that are none cannot stand in XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(svg: &str, part: &str) -> usize {
        svg.matches(part).count()
    }

    #[test]
    fn a_chart_has_title_labels_legend_ticks_and_lines() {
        let svg = LineChart::new("Loss & more")
            .x_label("epoch")
            .y_label("loss <nats>")
            .series("train", [(1.0, 1.0), (2.0, 0.5)])
            .series("test", [(1.0, 1.1), (2.0, 0.7)])
            .to_svg();
        for text in ["Loss &amp; more", ">epoch<", "loss &lt;nats&gt;", ">train<", ">test<", ">0.6<", ">1.8<"]
        {
            assert!(svg.contains(text), "{text} is missing in {svg}");
        }
        assert_eq!(count(&svg, "<circle"), 4);
        assert_eq!(count(&svg, "<svg"), 1);
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn gaps_cut_a_line() {
        let chart = |points: &[f64]| {
            let points = points.iter().enumerate().map(|(x, y)| (x as f64, *y));
            LineChart::new("").log_y().series("loss", points).to_svg()
        };
        let lines = |svg: &str| count(svg, "stroke-linejoin");
        assert_eq!(lines(&chart(&[1.0, 2.0, 3.0])), 1);
        assert_eq!(lines(&chart(&[1.0, f64::NAN, 3.0])), 2);
        assert_eq!(lines(&chart(&[1.0, 2.0, -3.0, 0.0, 4.0, 5.0])), 2);
        assert_eq!(lines(&chart(&[f64::NAN, f64::INFINITY])), 0);
        assert_eq!(lines(&chart(&[])), 0);
    }

    #[test]
    fn a_long_run_makes_a_small_file_and_keeps_its_extremes() {
        let loss = |step: usize| if step == 70_000 { 50.0 } else { 1.0 + (step as f64).sin() };
        let points = (0..100_000).map(|step| (step as f64, loss(step)));
        let svg = LineChart::new("loss").series("train", points).to_svg();
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        let peak = LineChart::new("loss").series("train", [(0.0, 0.0), (1.0, 50.0)]).to_svg();
        let top = |svg: &str| {
            let path = svg.split("<g>").nth(1).unwrap().split('"').nth(1).unwrap();
            path.split(['M', 'L'])
                .skip(1)
                .map(|p| p.split_once(' ').unwrap().1.parse::<f64>().unwrap())
                .fold(f64::MAX, f64::min)
        };
        assert_eq!(top(&svg), top(&peak));
    }

    #[test]
    fn a_file_holds_the_picture() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("loss.svg");
        let chart = LineChart::new("loss").series("train", [(0.0, 1.0)]);
        chart.save(&path).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), chart.to_svg());
    }

    proptest! {
        #[test]
        fn any_numbers_make_a_picture_of_finite_ones(
            points in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..60),
            names in proptest::collection::vec(".{0,30}", 0..9),
            log_y: bool,
        ) {
            let mut chart = LineChart::new("any");
            chart.log_y = log_y;
            for name in &names {
                chart = chart.series(name, points.clone());
            }
            let svg = chart.to_svg();
            for attribute in ["d=\"", "cx=\"", "cy=\"", " x=\"", " y=\""] {
                for value in svg.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                    prop_assert!(!value.contains("NaN") && !value.contains("inf"), "{value}");
                }
            }
        }
    }
}
